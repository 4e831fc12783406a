"""`agentflows rubric`: read a rubric, lint it, draft one, prove that it can fail, measure it against people."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from agentflows.authoring import draft_rubric, lint_rubric, measure_agreement, prove_rubric, review_rubric
from agentflows.change import Budget
from agentflows.cli.output import HomeOption, JsonOption, console, print_json, print_table, progress_console
from agentflows.errors import NotFoundError, UsageError
from agentflows.marks import reveal
from agentflows.rubric import Check, Criterion, read_rubric
from agentflows.workbench import Agreement, CriterionAgreement, Finding, Measure, Proof

app = typer.Typer(
    help="Write rubrics that can be graded: show, lint, draft, prove, agree.",
    no_args_is_help=True,
)

RubricArgument = Annotated[
    Path, typer.Argument(metavar="RUBRIC", help="A rubric: Markdown with a list", readable=False)
]
MaxDollars = Annotated[
    float | None, typer.Option("--max-dollars", help="Ceiling for the model's calls", min=0)
]
_STYLES = {"error": "red", "warning": "yellow", "advice": "cyan"}


@app.command()
def show(rubric: RubricArgument, *, json: JsonOption = False) -> None:
    """Print how a rubric is understood: its criteria, who judges each, what is required.

    JSON: the rubric: {title, guidance, threshold, criteria: [{criterion_id, text, judging, required, weight, evidence,
    check, group, line}], sha256, source}
    """
    found = read_rubric(rubric)
    if json:
        print_json(found.model_dump(mode="json", exclude={"text"}))
        return
    rows = [
        [one.criterion_id, one.text, _judged_by(one), "" if one.required else "optional", f"{one.weight:g}"]
        for one in found.criteria
    ]
    print_table(["id", "criterion", "judged by", "", "weight"], rows, title=found.title)
    required = sum(one.required for one in found.criteria)
    console.print(
        f"{len(rows)} criteria, {required} required; satisfied at {found.threshold:.0%} of the weight, sha256 {found.sha256[:12]}"
    )


def _judged_by(criterion: Criterion) -> str:
    check = criterion.check
    if check is None:
        return "a model" if criterion.judging == "judge" else "a person"
    return f"{'not ' if check.negated else ''}{check.kind} {_target(check)}"


def _target(check: Check) -> str:
    said = {"command": check.command, "python": check.function, "regex": f"{check.path}: {check.pattern}"}
    return said.get(check.kind, check.path)


@app.command()
def lint(
    rubric: RubricArgument,
    *,
    model: Annotated[bool, typer.Option("--model", help="Ask a model as well: one call")] = False,
    max_dollars: MaxDollars = None,
    home: HomeOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when there are errors")] = False,
    json: JsonOption = False,
) -> None:
    """Find what makes verdicts wrong, unsteady or dear, with what to write instead. Needs no model.

    JSON: {source, sha256, findings: [{rule, severity, criterion_id, line, words, why, rewrite, is_template}]}
    """
    read = read_rubric(rubric)
    budget = Budget(dollars=max_dollars)
    found = review_rubric(read, budget=budget, home=home) if model else lint_rubric(read)
    if json:
        print_json({"source": read.source, "sha256": read.sha256, "findings": found})
    else:
        show_findings(found, str(rubric))
    if strict and any(one.severity == "error" for one in found):
        raise typer.Exit(1)


def show_findings(found: Sequence[Finding], source: str) -> None:
    """Findings as an editor would list them, with the rewrite under each."""
    for one in found:
        place = f"{source}:{one.line}" if one.line else source
        head = Text.assemble(
            (f"{place}: ", "bold"), (one.severity, _STYLES[one.severity]), f" {one.rule}: {reveal(one.why)}"
        )
        console.print(head)
        for line in one.rewrite.splitlines():
            console.print(Text(f"    {reveal(line)}", "green"))
    counts = {name: sum(one.severity == name for one in found) for name in ("error", "warning", "advice")}
    console.print(
        f"{counts['error']} errors, {counts['warning']} warnings, {counts['advice']} pieces of advice"
    )


@app.command()
def draft(
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="What the agent is told; @FILE reads it from a file")
    ],
    good: Annotated[
        list[Path] | None, typer.Option("--good", help="The folder of a good artifact; may be repeated")
    ] = None,
    bad: Annotated[
        list[Path] | None, typer.Option("--bad", help="The folder of a bad artifact; may be repeated")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write it to this file; it must not exist")
    ] = None,
    model: Annotated[
        bool | None,
        typer.Option(
            "--model/--no-model", help="Ask a model (default: where one is configured)", show_default=False
        ),
    ] = None,
    max_dollars: MaxDollars = None,
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Draft a rubric from a task and example artifacts. Its checks are tried on them; then it is linted.

    JSON: {markdown, notes, findings, rubric}
    """
    if out is not None and out.exists():
        message = f"Expected a new file, found {str(out)!r} already there. Name another, or remove it first."
        raise UsageError(message)
    made = draft_rubric(
        _task(task),
        good=good or [],
        bad=bad or [],
        model=model,
        budget=Budget(dollars=max_dollars),
        home=home,
    )
    if out is not None:
        out.write_text(made.rubric.text, encoding="utf-8")
    if json:
        print_json({"markdown": made.rubric.text, "notes": made.notes, "findings": made.findings, "rubric": made.rubric.model_dump(mode="json", exclude={"text"})})  # fmt: skip
        return
    if out is None:
        typer.echo(made.rubric.text, nl=False)
    for note in made.notes:
        progress_console.print(Text(f"Note: {reveal(note)}", "dim"))
    if out is not None:
        show_findings(made.findings, str(out))
    else:
        progress_console.print(
            Text(f"{len(made.findings)} findings by lint; --out FILE writes the draft and lists them.", "dim")
        )


