# ruff: noqa: D102 - the properties of `CallLike` are the fields of `Call`, explained there
"""Purses: money and tokens are set aside before a model call and settled after it.

A call whose outcome is unknown (a timeout, a crash) was perhaps billed, so what was set aside for it
stays spent. Only a call that certainly never ran is refunded.
"""

import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from agentflows.errors import UsageError
from agentflows.session import Usage

REFUSED = "The budget does not allow "
"""How every refusal of a purse begins, and every note of a run that its own cap in money or tokens ended."""


def is_refusal(text: str) -> bool:
    """Whether a record such as an attempt's or a turn's `detail` says that a budget was the reason."""
    return REFUSED in text


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
    """One model call, retries included: what the call log keeps of it. No contents."""

    model: str
    purpose: str
    prompt_sha256: str = ""
    """The same question has the same hash."""
    outcome: str = "ok"
    """`ok`, or the kind of fault it ended with."""
    stop_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    lost_tokens: int = 0
    """Charged for attempts whose outcome is unknown."""
    dollars: float = 0.0
    """Charged in all; 0 when the model has no price."""
    priced: bool = True
    seconds: float = 0.0
    attempts: int = 1
    """HTTP requests made."""
    request_id: str = ""
    at: datetime | None = None
    """When it was logged, UTC."""


class CallLike(Protocol):
    """A call as a model client reports it: the fields of `Call`, but for the time."""

    @property
    def model(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def prompt_sha256(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def stop_reason(self) -> str: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def lost_tokens(self) -> int: ...
    @property
    def dollars(self) -> float: ...
    @property
    def priced(self) -> bool: ...
    @property
    def seconds(self) -> float: ...
    @property
    def attempts(self) -> int: ...
    @property
    def request_id(self) -> str: ...


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
