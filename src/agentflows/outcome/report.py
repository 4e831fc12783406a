"""An outcome as people read it: the table of criteria by iterations, Markdown, and counts for programs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentflows.escape import block, code, inline
from agentflows.evaluation import Attempt, CriterionResult, Evaluation, Evidence, Outcome
from agentflows.marks import one_line
from agentflows.rubric import Criterion, Rubric

SIGNS: Mapping[str, str] = {"met": "✓", "unmet": "✗", "cannot_tell": "?"}
WORDS: Mapping[str, str] = {"met": "met", "unmet": "not met", "cannot_tell": "cannot tell"}
_QUOTE_CHARS = 160
_REASON_CHARS = 240


def iteration_name(iteration: int) -> str:
    """`draft`, then `revision 1` and so on."""
    return f"revision {iteration}" if iteration else "draft"


def headline(outcome: Outcome) -> str:
    """How it ended, or where it stands, in one sentence."""
    said = {
        "pending": "not begun",
        "running": "the writer is at work",
        "evaluating": "being graded",
        "waiting": "waiting for a person's verdict",
        "satisfied": "satisfied",
        "max_iterations_reached": "not satisfied, and no revision is left",
        "failed": "failed: the rubric does not apply to what was made",
        "interrupted": "interrupted",
        "grader_error": "not graded: the grader failed",
    }
    stops = {
        "no_change": "a revision changed nothing",
        "repeated_gaps": "the same gaps came back",
        "budget": "the budget ended",
        "writer_error": "the writer failed",
        "no_deliverables": "nothing was left behind",
        "": "",
    }
    ended = said.get(outcome.result) or f"stopped: {stops[outcome.stop_reason]}"
    count = f"{_count(len(outcome.attempts), 'attempt')}, {_count(len(outcome.evaluations), 'evaluation')}"
    return f"{ended} after {count}" if outcome.attempts else ended


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def table(outcome: Outcome, rubric: Rubric) -> list[dict[str, str]]:
    """A row for each criterion, a column for each evaluation, with the evidence quoted."""
    rows: list[dict[str, str]] = []
    for criterion in rubric.criteria:
        row = {"criterion": one_line(criterion.text, _REASON_CHARS), "how": _how(criterion)}
        for evaluation in outcome.evaluations:
            row[iteration_name(evaluation.iteration)] = _cell(evaluation, criterion)
        rows.append(row)
    return rows


def _how(criterion: Criterion) -> str:
    weight = "" if criterion.weight == 1 else f", weight {criterion.weight:g}"
    return f"{criterion.judging}{'' if criterion.required else ', optional'}{weight}"


def _cell(evaluation: Evaluation, criterion: Criterion) -> str:
    found = [item for item in evaluation.criteria if item.criterion_id == criterion.criterion_id]
    if not found:
        return "not graded"
    lost = " · was met before" if criterion.criterion_id in evaluation.regressions else ""
    return f"{SIGNS[found[0].met]} {WORDS[found[0].met]}{lost}: {grounds(found[0])}"


def grounds(result: CriterionResult) -> str:
    """The evidence where there is some, else the reason; on one line."""
    quotes = [quoted(one) for one in result.evidence if one.path]
    votes = f" (votes: {', '.join(WORDS[vote] for vote in result.votes)})" if result.votes else ""
    reason = one_line(result.reason, _REASON_CHARS)
    return f"{quotes[0]} — {reason}{votes}" if quotes else f"{reason}{votes}"


def quoted(evidence: Evidence) -> str:
    """Words with their place."""
    return f"“{one_line(evidence.text, _QUOTE_CHARS)}” ({one_line(evidence.path, 120)}:{evidence.start_line})"


def markdown(outcome: Outcome, rubric: Rubric, *, folder: Path) -> str:
    """The whole outcome; `folder` is where its versions lie."""
    parts = [
        f"# {inline(rubric.title or outcome.description, 120)}",
        f"**{headline(outcome)}** · `{outcome.outcome_id}` · agent {code(outcome.agent)}",
        f"> {inline(outcome.description, 600)}",
        "## Criteria by iteration",
        _grid(table(outcome, rubric)),
        "## Attempts and gradings",
        _grid(_steps(outcome)),
    ]
    if outcome.result not in {"satisfied", "pending", "running"} and outcome.explanation:
        parts += ["## Why it stands so", block(outcome.explanation, "text")]
    kept = outcome.best_iteration
    if kept is not None:
        parts += [
            f"## Deliverables of the {iteration_name(kept)}, the best version",
            _files(outcome, kept, folder),
        ]
    parts.append(_cost(outcome))
    return "\n\n".join(parts)


def _grid(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return "None yet."
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, ["---"] * len(columns), *([row.get(name, "") for name in columns] for row in rows)]
    return "\n".join("| " + " | ".join(map(inline, line)) + " |" for line in lines)


def _steps(outcome: Outcome) -> list[dict[str, str]]:
    graded = {one.iteration: one for one in outcome.evaluations}
    return [_step(attempt, graded.get(attempt.iteration)) for attempt in outcome.attempts]


def _step(attempt: Attempt, evaluation: Evaluation | None) -> dict[str, str]:
    return {
        "iteration": iteration_name(attempt.iteration),
        "the writer": f"{attempt.end}{f': {one_line(attempt.detail, 120)}' if attempt.detail else ''}",
        "files": str(len(attempt.deliverables)),
        "tool calls": f"{attempt.tool_calls} ({attempt.tool_errors} failed)",
        "verdict": evaluation.result if evaluation else "not graded",
        "score": f"{evaluation.score:.0%}" if evaluation and evaluation.result != "grader_error" else "",
        "writer": _money(attempt.dollars, attempt.usage.total),
        "grader": _money(evaluation.dollars, evaluation.usage.total) if evaluation else "",
    }


def _money(dollars: float, tokens: int) -> str:
    return f"${dollars:.4f}, {tokens:,} tokens" if tokens or dollars else "–"


def _files(outcome: Outcome, iteration: int, folder: Path) -> str:
    attempt = next(one for one in outcome.attempts if one.iteration == iteration)
    where = folder / str(iteration)
    lines = [
        f"- [{inline(item.path, 200)}]({(where / item.path).as_uri()}) · {item.size_bytes:,} bytes · sha256 {item.sha256[:12]}…"
        for item in attempt.deliverables[:200]
    ]
    return "\n".join(lines) or "None."


def _cost(outcome: Outcome) -> str:
    writer = sum(one.dollars for one in outcome.attempts)
    grader = sum(one.dollars for one in outcome.evaluations)
    return (
        f"Cost: ${outcome.dollars:.4f} at list price (writer ${writer:.4f}, grader ${grader:.4f}), "
        f"{outcome.usage.total:,} tokens."
    )


def summary(outcome: Outcome) -> dict[str, Any]:
    """What programs ask first: how it stands, counts, cost. No contents."""
    latest = outcome.evaluations[-1] if outcome.evaluations else None
    return {
        "outcome_id": outcome.outcome_id,
        "result": outcome.result,
        "stop_reason": outcome.stop_reason,
        "attempts": len(outcome.attempts),
        "revisions": outcome.revisions,
        "evaluations": len(outcome.evaluations),
        "best_iteration": outcome.best_iteration,
        "score": latest.score if latest and latest.result != "grader_error" else None,
        "dollars": outcome.dollars,
        "tokens": outcome.usage.total,
    }
