"""`agentflows outcome`: have an agent work until a rubric is satisfied, and look after what is under way."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from agentflows.agent_file import read_agent_file
from agentflows.change import Budget
from agentflows.cli.outcome_show import show_asked, show_list, show_outcome
from agentflows.cli.output import FullOption, HomeOption, JsonOption, console, print_json, task_text, warn
from agentflows.cli.runner import run_flow
from agentflows.cli.work import VerboseOption
from agentflows.errors import UsageError
from agentflows.evaluation import Outcome
from agentflows.home import Home, open_home
from agentflows.outcome import FINAL, headline, summary
from agentflows.pursuing import Grading, OutcomeRequest, asked, check_request, decide, make_request

NOT_SATISFIED = 3
"""Exit code where a person is waited for, or the work ended without being satisfied."""
FAILED = 1
_FAILURES = frozenset({"failed", "grader_error"})
_START = "start"


class _TaskFirst(TyperGroup):
    """`agentflows outcome "TASK" …` is `agentflows outcome start "TASK" …`: what is no command is a task."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = [_START, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_TaskFirst,
    help='Have an agent work until a rubric is satisfied: agentflows outcome "TASK" --rubric FILE --agent FILE '
    "--workspace DIR.",
    epilog="Exit codes: 0 satisfied, 1 failed or not graded, 2 wrong use, 3 waiting for a person or not satisfied.",
    no_args_is_help=True,
)

OutcomeArgument = Annotated[str, typer.Argument(metavar="OUTCOME", help="outc_…, or the beginning of it")]


@app.command(_START)
def start(
    task: Annotated[str, typer.Argument(help="What is to be done, in words; @FILE reads a file")],
    rubric: Annotated[
        Path, typer.Option("--rubric", help="The Markdown file that says what done looks like")
    ],
    agent: Annotated[Path, typer.Option("--agent", help="The agent file")],
    workspace: Annotated[Path, typer.Option("--workspace", help="The folder the agent works in")],
    max_iterations: Annotated[
        int, typer.Option(help="Revisions after the draft; everything returned was graded", min=0, max=20)
    ] = 3,
    deliverable: Annotated[
        list[str] | None,
        typer.Option(
            "--deliverable",
            help="A glob of files to grade, or @answer for the agent's last words; repeat for more "
            "(default: all that changed)",
        ),
    ] = None,
    budget_dollars: Annotated[
        float | None, typer.Option(help="Spend at most this on writer and grader, at list price", min=0)
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(help="Spend at most so many tokens on writer and grader", min=0)
    ] = None,
    writer_dollars: Annotated[
        float | None, typer.Option(help="Of it, at most this on the writer", min=0)
    ] = None,
    grader_dollars: Annotated[
        float | None, typer.Option(help="Of it, at most this on the grader", min=0)
    ] = None,
    judge_model: Annotated[
        str, typer.Option(help="The grader's model; empty: AGENTFLOWS_JUDGE_MODEL, else AGENTFLOWS_MODEL")
    ] = "",
    panel: Annotated[
        int, typer.Option(help="Graders; each criterion goes by strict majority", min=1, max=9)
    ] = 1,
    memory: Annotated[
        str, typer.Option(help="A memory store to show to the agent (default: the agent's own)")
    ] = "",
    key: Annotated[str, typer.Option(help="Your own word, to have the same task done anew")] = "",
    home: HomeOption = None,
    *,
    one_call_each: Annotated[
        bool, typer.Option("--one-call-each", help="Ask the grader about one criterion per call")
    ] = False,
    full: FullOption = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Draft, grade, revise, until the rubric is satisfied. The same command again goes on from where it stopped.

    JSON: the outcome, with its attempts and evaluations
    """
    description = task_text(task)
    request = make_request(description, rubric=rubric, agent=agent, workspace=workspace, memory=memory)
    warn(read_agent_file(agent).warnings)
    _check(request, home)
    answer = run_flow(
        "outcome",
        verbose=verbose,
        description=description,
        rubric=str(rubric),
        agent=str(agent),
        workspace=str(workspace),
        max_iterations=max_iterations,
        deliverables=deliverable or [],
        budget=Budget(dollars=budget_dollars, tokens=budget_tokens),
        writer_budget=Budget(dollars=writer_dollars),
        grader_budget=Budget(dollars=grader_dollars),
        grading=Grading(model=judge_model, panel=panel, calls="each" if one_call_each else "all"),
        memory=memory,
        key=key,
        home=str(home or ""),
    )
    _report(answer["outcome_id"], home, full=full, json=json)


def _check(request: OutcomeRequest, home: Path | None) -> None:
    """Refuse what cannot be done before Prefect is started for it."""
    with open_home(home) as doors:
        check_request(doors, request)


@app.command("resume")
def resume(
    outcome: OutcomeArgument,
    max_iterations: Annotated[
        int | None, typer.Option(help="Revisions in all (default: as before)", min=0, max=20)
    ] = None,
    budget_dollars: Annotated[
        float | None, typer.Option(help="Of writer and grader, in all (default: as before)", min=0)
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(help="Of writer and grader, in all (default: as before)", min=0)
    ] = None,
    writer_dollars: Annotated[
        float | None, typer.Option(help="Of the writer, in all (default: as before)", min=0)
    ] = None,
    grader_dollars: Annotated[
        float | None, typer.Option(help="Of the grader, in all (default: as before)", min=0)
    ] = None,
    home: HomeOption = None,
    *,
    full: FullOption = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Go on with an outcome: killed, interrupted, waiting for a person, not graded, or out of revisions or budget.

    JSON: the outcome, with its attempts and evaluations
    """
    with open_home(home) as doors:
        found = doors.state.outcome(outcome)
    run_flow(
        "outcome",
        verbose=verbose,
        outcome_id=found.outcome_id,
        max_iterations=max_iterations,
        budget=Budget(dollars=budget_dollars, tokens=budget_tokens),
        writer_budget=Budget(dollars=writer_dollars),
        grader_budget=Budget(dollars=grader_dollars),
        home=str(home or ""),
    )
    _report(found.outcome_id, home, full=full, json=json)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(help="The newest so many", min=1)] = 20,
    home: HomeOption = None,
    *,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for a person")] = False,
    json: JsonOption = False,
) -> None:
    """List outcomes, newest first.

    JSON: {outcomes: [{outcome_id, result, stop_reason, attempts, revisions, evaluations, best_iteration, score, …}]}
    """
    with open_home(home) as doors:
        found = doors.state.outcomes(result="waiting" if waiting else None, limit=limit)
    if json:
        print_json({"outcomes": [{**summary(one), "description": one.description} for one in found]})
    else:
        show_list(found)


