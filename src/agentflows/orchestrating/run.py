"""One job under way: its crew over the doors of a home, and its end."""

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from agentflows.agent import Transcript
from agentflows.change import Budget
from agentflows.errors import OrchestrationError
from agentflows.home import Home
from agentflows.orchestrating.leading import lead_turn
from agentflows.orchestrating.request import JobRequest
from agentflows.orchestrating.turning import perform
from agentflows.orchestration import Crew, Work, carry_out, ending_of, job_status, lead
from agentflows.pursuing.holding import Hold
from agentflows.store.failpoints import failpoint
from agentflows.team import LEAD, Orchestration, SubTask, Thread, ThreadTurn

FINAL = frozenset({"succeeded", "partial", "failed", "stopped"})
_STOP_EVERY = 1.0
"""Seconds between two looks into the database whether somebody asked for a stop."""

LeadTurn = Callable[[ThreadTurn, str, Crew], Transcript]
"""One turn of the lead."""


class JobRun:
    """One job under way in this process, which holds its workspace until the context ends.

    Make it with `begin` or `resumed`, and use it as a context manager.

    Attributes:
        home: the doors.
        request: what was asked.
        job: as it stood when this process took it up.
        is_done: whether nothing is left to do.
    """

    def __init__(self, home: Home, request: JobRequest, job: Orchestration, hold: Hold) -> None:
        self.home = home
        self.request = request
        self.job = job
        self.is_done = job.status in FINAL
        self._hold = hold
        self._ends_at = time.monotonic() + request.team.limits.max_seconds
        self._looked_at, self._stop = 0.0, ""
        self._broken = ""

    def stop(self) -> str:
        """Why the job is to end now; "" while it goes on. Asked often, it looks into the database once a second."""
        now = time.monotonic()
        if self._broken:
            return self._broken
        if now >= self._ends_at:
            return f"the job took longer than max_seconds ({self.request.team.limits.max_seconds:.0f})"
        if not self._stop and now - self._looked_at >= _STOP_EVERY:
            self._looked_at, self._stop = now, self.home.state.job_stop(self.job.job_id)
        return self._stop

    def perform(self, turn: ThreadTurn) -> ThreadTurn:
        """Carry out one turn of a specialist in this process."""
        self._hold.check()
        return perform(self.home, self.request, turn, stop=self.stop)

    def lead_turn(self, turn: ThreadTurn, news: str, crew: Crew) -> Transcript:
        """One turn of the lead in this process."""
        self._hold.check()
        return lead_turn(self.home, self.request, turn, news, crew, stop=self.stop)

    def go_on(self, work: Work | None = None, lead_work: LeadTurn | None = None) -> Orchestration:
        """The job to its end, or to where it was stopped.

        Args:
            work: carries out one turn; `perform` unless told otherwise.
            lead_work: one turn of the lead; `lead_turn` unless told otherwise.
        """
        if self.is_done:
            return self.job
        self._save("running")
        state = self.home.state
        with Crew(
            state.job(self.job.job_id), self.request.team, state, work or self.perform, stop=self.stop
        ) as crew:
            try:
                if self.request.plan is not None:
                    carry_out(self.request.plan, crew)
                    last = None
                else:
                    last = lead(self._leading(crew, lead_work or self.lead_turn), crew)
            except BaseException as error:
                self._broken = f"{type(error).__name__}"
                raise
        return self._finished(crew.stopped, last)

    def _leading(self, crew: Crew, work: LeadTurn) -> Callable[[str], Transcript]:
        """The lead's turns, each recorded as a turn of its own thread."""
        state, job_id = self.home.state, self.job.job_id
        number = -1

        def run(news: str) -> Transcript:
            nonlocal number
            number += 1
            state.open_thread(Thread(thread_id=LEAD, job_id=job_id, agent=self._lead_name, created_at=_now()))
            order = SubTask(
                subtask_id=f"{LEAD}-{number}", agent=self._lead_name, task=news or self.request.task
            )
            turn = ThreadTurn(
                job_id=job_id, thread_id=LEAD, number=number, order=order, status="running", started_at=_now()
            )
            state.put_turn(turn)
            transcript = work(turn, news, crew)
            if transcript.end != "interrupted":
                state.put_turn(self._lead_ended(turn, transcript))
            return transcript

        return run

    @property
    def _lead_name(self) -> str:
        return self.request.team.lead.name if self.request.team.lead else LEAD

    def _lead_ended(self, turn: ThreadTurn, transcript: Transcript) -> ThreadTurn:
        redact = self.home.redactor().redact
        cost = self.home.state.spent(f"job:{turn.job_id}/{LEAD}/{turn.number}")
        return turn.model_copy(
            update={
                "status": "ended",
                "ending": ending_of(transcript.end, report=transcript.text, promised=0, missing=0, changed=0),
                "end": transcript.end,
                "detail": redact(transcript.detail),
                "report": redact(transcript.text),
                "session_id": transcript.session.session_id,
                "usage": cost.usage if cost.calls else transcript.usage,
                "dollars": cost.dollars if cost.calls else transcript.dollars,
                "tool_calls": transcript.tool_calls,
                "tool_errors": transcript.tool_errors,
                "ended_at": _now(),
            }
        )

    def _finished(self, stopped: str, last: Transcript | None) -> Orchestration:
        state = self.home.state
        found = state.job(self.job.job_id)
        turns = [turn for turn in found.turns if turn.thread_id != LEAD]
        lead_ending = (
            ending_of(last.end, report=last.text, promised=0, missing=0, changed=0)
            if last is not None
            else None
        )
        status = job_status(turns, stopped=stopped, lead_ending=lead_ending)
        if stopped and not self._stop:  # a limit or an error of this process: a re-run goes on
            status = "interrupted"
        result = self.home.redactor().redact(last.text) if last is not None else _summary(turns)
        self.job = found.model_copy(
            update={
                "status": status,
                "detail": stopped or (last.detail if last is not None else ""),
                "result": result,
                "ended_at": _now(),
            }
        )
        state.save_job(self.job)
        failpoint("job.ended")
        return state.job(self.job.job_id)

    def _save(self, status: str) -> None:
        state = self.home.state
        state.save_job(state.job(self.job.job_id).model_copy(update={"status": status, "detail": ""}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hold.close()


def begin(home: Home, request: JobRequest) -> JobRun:
    """The job that this command means: the one it began earlier and did not finish, or a new one.

    Raises:
        UsageError, PlanError: what is asked for cannot be done; nothing was spent.
        ConflictError: another process works in the workspace.
    """
    request.check()
    _check_home(home, request)
    hold = Hold(home.state, str(request.workspace), home.actor().name, (request.task or "a plan")[:60])
    try:
        earlier = home.state.jobs(base_id=request.base_id, limit=10_000)
        if earlier and earlier[0].status not in FINAL:
            return JobRun(home, request, earlier[0], hold)
        name = hashlib.sha256(f"{request.base_id}\x1f{len(earlier)}".encode()).hexdigest()[:16]
        plan, team = request.plan, request.team
        job = Orchestration(
            job_id=f"job_{name}",
            title=_title(request),
            task=request.task or (plan.task if plan else ""),
            team=team.name,
            team_sha256=team.sha256,
            workspace=str(request.workspace),
            mode="plan" if plan else "live",
            dispatch=request.dispatch,
            plan=plan,
        )
        begun = home.state.begin_job(job, base_id=request.base_id, request=request.model_dump_json())
        failpoint("job.begun")
        return JobRun(home, request, begun, hold)
    except BaseException:
        hold.close()
        raise


def resumed(home: Home, name: str) -> JobRun:
    """The job of that id, to go on from where it stands.

    Raises:
        NotFoundError: there is none.
        OrchestrationError: it came to its end.
    """
    job = home.state.job(name)
    if job.status in FINAL - {"stopped"}:
        msg = f"The job {job.job_id} ended as {job.status!r}; nothing is left to go on with. Run it again with another --key."
        raise OrchestrationError(msg)
    request = JobRequest.model_validate_json(home.state.job_request(job.job_id))
    hold = Hold(home.state, str(request.workspace), home.actor().name, job.job_id)
    try:
        home.state.stop_job(job.job_id, "")
        home.state.save_job(job.model_copy(update={"status": "running", "detail": ""}))
        return JobRun(home, request, home.state.job(job.job_id), hold)
    except BaseException:
        hold.close()
        raise


def _check_home(home: Home, request: JobRequest) -> None:
    own, workspace = home.settings.home_path, request.workspace
    if own == workspace or workspace in own.parents or own in workspace.parents:
        msg = f"The workspace {workspace} and the home {own} lie in each other. Name a folder that holds only the work."
        raise OrchestrationError(msg)
    for agent in (
        *request.team.specialists,
        *([request.team.lead] if request.team.lead and not request.plan else []),
    ):
        if agent.memory:
            home.state.get_store(agent.memory)
    _check_models(home, request)


def _check_models(home: Home, request: JobRequest) -> None:
    """An agent that needs a model fails before the first turn, not after the last but one."""
    needed = (
        [request.agent(task) for task in request.plan.subtasks]
        if request.plan
        else [*request.team.specialists, *([request.team.lead] if request.team.lead else [])]
    )
    for agent in needed:
        if agent.runner == "messages":
            home.runner(agent, home.state.purse({"job:check": Budget(tokens=0)}))
            break


def _title(request: JobRequest) -> str:
    plan = request.plan
    said = (plan.title or plan.task if plan else "") or request.task or request.team.name
    return said.strip().splitlines()[0][:80]


def _summary(turns: Sequence[ThreadTurn]) -> str:
    return "\n".join(
        f"{turn.order.subtask_id} ({turn.order.agent}): {turn.ending or turn.status}"
        + (f", {turn.detail}" if turn.detail else "")
        for turn in turns
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
