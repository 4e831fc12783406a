"""Holding: one process at a time works in a workspace, or on a turn, and says so for as long as it lives."""

import logging
import threading
from datetime import timedelta

from agentflows.errors import AgentflowsError, ConflictError, StoreError
from agentflows.store import Holder, State

_LEASE_FOR = timedelta(minutes=2)
"""How long others wait for one that died on another machine; here a dead process is seen at once."""
_RENEWED_EVERY = 30.0
"""Seconds."""
_log = logging.getLogger(__name__)


class Hold:
    """A lease on a workspace (or another `kind` of thing), renewed in the background until it is closed.

    Raises:
        ConflictError: another process works there; the message says who and since when.
    """

    def __init__(self, state: State, name: str, who: str, work: str, *, kind: str = "workspace") -> None:
        self._state = state
        self.lease = state.lease(f"{kind}:{name}", str(Holder.here(who, work)), _LEASE_FOR)
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

    def close(self) -> None:
        """Give the lease back; once is enough, twice does no harm."""
        if not self._end.is_set():
            self._end.set()
            self._thread.join()
            try:
                self._state.release(self.lease)
            except StoreError as error:
                # what was done under it is done; it runs out by itself, or with this process
                _log.warning("The lease on %s could not be given back: %s", self.lease.name, error)

    def _renew(self) -> None:
        while not self._end.wait(_RENEWED_EVERY):
            try:
                self._state.renew(self.lease)
            except ConflictError as error:
                self._lost = error
                return
            except AgentflowsError:  # the database refused for now: the lease runs on until its time is over
                continue
