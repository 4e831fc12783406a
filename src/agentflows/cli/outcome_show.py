"""How an outcome looks in a terminal."""

from pathlib import Path

from rich.text import Text

from agentflows.cli.output import console, print_table, program
from agentflows.evaluation import CriterionResult, Evaluation, Outcome
from agentflows.marks import one_line, reveal
from agentflows.outcome import headline, iteration_name
from agentflows.outcome.report import SIGNS, WORDS, quoted
from agentflows.pursuing import ASIDE, Asked
from agentflows.rubric import Criterion, Rubric

_STYLES = {"met": "green", "unmet": "red", "cannot_tell": "yellow"}
_REASON_CHARS = 300
_QUOTES = 2


def show_outcome(
    outcome: Outcome,
    rubric: Rubric,
    home: Path | None,
    *,
    folder: Path,
    full: bool = False,
    job: str = "",
) -> None:
    """What was attempted, how each criterion was graded with which evidence, where the files are, what to do next.

    `full` shows every grading criterion by criterion; else only the newest, and what changed before it. `job` is the one
    that delegated the task.
    """
    _line(f"Outcome {outcome.outcome_id} · {headline(outcome)}", style="bold")
    _line(f"{one_line(outcome.description, 200)} · agent {outcome.agent} · {outcome.workspace}", style="dim")
    graded = {one.iteration: one for one in outcome.evaluations}
    newest = max(graded, default=None)
    for attempt in outcome.attempts:
        evaluation = graded.get(attempt.iteration)
        console.print()
        detail = f" ({one_line(attempt.detail, 160)})" if attempt.detail else ""
        files = ", ".join(item.path for item in attempt.deliverables[:5]) or "nothing"
        more = f" and {len(attempt.deliverables) - 5} more" if len(attempt.deliverables) > 5 else ""
        _line(
            f"{iteration_name(attempt.iteration).capitalize()}: {attempt.end}{detail}; left {files}{more}",
            style="bold",
        )
        if evaluation is not None:
            _evaluation(evaluation, rubric, is_whole=full or attempt.iteration == newest)
    console.print()
    _tail(outcome, folder)
    if job:
        where = f" --home {home}" if home else ""
        _line(f"It is graded work of a job: {program()} threads {job}{where} shows that")
    else:
        _next(outcome, home)


def _evaluation(evaluation: Evaluation, rubric: Rubric, *, is_whole: bool) -> None:
    if evaluation.result == "grader_error":
        _line(f"  grader_error: {evaluation.error}", style="red")
        return
    met = sum(item.met == "met" for item in evaluation.criteria)
    _line(
        f"  {evaluation.result}: {met} of {len(evaluation.criteria)} criteria met, score {evaluation.score:.0%}"
    )
    texts = {criterion.criterion_id: criterion for criterion in rubric.criteria}
    for item in evaluation.criteria:
        if is_whole or item.met != "met":
            _criterion(item, texts[item.criterion_id], is_lost=item.criterion_id in evaluation.regressions)


def _criterion(item: CriterionResult, criterion: Criterion, *, is_lost: bool) -> None:
    optional = "" if criterion.required else " (optional)"
    lost = " — was met before" if is_lost else ""
    head = Text(f"  {SIGNS[item.met]} ", style=_STYLES[item.met])
    head.append(f"{one_line(criterion.text, 200)}{optional}{lost}", style="default")
    console.print(head)
    votes = f" [votes: {', '.join(WORDS[vote] for vote in item.votes)}]" if item.votes else ""
    _line(f"      {one_line(item.reason, _REASON_CHARS)}{votes}", style="dim")
    for quote in [one for one in item.evidence if one.path][:_QUOTES]:
        _line(f"      {quoted(quote)}", style="dim")


def _tail(outcome: Outcome, folder: Path) -> None:
    if outcome.best_iteration is not None:
        _line(
            f"Best version: {iteration_name(outcome.best_iteration)}, frozen in {folder / str(outcome.best_iteration)}"
        )
    if (folder / ASIDE).is_dir():
        _line(
            f"Set aside: {folder / ASIDE} has what stood in the workspace when a version was put back over it, half-done "
            "work of a killed agent or what somebody wrote meanwhile"
        )
    writer = sum(one.dollars for one in outcome.attempts)
    grader = sum(one.dollars for one in outcome.evaluations)
    if outcome.usage.total or outcome.dollars:
        _line(
            f"Cost: ${outcome.dollars:.4f} at list price (writer ${writer:.4f}, grader ${grader:.4f}), "
            f"{outcome.usage.total:,} tokens"
        )
    if outcome.result in {"stopped", "interrupted"}:
        _line(f"Why it ended: {one_line(outcome.explanation, 600)}")


def _next(outcome: Outcome, home: Path | None) -> None:
    where = f" --home {home}" if home else ""
    name = outcome.outcome_id
    if outcome.result == "waiting":
        _line(
            f"Next: {program()} outcome decide {name} --met|--unmet --reason TEXT{where}, then outcome resume {name}{where}"
        )
    elif outcome.result == "max_iterations_reached":
        more = min(20, outcome.max_iterations + 3)
        _line(f"Next: {program()} outcome resume {name} --max-iterations {more}{where} gives more revisions")
    elif outcome.result not in {"satisfied", "failed"} and outcome.stop_reason in {"", "budget"}:
        _line(f"Next: {program()} outcome resume {name}{where} goes on")


def show_asked(question: Asked) -> None:
    """What a person is asked, and what was said already."""
    _line(
        f"Outcome {question.outcome.outcome_id}: {one_line(question.outcome.description, 200)}", style="bold"
    )
    _line(
        f"The deliverables are in {question.folder}: {', '.join(item.path for item in question.deliverables[:20])}"
    )
    for one in question.decided:
        said = f": {one_line(one.reason, 200)}" if one.reason else ""
        _line(f"  {SIGNS[one.met]} {one.criterion_id}, said {one.reviewer}{said}")
    for criterion in question.criteria:
        _line(f"  … {criterion.criterion_id}: {one_line(criterion.text, 300)}")


def show_list(outcomes: list[Outcome]) -> None:
    """One line each."""
    if not outcomes:
        _line(
            'No outcome yet. Begin one: agentflows outcome "TASK" --rubric FILE --agent FILE --workspace DIR'
        )
        return
    rows = [
        [
            one.outcome_id,
            f"{one.created_at:%Y-%m-%d %H:%M}" if one.created_at else "",
            one.result + (f" ({one.stop_reason})" if one.stop_reason else ""),
            f"{one.revisions} of {one.max_iterations}",
            f"${one.dollars:.4f}",
            one_line(one.description, 60),
        ]
        for one in outcomes
    ]
    print_table(["outcome", "begun", "result", "revisions", "cost", "task"], rows)


def _line(text: str, *, style: str = "") -> None:
    console.print(Text(reveal(text), style=style))
