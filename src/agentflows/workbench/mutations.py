"""Mutations: ways in which a good artifact can be spoilt. Each changes one file and says what it did.

They are derived from the artifact and deterministic, so that a proof can be repeated.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict

from agentflows.errors import LimitError, UsageError
from agentflows.signature import sentences

MutationKind = Literal[
    "delete_file", "empty_file", "truncate", "drop_section", "drop_item", "change_number", "invert_statement",
    "break_json", "drop_key", "swap_names", "contradict", "placeholder", "plant",
]  # fmt: skip
"""How it is spoilt. `plant` is made for a rubric: what a check of it forbids is put there."""
KINDS: tuple[MutationKind, ...] = get_args(MutationKind)
MAX_FILES = 500
MAX_BYTES = 50 << 20
MAX_TEXT_BYTES = 1 << 20
"""A larger file is only deleted, emptied and cut."""
MAX_MUTATIONS = 60
_PER_FILE = 3
"""Variants of one kind on one file."""
_SKIPPED = frozenset(
    {".git", "node_modules", "__pycache__", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)

_SECTION = re.compile(r"(?m)^#{1,6} .*$")
_ITEM = re.compile(r"(?m)^[ \t]*(?:[-*+]|\d+[.)]) .*\n?")
_NUMBER = re.compile(r"(?<![\w.#-])\d+(?:[.,]\d+)*(?![\w-])")
_VERB = re.compile(
    r"\b(is|are|was|were|must|should|can|will|does|has been|have been)\b( not\b)?", re.IGNORECASE
)
_OPPOSITE = {
    "always": "never", "never": "always", "true": "false", "false": "true", "all": "no", "before": "after",
    "after": "before", "increases": "decreases", "decreases": "increases", "passes": "fails", "enabled": "disabled",
    "disabled": "enabled", "added": "removed", "removed": "added", "requires": "forbids", "fixed": "broken",
    "fixes": "breaks", "higher": "lower", "lower": "higher", "allowed": "forbidden", "names": "omits", "now": "no longer",
}  # fmt: skip
_WORD_OPPOSITE = re.compile(rf"\b({'|'.join(_OPPOSITE)})\b", re.IGNORECASE)
_NAME = re.compile(
    r"`([^`\n]{2,60})`|(?<![.!?:] )(?<!^)(?<!# )\b([A-Z][a-z]+(?:[A-Z][a-z]+)*)\b", re.MULTILINE
)
PROSE = frozenset({".md", ".txt", ".rst", ".adoc", ".html", ""})
"""Suffixes of files that hold sentences."""


class Mutation(BaseModel):
    """One way to spoil an artifact."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    kind: MutationKind
    path: str
    """Relative to the artifact, with `/`."""
    what: str
    """What is done, for people."""
    content: bytes | None = None
    """What the file holds afterwards; None deletes it."""

    @property
    def name(self) -> str:
        """Kind, file and what is done, in one line."""
        return f"{self.kind} {self.path}: {self.what}"


def artifact_files(folder: Path) -> dict[str, Path]:
    """The files that can be spoilt, by relative path: no links, no caches, no version control.

    Raises:
        UsageError: there is no such folder, or no file in it.
        LimitError: it is too large to be copied dozens of times.
    """
    if not folder.is_dir():
        msg = f"Expected the folder of a good artifact, found {str(folder)!r}. Name a folder that exists."
        raise UsageError(msg)
    found = files_in(folder)
    size = sum(path.stat().st_size for path in found.values())
    if not found:
        msg = f"Expected files to spoil in {str(folder)!r}, found none. Put a good artifact there."
        raise UsageError(msg)
    if len(found) > MAX_FILES or size > MAX_BYTES:
        msg = (
            f"The artifact has {len(found):,} files of {size:,} bytes; at most {MAX_FILES:,} and {MAX_BYTES:,} are "
            "spoilt one by one. Copy what the rubric is about into a folder of its own."
        )
        raise LimitError(msg)
    return found


def files_in(folder: Path) -> dict[str, Path]:
    """Files by relative path, sorted; no links, no caches, no version control. A spoilt artifact may have none left."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not _SKIPPED & set(path.relative_to(folder).parts)
    }


def mutations_of(
    folder: Path, *, kinds: Sequence[MutationKind] = KINDS, limit: int = MAX_MUTATIONS
) -> list[Mutation]:
    """Ways to spoil the artifact, at most `limit`: each kind and each file gets its turn before any gets another.

    Raises:
        UsageError: there is nothing to spoil.
        LimitError: it is too large.
    """
    rows = [
        list(_of_kind(kind, path, file))
        for kind in KINDS
        if kind in kinds
        for path, file in artifact_files(folder).items()
    ]
    turns = (one for turn in zip_longest(*rows) for one in turn if one is not None)
    chosen = list(turns)[:limit]
    return sorted(chosen, key=lambda one: (one.path, KINDS.index(one.kind)))


def apply_mutation(mutation: Mutation, folder: Path) -> None:
    """Spoil the copy of an artifact."""
    path = folder / mutation.path
    if mutation.content is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutation.content)


def _of_kind(kind: MutationKind, path: str, file: Path) -> Iterator[Mutation]:
    raw = file.read_bytes()
    if kind == "delete_file":
        yield Mutation(kind=kind, path=path, what="the file is gone")
    elif kind == "empty_file" and raw:
        yield Mutation(kind=kind, path=path, what="the file is empty", content=b"")
    elif kind == "truncate" and len(raw) > 40:
        yield Mutation(kind=kind, path=path, what="the second half is cut off", content=raw[: len(raw) // 2])
    elif kind in _TEXTUAL and len(raw) <= MAX_TEXT_BYTES:
        text = _decoded(raw)
        done = 0
        for what, changed in _TEXTUAL[kind](path, text) if text.strip() else ():
            if changed != text and done < _PER_FILE:
                done += 1
                yield Mutation(kind=kind, path=path, what=what, content=changed.encode("utf-8"))


def _decoded(raw: bytes) -> str:
    """The text, or nothing where it is none."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return "" if "\x00" in text else text


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


