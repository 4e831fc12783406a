"""Orchestrate: a team and a task or a plan → threads at work at once over one workspace.

Every turn of every thread is a task run here; what it does stands in `agentflows.orchestrating`. With
`dispatch="deployment"` each turn is a flow run of its own on a work pool, in whatever worker takes it.
"""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import emit_event
from prefect.runtime import flow_run
from prefect.serializers import JSONSerializer
from prefect.states import Cancelled, Cancelling, Crashed

from agentflows.agent import Transcript
from agentflows.deployments import version_of
from agentflows.errors import BudgetError, OrchestrationError, ServerError, UsageError
from agentflows.form import titled
from agentflows.home import Home, open_home
from agentflows.notices import budget_reached, budget_refused
from agentflows.orchestrating import (
    Files,
    JobRequest,
    JobRun,
    as_it_stands,
    begin,
    carry_out_turn,
    is_at_work,
    make_request,
    refused,
    resumed,
)
from agentflows.orchestration import Crew, headline, markdown, name_of, summary, table
from agentflows.project import load_helper
from agentflows.scrubbing import scrubbed
from agentflows.sending import MOST_LOST, Watch
from agentflows.team import LEAD, Orchestration, TeamCaps, ThreadTurn

_pages = load_helper("_pages", Path(__file__).resolve().parents[1])
_sending = load_helper("_sending", Path(__file__).resolve().parents[1])
_PLAIN = JSONSerializer(object_encoder="agentflows.errors.kind_of", object_decoder=None)
"""What Prefect keeps of a failure: its kind, as plain JSON. Its default is pickle, which runs code when it is read."""

# A step keeps nothing in Prefect: what must not be paid twice is in our own database (DECISIONS.md).
_STEP: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retries": 0}
TURN = "orchestrate-turn/orchestrate-turn"
"""The deployment that carries out one turn with `dispatch="deployment"`."""
_LOOK_SECONDS = 1.0
_ASK_EVERY = 3
"""Looks into our own database for one at Prefect's server."""
_PUBLISHED_EVERY = 15.0
"""Seconds between two versions of a running job's page."""


class Work:
    """What the tasks share. A plain object, so that Prefect records none of it."""

    def __init__(self, run: JobRun, home: str = "") -> None:
        self.run = run
        self.home = home
        """As the caller named it; "" leaves it to each worker's AGENTFLOWS_HOME."""
        self.turn: dict[tuple[str, int], ThreadTurn] = {}
        self.crew: Crew | None = None
        self.news = ""
        self.ended = 0
        self.progress: Any = None
        self.published_at = time.monotonic()


def say(text: str) -> None:
    """One progress line: in the run's log, and in the terminal when the command line runs the flow."""
    get_run_logger().info(text, extra={"progress": True})


@task(name="turn", task_run_name="{thread}: {name}", **_STEP)
@scrubbed
def make_turn(work: Work, thread: str, name: str, number: int) -> ThreadTurn:
    """One turn of one specialist, in this process."""
    turn = work.turn[thread, number]
    say(f"{_said(thread, name, number)} begins")
    ended = work.run.perform(turn)
    return _told(work, ended)


@task(name="remote turn", task_run_name="{thread}: {name}", **_STEP)
@scrubbed
def send_turn(work: Work, thread: str, name: str, number: int) -> ThreadTurn:
    """One turn of one specialist, as a flow run on the work pool."""
    turn = work.turn[thread, number]
    say(f"{_said(thread, name, number)} is sent to the work pool")
    with get_client(sync_client=True) as client:
        post = _sending.Post(client, TURN, OrchestrationError, say)
        return _told(work, work.run.perform(turn, lambda one: Sent(work, one, post).to_its_end()))


@task(name="lead", task_run_name="lead: turn {number}", **_STEP)
@scrubbed
def make_lead_turn(work: Work, number: int) -> Transcript:
    """One turn of the lead."""
    assert work.crew is not None  # noqa: S101 - the run hands it over with the turn
    return work.run.lead_turn(work.turn[LEAD, number], work.news, work.crew)


