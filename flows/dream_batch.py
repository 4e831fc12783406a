"""Dream batch: some of a dream's sessions, read by another worker; and how a dream has them read.

With `dispatch="deployment"` each part is a flow run on the work pool, in whatever worker takes it; with
`dispatch="dask"` a task on a Dask cluster. What a part is, and what its sessions taught, is in the state database.
"""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from prefect import flow, get_run_logger, tags, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.serializers import JSONSerializer
from prefect.states import Cancelled, Cancelling, Crashed

from agentflows.deployments import version_of
from agentflows.dreaming import DreamRun, PartEnd, carry_out_part, read_part
from agentflows.errors import AgentflowsError, DreamError, SettingsError
from agentflows.form import titled
from agentflows.home import open_home
from agentflows.notices import PART
from agentflows.project import load_helper
from agentflows.scrubbing import scrubbed
from agentflows.sending import MOST_LOST, Watch

_sending = load_helper("_sending", Path(__file__).resolve().parents[1])
_PLAIN = JSONSerializer(object_encoder="agentflows.errors.kind_of", object_decoder=None)
"""What Prefect keeps of a failure: its kind, as plain JSON. Its default is pickle, which runs code when it is read."""
DEPLOYMENT = "dream-batch/dream-batch"
Told = Callable[[int], None]
"""Called with how many sessions are still to be read, whenever a part is over."""
_STEP: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retries": 0}
_LOOK_SECONDS = 1.0
_ASK_EVERY = 3
"""Looks into our own database for one at Prefect's server."""
_UNTAKEN_SAID_EVERY = 60.0
_WATCHED_EVERY = 2.0


def say(text: str) -> None:
    """One progress line: in the run's log, and in the terminal when the command line runs the flow."""
    get_run_logger().info(text, extra={"progress": True})


