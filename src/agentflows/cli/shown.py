"""Which dream `last` is, and whether whoever decides on the last one has it before them."""

import contextlib

from agentflows.cli.output import progress_console
from agentflows.errors import StoreError, UsageError
from agentflows.home import Home
from agentflows.store import State

LAST = "last"


def named_dream(state: State, dream: str) -> str:
    """The id of the dream that is named, or of the newest that was completed.

    Raises:
        UsageError: there is none yet.
    """
    if dream != LAST:
        return dream
    dreams = [item for item in state.dreams() if item.status == "completed"]
    if not dreams:
        message = "No dream was dreamt here yet. Run `agentflows dream --store NAME` first."
        raise UsageError(message)
    return max(dreams, key=lambda item: item.created_at).dream_id


def note_shown(doors: Home, dream_id: str) -> None:
    """Keep that whoever sits here was shown this dream last."""
    # Who only reads must be able to on a full disk; nothing can be decided there either.
    with contextlib.suppress(StoreError):
        doors.state.cache({_key(doors): dream_id})


def decided_on(doors: Home, dream: str) -> str:
    """As `named_dream`, to decide on it: the numbers of a dream mean other changes in the next one.

    Raises:
        UsageError: a newer dream has become the last one since whoever sits here looked, or there is none.
    """
    dream_id = named_dream(doors.state, dream)
    if dream != LAST:
        return dream_id
    shown = doors.state.cached([_key(doors)]).get(_key(doors), "")
    if not shown:
        progress_console.print(f"The last dream is {dream_id}.", markup=False, style="dim")
    elif shown != dream_id:
        message = (
            f"The last dream is {dream_id} now, and you were shown {shown}: a number of one is another change in the "
            f"other. Nothing was decided. Name {shown} in the place of `last`, or look first: `agentflows review show {dream_id}`."
        )
        raise UsageError(message)
    return dream_id


def _key(doors: Home) -> str:
    return f"shown:{doors.actor().name}"
