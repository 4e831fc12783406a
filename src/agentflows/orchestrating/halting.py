"""Why a turn is to end before it is done: with its job, to be gone on with later, or by itself, for good."""

from collections.abc import Callable
from dataclasses import dataclass

from agentflows.errors import (
    AgentflowsError,
    ArchiveError,
    BudgetError,
    ConflictError,
    EndpointError,
    HinderedError,
    PassesOn,
    StoppedError,
    StoreError,
)


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a turn is to end now. Both are asked often."""

    stop: Callable[[], str]
    """Of the job: the turn is given back as it was, to be gone on with. "" while it goes on."""
    interrupt: Callable[[], str] = str
    """Of this turn alone: it ends as it is."""

    def __call__(self) -> str:
        """Either of the two."""
        return self.stop() or self.interrupt()

    @property
    def is_for_good(self) -> bool:
        """Whether it is this turn's own end, and not its job's stop."""
        return not self.stop() and bool(self.interrupt())


def stopped_alone(reason: str) -> str:
    """Why a turn ends that was stopped without its job; "" for none."""
    return f"this thread was stopped: {reason}" if reason else ""


def is_passing(error: AgentflowsError) -> bool:
    """Whether archive, database, endpoint or a stop is the reason, not the turn: what was done is kept, and goes on later."""
    if isinstance(error, EndpointError):
        return error.is_passing
    # of the database's errors the others say that something kept is wrong: it stays so
    return isinstance(error, (ArchiveError, HinderedError, StoppedError)) or type(error) in {
        StoreError,
        ConflictError,
    }


def is_of_job(error: AgentflowsError, job_id: str) -> bool:
    """Whether it is the job's own cap that refused: others may give money back, or the cap may be raised."""
    return isinstance(error, BudgetError) and f"job:{job_id}" in error.levels


def passing_of(job_id: str) -> PassesOn:
    """Which errors end no turn of this job, however much of it is done."""
    return lambda error: is_passing(error) or is_of_job(error, job_id)
