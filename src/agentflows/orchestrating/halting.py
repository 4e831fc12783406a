"""Why a turn is to end before it is done: with its job, to be gone on with later, or by itself, for good."""

from collections.abc import Callable
from dataclasses import dataclass


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
