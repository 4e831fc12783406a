"""The loop: draft, grade, revise. What is done stands in the `Outcome` itself, so that any process can go on from it.

Every turn of the loop makes one step (an attempt or a grading) out of what the outcome holds, and hands the outcome
to be kept before the next. The rules:

* `max_iterations` counts revisions. Evaluation 0 grades the draft, evaluation n revision n.
* A revision that leaves the very files of an earlier version is not graded again: `stopped`, `no_change`.
* The same gaps for the same reasons `repeats` times in a row: `stopped`, `repeated_gaps`.
* A first attempt that leaves nothing is graded as nothing (checks run, nobody else is asked) and may be revised once;
  a second one is `stopped`, `no_deliverables`. Work that left nothing is never satisfied.
* A writer that failed or was refused and changed nothing: `stopped`, `writer_error`. What it did change is graded.
* A purse that does not allow the next step: `stopped`, `budget`.
* `failed` is the grader's word that the rubric does not apply; `grader_error` that there was no grading.
* Whoever ends without being satisfied gets the best graded version back.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from agentflows.errors import BudgetError, PassesOn, StoppedError
from agentflows.evaluation import Attempt, Evaluation, Outcome, OutcomeResult, StopReason
from agentflows.outcome.feedback import feedback
from agentflows.outcome.verdict import best, regressions, repeats
from agentflows.outcome.waiting import Waiting
from agentflows.rubric import Rubric

REPEATS = 3
"""Gradings in a row with the same gaps after which another revision is not expected to help."""
FINAL: frozenset[OutcomeResult] = frozenset(
    {"satisfied", "max_iterations_reached", "failed", "interrupted", "grader_error", "stopped"}
)
_GOING: frozenset[OutcomeResult] = frozenset({"pending", "running", "evaluating"})
_BROKEN = frozenset({"failed", "refused"})


class Steps(Protocol):
    """What the loop asks of the world."""

    def work(self, outcome: Outcome, iteration: int, feedback: str) -> Attempt:
        """Have the writer draft (iteration 0, no feedback) or revise, and freeze what it left.

        Raises:
            BudgetError: it cannot be afforded.
        """
        ...

    def grade(self, outcome: Outcome, attempt: Attempt) -> Evaluation | Waiting:
        """Grade what was frozen. The regressions and the explanation are the loop's to add.

        Raises:
            BudgetError: it cannot be afforded.
            StoppedError: it was ended without a verdict.
        """
        ...

    def restore(self, outcome: Outcome, iteration: int) -> None:
        """Put the version of an iteration back into the workspace."""
        ...

    def keep(self, outcome: Outcome) -> None:
        """Keep the outcome as it stands: from here the next process goes on."""
        ...

    def stop(self) -> str:
        """Why to end now; "" to go on."""
        ...


def pursue_loop(
    outcome: Outcome,
    rubric: Rubric,
    steps: Steps,
    *,
    repeats: int = REPEATS,
    passes_on: PassesOn = lambda _: False,
) -> Outcome:
    """Draft, grade and revise until the rubric is satisfied or there is a reason to stop.

    Goes on from wherever `outcome` stands. Returns at `waiting` too: call again once a person has decided.

    Raises:
        AgentflowsError: what the steps raise, but for a `BudgetError` that is not passed on; the outcome is as it was
            last kept.
    """
    if outcome.result == "waiting":
        outcome = _moved(outcome, result="evaluating")
    while outcome.result in _GOING:
        try:
            outcome = _step(outcome, rubric, steps, repeats)
        except BudgetError as error:
            if passes_on(error):
                raise
            outcome = _ended(outcome, "stopped", str(error), stop_reason="budget")
        if outcome.result in FINAL:
            outcome = _best_back(outcome, rubric, steps)
        steps.keep(outcome)
    return outcome


def _step(outcome: Outcome, rubric: Rubric, steps: Steps, most: int) -> Outcome:
    if reason := steps.stop():
        return _ended(outcome, "interrupted", reason)
    if len(outcome.attempts) == len(outcome.evaluations):
        return _attempted(outcome, steps)
    return _graded(outcome, rubric, steps, most)


# -- an attempt --------------------------------------------------------------------------------------


def _attempted(outcome: Outcome, steps: Steps) -> Outcome:
    iteration = len(outcome.attempts)
    if outcome.result != "running":
        outcome = _moved(outcome, result="running")
        steps.keep(outcome)
    told = outcome.evaluations[-1].explanation if outcome.evaluations else ""
    attempt = steps.work(outcome, iteration, told)
    if attempt.end == "interrupted":
        return _ended(outcome, "interrupted", attempt.detail)
    earlier = outcome.attempts
    outcome = _moved(outcome, attempts=(*earlier, attempt), result="evaluating")
    return _unless_in_vain(outcome, attempt, earlier)


def _unless_in_vain(outcome: Outcome, attempt: Attempt, earlier: tuple[Attempt, ...]) -> Outcome:
    """Stop where there is nothing new to grade."""
    if not attempt.deliverables:
        if attempt.end in _BROKEN:
            detail = f"The writer left nothing behind and ended as {attempt.end}: {attempt.detail}"
            return _ended(outcome, "stopped", detail, stop_reason="writer_error")
        if earlier:
            detail = (
                "No attempt left a new or changed file in the workspace, or one that the deliverables name."
            )
            return _ended(outcome, "stopped", detail, stop_reason="no_deliverables")
        return outcome
    same = [one.iteration for one in earlier if one.manifest_sha256 == attempt.manifest_sha256]
    if not same:
        return outcome
    detail = f"Revision {attempt.iteration} left the very files of {_version(same[-1])}."
    if attempt.end in _BROKEN:
        detail = f"{detail} The writer ended as {attempt.end}: {attempt.detail}"
        return _ended(outcome, "stopped", detail, stop_reason="writer_error")
    return _ended(outcome, "stopped", detail, stop_reason="no_change")


def _version(iteration: int) -> str:
    return f"revision {iteration}" if iteration else "the draft"


# -- a grading ---------------------------------------------------------------------------------------


def _graded(outcome: Outcome, rubric: Rubric, steps: Steps, most: int) -> Outcome:
    if outcome.result != "evaluating":
        outcome = _moved(outcome, result="evaluating")
        steps.keep(outcome)
    try:
        found = steps.grade(outcome, outcome.attempts[-1])
    except StoppedError as error:
        return _ended(outcome, "interrupted", str(error))
    if isinstance(found, Waiting):
        return _moved(outcome, result="waiting", explanation=found.explanation)
    evaluation = _told(found, rubric, outcome)
    outcome = _moved(outcome, evaluations=(*outcome.evaluations, evaluation))
    if evaluation.result == "grader_error":
        return _ended(outcome, "grader_error", evaluation.error)
    outcome = _moved(
        outcome, explanation=evaluation.explanation, best_iteration=best(rubric, outcome.evaluations)
    )
    return _judged(outcome, evaluation, most)


def _told(evaluation: Evaluation, rubric: Rubric, outcome: Outcome) -> Evaluation:
    if evaluation.result == "grader_error":
        return evaluation
    lost = regressions(outcome.evaluations, evaluation.criteria)
    if evaluation.result == "satisfied":
        met = sum(item.met == "met" for item in evaluation.criteria)
        enough = f"{met} of {len(evaluation.criteria)} criteria are met."
        return evaluation.model_copy(update={"regressions": lost, "explanation": enough})
    told = feedback(rubric, evaluation.criteria, lost)
    if evaluation.explanation:
        told = f"{evaluation.explanation}\n\n{told}"
    return evaluation.model_copy(update={"regressions": lost, "explanation": told})


def _judged(outcome: Outcome, evaluation: Evaluation, most: int) -> Outcome:
    if evaluation.result == "satisfied":
        return _ended(outcome, "satisfied", evaluation.explanation)
    if evaluation.result == "failed":
        return _ended(outcome, "failed", evaluation.explanation)
    if outcome.revisions >= outcome.max_iterations:
        return _ended(outcome, "max_iterations_reached", evaluation.explanation)
    if repeats(outcome.evaluations) >= most:
        return _ended(outcome, "stopped", evaluation.explanation, stop_reason="repeated_gaps")
    return _moved(outcome, result="running")


# -- the end -----------------------------------------------------------------------------------------


def _ended(
    outcome: Outcome, result: OutcomeResult, explanation: str, *, stop_reason: StopReason = ""
) -> Outcome:
    ended: Mapping[str, Any] = {
        "result": result,
        "stop_reason": stop_reason,
        "explanation": explanation,
        "completed_at": datetime.now(UTC).replace(tzinfo=None),
    }
    return _moved(outcome, **ended)


def _best_back(outcome: Outcome, rubric: Rubric, steps: Steps) -> Outcome:
    kept = best(rubric, outcome.evaluations)
    if outcome.result != "satisfied" and kept is not None:
        steps.restore(outcome, kept)
    return _moved(outcome, best_iteration=kept)


def _moved(outcome: Outcome, **changes: Any) -> Outcome:
    return outcome.model_copy(update=changes)
