"""A job as it stands now: what its turns have spent so far, and whether anybody works on it."""

from agentflows.home import Home
from agentflows.orchestrating.turning import turn_name
from agentflows.team import Orchestration, Thread, ThreadTurn

_WORKED_ON = frozenset({"pending", "running"})
_LOST = "its process was killed or lost"


def as_it_stands(home: Home, job: Orchestration) -> Orchestration:
    """The job as it is recorded, with what turns that have not ended spent until now.

    One that is recorded as running while no living process holds its workspace is `interrupted`: who was killed could
    not say so.
    """
    update: dict[str, object] = {}
    if job.status in _WORKED_ON and not home.state.holder(f"workspace:{job.workspace}"):
        update = {"status": "interrupted", "detail": job.detail or _LOST}
    if any(turn.status == "running" for turn in job.turns):
        update["threads"] = tuple(_thread(home, thread) for thread in job.threads)
    return job.model_copy(update=update) if update else job


def _thread(home: Home, thread: Thread) -> Thread:
    turns = tuple(_turn(home, turn) if turn.status == "running" else turn for turn in thread.turns)
    return thread.model_copy(update={"turns": turns})


def _turn(home: Home, turn: ThreadTurn) -> ThreadTurn:
    level = f"job:{turn_name(turn)}"
    # of a reply under way nothing is known; what is set aside for it is its ceiling
    update = {"usage": home.state.spent(level).usage, "dollars": home.state.balance(level).dollars}
    return turn.model_copy(update=update)