@flow(
    name="dream-batch",
    flow_run_name="{dream} · part {part}",
    persist_result=False,
    result_serializer=_PLAIN,
    version=version_of(__file__),
)
@scrubbed
def dream_batch(
    dream: Annotated[str, titled("Dream")],
    part: Annotated[int, titled("Part", ge=1)],
    attempt: Annotated[int, titled("Attempt", ge=0)] = 0,
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Read some of a dream's sessions. Runs are made by dream with dispatch=deployment, not by hand.

    Args:
        dream: The dream's id.
        part: The part's number, from 1.
        attempt: How often it was sent before.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.
    """
    progress: Any = None

    def told(done: int, count: int) -> None:
        nonlocal progress
        progress = progress or create_progress_artifact(
            0.0, key="dream-batch-sessions", description=f"Sessions of part {part} read"
        )
        update_progress_artifact(progress, 100.0 * done / count)
        say(f"    read {done:,} of {count:,} sessions of part {part}")

    with open_home(home or None) as doors:
        end = carry_out_part(doors, dream, part, attempt, told=told)
        say(f"part {part}: {end.read:,} sessions read{f'; it ended early: {end.error}' if end.error else ''}")
        return {"dream": dream, "part": part, "read": end.read, "failed": len(end.failures)}


def read_elsewhere(run: DreamRun, dispatch: Literal["deployment", "dask"], home: str, told: Told) -> None:
    """Have the dream's unread sessions read by others, and take in what they read; what they left stays pending.

    Raises:
        DreamError: a part cannot be sent, or was left undone.
        SettingsError: Dask is not installed.
        AgentflowsError: whatever ended the reading of a part.
    """
    settings = run.home.settings
    if dispatch == "dask":
        numbers = run.part_out(settings.batch_sessions)
        ends = _on_dask(run, numbers, home, told)
    else:
        numbers = run.part_out(settings.part_sessions)
        with get_client(sync_client=True) as client:
            ends = _Pool(
                run, numbers, home, told, _sending.Post(client, DEPLOYMENT, DreamError, say)
            ).to_the_end()
    run.take_in(ends)


# -- on the work pool ------------------------------------------------------------------------------


class _Sent:
    """One part on the work pool. The same try is the same flow run, however often the dream is begun again."""

    def __init__(self, run: DreamRun, number: int, home: str, post: Any) -> None:
        self.number = number
        self.attempt = -1
        self.lost = 0
        self.watch = Watch()
        self.run_id: UUID | None = None
        self._run, self._home, self._post = run, home, post

    def send(self) -> None:
        """Send it, as the next try that is not over yet.

        Raises:
            DreamError: there is no such deployment.
            ServerError: Prefect's server is away for too long.
        """
        found = self._next()
        while found.state is not None and found.state.is_final():  # of an earlier process of this dream
            found = self._next()
        self.run_id, self.watch = found.id, Watch()

    def _next(self) -> FlowRun:
        self.attempt += 1
        dream_id = self._run.dream.dream_id
        given = {"dream": dream_id, "part": self.number, "attempt": self.attempt, "home": self._home}
        key, name = f"{dream_id}/{self.number}/{self.attempt}", f"{dream_id} · part {self.number}"
        while (sent := self._post.send(given, key=key, name=name)) is None:
            self._run.check_hold()
            time.sleep(_LOOK_SECONDS)
        return sent


class _Pool:
    """All parts of one dream on the work pool."""

    def __init__(self, run: DreamRun, numbers: Sequence[int], home: str, told: Told, post: Any) -> None:
        self._run, self._told, self._post = run, told, post
        self._open = {number: _Sent(run, number, home, post) for number in numbers}
        self._ends: dict[int, PartEnd] = {}
        self._said_at = time.monotonic()

    def to_the_end(self) -> list[PartEnd]:
        """Send every part, wait for all, and send again those whose worker was lost.

        Raises:
            DreamError: one cannot be sent, or was left undone.
            ServerError: Prefect's server is away for too long.
            AgentflowsError: whatever ended the reading of one. The others are cancelled then.
        """
        try:
            for one in self._open.values():
                one.send()
            self._wait()
        except BaseException:
            self._cancel()
            raise
        return list(self._ends.values())

    def _wait(self) -> None:
        looks = 0
        while True:
            self._look()
            if not self._open:
                return
            if looks % _ASK_EVERY == 0:
                self._ask()
            self._run.check_hold()
            looks += 1
            time.sleep(_LOOK_SECONDS)

    def _look(self) -> None:
        """See in our own database which are over."""
        found = self._run.parts_ended({one.number: one.attempt for one in self._open.values()})
        for number, end in found.items():
            self._ends[number] = end
            del self._open[number]
        if found:
            self._told(sum(map(self._run.part_size, self._open)))

    def _ask(self) -> None:
        """See at Prefect's server whether the rest is still worked on."""
        states = self._post.states([one.run_id for one in self._open.values() if one.run_id])
        if states is None:
            return
        self._look()  # what ended before Prefect said so
        waiting = 0
        for one in self._open.values():
            state = states.get(one.run_id)
            if state is not None and state.is_final():
                self._ended_without_a_word(one, state)
                continue
            stage = _sending.stage_of(state)
            waiting += stage == "waiting"
            if one.watch.is_lost(stage, is_held=self._run.is_held(one.number)):
                self._lost(one, state)
        if waiting and time.monotonic() - self._said_at > _UNTAKEN_SAID_EVERY:
            self._said_at = time.monotonic()
            say(
                f"    {waiting} parts wait for a worker: does one with room for more runs serve the work pool?"
            )

    def _lost(self, one: _Sent, state: State | None) -> None:
        if state is not None and one.run_id is not None:
            is_cancelled = state.is_cancelling()
            over = Cancelled if is_cancelled else Crashed
            state = over(
                message="It was cancelled, and its worker was lost."
                if is_cancelled
                else "Its worker was lost."
            )
            self._post.tell(one.run_id, state)
            self._ended_without_a_word(one, state)
        else:  # somebody deleted it
            self._again(one)

    def _ended_without_a_word(self, one: _Sent, state: State) -> None:
        if state.is_crashed():
            self._again(one)
            return
        msg = f"Part {one.number} of the sessions ended as {state.name} and was left undone: {state.message or 'no message'}"
        raise DreamError(" ".join(msg.split())[:600])

    def _again(self, one: _Sent) -> None:
        one.lost += 1
        if one.lost >= MOST_LOST:
            msg = f"{one.lost} workers were lost over part {one.number}, one after the other. Look at the runs of {DEPLOYMENT}; what they read is kept."
            raise DreamError(msg)
        say(f"    part {one.number}: its worker was lost; it is sent again")
        one.send()

    def _cancel(self) -> None:
        """Let nobody go on reading for a dream that ended."""
        for one in self._open.values():
            if one.run_id is not None:
                self._post.tell(one.run_id, Cancelling(message="The dream ended."))


# -- on Dask ---------------------------------------------------------------------------------------


def _on_dask(run: DreamRun, numbers: Sequence[int], home: str, told: Told) -> list[PartEnd]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        msg = (
            f"dispatch=dask needs prefect-dask, which cannot be loaded ({error}). Install it: "
            "pip install 'agentflows[dask]'; or take dispatch=deployment."
        )
        raise SettingsError(msg) from error
    settings = run.home.settings
    local: dict[str, Any] = {
        "n_workers": settings.dask_workers or None,
        "threads_per_worker": 1,
        "dashboard_address": None,
    }
    runner: Any = (
        DaskTaskRunner(address=settings.dask_address)
        if settings.dask_address
        else DaskTaskRunner(cluster_kwargs=local)
    )
    carry: Any = task(name="read part", task_run_name="review sessions: part {number}", **_STEP)(
        scrubbed(read_part)
    )

    # It goes to the cluster with every task, so it holds nothing but what can be sent: not the dream, not its doors.
    @flow(
        name="dream-parts",
        flow_run_name="{dream} · {count} parts",
        task_runner=runner,
        persist_result=False,
        result_serializer=_PLAIN,
    )
    @scrubbed
    def spread(dream: str, count: int) -> None:
        del count
        for future in [carry.submit(dream, number, 0, home) for number in numbers]:
            future.result()

    with _watched(run, numbers, told), tags(PART):
        spread(run.dream.dream_id, len(numbers))
    return list(run.parts_ended(dict.fromkeys(numbers, 0)).values())


@contextmanager
def _watched(run: DreamRun, numbers: Sequence[int], told: Told) -> Generator[None]:
    """Tell how far the parts are, for as long as it lasts."""
    end = threading.Event()

    def watch() -> None:
        before = -1
        while not end.wait(_WATCHED_EVERY):
            try:
                over = run.parts_ended(dict.fromkeys(numbers, 0))
            except AgentflowsError:  # of a part: the flow itself ends with it
                return
            if len(over) != before:
                before = len(over)
                told(sum(run.part_size(number) for number in numbers if number not in over))

    thread = threading.Thread(target=copy_context().run, args=(watch,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