Changed = Iterator[tuple[str, str]]
"""(what was done, the text afterwards)"""


def _is_prose(path: str) -> bool:
    return Path(path).suffix.lower() in PROSE


def _drop_section(path: str, text: str) -> Changed:
    if not _is_prose(path):
        return
    starts = [found.start() for found in _SECTION.finditer(text)]
    if len(starts) > 1:
        for start, end in reversed(list(zip(starts, [*starts[1:], len(text)], strict=True))):
            yield (
                f"without the section {_short(text[start:end].splitlines()[0])!r}",
                text[:start] + text[end:],
            )
        return
    paragraphs = re.split(r"\n\s*\n", text.strip())
    for place in range(len(paragraphs) - 1, 0, -1):
        rest = paragraphs[:place] + paragraphs[place + 1 :]
        yield f"without the paragraph {_short(paragraphs[place])!r}", "\n\n".join(rest) + "\n"


def _drop_item(path: str, text: str) -> Changed:
    if _is_prose(path):
        for found in _ITEM.finditer(text):
            yield f"without the item {_short(found[0])!r}", text[: found.start()] + text[found.end() :]


def _change_number(path: str, text: str) -> Changed:
    del path
    for found in _NUMBER.finditer(text):
        last = found[0][-1]
        other = str((int(last) + 3) % 10)
        changed = found[0][:-1] + other
        yield f"{found[0]} becomes {changed}", text[: found.start()] + changed + text[found.end() :]


def inverted(statement: str) -> str:
    """The statement turned round; "" where code cannot."""
    if found := _WORD_OPPOSITE.search(statement):
        other = _OPPOSITE[found[0].lower()]
        other = other.capitalize() if found[0][0].isupper() else other
        return statement[: found.start()] + other + statement[found.end() :]
    if found := _VERB.search(statement):
        verb = found[1].split()
        turned = found[1] if found[2] else " ".join([verb[0], "not", *verb[1:]])
        return statement[: found.start()] + turned + statement[found.end() :]
    return ""


def _invert_statement(path: str, text: str) -> Changed:
    if not _is_prose(path):
        return
    for start, end in sentences(text):
        turned = inverted(text[start:end])
        if turned:
            yield (
                f"{_short(text[start:end])!r} becomes {_short(turned)!r}",
                text[:start] + turned + text[end:],
            )


def _contradict(path: str, text: str) -> Changed:
    if not _is_prose(path):
        return
    said = (inverted(text[start:end]) for start, end in sentences(text))
    turned = next((one for one in said if one), "None of the above holds.")
    yield f"it ends with {_short(turned)!r}", f"{text.rstrip()}\n\nCorrection: {' '.join(turned.split())}\n"


def _placeholder(path: str, text: str) -> Changed:
    if not _is_prose(path):
        return
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in sorted(lines, key=len, reverse=True)[:2]:
        mark = (re.match(r"\s*(?:[-*+]|\d+[.)])?\s*", line) or [""])[0]
        yield f"{_short(line)!r} becomes a placeholder", text.replace(line, f"{mark}TODO: to be written", 1)


def _swap_names(path: str, text: str) -> Changed:
    del path
    names = list(dict.fromkeys(found[1] or found[2] for found in _NAME.finditer(text)))
    for one, two in pairwise(names):
        pattern = re.compile(rf"(?<!\w)(?:{re.escape(one)}|{re.escape(two)})(?!\w)")
        swap = {one: two, two: one}
        yield f"{one!r} and {two!r} are swapped", pattern.sub(lambda found, swap=swap: swap[found[0]], text)


def _json(path: str, text: str) -> Any:
    """The value of a JSON file; None for anything else."""
    if not path.lower().endswith(".json"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _break_json(path: str, text: str) -> Changed:
    if _json(path, text) is not None:
        yield "its last bracket is missing", text.rstrip()[:-1]


def _drop_key(path: str, text: str) -> Changed:
    value = _json(path, text)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        for key in fields:
            rest = {name: field for name, field in fields.items() if name != key}
            yield f"without the key {key!r}", json.dumps(rest, indent=2, ensure_ascii=False) + "\n"


_TEXTUAL: Mapping[MutationKind, Callable[[str, str], Changed]] = {
    "drop_section": _drop_section,
    "drop_item": _drop_item,
    "change_number": _change_number,
    "invert_statement": _invert_statement,
    "break_json": _break_json,
    "drop_key": _drop_key,
    "swap_names": _swap_names,
    "contradict": _contradict,
    "placeholder": _placeholder,
}