@app.command("show")
def show(
    outcome: OutcomeArgument, home: HomeOption = None, *, full: FullOption = False, json: JsonOption = False
) -> None:
    """Show an outcome: attempts, gradings with their evidence, cost, and where the files are.

    JSON: the outcome, with its attempts and evaluations
    """
    with open_home(home) as doors:
        found = doors.state.outcome(outcome)
        if json:
            print_json(found)
        else:
            _show(doors, found, home, full=full)


@app.command("decide")
def decide_(
    outcome: OutcomeArgument,
    criterion: Annotated[
        list[str] | None,
        typer.Option("--criterion", help="This criterion; repeat for more (default: all that wait)"),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; with --unmet the writer is told it")] = "",
    by: Annotated[
        str, typer.Option("--by", help="Who decides (default: AGENTFLOWS_REVIEWER or your login)")
    ] = "",
    home: HomeOption = None,
    *,
    met: Annotated[bool, typer.Option("--met", help="The criteria are met")] = False,
    unmet: Annotated[bool, typer.Option("--unmet", help="They are not, and --reason says why")] = False,
    json: JsonOption = False,
) -> None:
    """Say whether criteria that only a person can judge are met; without --met or --unmet, show what is asked.

    JSON: {outcome_id, folder, waiting: ids of criteria, decided: [{criterion_id, met, reason, reviewer, decided_at}]}
    """
    if met and unmet:
        message = "A criterion is either met or not. Give --met or --unmet, one of them."
        raise UsageError(message)
    with open_home(home) as doors:
        if met or unmet:
            word = "met" if met else "unmet"
            found = decide(doors, outcome, word, criteria=criterion or [], reason=reason, reviewer=by)
        else:
            found = asked(doors, outcome)
    if json:
        print_json(
            {
                "outcome_id": found.outcome.outcome_id,
                "folder": found.folder,
                "waiting": [one.criterion_id for one in found.criteria],
                "decided": [one.model_dump(mode="json") for one in found.decided],
            }
        )
        return
    show_asked(found)
    if not found.criteria:
        where = f" --home {home}" if home else ""
        console.print(f"Nothing waits any more: agentflows outcome resume {found.outcome.outcome_id}{where}")


@app.command("stop")
def stop(
    outcome: OutcomeArgument,
    reason: Annotated[str, typer.Option(help="Kept on record")] = "interrupted from the command line",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Ask whoever works on an outcome to end it at the next step. What was done stays; resume goes on.

    JSON: {outcome_id, stop_asked}; stop_asked is "" where it has ended already
    """
    with open_home(home) as doors:
        found = doors.state.outcome(outcome)
        is_over = found.result in FINAL
        if not is_over:
            doors.state.ask_stop(found.outcome_id, reason)
    if json:
        print_json({"outcome_id": found.outcome_id, "stop_asked": "" if is_over else reason})
    elif is_over:
        console.print(f"{found.outcome_id} has ended already: {headline(found)}. Nothing was asked.")
    else:
        console.print(f"{found.outcome_id} ends at its next step.")


def _report(name: str, home: Path | None, *, full: bool, json: bool) -> None:
    with open_home(home) as doors:
        found = doors.state.outcome(name)
        if json:
            print_json(found)
        else:
            _show(doors, found, home, full=full)
    code = exit_code(found)
    if code:
        raise typer.Exit(code)


def _show(doors: Home, outcome: Outcome, home: Path | None, *, full: bool) -> None:
    folder = doors.settings.home_path / "outcomes" / outcome.outcome_id
    request = _request_of(doors, outcome)
    job = request.parent_id if request.place else ""
    show_outcome(outcome, request.rubric, home, folder=folder, full=full, job=job)


def _request_of(doors: Home, outcome: Outcome) -> OutcomeRequest:
    return OutcomeRequest.model_validate_json(doors.state.outcome_request(outcome.outcome_id))


def exit_code(outcome: Outcome) -> int:
    """0 satisfied, 1 failed or not graded, 3 waiting for a person or not satisfied."""
    if outcome.result == "satisfied":
        return 0
    return FAILED if outcome.result in _FAILURES else NOT_SATISFIED