@task(name="report", task_run_name="lay out the job", **_STEP)
@scrubbed
def publish(work: Work) -> None:
    """Lay every thread's state, outputs, cost and verdict on the run's page."""
    _lay_down(work)


def _lay_down(work: Work) -> None:
    state = work.run.home.state
    job = as_it_stands(work.run.home, state.job(work.run.job.job_id))
    key = job.job_id.replace("_", "-")
    _pages.lay_markdown(markdown(job), key=key, description=headline(job))
    _pages.lay_table(table(job), key=f"{key}-turns", description="Every turn of every thread")


def _said(thread: str, name: str, number: int) -> str:
    place = f"turn {number}"
    return f"{thread} {place}" if name == place else f"{thread} {place}: {name}"


def _told(work: Work, ended: ThreadTurn) -> ThreadTurn:
    work.ended += 1
    if time.monotonic() - work.published_at >= _PUBLISHED_EVERY:
        work.published_at = time.monotonic()
        _lay_down(work)
    detail = f" ({ended.detail})" if ended.detail else ""
    say(f"{ended.thread_id} turn {ended.number}: {ended.ending or ended.status}{detail}")
    plan = work.run.request.plan
    if plan is not None and work.progress is not None:
        update_progress_artifact(work.progress, 100.0 * min(1.0, work.ended / len(plan.subtasks)))
    return ended


class Sent:
    """One turn as a flow run on the work pool; what came of it comes back through the state database.

    The same turn is the same flow run, however often this flow is started again; when its worker is lost, a new one.
    """

    def __init__(self, work: Work, turn: ThreadTurn, post: Any) -> None:
        self._work, self._run, self._turn, self._post = work, work.run, turn, post
        self._watch = Watch()

    def to_its_end(self) -> ThreadTurn:
        """Send it, wait for it, and send it again while workers are lost over it.

        Raises:
            OrchestrationError: there is no such deployment, or the turn cannot be carried out.
            BudgetError, HinderedError: the job cannot pay for it now, or it cannot go on there now.
        """
        self._run.offer(self._turn)
        try:
            return self._ended()
        except (
            ServerError
        ) as error:  # nothing is known of the turn, so it has not failed: the job stops, and goes on
            self._run.home.state.stop_job(self._turn.job_id, str(error))
            return self._turn.model_copy(update={"detail": str(error)})

    def _ended(self) -> ThreadTurn:
        lost, number = 0, 0
        while lost < MOST_LOST:
            if ended := self._run.brought_home(self._turn):
                return ended  # to an earlier process that sent it
            if (found := self._send(number)) is None:
                if why := self._run.stop():
                    return self._turn.model_copy(update={"detail": why})
                time.sleep(_LOOK_SECONDS)
                continue
            number += 1
            if found.state is not None and found.state.is_final():
                continue  # of an earlier process; the turn is not over, so it goes on in a new one
            ended = self._followed(found)
            if ended is not None:
                return ended
            lost += 1
            say(f"{self._turn.thread_id} turn {self._turn.number}: its worker was lost; it is sent again")
        msg = f"{lost} workers were lost over this turn, one after the other. Look at the runs of {TURN}."
        raise OrchestrationError(msg)

    def _send(self, number: int) -> FlowRun | None:
        turn = self._turn
        place = {"job": turn.job_id, "thread": turn.thread_id, "number": turn.number, "home": self._work.home}
        key = f"{turn.job_id}/{turn.thread_id}/{turn.number}/{number}"
        return self._post.send(place, key=key, name=f"{turn.thread_id} · turn {turn.number}")

    def _followed(self, sent: FlowRun) -> ThreadTurn | None:
        """The turn as it came back; None when its worker was lost."""
        looks = 0
        self._watch = Watch()
        while True:
            if ended := self._run.brought_home(self._turn):
                return ended
            if why := self._run.stop():
                # Never by force: its process sees the stop too, and a run that is over must not be made to wait for an end.
                self._post.tell(sent.id, Cancelling(message=why[:200]))
                return self._turn.model_copy(update={"detail": why})
            if looks % _ASK_EVERY == 0 and (states := self._post.states([sent.id])) is not None:
                state = states.get(sent.id)
                if (state is not None and state.is_final()) or self._is_lost(state):
                    return self._closed(sent, state)
            looks += 1
            time.sleep(_LOOK_SECONDS)

    def _closed(self, sent: FlowRun, state: State | None) -> ThreadTurn | None:
        """What a run that is over, or lost, left of the turn.

        Raises:
            OrchestrationError: it cannot be carried out.
            BudgetError, HinderedError: the job cannot pay for it now, or it cannot go on there now.
        """
        if ended := self._run.brought_home(self._turn):
            return ended
        if state is None:
            return None  # somebody deleted it
        if state.is_cancelling():
            state = Cancelled(message="It was cancelled, and its worker was lost.")
            self._post.tell(sent.id, state)
        if not state.is_final():
            self._post.tell(sent.id, Crashed(message="Its worker was lost."))
            return None
        if state.is_crashed():
            return None
        if refusal := refused(self._run.home, self._turn):
            raise refusal
        if state.is_completed():
            return self._turn.model_copy(update={"detail": self._run.stop() or "it was stopped"})
        msg = f"The worker's run {sent.name} ended as {state.name} and left the turn undone: {state.message or 'no message'}"
        raise OrchestrationError(" ".join(msg.split())[:500])

    def _is_lost(self, state: State | None) -> bool:
        """Whether nobody works on it any more."""
        return self._watch.is_lost(_sending.stage_of(state), is_held=is_at_work(self._run.home, self._turn))


