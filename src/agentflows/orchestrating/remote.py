"""One turn in another process: what whoever takes it does, and how whoever sent it knows that it is at work.

The process that works on a turn holds a lease on it, told apart by the turn's identity and renewed for as long as it
lives. So two never work on one turn, also when one was taken for dead and was not; and one that died is seen: on the
same machine at once, on another when its lease has run out.

Where files travel, whoever leads offers the turn's files before it is sent. The worker leaves the turn ended but for
its merge, and whoever leads brings it home: it merges the changes into the workspace, which only its machine has.
"""

import json
import time

from agentflows.errors import AgentflowsError, BudgetError, ConflictError, HinderedError
from agentflows.home import Home
from agentflows.orchestrating.borrowed import borrow
from agentflows.orchestrating.halting import Halt, passing_of, stopped_alone
from agentflows.orchestrating.kit import unpack
from agentflows.orchestrating.own_code import with_own_code
from agentflows.orchestrating.request import JobRequest
from agentflows.orchestrating.rubrics import keep_rubric
from agentflows.orchestrating.staging import Staging
from agentflows.orchestrating.turning import perform, stage_of, turn_name
from agentflows.orchestration import conflicts, merged
from agentflows.pursuing.holding import Hold
from agentflows.store.failpoints import failpoint
from agentflows.team import ThreadTurn

_LOOK_SECONDS = 1.0
"""Between two looks at the lease, at the turn, or whether somebody asked for a stop."""


def carry_out_turn(home: Home, job_id: str, thread_id: str, number: int) -> ThreadTurn:
    """Carry out one turn of a job that another process leads, and record it ended.

    One that ended before comes back as it is. While another process works on it, this one waits. One that was stopped,
    or that the job cannot pay for now, comes back as it was; so does one that archive, database or endpoint keep from
    its end. `refused` then says why.

    Raises:
        NotFoundError: there is no such job or turn.
        AgentflowsError: it cannot be carried out; see `perform`.
    """
    state = home.state
    request = JobRequest.model_validate_json(state.job_request(job_id))
    borrow(home, job_id)
    hold = _taken(home, state.turn(job_id, thread_id, number))
    turn = state.turn(job_id, thread_id, number)
    if hold is None:
        return ended(home, turn) or turn
    try:
        found = ended(home, turn)
        return found if found is not None else _carried_out(home, request, turn, hold)
    except AgentflowsError as error:
        if not passing_of(job_id)(error):
            raise
        hold.check()  # another process has the turn: then nothing is to be said of it here
        levels = error.levels if isinstance(error, BudgetError) else ()
        state.keep_runner_state(_refusal_name(turn), json.dumps({"why": str(error), "levels": levels}))
        return turn
    finally:
        hold.close()


def _carried_out(home: Home, request: JobRequest, turn: ThreadTurn, hold: Hold) -> ThreadTurn:
    state = home.state
    state.keep_runner_state(_refusal_name(turn), "")
    halt = _halt(home, turn, hold)
    staging = Staging(home, turn.job_id, request.workspace, stop=halt.stop)
    if staging.depot:
        request = unpack(staging, request)
    done = perform(home, request, turn, halt=halt, staging=staging)
    hold.check()
    if done.status == "ended":
        if staging.depot:
            state.keep_runner_state(_left_name(turn), done.model_dump_json())
            failpoint("turn.left")
        else:
            state.put_turn(conflicts(done, state.job(turn.job_id).turns))
        stage_of(request, turn, staging).tidy()
    return done


def offer(home: Home, request: JobRequest, turn: ThreadTurn, staging: Staging) -> None:
    """Put what the turn needs where a worker gets it, if the job's files travel.

    Raises:
        OutcomeError, StagingError: the workspace cannot be read, or the files cannot be put there.
        NotFoundError, RubricError: the turn's rubric cannot be used.
    """
    if staging.depot:
        keep_rubric(home, with_own_code(staging, request), turn)
        stage_of(request, turn, staging).offer()


def brought_home(home: Home, request: JobRequest, turn: ThreadTurn, staging: Staging) -> ThreadTurn | None:
    """The turn as it ended elsewhere, its changes in the workspace; None while it has not ended.

    Raises:
        OutcomeError, StagingError: the workspace cannot be written, or a content cannot be brought here.
    """
    found = ended(home, turn)
    if found is None or found.status == "skipped" or staging.depot is None:
        return found
    if home.state.turn(turn.job_id, turn.thread_id, turn.number).status == "ended":
        return found
    if not found.changes:
        return found
    changes = staging.merge(stage_of(request, turn, staging), found.changes)
    return merged(found, changes)


def ended(home: Home, turn: ThreadTurn) -> ThreadTurn | None:
    """The turn as it ended: as it is recorded, or as a worker left it; None while it has not."""
    now = home.state.turn(turn.job_id, turn.thread_id, turn.number)
    if now.status in {"ended", "skipped"}:
        return now
    left = home.state.runner_state(_left_name(turn))
    return ThreadTurn.model_validate_json(left) if left else None


def is_at_work(home: Home, turn: ThreadTurn) -> bool:
    """Whether a living process holds the turn."""
    return bool(home.state.holder(_lease_name(turn)))


def refused(home: Home, turn: ThreadTurn) -> BudgetError | HinderedError | None:
    """Why the turn did not come to its end when it was tried last, though it is not over: money, or what was out of order."""
    kept = home.state.runner_state(_refusal_name(turn))
    if not kept:
        return None
    found = json.loads(kept)
    if not found["levels"]:
        return HinderedError(found["why"])
    error = BudgetError(found["why"])
    error.levels = tuple(found["levels"])
    return error


def _taken(home: Home, turn: ThreadTurn) -> Hold | None:
    """The turn for this process; None when it ended, or its job was stopped, while another worked on it."""
    while True:
        try:
            return Hold(home.state, turn_name(turn), home.actor().name, turn_name(turn), kind="turn")
        except ConflictError:
            time.sleep(_LOOK_SECONDS)
        if ended(home, turn) is not None or home.state.job_stop(turn.job_id):
            return None


def _halt(home: Home, turn: ThreadTurn, hold: Hold) -> Halt:
    """Asked often, it looks into the database once a second."""
    looked_at, asked, alone = 0.0, "", ""

    def stop() -> str:
        nonlocal looked_at, asked, alone
        try:
            hold.check()
        except AgentflowsError as error:
            return str(error)
        if not asked and time.monotonic() - looked_at >= _LOOK_SECONDS:
            looked_at, asked = time.monotonic(), home.state.job_stop(turn.job_id)
            alone = home.state.turn_interrupts(turn.job_id).get((turn.thread_id, turn.number), "")
        return asked

    return Halt(stop, lambda: stopped_alone(alone))


def _lease_name(turn: ThreadTurn) -> str:
    return f"turn:{turn_name(turn)}"


def _left_name(turn: ThreadTurn) -> str:
    return f"{turn_name(turn)}/ended"


def _refusal_name(turn: ThreadTurn) -> str:
    return f"{turn_name(turn)}/refused"
