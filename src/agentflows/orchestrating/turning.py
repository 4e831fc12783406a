"""One turn of a thread, from its order to its ending, in whatever process it runs.

What makes a kill harmless, in order: the copy it works in and the version that began from; the runner's own state
after every reply, where it has one; the transcript, as soon as the runner returns; the version it left; the merge,
which can be done twice; then the turn itself. A re-run takes the newest of these that is there.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agentflows.agent import AgentDefinition, Job, Transcript
from agentflows.change import Budget
from agentflows.errors import BudgetError, ConflictError
from agentflows.evaluation import Outcome
from agentflows.home import Home
from agentflows.orchestrating.halting import Halt, passing_of
from agentflows.orchestrating.merging import file_states, left_out
from agentflows.orchestrating.own_code import own_folder, with_own_code
from agentflows.orchestrating.request import JobRequest
from agentflows.orchestrating.rubrics import rubric_of
from agentflows.orchestrating.staging import Stage, Staging
from agentflows.orchestration import changes_between, ending_of, is_named, merged, promised
from agentflows.pursuing import OutcomeRequest, OutcomeRun, begin, go_on
from agentflows.recording import Showing, record_run
from agentflows.store.failpoints import failpoint
from agentflows.team import LEAD, ThreadTurn

if TYPE_CHECKING:
    from agentflows.claude import Tool

POINTS = (
    "turn.begun",
    "turn.staged",
    "turn.ran",
    "turn.archived",
    "turn.frozen",
    "turn.merged",
    "turn.ended",
    "turn.recorded",
)
"""Failpoints, in the order a turn passes them. The last is passed by the database."""
_LOOK_SECONDS = 1.0
_HOLD_SECONDS = 180.0
"""Longer than the lease on a workspace whose holder died on another machine."""
_TEXT_CHARS = 80_000
"""Of a report: longer than any one reply."""


def perform(
    home: Home,
    request: JobRequest,
    turn: ThreadTurn,
    *,
    halt: Halt,
    staging: Staging | None = None,
) -> ThreadTurn:
    """Carry out one turn and give it back ended, or, when its job was stopped, as it was: to be gone on with.

    Its copy of the workspace stays until the caller has recorded the turn. Where the job's files travel, its changes
    are not merged yet: the workspace is elsewhere.

    Args:
        home: the doors.
        request: the job's.
        turn: which.
        halt: why to end now, if there is a reason.
        staging: the job's files, which remember what was read; None reads everything anew.

    Raises:
        BudgetError: the thread or the agent has not enough left for its first call, or the job for any call.
        EndpointError: the model cannot be reached.
        ArchiveError, StoreError: what was done cannot be recorded now.
        SettingsError: the agent needs a model, and none is configured.
        OutcomeError: the workspace is too large, or cannot be read or written.
    """
    failpoint("turn.begun")
    staging = staging or Staging(home, turn.job_id, request.workspace)
    request = with_own_code(staging, request)
    stage = stage_of(request, turn, staging)
    name = turn_name(turn)
    is_midway = bool(home.state.runner_state(f"{name}/done") or home.state.runner_state(name))
    if turn.order.rubric:
        stage.prepare(goes_on=True)
        ended = _pursued(home, request, turn, stage, halt)
    elif halt.is_for_good and not is_midway:
        ended = _ended_without_work(turn, halt())
    else:
        stage.prepare(goes_on=is_midway)
        ended = _ran(home, request, turn, stage, halt)
    if ended.status == "ended":
        failpoint("turn.ended")
    return ended


def stage_of(request: JobRequest, turn: ThreadTurn, staging: Staging) -> Stage:
    """Where a turn works. Graded work is always done in a copy: its versions are put back and compared."""
    return Stage(
        staging,
        turn,
        is_staged=request.files == "staged" or bool(turn.order.rubric),
        is_linked=_only_replaces(request.agent(turn.order)),
    )


def _only_replaces(agent: AgentDefinition) -> bool:
    """Whether all it can do to a file is to have our own tools put another one in its place."""
    return agent.runner == "messages" and "bash" not in agent.tools and not agent.mcp_servers


def _ended_without_work(turn: ThreadTurn, why: str) -> ThreadTurn:
    return turn.model_copy(
        update={
            "status": "ended",
            "ending": "failed",
            "end": "interrupted",
            "detail": why,
            "ended_at": _now(),
        }
    )


def _ran(home: Home, request: JobRequest, turn: ThreadTurn, stage: Stage, halt: Halt) -> ThreadTurn:
    agent = request.agent(turn.order)
    transcript = run_agent(
        home,
        request,
        turn,
        agent,
        halt=halt,
        workspace=stage.folder,
        task=turn.order.task,
        note=stage.note,
    )
    if transcript.end == "interrupted" and not _is_kept(home, turn):
        return turn.model_copy(update={"detail": transcript.detail})
    record_run(home, transcript)
    failpoint("turn.archived")
    return _ended(home, turn, stage, transcript)


def run_agent(  # noqa: PLR0913 - a run has this many sides
    home: Home,
    request: JobRequest,
    turn: ThreadTurn,
    agent: AgentDefinition,
    *,
    halt: Halt,
    workspace: Path,
    task: str,
    extra: "Sequence[Tool]" = (),
    note: Callable[[], None] = lambda: None,
) -> Transcript:
    """Run an agent on one turn, or take what a killed process left of the same run.

    It spends from the purses of its job, its thread and its turn; `extra` are tools beside those its file names.
    `note` is called before anything of the run is kept, so that the files it belongs to may be kept first.
    """
    state, name = home.state, turn_name(turn)
    if kept := state.runner_state(f"{name}/done"):
        return Transcript.model_validate_json(kept)
    store, levels = agent.memory, purses(request, turn)
    is_capped = any(budget.dollars is not None for budget in levels.values())
    with state.run_purse(levels, name) as purse:

        def keep(text: str) -> None:
            note()
            purse.keep(text)

        runner = home.runner(
            agent,
            purse,
            is_money_capped=is_capped,
            extra=extra,
            passes_on=passing_of(turn.job_id),
            show=Showing(home, name),
        )
        transcript = runner.run(
            agent,
            Job(
                job_id=name,
                task=task,
                workspace=workspace,
                memory=state.files(store) if store else {},
                state=state.runner_state(name) or context(home, turn),
                project=str(request.workspace),
                parent_id=turn.job_id,
            ),
            keep=keep,
            stop=halt,
        )
    failpoint("turn.ran")
    if transcript.end != "interrupted" or halt.is_for_good:
        note()
        state.keep_runner_state(f"{name}/done", transcript.model_dump_json())
    return transcript


def _is_kept(home: Home, turn: ThreadTurn) -> bool:
    """Whether the turn's run is over, so that nothing goes on with it."""
    return bool(home.state.runner_state(f"{turn_name(turn)}/done"))


