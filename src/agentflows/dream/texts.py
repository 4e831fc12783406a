"""Texts: may this text stand in the store, given what it rests on? Gates for what an engine would write.

An engine's proposal passes here before it becomes a change. The engine may have been turned against the
store by what it read, so its text may bring no number, path or name of its own, lose none of an entry that
is meant to survive, and must speak of what its pattern says.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from agentflows.change import ChangeOp, Pattern
from agentflows.dream.apply import form_problem
from agentflows.dream.faithful import (
    content,
    is_worded,
    lost_hedge,
    lost_negation,
    turned_round,
    unbacked,
)
from agentflows.dream.marks import reveal
from agentflows.dream.nominate import differs, fold
from agentflows.dream.stamp import without_stamp
from agentflows.memory import Entry, EntryKind
from agentflows.signature import negations, sentences, specifics

MAX_TEXT_CHARS = 2_000
"""How much longer than what it replaces a text may be: an entry is one lesson."""
_AT_HAND = 0.3
"""Least share of a text's own words that its pattern or entries hold; below it speaks of something else."""
_KEEPING: frozenset[ChangeOp] = frozenset({"narrow", "merge"})
"""Operations that promise to lose nothing."""

Problem = tuple[str, str]
"""The gate that stops something, and why."""


def text_problem(
    op: ChangeOp, after: str, entries: Sequence[Entry], pattern: Pattern | None
) -> Problem | None:
    """Why `after` may not be written for this operation; None when it may.

    Gates: `characters`, `size`, `form`, `merge_veto`, `specifics`, `negation`, `hedge`, `invented`.
    """
    before = "\n\n".join(entry.text for entry in entries)
    return (
        _shape_problem(after, before, entries)
        or (_veto(entries) if op == "merge" else None)
        or (_loss(after, entries) if op in _KEEPING else None)
        or _news(after, before, pattern)
        or _meaning(after, before, pattern)
    )


def _shape_problem(after: str, before: str, entries: Sequence[Entry]) -> Problem | None:
    hidden = sorted({f"U+{ord(char):04X}" for char in set(after) - set(before) if reveal(char) != char})
    if hidden:
        return "characters", f"it has characters that a reader does not see: {', '.join(hidden[:5])}"
    if len(after) > len(before) + MAX_TEXT_CHARS:
        return "size", f"it has {len(after):,} characters where {len(before):,} stand"
    kind: EntryKind = entries[0].kind if entries else "list_item"
    problem = form_problem(after, kind)
    return ("form", problem) if problem else None


def _veto(entries: Sequence[Entry]) -> Problem | None:
    """Whether entries that are to become one differ in something that matters."""
    for number, entry in enumerate(entries):
        for other in entries[number + 1 :]:
            why = differs(without_stamp(entry.text), without_stamp(other.text))
            if why:
                return "merge_veto", f"{entry.entry_id} and {other.entry_id} have {why}"
    return None


def _loss(after: str, entries: Sequence[Entry]) -> Problem | None:
    gone = lost_specifics([entry.text for entry in entries], after)
    if gone:
        return "specifics", f"it would lose {', '.join(gone[:5])}"
    for entry in entries:
        lost = sorted((negations(entry.text) - negations(after)).elements())
        if lost:
            return "negation", f"it would lose {lost[0]!r} of {entry.entry_id}"
    return None


def lost_specifics(before: Iterable[str], after: str) -> list[str]:
    """Numbers, paths, ids and code spans that stand in `before` and not in `after`, counts of sessions aside."""
    return sorted({item for text in before for item in unbacked(without_stamp(text), [after])})


def _news(after: str, before: str, pattern: Pattern | None) -> Problem | None:
    """What the text says that nothing it rests on says."""
    known = [before, *evidence_texts(pattern)]
    counts = pattern_counts(pattern) if pattern else {}
    invented = unbacked(after, known, counts)
    if invented:
        return "specifics", f"nothing it rests on holds {', '.join(invented[:5])}"
    own = content(own_part(after, before))
    held = {word for text in known for word in content(text)}
    if own and len(own & held) < _AT_HAND * len(own):
        return "invented", f"{len(own - held)} of its {len(own)} words stand in nothing it rests on"
    return None


def evidence_texts(pattern: Pattern | None) -> list[str]:
    """Everything a pattern says, all of it checked before: its claim, its conditions, its quotes, its dates."""
    if pattern is None:
        return []
    said = [
        pattern.claim,
        pattern.when,
        pattern.when_not,
        pattern.value,
        pattern.subject,
        pattern.attribute,
        pattern.scope,
    ]
    quoted = (quote.at for quote in pattern.quotes)
    moments = [moment for moment in (pattern.first_at, *quoted, pattern.last_at) if moment]
    dates = [f"{moment:%Y-%m-%d} {moment:%Y-%m} {moment:%Y}" for moment in moments]
    return [*said, *dates, *(quote.text for quote in pattern.quotes)]


def pattern_counts(pattern: Pattern) -> dict[str, float]:
    """The numbers that code counted for a pattern."""
    counts = {"sessions": len(pattern.sessions), "against": len(pattern.sessions_against)}
    return {**pattern.stats, **counts, "origins": pattern.origins, "user_origins": pattern.user_origins}


def _meaning(after: str, before: str, pattern: Pattern | None) -> Problem | None:
    """Whether what is written turns the claim it stands for into something else."""
    if pattern is None or not is_worded(pattern.kind, pattern.quotes):
        return None
    own = own_part(after, before)
    claim = " ".join(part for part in (pattern.claim, pattern.when, pattern.when_not) if part)
    for gate, find in (("negation", lost_negation), ("negation", turned_round), ("hedge", lost_hedge)):
        lost = find(own, claim)
        if lost:
            return gate, f"it does not keep what the pattern says: {lost[:200]!r}"
    return None


def own_part(after: str, before: str) -> str:
    """The sentences of a text that did not stand in what it replaces."""
    if not before:
        return after
    old = fold(before)
    parts = [after[start:end] for start, end in sentences(after)]
    return " ".join(part for part in parts if fold(part) not in old)


def goes(entries: Sequence[Entry], after: str) -> str:
    """A sentence that names what a replaced entry held and its successor does not; "" for nothing."""
    gone = lost_specifics([entry.text for entry in entries], after)
    return f" Goes: {', '.join(f'`{item}`' for item in gone)}." if gone else ""


def said(text: str) -> str:
    """What a text says, for comparing: without its count of sessions, its marker, case and blanks."""
    return fold(without_stamp(text))


def says_again(after: str, standing: Iterable[str]) -> bool:
    """Whether a text stands in the store already, counts of sessions, markers and blanks aside."""
    ours = said(after)
    return any(ours == said(text) for text in standing)


def is_repeat(one: str, other: str) -> bool:
    """Whether two new texts say the same in nearly the same words."""
    ours, theirs = _content(one), _content(other)
    alike = len(ours & theirs) >= 0.8 * len(ours | theirs) if ours else fold(one) == fold(other)
    return alike and specifics(one) == specifics(other) and not differs(one, other)


@lru_cache(maxsize=10_000)
def _content(text: str) -> frozenset[str]:
    """Kept, for every new text is compared with every other."""
    return frozenset(content(text))
