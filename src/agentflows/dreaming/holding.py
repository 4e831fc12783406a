"""Holding: one dream at a time works on a store, and says so for as long as it lives."""

import threading
from datetime import timedelta

from agentflows.change import Dream
from agentflows.errors import AgentflowsError, ConflictError
from agentflows.store import Holder, Lease, State, lease_of

LEASE_FOR = timedelta(minutes=2)
"""How long others wait for a dream that died on another machine; here a dead process is seen at once."""
_RENEWED_EVERY = 30.0
"""Seconds."""


class Hold:
    """A dream's lease, renewed in the background until it is closed.

    Raises:
        ConflictError: another process is at work on the store; the message says who and since when.
    """

    def __init__(
        self,
        state: State,
        dream: Dream,
        who: str,
        *,
        lease_for: timedelta = LEASE_FOR,
        every: float = _RENEWED_EVERY,
    ) -> None:
        self._state = state
        owner = str(Holder.here(who, dream.dream_id))
        self.lease: Lease = state.lease(lease_of(dream), owner, lease_for)
        self._every = every
        self._end = threading.Event()
        self._lost: AgentflowsError | None = None
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that the lease is still held.

        Raises:
            ConflictError: another process took it while this one was stopped for longer than the lease runs.
        """
        if self._lost:
            raise self._lost

    def confirm(self) -> None:
        """Ask the database, now, and let the lease run anew: before what must not be done by two.

        Raises:
            ConflictError: another process took it, however recently.
            StoreError: the database cannot be asked.
        """
        self.check()
        self._state.renew(self.lease)

    def close(self) -> None:
        """Give the lease back; once is enough, twice does no harm."""
        if not self._end.is_set():
            self._end.set()
            self._thread.join()
            self._state.release(self.lease)

    def _renew(self) -> None:
        while not self._end.wait(self._every):
            try:
                self._state.renew(self.lease)
            except ConflictError as error:
                self._lost = error
                return
            except AgentflowsError:
                # The database refused for now (a full disk, a lock): the lease runs on until its time is over,
                # and the commit checks it anyway.
                continue
