"""Sides: what an entry rests on, held against what would take its place.

A newer word of a user wins over an older one; which is newer is said only where it is known. What tools print never takes
the place of what a user said: that is put to a person, with both sides quoted. The same goes for a rule that a person wrote
and one tool's output contradicts.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from agentflows.change import Change, Quote, Refusal, Risk
from agentflows.dream.proposals import LATER, STAYS
from agentflows.dream.propose import with_id

_REPLACING = frozenset({"supersede", "retire"})
_SHOWN = 3
"""Quotes of each entry that a flag shows, the newest."""

Rests = Mapping[str, Sequence[Quote]]
"""By an entry's id, the quotes it rests on; an entry that people wrote has none."""
Since = Mapping[str, datetime]
"""By an entry's id, when it came into the store. It may have been written long before."""

_DATED = re.compile(
    r"\((?:(?:until|no longer since) \d{4}-\d{2}-\d{2}(?=: )|since \d{4}-\d{2}-\d{2}; before(?=,))"
)
"""How a text says on which day an older one ceased to hold."""


def weighed(
    changes: Sequence[Change], rests: Rests, since: Since | None = None
) -> tuple[list[Change], list[Refusal]]:
    """The changes, those that too little speaks for turned into flags, and those that older words speak for refused.

    Flags show what both sides rest on. What takes an entry's place names no day on which that ceased to hold, unless
    what the entry rests on has a day, or the entry stood in the store (`since`) before a user said otherwise.

    Gate: `older_statement`.
    """
    kept: list[Change] = []
    refusals: list[Refusal] = []
    flagged: set[tuple[str, ...]] = set()
    for change in changes:
        theirs = [quote for name in change.entry_ids for quote in rests.get(name, ())]
        if change.op in _REPLACING and change.quotes and _is_older(change.quotes, theirs):
            refusals.append(_older(change))
        elif change.op in _REPLACING and change.quotes and _is_too_little(change, theirs):
            kept.append(_asked(change, rests))
        else:
            kept.append(
                _both_sides(change, rests) if change.op == "flag" else _known(change, theirs, since or {})
            )
    once: list[Change] = []
    for change in kept:
        if change.op != "flag" or change.entry_ids not in flagged:
            once.append(change)
        flagged |= {change.entry_ids} if change.op == "flag" else set()
    return once, refusals


def _is_older(ours: Sequence[Quote], theirs: Sequence[Quote]) -> bool:
    """Whether users said what stands after they last said what would replace it."""
    new, old = _newest(_typed(ours)), _newest(_typed(theirs))
    return bool(new and old and new < old)


def _is_too_little(change: Change, theirs: Sequence[Quote]) -> bool:
    """Whether only tools or agents speak against what a user said, or one tool against what a person wrote."""
    if _typed(change.quotes):
        return False
    if theirs:
        return bool(_typed(theirs))
    return change.trust == 1 and change.support < 2


def _typed(quotes: Iterable[Quote]) -> list[Quote]:
    return [quote for quote in quotes if quote.trust == 3 and quote.kind == "user"]


def _newest(quotes: Iterable[Quote]) -> datetime | None:
    return max((quote.at for quote in quotes if quote.at), default=None)


def _older(change: Change) -> Refusal:
    return Refusal(
        gate="older_statement",
        reason=f"{change.op}: a user said later what {change.entry_ids[0]} says",
        claim=(change.after or change.reason)[:1_000],
        key=change.pattern_key,
    )


def _known(change: Change, theirs: Sequence[Quote], since: Since) -> Change:
    """The change without what it says of the order of two statements, where nobody knows that."""
    ours = _typed(change.quotes)
    if change.op != "supersede" or not ours or any(quote.at for quote in theirs):
        return change
    stood = since.get(change.entry_ids[0])
    days = [quote.at for quote in ours if quote.at]
    if stood and len(days) == len(ours) and stood <= min(days):
        return change
    there = f" (in the store since {stood:%Y-%m-%d})" if stood else ""
    unknown = f"when the entry was written is not known{there}"
    last = f", last on {max(days):%Y-%m-%d}" if days else ""
    reason = change.reason.replace(LATER, f"Users said otherwise{last}; {unknown}", 1).replace(
        STAYS, "The old value stays."
    )
    if unknown not in reason:
        reason = f"{reason} W{unknown[1:]}."
    after = _DATED.sub(lambda match: _undated(match, change.before or ""), change.after or "")
    return with_id(change.model_copy(update={"reason": reason, "after": after}))


def _undated(match: re.Match[str], before: str) -> str:
    """`(before`, but where the old text says the day itself."""
    return match.group() if match.group() in before else "(before"


def _asked(change: Change, rests: Rests) -> Change:
    would = f" It would say: {change.after.strip()}" if change.after else ""
    reason = f"A user's rule stands here, and what speaks against it no user said: {change.reason}{would}"
    risks: dict[Risk, None] = dict.fromkeys((*change.risks, "contradicts", "low_trust"))
    flag = change.model_copy(update={"op": "flag", "after": None, "reason": reason, "risks": tuple(risks)})
    return _both_sides(with_id(flag), rests)


def _both_sides(flag: Change, rests: Rests) -> Change:
    """The flag with the newest quotes of each entry it names beside its own."""
    shown = {(quote.address, quote.start, quote.end): quote for quote in flag.quotes}
    for name in flag.entry_ids:
        newest = sorted(rests.get(name, ()), key=lambda quote: (quote.at or datetime.min, quote.address))  # noqa: DTZ901
        shown |= {(quote.address, quote.start, quote.end): quote for quote in newest[-_SHOWN:]}
    if len(shown) == len(flag.quotes):
        return flag
    quotes = tuple(shown.values())
    return flag.model_copy(update={"quotes": quotes, "trust": min(quote.trust for quote in quotes)})