def purses(request: JobRequest, turn: ThreadTurn) -> dict[str, Budget]:
    """The budgets a turn spends from. The lead's thread has the job's alone: its own agent file limits it."""
    limits = request.team.limits
    thread = Budget(tokens=limits.max_thread_tokens, dollars=limits.max_thread_dollars)
    return {
        f"job:{turn.job_id}": Budget(tokens=limits.max_tokens, dollars=limits.max_dollars),
        f"job:{turn.job_id}/{turn.thread_id}": Budget() if turn.thread_id == LEAD else thread,
        f"job:{turn_name(turn)}": Budget(),
    }


def turn_name(turn: ThreadTurn) -> str:
    """The identity of a turn, and the session id of its transcript."""
    return f"{turn.job_id}/{turn.thread_id}/{turn.number}"


def context(home: Home, turn: ThreadTurn) -> str:
    """The thread's own context after its last turn that ran; "" for its first."""
    for number in range(turn.number - 1, -1, -1):
        name = turn_name(turn.model_copy(update={"number": number}))
        if kept := home.state.runner_state(f"{name}/done"):
            return Transcript.model_validate_json(kept).state
    return ""


def _ended(
    home: Home, turn: ThreadTurn, stage: Stage, transcript: Transcript, outcome: Outcome | None = None
) -> ThreadTurn:
    base, left = stage.base, stage.after()
    after = file_states(left, base)
    changes = changes_between(file_states(base, base), after)
    if changes and not stage.is_elsewhere:
        changes = stage.staging.merge(stage, changes)
    outputs, missing = promised(turn.order.outputs, after)
    names = turn.order.outputs
    changed = [
        change for change in changes if not names or any(is_named(change.path, name) for name in names)
    ]
    cost = home.state.spent(f"job:{turn_name(turn)}")
    redact = home.redactor().redact
    report = redact(transcript.text)
    why = [transcript.detail, _outcome_detail(outcome), left_out(base, left)]
    ended = turn.model_copy(
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
            "detail": redact("; ".join(text for text in why if text)),
            "report": report[:_TEXT_CHARS],
            "session_id": transcript.session.session_id,
            "outcome_id": outcome.outcome_id if outcome else "",
            "outputs": outputs,
            "missing": missing,
            "usage": cost.usage if cost.calls else (outcome or transcript).usage,
            "dollars": cost.dollars if cost.calls else (outcome or transcript).dollars,
            "tool_calls": transcript.tool_calls,
            "tool_errors": transcript.tool_errors,
            "ended_at": _now(),
        }
    )
    return merged(ended, changes)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


