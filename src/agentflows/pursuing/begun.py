"""Beginning and going on: which outcome a command means, and from where it goes on."""

import hashlib
import shutil

from agentflows.errors import OutcomeError
from agentflows.evaluation import Outcome
from agentflows.home import Home
from agentflows.outcome import FINAL
from agentflows.pursuing.holding import Hold
from agentflows.pursuing.request import Limits, OutcomeRequest
from agentflows.pursuing.run import OutcomeRun, check_request, outcome_id, versions_of
from agentflows.pursuing.versions import Snapshot
from agentflows.store.failpoints import failpoint

_AGAIN = frozenset({"grader_error", "interrupted"})
"""Ends after which the same command goes on."""


def begin(home: Home, request: OutcomeRequest) -> OutcomeRun:
    """The outcome that this command means: the one it began earlier, or a new one.

    One that is under way or waits is gone on with. So is, while the workspace is as it left it, one that was
    interrupted, broke in the grading, stopped at its budget, or used up its revisions and is now given more; one that is
    finished is returned as it is. Once the workspace has changed, the same command is new work: going on would put the
    version back that was left.

    Raises:
        UsageError: what is asked for cannot be done; nothing was spent.
        SettingsError: it needs a model and none can be called.
    """
    check_request(home, request)
    hold = _held(home, request, request.description[:60])
    try:
        earlier = home.state.outcomes(base_id=request.base_id, limit=1)
        if earlier:
            found = earlier[0]
            if found.result not in FINAL:
                return _revived(home, request, found, hold)
            if not _changed_paths(home, request, found):
                return (
                    _revived(home, request, found, hold)
                    if can_go_on(found, request)
                    else OutcomeRun(home, request, found, hold)
                )
        return _new(home, request, home.state.count_outcomes(request.base_id), hold)
    except BaseException:
        hold.close()
        raise


def resumed(
    home: Home, name: str, *, max_iterations: int | None = None, limits: Limits | None = None
) -> OutcomeRun:
    """The outcome of that id, to go on from where it stands.

    Args:
        home: the doors.
        name: its id, or the beginning of it.
        max_iterations: revisions in all from now on; None leaves them as they were.
        limits: ceilings that take the place of earlier ones; what is None in them stays.

    Raises:
        NotFoundError: there is none.
        OutcomeError: it came to an end from which nothing goes on, or its workspace has been changed since.
    """
    outcome = home.state.outcome(name)
    request = OutcomeRequest.model_validate_json(home.state.outcome_request(outcome.outcome_id))
    request = _limited(request, max_iterations, limits or Limits())
    if request.place:
        msg = (
            f"The outcome {outcome.outcome_id} is graded work of the job {request.parent_id}, in a copy of its own. "
            f"Go on with the job: `agentflows orchestrate --resume {request.parent_id}`."
        )
        raise OutcomeError(msg)
    if outcome.result in FINAL and not can_go_on(outcome, request):
        msg = (
            f"The outcome {outcome.outcome_id} ended as {outcome.result!r} and has nothing to go on with. "
            "Run the task again with another --key, or give more revisions with --max-iterations."
        )
        raise OutcomeError(msg)
    check_request(home, request)
    hold = _held(home, request, outcome.outcome_id)
    try:
        outcome = home.state.outcome(outcome.outcome_id)
        _check_unchanged(home, request, outcome)
        return _revived(home, request, outcome, hold)
    except BaseException:
        hold.close()
        raise


def _limited(request: OutcomeRequest, max_iterations: int | None, limits: Limits) -> OutcomeRequest:
    changed = {
        "max_iterations": request.max_iterations if max_iterations is None else max_iterations,
        "limits": limits.over(request.limits),
    }
    return OutcomeRequest.model_validate(request.model_dump() | changed)


def can_go_on(outcome: Outcome, request: OutcomeRequest) -> bool:
    """Whether an outcome that ended may go on under this request."""
    if outcome.result in _AGAIN or (outcome.result == "stopped" and outcome.stop_reason == "budget"):
        return True
    return outcome.result == "max_iterations_reached" and request.max_iterations > outcome.revisions


