"""Two versions of a text, compared by entry and then by word, for reading."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agentflows.memory import Entry, parse_entries

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_WORD = re.compile(r"\w+")
_MOST_CELLS = 4_000_000
"""Words of one text times words of the other: beyond it they are not compared word by word."""
_MOST_PAIRS = 2_500
_ALIKE = 0.4


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of words that both texts have, or only one of them."""

    kind: Literal["same", "gone", "new"]
    text: str


@dataclass(frozen=True, slots=True)
class EntryChange:
    """What became of one entry from one version to the other."""

    kind: Literal["same", "changed", "gone", "new"]
    before: Entry | None
    after: Entry | None
    parts: tuple[Part, ...] = ()
    """Of a changed one, by word."""

    @property
    def text(self) -> str:
        """What it says, or said."""
        entry = self.after or self.before
        return entry.text if entry else ""


@dataclass(frozen=True, slots=True)
class FileChange:
    """What became of one memory."""

    path: str
    kind: Literal["created", "modified", "deleted"]
    entries: tuple[EntryChange, ...]

    def count(self, kind: str) -> int:
        """How many entries met that fate."""
        return sum(one.kind == kind for one in self.entries)

    @property
    def told(self) -> list["EntryChange | int"]:
        """What is worth reading, in order: what differs, the heading it stands under, and how much was passed over."""
        told: list[EntryChange | int] = []
        heading: EntryChange | None = None
        passed = 0
        for one in self.entries:
            is_heading = (one.after or one.before or one).kind == "heading"
            if one.kind == "same":
                heading = one if is_heading else heading
                passed += 1
                continue
            passed -= heading is not None
            told += [part for part in (passed, heading) if part]
            told.append(one)
            heading, passed = (None, 0)
        return [*told, passed] if passed else told


def by_word(before: str, after: str) -> tuple[Part, ...]:
    """The two texts as one, with what goes and what comes."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    if len(old) * len(new) > _MOST_CELLS:
        whole = (Part("gone", before), Part("new", after))
        return tuple(part for part in whole if part.text)
    parts: list[Part] = []
    for tag, low, high, first, last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append(Part("same", "".join(old[low:high])))
            continue
        gone, come = "".join(old[low:high]), "".join(new[first:last])
        parts += [part for part in (Part("gone", gone), Part("new", come)) if part.text]
    return tuple(_calmed(parts))


def _calmed(parts: Sequence[Part]) -> Sequence[Part]:
    """Blanks between two stretches that change join them: one change reads better than three."""
    calm: list[Part] = []
    gone = new = ""
    for number, part in enumerate(parts):
        between = part.kind == "same" and not part.text.strip() and "\n" not in part.text
        if part.kind == "same" and not (between and (gone or new) and number + 1 < len(parts)):
            calm += [one for one in (Part("gone", gone), Part("new", new)) if one.text] + [part]
            gone = new = ""
        else:
            gone += part.text if part.kind != "new" else ""
            new += part.text if part.kind != "gone" else ""
    return [*calm, *(one for one in (Part("gone", gone), Part("new", new)) if one.text)]


def by_entry(path: str, before: str, after: str) -> tuple[EntryChange, ...]:
    """The entries of both texts in reading order, each with what became of it."""
    old, new = parse_entries(path, before), parse_entries(path, after)
    matcher = difflib.SequenceMatcher(
        None, [entry.text for entry in old], [entry.text for entry in new], autojunk=False
    )
    changes: list[EntryChange] = []
    for tag, low, high, first, last in matcher.get_opcodes():
        if tag == "equal":
            changes += [
                EntryChange("same", *pair) for pair in zip(old[low:high], new[first:last], strict=True)
            ]
        else:
            changes += _replaced(old[low:high], new[first:last])
    return tuple(changes)


def _replaced(gone: Sequence[Entry], come: Sequence[Entry]) -> list[EntryChange]:
    """Of a stretch that differs, pairs that say much the same, and what has no counterpart."""
    partner = _partners(gone, come)
    changes: list[EntryChange] = []
    taken = {id(entry) for entry in partner.values()}
    left = list(come)
    for entry in gone:
        other = partner.get(entry.entry_id)
        if other is None:
            changes.append(EntryChange("gone", entry, None))
            continue
        while left and left[0] is not other and id(left[0]) not in taken:
            changes.append(EntryChange("new", None, left.pop(0)))
        left.remove(other)
        changes.append(EntryChange("changed", entry, other, by_word(entry.text, other.text)))
    return [*changes, *(EntryChange("new", None, entry) for entry in left)]


def _partners(gone: Sequence[Entry], come: Sequence[Entry]) -> dict[str, Entry]:
    if len(gone) * len(come) > _MOST_PAIRS:
        return {}
    rated = sorted(
        (
            (ratio, -low, -high)
            for low, old in enumerate(gone)
            for high, new in enumerate(come)
            if old.kind == new.kind and (ratio := _likeness(old.text, new.text)) >= _ALIKE
        ),
        reverse=True,
    )
    partner: dict[str, Entry] = {}
    taken: set[int] = set()
    for _, low, high in rated:
        if gone[-low].entry_id not in partner and -high not in taken:
            partner[gone[-low].entry_id] = come[-high]
            taken.add(-high)
    return partner


def _likeness(before: str, after: str) -> float:
    """The share of words that both have in the same order."""
    matcher = difflib.SequenceMatcher(None, _WORD.findall(before), _WORD.findall(after), autojunk=False)
    return (
        matcher.ratio() if matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE else 0.0
    )


def by_file(before: Mapping[str, str], after: Mapping[str, str]) -> list[FileChange]:
    """Every memory that differs, by path."""
    changes: list[FileChange] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old != new:
            kind = "created" if old is None else "deleted" if new is None else "modified"
            changes.append(FileChange(path, kind, by_entry(path, old or "", new or "")))
    return changes
