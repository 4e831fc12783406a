"""What the writer is told after a grading: criterion by criterion, what is missing and what must stay."""

from collections.abc import Sequence

from agentflows.evaluation import CriterionResult, Evidence
from agentflows.prompts import render
from agentflows.rubric import Criterion, Rubric

_QUOTES = 3
_QUOTE_CHARS = 1_500


def feedback(rubric: Rubric, results: Sequence[CriterionResult], regressions: Sequence[str]) -> str:
    """The grading in words, for the writer and for whoever reads the outcome.

    Raises:
        PromptError: the prompt file and this function do not agree.
    """
    by_id = {criterion.criterion_id: criterion for criterion in rubric.criteria}
    missing = [item for item in results if item.met != "met"]
    kept = [f"- {by_id[item.criterion_id].text}" for item in results if item.met == "met"]
    return render(
        "outcome_feedback",
        met=str(len(kept)),
        total=str(len(results)),
        gaps="\n\n".join(
            _gap(number, by_id[item.criterion_id], item, is_regression=item.criterion_id in regressions)
            for number, item in enumerate(missing, 1)
        )
        or "None.",
        kept="\n".join(kept) or "- nothing yet",
    ).strip()


def _gap(number: int, criterion: Criterion, result: CriterionResult, *, is_regression: bool) -> str:
    state = {"unmet": "not met", "cannot_tell": "cannot be told", "met": "met"}[result.met]
    weight = "required" if criterion.required else "wanted"
    lines = [f"### {number}. {criterion.text}", f"- State: {state} ({weight})"]
    if is_regression:
        lines.append("- This was met in an earlier version: your last change broke it.")
    lines.append(f"- Why: {result.reason}")
    if result.needed:
        lines.append(f"- Needed: {result.needed}")
    lines += [_quoted(evidence) for evidence in result.evidence[:_QUOTES]]
    return "\n".join(lines)


def _quoted(evidence: Evidence) -> str:
    where = f"{evidence.path}, line {evidence.start_line}" if evidence.path else "The check printed"
    text = evidence.text if len(evidence.text) <= _QUOTE_CHARS else f"…{evidence.text[-_QUOTE_CHARS:]}"
    body = "\n".join(f"  > {line}" for line in text.splitlines())
    return f"- {where}:\n{body}"
