"""One job under way: its crew over the doors of a home, and its end."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from agentflows.agent import Transcript
from agentflows.errors import AgentflowsError, BudgetError, ConflictError
from agentflows.home import Home
from agentflows.orchestrating.forgetting import forgotten
from agentflows.orchestrating.halting import Halt, is_of_job, is_passing, stopped_alone
from agentflows.orchestrating.kit import pack
from agentflows.orchestrating.own_code import keep_own_code, with_own_code
from agentflows.orchestrating.remote import brought_home, offer
from agentflows.orchestrating.request import JobRequest
from agentflows.orchestrating.staging import Staging
from agentflows.orchestrating.standing import as_it_stands
from agentflows.orchestrating.turning import perform, stage_of
from agentflows.orchestration import (
    Crew,
    Estimate,
    Work,
    carry_out,
    ending_of,
    estimate,
    job_status,
    lead,
)
from agentflows.pursuing.holding import Hold
from agentflows.store.failpoints import failpoint
from agentflows.team import LEAD, Ending, JobStatus, Orchestration, SubTask, Thread, ThreadTurn
from agentflows.terminating import terminable

DONE = frozenset({"succeeded", "partial", "failed"})
"""Ends from which nothing goes on."""
FINAL = DONE | {"stopped"}
"""Where nobody works on a job any more; one that was stopped goes on when it is run again."""
_LOOKED_BACK = 5
"""Jobs of each state among which one that was left in the same workspace is looked for."""
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
        self.is_done = job.status in DONE
        self._hold = hold
        self._staging = Staging(home, job.job_id, request.workspace, stop=self.stop)
        self._ends_at = time.monotonic() + request.team.limits.max_seconds
        self._looked_at, self._asked = 0.0, ""
        self._interrupts: dict[tuple[str, int], str] = {}
        self._cap, self._broken, self._hindered = "", "", ""
        self._turns = threading.Condition()
        self._at_work, self._returned = 0, 0
        self._untidy: list[ThreadTurn] = []
        self._packing, self._is_packed = threading.Lock(), False

    @property
    def estimate(self) -> Estimate | None:
        """What it can take; None for a live lead, who decides as it goes."""
        plan, settings = self.request.plan, self.home.settings
        return estimate(plan, self.request.team, self.home.prices, model=settings.model) if plan else None

    def left_here(self) -> Orchestration | None:
        """Another job that was begun in this workspace and is not done: after an edit of its plan a command is a new job."""
        for status in ("stopped", "interrupted", "running"):
            for job in self.home.state.jobs(status=status, limit=_LOOKED_BACK):
                if job.workspace == self.job.workspace and job.job_id != self.job.job_id:
                    return job
        return None

    def stop(self) -> str:
        """Why the job is to end now; "" while it goes on. Asked often, it looks into the database once a second."""
        now = time.monotonic()
        if not self._cap and now >= self._ends_at:
            self._cap = f"the job took longer than max_seconds ({self.request.team.limits.max_seconds:.0f})"
        if not self._asked and now - self._looked_at >= _STOP_EVERY:
            self._looked_at, self._asked = now, self.home.state.job_stop(self.job.job_id)
            self._interrupts = self.home.state.turn_interrupts(self.job.job_id)
        return self._broken or self._cap or self._asked

    def _begins_nothing(self) -> str:
        """Why no other turn is to begin: a reason to end now, or one that lets what runs come to its end."""
        return self.stop() or self._hindered

    def _interrupted(self, turn: ThreadTurn) -> str:
        """Why this turn alone is to end, as the last look of `stop` found; "" while it goes on."""
        return stopped_alone(self._interrupts.get((turn.thread_id, turn.number), ""))

    # -- turns ---------------------------------------------------------------------------------------

    def perform(self, turn: ThreadTurn, work: Work | None = None) -> ThreadTurn:
        """Carry out one turn of a specialist. One that was stopped comes back as it was.

        So does one that the job cannot pay for, or that archive, database or endpoint keep from its end. Then the job
        stops, once what else runs has ended, and the same command goes on with it.

        Args:
            turn: which.
            work: what does it elsewhere; None does it in this process.

        Raises:
            AgentflowsError: the turn cannot be carried out; only it has failed.
        """
        self._tidy()
        while True:
            seen = self._returned
            try:
                ended = self._performed(turn, work or self._here)
            except AgentflowsError as error:
                if is_of_job(error, self.job.job_id):
                    if why := self._wait_for_money(str(error), seen):
                        return turn.model_copy(update={"detail": why})
                    continue
                if not is_passing(error):
                    raise
                name = turn.order.subtask_id if self.request.plan else turn.thread_id
                self._hindered = self._hindered or f"{name} could not go on. {error}"
                return turn.model_copy(update={"detail": str(error)})
            if self._broken:
                return turn.model_copy(update={"detail": self._broken})
            if ended.status != "ended":
                self._looked_at = 0.0  # a worker may have heard of a stop before this process did
            self._untidy.append(ended)
            return ended

    def _here(self, turn: ThreadTurn) -> ThreadTurn:
        halt = Halt(self.stop, lambda: self._interrupted(turn))
        return perform(self.home, self.request, turn, halt=halt, staging=self._staging)

    def offer(self, turn: ThreadTurn) -> None:
        """Put what a turn needs where workers get it, if the job's files travel. Call it before the turn is sent.

        Raises:
            AgentflowsError: the workspace or the team's files cannot be read, or not be put there.
        """
        with self._packing:
            if self._staging.depot and not self._is_packed:
                pack(self._staging, self.request)
                self._is_packed = True
        offer(self.home, self.request, turn, self._staging)

    def brought_home(self, turn: ThreadTurn) -> ThreadTurn | None:
        """The turn as a worker ended it, its changes in the workspace; None while it has not ended.

        Raises:
            AgentflowsError: the workspace cannot be written, or a content cannot be brought here.
        """
        return brought_home(self.home, self.request, turn, self._staging)

    def _performed(self, turn: ThreadTurn, work: Work) -> ThreadTurn:
        with self._turns:
            self._at_work += 1
        try:
            if not self._is_held():
                return turn
            ended = work(turn)
            self._is_held()
            return ended
        finally:
            with self._turns:
                self._at_work -= 1
                self._returned += 1
                self._turns.notify_all()

    def _is_held(self) -> bool:
        """Whether the workspace is still this process's. If another took it, nothing of this one counts any more."""
        try:
            self._hold.check()
        except ConflictError as error:
            self._broken = str(error)
        return not self._broken

    def _wait_for_money(self, refusal: str, seen: int) -> str:
        """What other turns set aside comes back when they end; "" then. Else the reason to stop the job."""
        with self._turns:
            if self._returned == seen + 1 and self._at_work == 0:
                self._cap = self._cap or f"a cap of the job was reached. {refusal}"
            elif self._returned == seen + 1:
                self._turns.wait(_STOP_EVERY)
        return self._begins_nothing()

    def _tidy(self) -> None:
        """Throw away the copies of turns that are recorded."""
        with self._turns:
            ended, self._untidy = self._untidy, []
        for turn in ended:
            if self.home.state.turn(turn.job_id, turn.thread_id, turn.number).status == "ended":
                stage_of(self.request, turn, self._staging).tidy()
            else:
                self._untidy.append(turn)

    def lead_turn(self, turn: ThreadTurn, news: str, crew: Crew) -> Transcript:
        """One turn of the lead in this process. While others have set money aside that it lacks, it waits for them.

        Raises:
            AgentflowsError: it cannot be run, or not go on.
        """
        self._hold.check()
        # the lead's tools bring the model's SDK, which takes a second to import
        from agentflows.orchestrating.leading import lead_turn

        while True:
            seen = self._returned
            try:
                request = with_own_code(self._staging, self.request)
                return lead_turn(self.home, request, turn, news, crew, stop=self._begins_nothing)
            except BudgetError as error:
                if not is_of_job(error, self.job.job_id):
                    raise
                with self._turns:
                    if self._returned == seen:
                        if self._at_work == 0:
                            raise
                        self._turns.wait(_STOP_EVERY)

    # -- the whole -----------------------------------------------------------------------------------

    def go_on(self, work: Work | None = None, lead_work: LeadTurn | None = None) -> Orchestration:
        """The job to its end, or to where it was stopped.

        Args:
            work: carries out one turn; `perform` unless told otherwise.
            lead_work: one turn of the lead; `lead_turn` unless told otherwise.

        Raises:
            AgentflowsError: the lead cannot work. What its threads did is kept, and the same call goes on.
        """
        if self.is_done:
            return self.job
        self._save("running")
        try:
            keep_own_code(self._staging, self.request)
            with terminable():
                stopped, last = self._led(work or self.perform, lead_work or self.lead_turn)
        except BaseException as error:
            self._ended(
                "stopped" if self._cap or self._hindered else "interrupted",
                str(error) or type(error).__name__,
            )
            raise
        return self._finished(stopped, last)

    def _led(self, work: Work, lead_work: LeadTurn) -> tuple[str, Transcript | None]:
        """Why it was stopped, if it was, and what the lead's last turn left."""
        state, plan = self.home.state, self.request.plan
        with Crew(
            state.job(self.job.job_id), self.request.team, state, work, stop=self._begins_nothing
        ) as crew:
            try:
                last = None
                if plan is not None:
                    carry_out(plan, crew)
                else:
                    last = lead(self._leading(crew, lead_work), crew)
            except BaseException as error:
                if isinstance(error, AgentflowsError) and is_of_job(error, self.job.job_id):
                    self._cap = self._cap or f"a cap of the job was reached. {error}"
                self._broken = (
                    self._broken or type(error).__name__
                )  # what runs is told to end, and waited for
                raise
            return crew.stopped, last

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
                "ending": _ending(transcript),
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
        turns = [turn for turn in self.home.state.job(self.job.job_id).turns if turn.thread_id != LEAD]
        lead_ending = _ending(last) if last is not None else None
        status = job_status(turns, stopped=stopped, lead_ending=lead_ending)
        if self._broken:  # an error of this process, which says nothing about the job
            status = "interrupted"
        result = self.home.redactor().redact(last.text) if last is not None else _summary(turns)
        why = last.detail if last is not None else ""
        if not why and lead_ending == "empty":
            why = "the lead ended without a word"
        self._ended(status, stopped or why, result)
        return as_it_stands(self.home, self.home.state.job(self.job.job_id))

    def _ended(self, status: JobStatus, detail: str, result: str = "") -> None:
        state = self.home.state
        self.job = state.job(self.job.job_id).model_copy(
            update={
                "status": status,
                "detail": self.home.redactor().redact(detail),
                "result": result,
                "ended_at": _now(),
            }
        )
        if status in DONE:
            self._staging.keep(final_name(self.job), self._staging.take(), travels=False)
        state.save_job(self.job, forgotten(self.home, self.job) if status in DONE else {})
        failpoint("job.ended")
        if status in DONE:
            self._staging.tidy()

    def _save(self, status: str) -> None:
        state = self.home.state
        state.save_job(state.job(self.job.job_id).model_copy(update={"status": status, "detail": ""}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hold.close()


def final_name(job: Orchestration) -> str:
    """The name of the version that the job left."""
    return f"{job.job_id}/final"


def _ending(transcript: Transcript) -> Ending:
    """Of a turn of the lead, which promises nothing but words."""
    return ending_of(transcript.end, report=transcript.text, promised=0, missing=0, changed=0)


def _summary(turns: Sequence[ThreadTurn]) -> str:
    return "\n".join(
        f"{turn.order.subtask_id} ({turn.order.agent}): {turn.ending or turn.status}"
        + (f", {turn.detail}" if turn.detail else "")
        for turn in turns
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
