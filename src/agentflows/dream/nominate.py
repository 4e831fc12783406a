"""Nominate: which entries an engine should look at, among thousands. Likeness nominates and never decides."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentflows.change import Pattern
from agentflows.dream.engine import Nomination
from agentflows.dream.faithful import content, opposed
from agentflows.dream.lapsing import ends
from agentflows.dream.overlap import other_things
from agentflows.dream.stamp import without_stamp
from agentflows.memory import Entry
from agentflows.signature import specifics

ALIKE = 0.5
"""Shared words over all words (Jaccard) from which two entries are looked at together."""
_HEADING_WEIGHT = 0.3
_SUBJECT_WEIGHT = 2.0
_SPECIFIC_WEIGHT = 1.5
_MAX_POSTINGS = 300
"""A word that more entries have than this nominates nothing by itself."""
_MAX_PAIRS_EACH = 5
_UNIT = r"(?:ms|s|sec|seconds?|min|minutes?|h|hours?|days?|kb|mb|gb|tb|%|px|rem|em|k|x)"
_QUANTITY = re.compile(rf"(\d+(?:[.,:]\d+)*)\s*({_UNIT}(?![a-z]))?", re.IGNORECASE)
_UNITS = {
    "seconds": "s",
    "second": "s",
    "sec": "s",
    "minutes": "min",
    "minute": "min",
    "hours": "h",
    "hour": "h",
    "days": "d",
    "day": "d",
}
_PLACES = (
    ("production", "prod", "live"),
    ("staging", "stage", "preview"),
    ("development", "dev", "local"),
    ("windows",),
    ("linux", "ubuntu", "debian"),
    ("macos", "mac", "darwin"),
    ("frontend",),
    ("backend",),
    ("client",),
    ("server",),
)
"""Words for where something holds: two texts that name different ones do not say the same."""
_PLACE_OF = {word: names[0] for names in _PLACES for word in names}
_WORD = re.compile(r"[a-z]+")


def quantities(text: str) -> frozenset[str]:
    """Every number of a text with its unit, versions and ids included: what vetoes a merge when it differs."""
    found: set[str] = set()
    for match in _QUANTITY.finditer(text):
        unit = (match.group(2) or "").lower()
        found.add(match.group(1) + _UNITS.get(unit, unit))
    return frozenset(found)


def places(text: str) -> frozenset[str]:
    """The environments a text names."""
    return frozenset(_PLACE_OF[word] for word in _WORD.findall(text.lower()) if word in _PLACE_OF)


def differs(one: str, other: str) -> str:
    """Why two texts cannot say the same, however alike: "" when code sees no reason."""
    if quantities(one) != quantities(other):
        return "different numbers"
    if places(one) != places(other):
        return "different environments"
    if opposed(one, other):
        return "one denies what the other says"
    mine, yours = specifics(one), specifics(other)
    if (mine - yours and yours - mine) or other_things(one, other):
        return "different names or paths"
    return ""


@dataclass(frozen=True, slots=True)
class _Posting:
    entry: int
    weight: float


class EntryIndex:
    """The entries of a store by their words, built once for many patterns."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._postings: dict[str, list[_Posting]] = {}
        for number, entry in enumerate(self.entries):
            for word, weight in _weights(entry).items():
                self._postings.setdefault(word, []).append(_Posting(number, weight))

    def nearest(self, pattern: Pattern, limit: int = 8) -> list[Entry]:
        """The entries that share most with the pattern, nearest first; the same for the same store."""
        scores: dict[int, float] = {}
        for word, weight in _asked(pattern).items():
            postings = self._postings.get(word, ())
            rarity = math.log(1 + len(self.entries) / (1 + len(postings)))
            for posting in postings:
                gain = weight * posting.weight * rarity
                scores[posting.entry] = scores.get(posting.entry, 0.0) + gain
        ranked = sorted(scores, key=lambda number: (-scores[number], self.entries[number].entry_id))
        return [self.entries[number] for number in ranked[:limit]]


def nominate(pattern: Pattern, entries: Sequence[Entry] | EntryIndex, limit: int = 8) -> list[Entry]:
    """The entries nearest to a pattern; pass an `EntryIndex` when there are many patterns."""
    index = entries if isinstance(entries, EntryIndex) else EntryIndex(entries)
    return index.nearest(pattern, limit)


