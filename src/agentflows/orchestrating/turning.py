"""One turn of a thread, from its order to its ending, in whatever process it runs.

What makes a kill harmless, in order: the copy it works in and the version that began from; the runner's own state
after every reply, where it has one; the transcript, as soon as the runner returns; the version it left; the merge,
which can be done twice; then the turn itself. A re-run takes the newest of these that is there.
"""

import fnmatch
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agentflows.agent import AgentDefinition, Job, Runner, Transcript
from agentflows.change import Budget
from agentflows.claude import Tool
from agentflows.errors import ConflictError
from agentflows.evaluation import Outcome
from agentflows.home import Home
from agentflows.orchestrating.request import JobRequest
from agentflows.orchestrating.staging import Stage, file_states
from agentflows.orchestration import changes_between, ending_of, promised
from agentflows.pursuing import OutcomeRequest, begin, go_on
from agentflows.recording import record_run
from agentflows.rubric import Rubric, parse_rubric, read_rubric
from agentflows.store import Holder
from agentflows.store.failpoints import failpoint
from agentflows.team import FileChange, SubTask, ThreadTurn

POINTS = ("turn.begun", "turn.staged", "turn.ran", "turn.frozen", "turn.merged", "turn.recorded")
"""Failpoints, in the order a turn passes them."""
_TEXT_CHARS = 20_000
_MERGE_LEASE = timedelta(minutes=5)
_MERGE_PAUSE = 0.05
"""Seconds between two looks whether another merge is over."""
_RUBRIC_MARKS = ("\n", "- ")
"""What no file name holds: a rubric given as its text."""


def perform(home: Home, request: JobRequest, turn: ThreadTurn, *, stop: Callable[[], str]) -> ThreadTurn:
    """Carry out one turn and give it back ended.

    Raises:
        BudgetError: the job has not enough left for its first call.
        EndpointError: the model cannot be reached.
        SettingsError: the agent needs a model, and none is configured.
        OutcomeError: the workspace is too large, or cannot be read or written.
    """
    failpoint("turn.begun")
    is_staged = request.files == "staged" or bool(turn.order.rubric)
    stage = Stage(home, turn, request.workspace, is_staged=is_staged)
    stage.prepare()
    if turn.order.rubric:
        ended = _pursued(home, request, turn, stage, stop)
    else:
        ended = _ran(home, request, turn, stage, stop)
    if ended.status != "ended":
        return ended
    failpoint("turn.recorded")
    stage.done()
    return ended


def _ran(
    home: Home, request: JobRequest, turn: ThreadTurn, stage: Stage, stop: Callable[[], str]
) -> ThreadTurn:
    agent = request.agent(turn.order)
    transcript = run_agent(
        home, request, turn, agent, stop=stop, workspace=stage.folder, task=turn.order.task
    )
    if transcript.end == "interrupted":
        return turn.model_copy(
            update={"detail": transcript.detail}
        )  # still to be ended: the next process goes on
    record_run(home, transcript)
    return _ended(home, turn, stage, transcript)


def run_agent(  # noqa: PLR0913 - a run has this many sides
    home: Home,
    request: JobRequest,
    turn: ThreadTurn,
    agent: AgentDefinition,
    *,
    stop: Callable[[], str],
    workspace: Path,
    task: str,
    runner: Runner | None = None,
) -> Transcript:
    """Run an agent on one turn, or take what a killed process left of the same run."""
    state, name = home.state, turn_name(turn)
    if kept := state.runner_state(f"{name}/done"):
        return Transcript.model_validate_json(kept)
    limits = request.team.limits
    levels = {
        f"job:{turn.job_id}": Budget(tokens=limits.max_tokens, dollars=limits.max_dollars),
        f"job:{turn.job_id}/{turn.thread_id}": Budget(),
        f"job:{turn.job_id}/{turn.thread_id}/{turn.number}": Budget(),
    }
    runner = runner or home.runner(agent, state.purse(levels), is_money_capped=limits.max_dollars is not None)
    store = agent.memory
    transcript = runner.run(
        agent,
        Job(
            job_id=name,
            task=task,
            workspace=workspace,
            memory=state.files(store) if store else {},
            state=state.runner_state(name) or _context(home, turn),
            project=str(request.workspace),
            parent_id=turn.job_id if turn.number == 0 else turn_name(turn.model_copy(update={"number": 0})),
        ),
        keep=lambda text: state.keep_runner_state(name, text),
        stop=stop,
    )
    failpoint("turn.ran")
    if transcript.end != "interrupted":
        state.keep_runner_state(f"{name}/done", transcript.model_dump_json())
    return transcript


def runner_of(
    home: Home, request: JobRequest, turn: ThreadTurn, agent: AgentDefinition, extra: Sequence[Tool] = ()
) -> Runner:
    """What runs an agent, spending from the purses of its job, its thread and its turn."""
    purse = home.state.purse(_levels(request, turn))
    is_capped = request.team.limits.max_dollars is not None
    return home.runner(agent, purse, is_money_capped=is_capped, extra=extra)