def _held(home: Home, request: OutcomeRequest, work: str) -> Hold:
    return Hold(home.state, request.place or str(request.workspace), home.actor().name, work)


def _revived(home: Home, request: OutcomeRequest, outcome: Outcome, hold: Hold) -> OutcomeRun:
    """Take up an outcome: a grading that broke off is forgotten, and the last version stands in the workspace again."""
    was_final = outcome.result in FINAL
    graded = tuple(one for one in outcome.evaluations if one.result != "grader_error")
    state = outcome.result
    if was_final:
        state = "evaluating" if len(outcome.attempts) > len(graded) else "running"
        home.state.ask_stop(outcome.outcome_id, "")
    taken = outcome.model_copy(
        update={
            "evaluations": graded,
            "max_iterations": request.max_iterations,
            "result": state,
            "stop_reason": "",
            "completed_at": None if was_final else outcome.completed_at,
        }
    )
    home.state.save_outcome_request(outcome.outcome_id, request.model_dump_json())
    run = OutcomeRun(home, request, taken, hold)
    if was_final and taken.attempts:
        run.restore(taken, taken.attempts[-1].iteration)
    home.state.save_outcome(taken)
    return run


def _new(home: Home, request: OutcomeRequest, earlier: int, hold: Hold) -> OutcomeRun:
    store = home.state.get_store(request.store) if request.store else None
    # one folder for each workspace, which this process holds: what a killed one left there is used again
    place = hashlib.sha256(str(request.workspace).encode()).hexdigest()[:16]
    probe = versions_of(home, f"draft-{place}", request)
    start = probe.take()
    probe.share(start)
    name = outcome_id(request, start, earlier)
    versions = versions_of(home, name, request)
    if versions.folder.exists():  # a process that was killed here left the same
        shutil.rmtree(probe.folder)
    else:
        probe.folder.rename(versions.folder)
    home.state.keep_runner_state(f"{name}/start", start.model_dump_json())
    outcome = Outcome(
        outcome_id=name,
        description=request.description,
        rubric_sha256=request.rubric.sha256,
        agent=request.agent.name,
        agent_sha256=request.agent.sha256,
        workspace=str(request.workspace),
        max_iterations=request.max_iterations,
        memory_store=store.name if store else "",
        memory_version=store.version if store else None,
    )
    begun = home.state.begin_outcome(outcome, base_id=request.base_id, request=request.model_dump_json())
    failpoint("outcome.begun")
    return OutcomeRun(home, request, begun, hold)


def _changed_paths(home: Home, request: OutcomeRequest, outcome: Outcome) -> list[str]:
    """What is not as an outcome that ended left it, sorted. What tools keep for themselves (`__pycache__`) may differ."""
    if request.place:  # a turn's own copy, which nobody else works in
        return []
    found = versions_of(home, outcome.outcome_id, request).take().lasting
    # a process that was killed as it began to go on had put the last version back in place of the best, or half of it
    last = f"after/{outcome.attempts[-1].iteration}" if outcome.attempts else "start"
    kept = [home.state.runner_state(f"{outcome.outcome_id}/{name}") for name in ("final", last)]
    left = [Snapshot.model_validate_json(one).lasting for one in kept if one]
    paths = found.keys() | {path for files in left for path in files}
    return sorted(path for path in paths if all(files.get(path) != found.get(path) for files in left))


def _check_unchanged(home: Home, request: OutcomeRequest, outcome: Outcome) -> None:
    paths = _changed_paths(home, request, outcome) if outcome.result in FINAL else []
    if not paths:
        return
    shown = ", ".join(repr(path) for path in paths[:5]) + (f" and {len(paths) - 5} more" if paths[5:] else "")
    best = versions_of(home, outcome.outcome_id, request).folder / str(outcome.best_iteration)
    left = "" if outcome.best_iteration is None else f" (its best version is in {best})"
    msg = (
        f"The workspace {request.workspace} was changed since {outcome.outcome_id} ended: {shown}. Going on would put back "
        "what it left, so nothing was done. Run the task itself again to have it work on from the workspace as it is now, "
        f"or put these files back{left}."
    )
    raise OutcomeError(msg)
