"""Sending: whether a worker was lost over what it was given to do.

Prefect calls a run that was killed with its worker RUNNING for minutes. Whoever works on something holds a lease on it,
so it is the lease that tells: nobody living holds what was begun.
"""

import time
from collections.abc import Callable
from typing import Literal

Stage = Literal["waiting", "claimed", "running"]
"""What Prefect says of a run that is not over: nobody took it yet, a worker is about to begin, it was begun (and may be on
its way out)."""

UNTAKEN_SECONDS = 120.0
"""How long a run that a worker has claimed may take to begin."""
SILENT_SECONDS = 60.0
"""How long a run may be under way before it holds its work, and …"""
LOST_SECONDS = 5.0
"""… how long work that was held may be held by nobody."""
SERVER_SECONDS = 600.0
"""How long Prefect's server may be away while something is sent or waited for: longer than it takes to be upgraded."""
MOST_LOST = 5
"""Workers that may be lost over one thing before it counts as failed: what kills its worker would go on for ever."""


class Watch:
    """Watches over one thing that was sent. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent_since: float | None = None
        self._was_held = False

    def is_lost(self, stage: Stage, *, is_held: bool) -> bool:
        """Whether nobody works on it any more: claimed and not begun, or begun and held by no living process."""
        if stage == "claimed":
            return self._is_silent(UNTAKEN_SECONDS)
        if stage == "waiting" or is_held:
            self._was_held = self._was_held or stage == "running"
            self._silent_since = None
            return False
        return self._is_silent(LOST_SECONDS if self._was_held else SILENT_SECONDS)

    def _is_silent(self, seconds: float) -> bool:
        now = self._clock()
        self._silent_since = now if self._silent_since is None else self._silent_since
        return now - self._silent_since >= seconds
