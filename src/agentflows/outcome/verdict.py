"""The verdict, computed by code from the criteria: score, satisfied or not, what got worse, which version is best."""

import re
from collections.abc import Mapping, Sequence

from agentflows.evaluation import CriterionResult, Evaluation, EvaluationResult
from agentflows.rubric import Rubric

_ROUNDING = 1e-9
"""Weights such as 0.1 do not add up exactly."""
_CHANCE = re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s|sec|seconds)\b|\b0x[0-9a-f]+\b")
"""Durations and addresses: two runs of one check differ in them."""


def score(rubric: Rubric, results: Sequence[CriterionResult]) -> float:
    """The weighted share of criteria met, 0 to 1."""
    met = {result.criterion_id for result in results if result.met == "met"}
    whole = sum(criterion.weight for criterion in rubric.criteria)
    return sum(criterion.weight for criterion in rubric.criteria if criterion.criterion_id in met) / whole


def verdict(
    rubric: Rubric, results: Sequence[CriterionResult], *, has_deliverables: bool
) -> EvaluationResult:
    """`satisfied` when every required criterion is met and the score reaches the threshold.

    Work that left nothing behind is never satisfied: nothing would have been graded.
    """
    met = {result.criterion_id for result in results if result.met == "met"}
    required = {criterion.criterion_id for criterion in rubric.criteria if criterion.required}
    is_enough = score(rubric, results) >= rubric.threshold - _ROUNDING
    return "satisfied" if has_deliverables and required <= met and is_enough else "needs_revision"


def regressions(earlier: Sequence[Evaluation], results: Sequence[CriterionResult]) -> tuple[str, ...]:
    """Criteria that were met in an earlier evaluation and are not any more, in the rubric's order."""
    once = {item.criterion_id for one in earlier for item in one.criteria if item.met == "met"}
    return tuple(item.criterion_id for item in results if item.met != "met" and item.criterion_id in once)


def best(rubric: Rubric, evaluations: Sequence[Evaluation]) -> int | None:
    """The iteration to keep: most required criteria met, then the highest score, then the latest."""
    required = {criterion.criterion_id for criterion in rubric.criteria if criterion.required}

    def rank(one: Evaluation) -> tuple[int, float, int]:
        met = {item.criterion_id for item in one.criteria if item.met == "met"}
        return len(met & required), one.score, one.iteration

    graded = [one for one in evaluations if one.result != "grader_error"]
    return max(graded, key=rank).iteration if graded else None


def gaps(evaluation: Evaluation) -> Mapping[str, str]:
    """What was not met and why, so that two gradings can be told to have found the same.

    Wording that differs in case, spacing, punctuation or durations alone is the same reason; other numbers count.
    """
    return {
        item.criterion_id: _folded(
            [item.met, item.reason, item.needed, *(quote.text for quote in item.evidence)]
        )
        for item in evaluation.criteria
        if item.met != "met"
    }


def _folded(texts: Sequence[str]) -> str:
    return " ".join(re.findall(r"\w+", _CHANCE.sub(" ", " ".join(texts).casefold())))


def repeats(evaluations: Sequence[Evaluation]) -> int:
    """How many gradings in a row, up to the newest, found the same gaps."""
    if not evaluations:
        return 0
    newest, count = gaps(evaluations[-1]), 0
    for one in reversed(evaluations):
        if gaps(one) != newest:
            break
        count += 1
    return count
