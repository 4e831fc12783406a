"""Sending: one run of a deployment for each thing that others are to do, watched through restarts of Prefect's server.

What came of a thing stands in our own database. Prefect is asked only whether anybody still works on it, so while its
server does not answer nothing is decided: what is under way is neither given up nor sent a second time.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectException

from agentflows.errors import AgentflowsError, ServerError
from agentflows.sending import SERVER_SECONDS, Stage

_PAGE = 200
"""Runs asked for at once."""


class Post:
    """One deployment on Prefect's server, for whoever sends runs of it and waits for them.

    Args:
        client: asks the server.
        deployment: which, as `FLOW/NAME`.
        refused: the kind of error where it is not there, or takes no run.
        told: hears what is to be said in the log.
        clock: in seconds.
    """

    def __init__(
        self,
        client: SyncPrefectClient,
        deployment: str,
        refused: type[AgentflowsError],
        told: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._deployment, self._refused = client, deployment, refused
        self._told, self._clock = told, clock
        self._silent_since: float | None = None

    def send(self, given: Mapping[str, Any], *, key: str, name: str) -> FlowRun | None:
        """The run of that key, made if there is none; None while the server does not answer: then try again.

        Raises:
            ServerError: it did not answer for ten minutes.
            AgentflowsError: of the kind `refused`.
        """
        try:
            sent: Any = run_deployment(
                self._deployment, parameters=dict(given), timeout=0, idempotency_key=key, flow_run_name=name
            )
        except Exception as error:
            if not _is_passing(error):
                msg = (
                    f"{name} cannot be sent: the deployment {self._deployment!r} was not found or refused it ({error}). "
                    "Deploy it with `prefect deploy --all`."
                )
                raise self._refused(msg) from error
            self._silent(error)
            return None
        self._silent_since = None
        return sent

    def states(self, ids: Sequence[UUID]) -> Mapping[UUID, State] | None:
        """The states of the runs that are there; None while the server does not answer.

        Raises:
            ServerError: it did not answer for ten minutes.
        """
        found: dict[UUID, State] = {}
        try:
            for start in range(0, len(ids), _PAGE):
                asked = FlowRunFilter(id=FlowRunFilterId(any_=list(ids[start : start + _PAGE])))
                runs = self._client.read_flow_runs(flow_run_filter=asked, limit=_PAGE)
                found |= {run.id: run.state for run in runs if run.state is not None}
        except Exception as error:
            if not _is_passing(error):
                raise
            self._silent(error)
            return None
        self._silent_since = None
        return found

    def tell(self, run_id: UUID, state: State) -> None:
        """Give a run another state, if the server takes it. Never by force: one that is over stays over.

        Whoever tells it does so on the way out, or has another run instead: a server that is away must not stop that.
        """
        try:
            self._client.set_flow_run_state(run_id, state, force=False)
        except Exception as error:  # noqa: BLE001 - said, and the run is seen to at its worker
            self._told(f"    the run {run_id} could not be called {state.name}: {_short(error)}")

    def _silent(self, error: Exception) -> None:
        """Note that no answer came.

        Raises:
            ServerError: for too long.
        """
        now = self._clock()
        if self._silent_since is None:
            self._silent_since = now
            self._told(f"    Prefect's server does not answer ({_short(error)}): waiting for it")
        if now - self._silent_since >= SERVER_SECONDS:
            message = (
                f"Prefect's server did not answer for {SERVER_SECONDS / 60:.0f} minutes ({_short(error)}). Start it, and run "
                "the same command again: what was done meanwhile is kept."
            )
            raise ServerError(message) from error


def stage_of(state: State | None) -> Stage:
    """How far a run is that is not over; None is one that was deleted.

    Of one that is being cancelled, or was deleted, only the lease tells whether somebody is still at work.
    """
    if state is None or state.is_running() or state.is_cancelling():
        return "running"
    return "claimed" if state.is_pending() else "waiting"


def _is_passing(error: Exception) -> bool:
    """Whether the server gave no answer, or one that says to ask again."""
    if isinstance(error, PrefectException | TypeError | ValueError | AttributeError):
        return False
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return status in {0, 408, 429} or status >= 500


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
