"""Purses: money and tokens are set aside before a model call and settled after it.

A call whose outcome is unknown (a timeout, a crash) was perhaps billed, so what was set aside for it
stays spent. Only a call that certainly never ran is refunded.
"""

import threading
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agentflows.errors import UsageError
from agentflows.session import Usage


@dataclass(frozen=True, slots=True)
class Spend:
    """What went through a purse, or through one level of it."""

    calls: int = 0
    """Reservations made and not refunded."""
    tokens: int = 0
    """Input and output, of settled calls."""
    dollars: float = 0.0
    """At list price, of settled calls."""
    reserved_tokens: int = 0
    """Set aside for calls under way or of unknown outcome. It counts against the ceiling."""
    reserved_dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One model call that was made: what the log keeps of it. No contents."""

    model: str
    purpose: str
    prompt_sha256: str = ""
    usage: Usage = Usage()
    dollars: float = 0.0
    """At list price; 0 for a model without one."""
    stop_reason: str = ""
    request_id: str = ""
    reservation_id: str = ""
    """What a purse set aside for it: by this the usage is counted on the purse's levels."""
    at: datetime | None = None
    """UTC; None is when it is recorded."""


class Purse(Protocol):
    """What a model client asks before it spends."""

    def reserve(self, tokens: int, dollars: float, purpose: str) -> str:
        """Set aside the most that one call can cost, and return the reservation's id.

        Raises:
            BudgetError: a ceiling would be passed; the message says which, what is spent and what was asked.
        """
        ...

    def settle(self, reservation_id: str, tokens: int, dollars: float) -> None:
        """Replace what was set aside by what the call cost."""
        ...

    def refund(self, reservation_id: str) -> None:
        """Give back all of it: the call certainly never ran."""
        ...


class UnlimitedPurse:
    """Counts and never refuses. In memory, safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[int, float]] = {}
        self._calls = 0
        self._tokens = 0
        self._dollars = 0.0

    def reserve(self, tokens: int, dollars: float, purpose: str) -> str:  # noqa: ARG002
        """Note what may be spent."""
        reservation_id = f"rsv_{uuid.uuid4().hex[:16]}"
        with self._lock:
            self._open[reservation_id] = (tokens, dollars)
            self._calls += 1
        return reservation_id

    def settle(self, reservation_id: str, tokens: int, dollars: float) -> None:
        """Count what was spent.

        Raises:
            UsageError: the reservation is unknown or no longer open.
        """
        with self._lock:
            self._close(reservation_id)
            self._tokens += tokens
            self._dollars += dollars

    def refund(self, reservation_id: str) -> None:
        """Count the call as not made.

        Raises:
            UsageError: the reservation is unknown or no longer open.
        """
        with self._lock:
            self._close(reservation_id)
            self._calls -= 1

    def spent(self) -> Spend:
        """What was spent so far, and what is still set aside."""
        with self._lock:
            tokens = sum(tokens for tokens, _ in self._open.values())
            dollars = sum(dollars for _, dollars in self._open.values())
            return Spend(self._calls, self._tokens, self._dollars, tokens, dollars)

    def _close(self, reservation_id: str) -> None:
        if self._open.pop(reservation_id, None) is None:
            msg = f"The reservation {reservation_id!r} is not open: it was settled, refunded or never made."
            raise UsageError(msg)
