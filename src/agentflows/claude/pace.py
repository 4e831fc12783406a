"""When to try again, how long to wait, and when to stop asking at all."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

BASE_SECONDS = 0.5
MOST_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Where time and chance come from; a test hands in its own."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = field(default=random.random)
    """A number in [0, 1)."""

    def deadline(self, seconds: float) -> "Deadline":
        """A deadline `seconds` from now."""
        return Deadline(self.clock, self.clock() + seconds)

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after the `attempt`-th failure (from 1): full jitter under a doubling ceiling."""
        return self.chance() * min(MOST_SECONDS, BASE_SECONDS * 2 ** (attempt - 1))


@dataclass(frozen=True, slots=True)
class Deadline:
    """The one limit of a logical call: all attempts, pauses and repairs end before it."""

    clock: Callable[[], float]
    at: float

    @property
    def remaining(self) -> float:
        """Seconds left; zero or less when it has passed."""
        return self.at - self.clock()


class Breaker:
    """Stops calls to a model after `threshold` of them failed in a row, for `cooldown_seconds`.

    After that one call is let through to try; others are refused until it is known what became of it.
    A failed call is one whose attempts are all used up, so that a short overload does not open it.
    """

    def __init__(
        self, clock: Callable[[], float], *, threshold: int = 5, cooldown_seconds: float = 30.0
    ) -> None:
        self._clock = clock
        self._threshold = threshold
        self._cooldown = cooldown_seconds
        self._failures = 0
        self._opened_at: float | None = None
        self._is_trying = False
        self._lock = threading.Lock()

    def admit(self) -> float:
        """Seconds to wait before a call has a chance; 0.0 lets this one through."""
        with self._lock:
            if self._opened_at is None:
                return 0.0
            left = self._opened_at + self._cooldown - self._clock()
            if left > 0:
                return left
            if self._is_trying:
                return self._cooldown
            self._is_trying = True
            return 0.0

    def succeeded(self) -> None:
        """A call was answered, be it with a refusal: the endpoint lives."""
        with self._lock:
            self._failures, self._opened_at, self._is_trying = 0, None, False

    def failed(self) -> None:
        """A call failed for good."""
        with self._lock:
            self._failures += 1
            if self._is_trying or self._failures >= self._threshold:
                self._opened_at = self._clock()
            self._is_trying = False

    def abandoned(self) -> None:
        """A call ended without telling anything about the endpoint."""
        with self._lock:
            self._is_trying = False