# -- graded turns ------------------------------------------------------------------------------------


def _pursued(home: Home, request: JobRequest, turn: ThreadTurn, stage: Stage, halt: Halt) -> ThreadTurn:
    """The turn as an outcome: drafted, graded and revised in its own copy."""
    order, levels = turn.order, purses(request, turn)
    asked = OutcomeRequest(
        description=order.task,
        rubric=rubric_of(home, request, turn),
        agent=request.agent(order),
        workspace=stage.folder,
        deliverables=order.outputs,
        max_iterations=order.max_iterations,
        key=turn_name(turn),
        within=levels,
        context=context(home, turn),
        place=turn_name(turn),
        depot=turn.job_id if stage.is_elsewhere else "",
        project=str(request.workspace),
        parent_id=turn.job_id,
    )
    with _begun(home, asked) as run:
        run.also_stop, run.also_keep, run.passes_on = halt, stage.note, passing_of(turn.job_id)
        run.is_shown = True
        run.own_folder = partial(own_folder, stage.staging)
        turn = turn.model_copy(update={"outcome_id": run.outcome.outcome_id})
        home.state.put_turn(turn)
        outcome = go_on(run)
        if (
            is_over := outcome.result == "interrupted"
            and halt.is_for_good
            and outcome.best_iteration is not None
        ):
            run.restore(outcome, outcome.best_iteration or 0)  # of what came after it nothing was graded
    if outcome.result == "interrupted" and not is_over:
        why = outcome.explanation
        return _ended_without_work(turn, why) if halt.is_for_good else turn.model_copy(update={"detail": why})
    if not outcome.attempts:
        raise BudgetError(
            outcome.explanation or f"The outcome {outcome.outcome_id} ended before its first draft."
        )
    best = outcome.attempts[outcome.best_iteration if outcome.best_iteration is not None else -1]
    kept = home.state.runner_state(f"{outcome.outcome_id}/done/{best.iteration}")
    home.state.keep_runner_state(
        f"{turn_name(turn)}/done", kept
    )  # its context goes with the files that are kept
    return _ended(home, turn, stage, Transcript.model_validate_json(kept), outcome)


def _begun(home: Home, asked: OutcomeRequest) -> OutcomeRun:
    """The outcome for this process. Who holds it cannot live, as the turn is ours: on another machine its lease runs out."""
    until = time.monotonic() + _HOLD_SECONDS
    while True:
        try:
            return begin(home, asked)
        except ConflictError:
            if time.monotonic() >= until:
                raise
            time.sleep(_LOOK_SECONDS)


def _outcome_detail(outcome: Outcome | None) -> str:
    if outcome is None or outcome.result == "satisfied":
        return ""
    if outcome.result == "waiting":
        return f"a person is to judge it: agentflows outcome show {outcome.outcome_id}"
    return f"{outcome.result}: {outcome.explanation}"[:2_000]
