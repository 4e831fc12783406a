"""Contest: where several changes want one entry, one wins, or they become one. Never two edits to an entry."""

from collections.abc import Mapping, Sequence

from agentflows.change import Change, ChangeOp, Pattern, Quote, Refusal, Risk, identity
from agentflows.dream.apply import form_problem
from agentflows.dream.risks import risks_of
from agentflows.dream.texts import is_repeat

_RANK: dict[ChangeOp, int] = {"narrow": 0, "supersede": 1, "reinforce": 2, "merge": 3, "retire": 4}
"""At equal support: what keeps most wins."""


def settle(
    changes: Sequence[Change], patterns: Mapping[str, Pattern], *, support: int
) -> tuple[list[Change], list[Refusal]]:
    """One change to an entry, each new text once.

    The best supported wins. Two exceptions to one entry, or two sets of evidence for it, become one change;
    what keeps an entry's words (an exception, a merge) takes over the evidence found for it. Flags edit
    nothing and always stay.

    Gates: `entry_taken`, `duplicate`.
    """
    refusals: list[Refusal] = []
    kept: list[Change] = []
    for change in sorted(changes, key=_strength):
        is_copy = change.op in {"add", "flag"}
        rivals = [one for one in kept if (_repeats(change, one) if is_copy else _touch(change, one))]
        joined = _joined_all(change, rivals)
        if joined is None:
            refusals.append(_refusal("duplicate" if is_copy else "entry_taken", rivals[0], change))
        else:
            kept = [one for one in kept if one not in rivals]
            kept.append(_weighed(joined, patterns, support) if rivals else joined)
    return kept, refusals


def _joined_all(change: Change, rivals: Sequence[Change]) -> Change | None:
    """The change with all its rivals in it; None where one of them excludes it."""
    joined: Change | None = change
    for rival in rivals:
        joined = _joined(rival, joined) if joined else None
    return joined


def _strength(change: Change) -> tuple[object, ...]:
    """Narrowing first, for it loses nothing and its entry stays; then by support."""
    rank = _RANK.get(change.op, 9)
    return (change.op != "narrow", -change.support, -change.trust, rank, change.sha256)


def _touch(change: Change, other: Change) -> bool:
    return other.op not in {"add", "flag"} and bool(set(change.entry_ids) & set(other.entry_ids))


def _repeats(change: Change, other: Change) -> bool:
    if change.op != other.op:
        return False
    if change.op == "flag":
        return set(change.entry_ids) == set(other.entry_ids)
    return is_repeat(change.after or "", other.after or "")


def _joined(one: Change, other: Change) -> Change | None:
    """Both as one change; None where they exclude each other."""
    if one.op == other.op == "narrow":
        after = _both_exceptions(one, other)
        return _with_evidence(one, other, after) if after else None
    if one.op == other.op == "reinforce" and set(one.entry_ids) == set(other.entry_ids):
        return _with_evidence(one, other, one.after)
    if one.op == "narrow" and other.op == "reinforce" and set(other.entry_ids) == set(one.entry_ids):
        return _with_evidence(one, other, one.after)
    if one.op == "reinforce" and other.op == "merge" and set(one.entry_ids) <= set(other.entry_ids):
        return _with_evidence(other, one, other.after)
    return None


def _both_exceptions(one: Change, other: Change) -> str | None:
    """The entry with what both add to it, where both keep its text and write after it."""
    before, ours, theirs = (text or "" for text in (one.before, one.after, other.after))
    if not (ours.startswith(before) and theirs.startswith(before)):
        return None
    added = theirs[len(before) :]
    after = ours if added.strip() in ours else ours.rstrip() + added
    return None if form_problem(after, "list_item") and form_problem(after, "paragraph") else after


def _with_evidence(one: Change, other: Change, after: str | None) -> Change:
    """`one` with the text `after`, resting on the evidence of both."""
    quotes = {(quote.address, quote.start, quote.end): quote for quote in (*one.quotes, *other.quotes)}
    keys = sorted({key for change in (one, other) for key in change.pattern_key.split("\n") if key})
    ids = sorted({name for change in (one, other) for name in change.pattern_id.split("\n") if name})
    reasons = dict.fromkeys([one.reason, other.reason])
    joined = one.model_copy(
        update={
            "after": after,
            "reason": " ".join(reasons),
            "pattern_id": "\n".join(ids),
            "pattern_key": "\n".join(keys),
            "quotes": tuple(quotes.values()),
            "risks": tuple(dict.fromkeys((*one.risks, *other.risks))),
            "stats": {**other.stats, **one.stats},
            "trust": min([change.trust for change in (one, other) if change.quotes], default=1),
        }
    )
    parts = (joined.dream_id, joined.op, joined.path, joined.entry_ids, joined.heading, joined.after)
    return joined.model_copy(update={"change_id": f"chg_{identity(*parts)}"})


def _weighed(change: Change, patterns: Mapping[str, Pattern], support: int) -> Change:
    """Counts and risks over all the patterns that a joined change rests on."""
    resting = [patterns[name] for name in change.pattern_id.split("\n") if name in patterns]
    sessions = {root for pattern in resting for root in pattern.sessions}
    against = {root for pattern in resting for root in pattern.sessions_against}
    counts = {"support": len(sessions), "support_against": len(against), "origins": _origins(resting)}
    change = change.model_copy(update=counts)
    risks: dict[Risk, None] = dict.fromkeys(change.risks)
    reasons: dict[str, None] = dict.fromkeys(change.status_reason.split("; ") if change.status_reason else [])
    for pattern in resting:
        for risk, why in risks_of(change, pattern, support=support):
            risks[risk] = None
            reasons[f"{risk.replace('_', ' ')}: {why}"] = None
    return change.model_copy(update={"risks": tuple(risks), "status_reason": "; ".join(reasons)})


def _origins(patterns: Sequence[Pattern]) -> int:
    """Sources of all together, at least: each pattern's own count, and those of the quotes shown."""
    shown: set[str] = {_source(quote) for pattern in patterns for quote in pattern.quotes}
    return max([len(shown), *(pattern.origins for pattern in patterns)])


def _source(quote: Quote) -> str:
    return quote.origin or quote.address


def _refusal(gate: str, winner: Change, change: Change) -> Refusal:
    place = "says nearly the same" if gate == "duplicate" else f"edits {', '.join(winner.entry_ids)[:120]}"
    return Refusal(
        gate=gate,
        reason=f"{change.op}: a better supported change ({winner.op}, {winner.support} sessions) {place}",
        claim=(change.after or change.reason)[:1_000],
        key=change.pattern_key,
    )
