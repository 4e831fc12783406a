"""What a grading says, in the words of the archive: so that dreams learn which runs went well, and why not."""

from agentflows.evaluation import CriterionResult, Evaluation
from agentflows.session import Check, OutcomeLabel, Verdict

_DETAIL_CHARS = 500
SOURCE = "outcome_evaluation"


def label(evaluation: Evaluation) -> OutcomeLabel | None:
    """The label of the attempt that was graded; None when there was no grading."""
    if evaluation.result == "grader_error":
        return None
    verdicts: dict[str, Verdict] = {"satisfied": "success", "needs_revision": "failure"}
    return OutcomeLabel(
        verdict=verdicts.get(evaluation.result, "unknown"),
        score=evaluation.score,
        source=SOURCE,
        checks=tuple(_check(item) for item in evaluation.criteria),
    )


def _check(item: CriterionResult) -> Check:
    said = item.reason if item.met != "cannot_tell" else f"cannot tell: {item.reason}"
    return Check(name=item.criterion_id, passed=item.met == "met", detail=said[:_DETAIL_CHARS])
