"""Changes that wait for review, without the session that is forgotten: counted anew, or no longer enough."""

from collections.abc import Collection, Sequence

from agentflows.change import Change, Pattern, Quote, Risk
from agentflows.dream import SUPPORT
from agentflows.dream.risks import counted
from agentflows.lineage.counts import recounted
from agentflows.lineage.records import Reports, root_of
from agentflows.store import OpenFate, State

_WAITING = ("proposed", "held", "approved")


def settle_waiting(state: State, reports: Reports, session_id: str) -> list[OpenFate]:
    """What becomes of each change that waits and rests on the session.

    It goes on waiting without the session's quotes where enough sessions of distinct origin are left; what was
    counted over the archive has to be counted again by a dream; and an approval that was not committed was given
    with quotes that are no more.
    """
    waiting = [change for change in state.changes() if change.status in _WAITING]
    return [
        _settled(reports, change, session_id) for change in waiting if session_id in reports.still(change)
    ]


def _settled(reports: Reports, change: Change, session_id: str) -> OpenFate:
    counted = reports.still(change)
    left = counted - {session_id}
    quotes = tuple(quote for quote in change.quotes if root_of(quote) != session_id)
    patterns = reports.patterns(change)
    fresh = change.model_copy(
        update={
            "quotes": quotes,
            "support": len(left),
            "origins": _origins(change, quotes),
            "after": reworded(change.after, patterns, counted, session_id),
            "risks": _risks(change, len(left)),
            "status_reason": f"{change.status_reason}; counted anew without {session_id}".strip("; "),
        }
    )
    return OpenFate(fresh, change.sha256, _too_little(fresh, patterns, session_id))


def reworded(
    text: str | None, patterns: Sequence[Pattern], counted: Collection[str], session_id: str
) -> str | None:
    """The text with its notes on support counted anew, where code wrote them and can tell which is whose."""
    for pattern in patterns:
        if text and session_id in pattern.sessions:
            own = set(pattern.sessions) & set(counted)
            text = recounted(text, pattern, counted=own, gone=session_id) or text
    return text


def _origins(change: Change, left: Sequence[Quote]) -> int:
    """At most so many: those of the quotes that go are taken off, unless another quote shares them."""
    ours = {quote.origin or quote.address for quote in left}
    gone = {quote.origin or quote.address for quote in change.quotes} - ours
    return max(change.origins - len(gone), len(ours))


def _risks(change: Change, support: int) -> tuple[Risk, ...]:
    single: tuple[Risk, ...] = ("single_support",) if support == 1 else ()
    return tuple(dict.fromkeys((*change.risks, *single)))


def _too_little(change: Change, patterns: Sequence[Pattern], session_id: str) -> str:
    """Why a change can wait no longer; "" when it can."""
    gone = f"the session {session_id}, which was forgotten"
    if change.status == "approved":
        return f"its approval was given with quotes of {gone}; dream again"
    if any(pattern.kind == "outcome" for pattern in patterns):
        return f"its numbers count {gone}; dream again"
    if change.op == "merge":
        return ""  # what it merges says the same, whoever said so
    if not change.quotes:
        return f"no quote of it is left without {gone}"
    typed = any(quote.kind == "user" and quote.trust == 3 for quote in change.quotes)
    need = 1 if typed and any(pattern.said_outright for pattern in patterns) else SUPPORT
    if min(change.support, change.origins) >= need:
        return ""
    rests = f"{counted(change.support, 'session')} of {counted(change.origins, 'origin')}"
    return f"without {gone}, it rests on {rests}, and {need} are needed"