@flow(
    name="orchestrate-turn",
    flow_run_name="{thread} · turn {number}",
    persist_result=False,
    result_serializer=_PLAIN,
    version=version_of(__file__),
)
@scrubbed
def orchestrate_turn(
    job: Annotated[str, titled("Job")],
    thread: Annotated[str, titled("Thread")],
    number: Annotated[int, titled("Turn", ge=0)],
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Carry out one turn of one thread. Runs are made by orchestrate with dispatch=deployment, not by hand.

    Args:
        job: The job's id.
        thread: The thread's id.
        number: The turn's number, from 0.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.
    """
    with open_home(home or None) as doors:
        turn = carry_out_turn(doors, job, thread, number)
        say(f"{thread} turn {number}: {turn.ending or turn.status}")
        return {"job": job, "thread": thread, "number": number, "ending": turn.ending}


def _run_name() -> str:
    """By the task; else by the job that goes on, or the team and its plan."""
    given = flow_run.get_parameters()
    plan = f"{Path(given['team']).name} by {Path(given['plan']).name}"
    return f"orchestrate · {' '.join(given['task'][:60].split()) or given['job'] or plan}"


@flow(
    name="orchestrate",
    flow_run_name=_run_name,
    persist_result=False,
    result_serializer=_PLAIN,
    version=version_of(__file__),
)
@scrubbed
def orchestrate(
    task: Annotated[str, titled("Task", max_length=100_000)] = "",
    team: Annotated[str, titled("Team folder")] = "",
    workspace: Annotated[str, titled("Workspace folder")] = "",
    plan: Annotated[str, titled("Plan file")] = "",
    limits: Annotated[TeamCaps, titled("Limits")] = TeamCaps(),
    files: Annotated[Files, titled("Files")] = "staged",
    dispatch: Annotated[Literal["tasks", "deployment"], titled("Where turns run")] = "tasks",
    job: Annotated[str, titled("Go on with job", pattern=r"^(job_.+)?$")] = "",
    key: Annotated[str, titled("Word of your own")] = "",
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Have a team do a job: its lead splits it among specialists who work at once, or a plan says who does what.

    Args:
        task: What the lead is to do, in words; with a plan it may be left out.
        team: Needed: the folder with an agent file per specialist, and lead.md; as the worker's machine names it.
        workspace: Needed: the folder they all work in.
        plan: A YAML file that says who does what. With it no model leads.
        limits: Caps of the job; what is empty is as the team's team.yaml says, or as the job had it that goes on.
        files: staged gives every turn a copy and merges it; shared lets all work in the folder itself.
        dispatch: tasks runs every turn in the process of this run; deployment sends each to the work pool, for several workers.
        job: The id (job_…) of a job to go on with, as it was begun; of the other fields only limits count then.
        key: What was done with the same fields is not done twice; with another word here it is done anew.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.

    Returns:
        The job's id, how it ended, counts and cost. All of it is in the state database and on this page.
    """
    with open_home(home or None) as doors:
        if job:
            begun = resumed(doors, job, limits=limits)
        else:
            if not team or not workspace:
                msg = "A job needs a team and a workspace; found none. Give both, or the id of a job to go on with."
                raise UsageError(msg)
            request = make_request(
                task,
                team=team,
                workspace=workspace,
                plan=plan or None,
                files=files,
                dispatch=dispatch,
                key=key,
            )
            begun = _begun(doors, request.capped(limits))
        with begun as run:
            return _done(Work(run, home))


def _begun(home: Home, request: JobRequest) -> JobRun:
    """The job begun; an event where its caps certainly do not suffice."""
    try:
        return begin(home, request)
    except BudgetError:
        team = request.team
        emit_event(
            **budget_refused(
                "job", "team", team.name, tokens=team.limits.max_tokens, dollars=team.limits.max_dollars
            )
        )
        raise


def _tell_budget(job: Orchestration) -> None:
    """One event for the whole job, however many of its turns a cap ended."""
    emit_event(**budget_reached("job", job.job_id, tokens=job.usage.total, dollars=job.dollars))


def _done(work: Work) -> dict[str, Any]:
    run = work.run
    if run.is_done:
        say(
            f"This job was done before ({run.job.job_id}), and its workspace is as it left it: nothing is done twice. "
            "Another key has it done anew."
        )
        publish(work)
        return summary(run.job)
    _announce(work)

    def one_turn(turn: ThreadTurn) -> ThreadTurn:
        work.turn[turn.thread_id, turn.number] = turn
        carry = send_turn if run.job.dispatch == "deployment" else make_turn
        name = name_of(turn, is_planned=run.request.plan is not None)
        return carry(work, turn.thread_id, name, turn.number)

    def one_lead_turn(turn: ThreadTurn, news: str, crew: Crew) -> Transcript:
        work.turn[LEAD, turn.number], work.crew, work.news = turn, crew, news
        return make_lead_turn(work, turn.number)

    before = run.job
    try:
        done = run.go_on(one_turn, one_lead_turn)
    except BudgetError:
        _tell_budget(as_it_stands(run.home, run.home.state.job(run.job.job_id)))
        raise
    if done.is_at_budget(before):
        _tell_budget(done)
    publish(work)
    say(headline(done))
    return summary(done)


def _announce(work: Work) -> None:
    """Before the fan-out: who will work, how many at once, and what it can cost at most."""
    request, limits = work.run.request, work.run.request.team.limits
    say(
        f"{work.run.job.job_id}: team {request.team.name}, {len(request.team.specialists)} specialists, workspace {Path(request.workspace).name}"
    )
    caps = [
        f"${limits.max_dollars:,.2f}" if limits.max_dollars is not None else "",
        f"{limits.max_tokens:,} tokens" if limits.max_tokens else "",
    ]
    told = " and ".join(cap for cap in caps if cap) or "no ceiling in money or tokens"
    if other := work.run.left_here():
        say(
            f"{other.job_id} was left {other.status} in this workspace and is another job: another task, plan, team or key. "
            f"agentflows orchestrate --resume {other.job_id} goes on with it."
        )
    count = f"{len(request.plan.subtasks)} sub-tasks" if request.plan else "a live lead"
    say(
        f"{count}, up to {limits.at_once} turns at once and {limits.max_threads} threads; the job's cap: {told}, {limits.max_seconds:,.0f} s"
    )
    say(
        f"Estimate: {work.run.estimate.told}"
        if work.run.estimate
        else "Estimate: unbounded but for these caps"
    )
    if request.plan is not None:
        work.progress = create_progress_artifact(0.0, key="orchestrate-turns", description="Sub-tasks ended")


if __name__ == "__main__":
    orchestrate()
