"""Which changes of a dream a reviewer means, and whether they wait."""

import re
from collections.abc import Iterator, Sequence

from agentflows.change import Change, DreamReport
from agentflows.errors import NotFoundError, UsageError
from agentflows.store import State

OPEN = ("held", "approved")
"""What can be approved: a change that was approved and not committed is one whose commit was killed."""
WRITES_NOTHING = ("reinforce", "flag")


def held(state: State, dream_id: str) -> list[Change]:
    """The changes of a dream that wait, in the order `review show` numbers them."""
    return [change for change in state.dream(dream_id).changes if change.status in OPEN]


Names = str | int | Sequence[str | int]
"""Changes by number or id; one alone may stand for itself."""


def choose(
    state: State, dream_id: str, only: Names | None, *, statuses: Sequence[str] = ("held",)
) -> list[Change]:
    """The held changes that `only` names, by number (as `review show` prints them), range or id; all when None.

    `statuses` is what counts as held.

    Raises:
        NotFoundError: a name fits no change of this dream.
        UsageError: the change is not waiting any more.
    """
    return chosen(state.dream(dream_id), only, statuses=statuses)


def chosen(report: DreamReport, only: Names | None, *, statuses: Sequence[str] = ("held",)) -> list[Change]:
    """The same, of a report that was read.

    Raises:
        NotFoundError, UsageError: as `choose`.
    """
    changes, dream_id = report.changes, report.dream.dream_id
    if only is None:
        return [change for change in changes if change.status in statuses]
    by_name = {str(number): change for number, change in enumerate(changes, 1)}
    by_name |= {change.change_id: change for change in changes}
    found: dict[str, Change] = {}
    # a string is a sequence, too: of "12", change 1 and change 2 would be taken
    words = [only] if isinstance(only, str | int) else only
    for name in (one for word in words for one in _names(str(word))):
        if name not in by_name:
            msg = f"Dream {dream_id} has no change {name!r}: it has {len(changes)}. See `agentflows review show {dream_id}`."
            raise NotFoundError(msg)
        change = by_name[name]
        if change.status not in statuses:
            msg = f"Change {name} is {change.status} already ({change.status_reason or 'no reason kept'}); only held changes can be decided."
            raise UsageError(msg)
        found[change.change_id] = change  # which may be named by number and by id
    return list(found.values())


def _names(word: str) -> Iterator[str]:
    """The numbers of a range such as 7-9 one by one; any other word as it is."""
    first, last = ends_of(word) or (1, 0)
    if first > last:
        yield word
    else:
        yield from map(str, range(first, last + 1))


def ends_of(word: str) -> tuple[int, int] | None:
    """The first and the last number of a range such as 7-9, or #7 twice; None for a word that is neither number nor range."""
    match = re.fullmatch(r"#?(\d{1,6})(?:\s*[-–]\s*#?(\d{1,6}))?", word)
    return (int(match[1]), int(match[2] or match[1])) if match else None


def waiting_flags(report: DreamReport) -> dict[int, str]:
    """Number (as `review show` prints it) → id of each held flag."""
    return {
        number: change.change_id
        for number, change in enumerate(report.changes, 1)
        if change.op == "flag" and change.status == "held"
    }


def editable(state: State, dream_id: str, name: str) -> Change:
    """The held change that `name` names, when a reviewer can give it a text: a flag's takes the place of its entries.

    Raises:
        NotFoundError, UsageError: it fits no held change, or one that writes no text.
    """
    return check_editable(choose(state, dream_id, [name], statuses=OPEN)[0], name)


def check_editable(change: Change, name: str) -> Change:
    """The change, when a reviewer can give it a text.

    Raises:
        UsageError: it writes no text.
    """
    if change.op == "flag":
        return change
    if change.after is None or change.op in WRITES_NOTHING:
        msg = f"Change {name} is a {change.op} and writes no text, so there is nothing to edit. Approve or reject it as it is."
        raise UsageError(msg)
    return change