def _task(text: str) -> str:
    if not text.startswith("@"):
        return text
    path = Path(text[1:])
    if not path.is_file():
        message = f"Expected a file with the task, found none at {text[1:]!r}. Give the task itself, or @ and a file."
        raise NotFoundError(message)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = (
            f"Expected UTF-8 text in {text[1:]!r}, found byte {error.start} that is none. Save it as UTF-8."
        )
        raise UsageError(message) from error


@app.command()
def prove(
    rubric: RubricArgument,
    artifact: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder of a good artifact", readable=False)
    ],
    task: Annotated[str, typer.Option(help="What the work was, for the judge")] = "",
    *,
    judge: Annotated[
        bool, typer.Option("--judge", help="Ask a model about judged criteria, once per mutation")
    ] = False,
    max_dollars: MaxDollars = None,
    home: HomeOption = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 1 when a criterion cannot fail, or fails the good artifact"),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Spoil a good artifact in many ways and show which criteria notice. The artifact itself is not changed.

    JSON: {rubric_sha256, artifact, criteria: [{criterion_id, status, baseline, caught, alone}], tried: [{mutation,
    caught_by}], cannot_fail, gaps, seconds}
    """
    found = prove_rubric(
        rubric,
        artifact,
        task=task,
        judge=judge,
        budget=Budget(dollars=max_dollars),
        progress=_progress,
        home=home,
    )
    if json:
        print_json(_proof_json(found))
    else:
        _show_proof(found)
    if strict and any(one.status in {"cannot_fail", "fails_on_good"} for one in found.criteria):
        raise typer.Exit(1)


def _progress(done: int, number: int) -> None:
    if done % 10 == 0 or done == number:
        progress_console.print(Text(f"{done} of {number} mutations graded", "dim"))


def _proof_json(found: Proof) -> dict[str, Any]:
    fields = found.model_dump(mode="json", exclude={"tried": {"__all__": {"mutation": {"content"}}}})
    gaps = [one.name for one in found.gaps]
    return {**fields, "cannot_fail": list(found.cannot_fail), "gaps": gaps}


_PROVEN = {
    "proven": "can fail",
    "cannot_fail": "CANNOT FAIL: nothing tried here fails it",
    "fails_on_good": "FAILS the good artifact itself",
    "needs_model": "not proven: needs a model (--judge)",
    "needs_person": "not proven: needs a person",
    "not_graded": "not proven: nothing graded it",
}


def _show_proof(found: Proof) -> None:
    rows = [[one.mutation.kind, one.mutation.path, one.mutation.what, ", ".join(one.caught_by) or "NOBODY"] for one in found.tried]  # fmt: skip
    print_table(["mutation", "file", "what", "noticed by"], rows)
    console.print()
    lines = [[one.criterion_id, one.caught, one.alone, _PROVEN[one.status]] for one in found.criteria]
    print_table(["criterion", "noticed", "alone", "verdict"], lines)
    caught = len(found.tried) - len(found.gaps)
    console.print(f"\n{caught} of {len(found.tried)} mutations noticed, in {found.seconds:.1f} s")
    unproven = sum(one.status.startswith(("needs", "not")) for one in found.criteria)
    if found.gaps:
        whose = " by what was graded here" if unproven else ""
        console.print(
            f"Gaps: {len(found.gaps)} mutations noticed by nobody{whose}; a criterion for them, or none is needed."
        )


@app.command()
def agree(
    rubric: RubricArgument,
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="CSV: item,criterion,rater,met", readable=False)
    ],
    verdicts: Annotated[
        Path | None,
        typer.Option(
            "--verdicts",
            help="The grader's, in the same columns; without it, rows of the rater --grader",
            readable=False,
        ),
    ] = None,
    grader: Annotated[str, typer.Option(help="The rater that is measured")] = "grader",
    *,
    json: JsonOption = False,
) -> None:
    """Measure how far a grader agrees with people: kappa, alpha, precision and recall on unmet, with 95 % intervals.

    JSON: {rubric_sha256, grader, overall, criteria: [{criterion_id, items, raters, agreement: {value, interval, n},
    base_rate, graded_rate, kappa, alpha, people_alpha, precision, recall, noise, ties, notes}], unlabelled}
    """
    found = measure_agreement(rubric, labels, verdicts, grader=grader)
    if json:
        print_json(found)
    else:
        _show_agreement(found)


def _show_agreement(found: Agreement) -> None:
    every = [*found.criteria, found.overall]
    rows = [
        [
            one.criterion_id or "all",
            one.items,
            _said(one.agreement),
            _said(one.kappa),
            _said(one.alpha),
            _said(one.people_alpha),
            _said(one.base_rate, short=True),
            _said(one.precision, short=True),
            _said(one.recall, short=True),
        ]
        for one in every
    ]
    head = [
        "criterion",
        "n",
        "agreement",
        "kappa",
        "alpha",
        "alpha of people",
        "unmet",
        "precision",
        "recall",
    ]
    print_table(head, rows, title=f"{found.grader} against people; 95 % intervals in brackets")
    for one in every:
        for note in _notes(one):
            console.print(Text(note, "yellow"))
    if found.unlabelled:
        console.print(f"No labels: {', '.join(found.unlabelled)}", markup=False)


def _notes(one: CriterionAgreement) -> list[str]:
    return [f"{one.criterion_id or 'all'}: {note}" for note in one.notes]


def _said(measure: Measure, *, short: bool = False) -> str:
    if measure.value is None:
        return "–"
    if short or measure.interval is None:
        return f"{measure.value:.2f}"
    return f"{measure.value:.2f} [{measure.interval[0]:.2f}, {measure.interval[1]:.2f}]"
