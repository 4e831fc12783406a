"""One grading: checks first, then the judge, then a person, and a verdict that code computes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from agentflows.errors import AgentflowsError, BudgetError, PassesOn, StoppedError
from agentflows.evaluation import CriterionResult, Evaluation, Evidence, HumanVerdict
from agentflows.outcome.frozen import Frozen
from agentflows.outcome.grader import Grading
from agentflows.outcome.verdict import score, verdict
from agentflows.outcome.waiting import Waiting
from agentflows.rubric import Criterion, Rubric

CheckOne = Callable[[Criterion, Frozen], CriterionResult]
"""Decides one `check` criterion over the frozen files."""


class Judge(Protocol):
    """Decides all `judge` criteria; `Grader.grade` is one."""

    def __call__(self, task: str, rubric: Rubric, criteria: Sequence[Criterion], frozen: Frozen) -> Grading:
        """Judge the criteria, or raise: no reply is no verdict."""
        ...


def grade(  # noqa: PLR0913 - what a grading is given, each with its name
    *,
    outcome_id: str,
    iteration: int,
    task: str,
    rubric: Rubric,
    frozen: Frozen,
    check: CheckOne,
    judge: Judge,
    said: Mapping[str, HumanVerdict],
    passes_on: PassesOn = lambda _: False,
) -> Evaluation | Waiting:
    """Grade one version. `said` are people's verdicts on this very version, by criterion.

    A person is asked last, and only where all else would do: nobody's time is taken for work that fails by itself.
    Whatever goes wrong while grading is a `grader_error`, with no score, unless it is passed on.

    Raises:
        BudgetError: the purse does not allow the judge's calls.
        StoppedError: somebody asked for the end of a check or of the judging; that is no verdict.
        OutcomeError: the frozen files are not what was frozen.
    """
    frozen.check()
    try:
        results, applies, why_not = _assess(task, rubric, frozen, check, judge)
    except (BudgetError, StoppedError):
        raise
    except AgentflowsError as error:
        if passes_on(error):
            raise
        return _error(outcome_id, iteration, frozen, error)
    frozen.check()
    asked = [one for one in rubric.criteria if one.judging == "human" and one.criterion_id not in said]
    would_do = verdict(rubric, _hopeful(rubric, results), has_deliverables=bool(frozen.deliverables))
    if asked and applies and would_do == "satisfied":
        return _waiting(iteration, frozen, asked)
    whole = _whole(rubric, results, said)
    result = verdict(rubric, whole, has_deliverables=bool(frozen.deliverables)) if applies else "failed"
    return Evaluation(
        outcome_id=outcome_id,
        iteration=iteration,
        result=result,
        score=score(rubric, whole),
        criteria=whole,
        explanation=_first_words(frozen, why_not),
        manifest_sha256=frozen.manifest_sha256,
    )


def _assess(
    task: str, rubric: Rubric, frozen: Frozen, check: CheckOne, judge: Judge
) -> tuple[dict[str, CriterionResult], bool, str]:
    results = {one.criterion_id: check(one, frozen) for one in rubric.criteria if one.judging == "check"}
    judged = [one for one in rubric.criteria if one.judging == "judge"]
    if not judged:
        return results, True, ""
    if not frozen.deliverables:  # there is nothing to ask anybody about
        return results | {one.criterion_id: _nothing_there(one) for one in judged}, True, ""
    grading = judge(task, rubric, judged, frozen)
    applies = grading.applies or any(item.met == "met" for item in results.values())
    return results | {item.criterion_id: item for item in grading.results}, applies, grading.why_not


def _nothing_there(criterion: Criterion) -> CriterionResult:
    return CriterionResult(
        criterion_id=criterion.criterion_id,
        met="cannot_tell",
        judging=criterion.judging,
        reason="No files were left behind.",
        needed="Files in the workspace: what is only said is not graded.",
    )


def _hopeful(rubric: Rubric, results: Mapping[str, CriterionResult]) -> list[CriterionResult]:
    """As if a person said yes to all."""
    return [
        results.get(one.criterion_id)
        or CriterionResult(criterion_id=one.criterion_id, met="met", judging="human", reason="")
        for one in rubric.criteria
    ]


def _waiting(iteration: int, frozen: Frozen, asked: Sequence[Criterion]) -> Waiting:
    lines = "\n".join(f"- {one.criterion_id}: {one.text}" for one in asked)
    return Waiting(
        iteration=iteration,
        criteria=tuple(one.criterion_id for one in asked),
        manifest_sha256=frozen.manifest_sha256,
        explanation=f"All else is met; a person has to say whether these are:\n{lines}",
    )


def _whole(
    rubric: Rubric, results: Mapping[str, CriterionResult], said: Mapping[str, HumanVerdict]
) -> tuple[CriterionResult, ...]:
    return tuple(
        results.get(one.criterion_id) or _by_person(one, said.get(one.criterion_id))
        for one in rubric.criteria
    )


def _by_person(criterion: Criterion, said: HumanVerdict | None) -> CriterionResult:
    if said is None:
        return CriterionResult(
            criterion_id=criterion.criterion_id,
            met="cannot_tell",
            judging="human",
            reason="Nobody was asked yet: other criteria are not met.",
            needed="A version in which all else is met; then a person is asked.",
        )
    reason = f"{said.reviewer}: {said.reason or ('yes' if said.met == 'met' else 'no')}"
    return CriterionResult(
        criterion_id=criterion.criterion_id,
        met=said.met,
        judging="human",
        reason=reason,
        needed="" if said.met == "met" else f"What {said.reviewer} asks for.",
        evidence=(Evidence(path="", start_line=0, text=said.reason),) if said.reason else (),
    )


def _first_words(frozen: Frozen, why_not: str) -> str:
    if why_not:
        return f"The rubric does not apply to these files: {why_not}"
    if not frozen.deliverables:
        return "You left no new or changed file in the workspace that counts as a deliverable."
    return ""


def _error(outcome_id: str, iteration: int, frozen: Frozen, error: AgentflowsError) -> Evaluation:
    return Evaluation(
        outcome_id=outcome_id,
        iteration=iteration,
        result="grader_error",
        score=0,
        manifest_sha256=frozen.manifest_sha256,
        error=f"{type(error).__name__}: {error}",
    )