def _weights(entry: Entry) -> dict[str, float]:
    """What an entry is found by. A long entry's words count less each, headings count little."""
    if entry.kind in {"heading", "front_matter", "html"}:
        return {}
    weights = dict.fromkeys(content(" ".join(entry.heading)), _HEADING_WEIGHT)
    words = content(entry.text)
    length = 1 / (0.5 + 0.5 * len(words) / 20)
    weights |= dict.fromkeys(words, max(length, 0.2))
    for item in specifics(entry.text):
        weights[f"`{item.lower()}"] = _SPECIFIC_WEIGHT
    return weights


def _asked(pattern: Pattern) -> dict[str, float]:
    weights = dict.fromkeys(content(f"{pattern.claim} {pattern.when} {pattern.when_not}"), 1.0)
    weights |= dict.fromkeys(content(f"{pattern.subject} {pattern.attribute}"), _SUBJECT_WEIGHT)
    named = f"{pattern.claim} {pattern.value} `{pattern.subject}`"
    weights |= {f"`{item.lower()}": _SPECIFIC_WEIGHT for item in specifics(named)}
    return weights


def nominate_pairs(entries: Sequence[Entry]) -> list[Nomination]:
    """Entries that may say the same or contradict each other, most alike first.

    Entries with the same words come as one group; near ones as pairs, at most five for each entry; last, each
    by itself, those that name a day they end on.
    """
    usable = [entry for entry in entries if entry.kind not in {"heading", "front_matter", "html", "code"}]
    groups: dict[str, list[Entry]] = {}
    for entry in usable:
        folded = fold(without_stamp(entry.text))
        if content(folded):
            groups.setdefault(folded, []).append(entry)
    found = [
        (2.0, Nomination(entries=tuple(same), why="same words")) for same in groups.values() if len(same) > 1
    ]
    firsts = [same[0] for same in groups.values()]
    said = [without_stamp(entry.text) for entry in firsts]
    taken: Counter[int] = Counter()
    for one, other, likeness in similar([content(text) for text in said]):
        if taken[one] >= _MAX_PAIRS_EACH or taken[other] >= _MAX_PAIRS_EACH:
            continue
        taken.update([one, other])
        why = differs(said[one], said[other])
        reason = f"{likeness:.0%} of the words are shared" + (f", {why}" if why else "")
        found.append((likeness, Nomination(entries=(firsts[one], firsts[other]), why=reason)))
    dated = [
        Nomination(entries=(entry,), why="it names a day it ends on") for entry in usable if ends(entry.text)
    ]
    found.extend((0.0, nomination) for nomination in dated)
    found.sort(key=lambda item: (-item[0], [entry.entry_id for entry in item[1].entries]))
    return [nomination for _, nomination in found]


def fold(text: str) -> str:
    """A text without what does not change what it says: list marker, case, blanks, closing dot."""
    text = re.sub(r"\A\s*(?:[-*+]|\d+[.)])\s+", "", text)
    return " ".join(text.split()).rstrip(".!; ").casefold()


def similar(words: Sequence[Iterable[str]], alike: float = ALIKE) -> list[tuple[int, int, float]]:
    """Pairs of word sets with Jaccard `alike` or more, as (lower index, higher index, likeness), likest first.

    Only the rarest words of each set are looked up: two sets that share none of those cannot be alike.
    """
    sets = [frozenset(one) for one in words]
    common = Counter(word for one in sets for word in one)
    postings: dict[str, list[int]] = {}
    pairs: list[tuple[int, int, float]] = []
    for number, one in enumerate(sets):
        rarest = sorted(one, key=lambda word: (common[word], word))
        prefix = rarest[: len(rarest) - math.ceil(alike * len(rarest)) + 1] if rarest else []
        candidates = {other for word in prefix for other in postings.get(word, ())}
        for other in sorted(candidates):
            likeness = len(one & sets[other]) / len(one | sets[other])
            if likeness >= alike:
                pairs.append((other, number, likeness))
        for word in prefix:
            if common[word] <= _MAX_POSTINGS:
                postings.setdefault(word, []).append(number)
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))