def _levels(request: JobRequest, turn: ThreadTurn) -> dict[str, Budget]:
    limits = request.team.limits
    return {
        f"job:{turn.job_id}": Budget(tokens=limits.max_tokens, dollars=limits.max_dollars),
        f"job:{turn.job_id}/{turn.thread_id}": Budget(),
        f"job:{turn_name(turn)}": Budget(),
    }


def turn_name(turn: ThreadTurn) -> str:
    """The identity of a turn, and the session id of its transcript."""
    return f"{turn.job_id}/{turn.thread_id}/{turn.number}"


def _context(home: Home, turn: ThreadTurn) -> str:
    """The thread's own context after its last turn that ran."""
    for number in range(turn.number - 1, -1, -1):
        name = turn_name(turn.model_copy(update={"number": number}))
        if kept := home.state.runner_state(f"{name}/done"):
            return Transcript.model_validate_json(kept).state
    return ""


def _ended(
    home: Home, turn: ThreadTurn, stage: Stage, transcript: Transcript, outcome: Outcome | None = None
) -> ThreadTurn:
    after = file_states(stage.after())
    changes = _merged(home, turn, stage, changes_between(file_states(stage.base), after))
    outputs, missing = promised(turn.order.outputs, after)
    changed = [
        change for change in changes if _is_promised(change.path, turn.order) or not turn.order.outputs
    ]
    cost = home.state.spent(f"job:{turn_name(turn)}")
    redact = home.redactor().redact
    report = redact(transcript.text)
    return turn.model_copy(
        update={
            "status": "ended",
            "ending": ending_of(
                transcript.end,
                report=report,
                promised=len(turn.order.outputs),
                missing=len(missing),
                changed=len(changed),
                outcome=outcome.result if outcome else None,
            ),
            "end": transcript.end,
            "detail": redact(transcript.detail or (outcome.explanation if outcome else "")),
            "report": report[:_TEXT_CHARS],
            "session_id": transcript.session.session_id,
            "outcome_id": outcome.outcome_id if outcome else "",
            "outputs": outputs,
            "missing": missing,
            "changes": changes,
            "usage": outcome.usage if outcome else (cost.usage if cost.calls else transcript.usage),
            "dollars": outcome.dollars if outcome else (cost.dollars if cost.calls else transcript.dollars),
            "tool_calls": transcript.tool_calls,
            "tool_errors": transcript.tool_errors,
            "ended_at": datetime.now(UTC).replace(tzinfo=None),
        }
    )


def _is_promised(path: str, order: SubTask) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern.removeprefix("./")) for pattern in order.outputs)


def _merged(
    home: Home, turn: ThreadTurn, stage: Stage, changes: tuple[FileChange, ...]
) -> tuple[FileChange, ...]:
    """One merge into a workspace at a time, whatever process it is in."""
    if not changes:
        return changes
    owner = str(Holder.here(home.actor().name, turn_name(turn)))
    while True:
        try:
            lease = home.state.lease(f"merge:{turn.job_id}", owner, _MERGE_LEASE)
        except ConflictError:
            time.sleep(_MERGE_PAUSE)
            continue
        break
    try:
        return stage.merge(changes)
    finally:
        home.state.release(lease)


def _pursued(
    home: Home, request: JobRequest, turn: ThreadTurn, stage: Stage, stop: Callable[[], str]
) -> ThreadTurn:
    """The turn as an outcome: drafted, graded and revised in its own copy."""
    order = turn.order
    asked = OutcomeRequest(
        description=order.task,
        rubric=_rubric(order.rubric, request),
        agent=request.agent(order),
        workspace=stage.folder,
        deliverables=order.outputs,
        max_iterations=order.max_iterations,
        key=turn_name(turn),
        within=_levels(request, turn),
    )
    with begin(home, asked) as run:
        run.also_stop = stop
        outcome = go_on(run)
    if outcome.result == "interrupted" or not outcome.attempts:
        return turn.model_copy(update={"detail": outcome.explanation})
    best = outcome.attempts[outcome.best_iteration if outcome.best_iteration is not None else -1]
    kept = home.state.runner_state(f"{outcome.outcome_id}/done/{best.iteration}")
    return _ended(home, turn, stage, Transcript.model_validate_json(kept), outcome)


def _rubric(text: str, request: JobRequest) -> Rubric:
    if any(mark in text for mark in _RUBRIC_MARKS):
        return parse_rubric(text)
    for beside in (request.plan.source if request.plan else "", request.team.source):
        if beside:
            folder = Path(beside) if Path(beside).is_dir() else Path(beside).parent
            if (folder / text).is_file():
                return read_rubric(folder / text)
    return read_rubric(Path(text))
