"""`agentflows orchestrate` and `agentflows threads`: have a team do a job, and see everything it does."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agentflows.cli.output import (
    FullOption,
    HomeOption,
    JsonOption,
    console,
    print_json,
    print_table,
    program,
    task_text,
    warn,
)
from agentflows.cli.runner import run_flow
from agentflows.cli.work import VerboseOption
from agentflows.errors import UsageError
from agentflows.home import Home, open_home
from agentflows.marks import one_line, reveal
from agentflows.orchestrating import DONE, FINAL, Files, check_rubrics, make_request, transcript
from agentflows.orchestration import headline, not_begun, plan_of, summary
from agentflows.session import Turn
from agentflows.settings import load_settings
from agentflows.team import LEAD, Orchestration, SubTask, TeamCaps, Thread, ThreadTurn, read_team, render_plan

NOT_WHOLE = 3
"""Exit code where some of the work is not done: partial, stopped or interrupted."""
_CODES = {"succeeded": 0, "failed": 1}
_STYLES = {"succeeded": "green", "partial": "yellow", "empty": "yellow", "failed": "red", "skipped": "yellow"}
_SHOWN = 600
"""Characters of a text that are shown without --full."""
_EVERY = 1.0


def orchestrate(
    task: Annotated[
        str, typer.Argument(help="What the lead is to do; with a plan it may be left out; @FILE reads a file")
    ] = "",
    team: Annotated[
        Path | None,
        typer.Option("--team", help="The team's folder: an agent file per specialist, and lead.md"),
    ] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="The folder they all work in")] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="A plan file; it needs no model to lead")
    ] = None,
    files: Annotated[
        Files,
        typer.Option(help="staged: every turn in a copy that is merged; shared: all in the folder itself"),
    ] = "staged",
    dispatch: Annotated[
        Literal["tasks", "deployment"],
        typer.Option(help="tasks: every turn in this process; deployment: each on the work pool"),
    ] = "tasks",
    max_dollars: Annotated[
        float | None, typer.Option(help="Spend at most this on the job, at list price", min=0.000_001)
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Spend at most so many tokens on the job", min=1)
    ] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Work at most so long", min=1)] = None,
    at_once: Annotated[
        int | None, typer.Option(help="Turns that run at the same time", min=1, max=1000)
    ] = None,
    key: Annotated[str, typer.Option(help="Your own word, to have the same job done anew")] = "",
    resume: Annotated[str, typer.Option("--resume", help="Go on with this job (job_…)")] = "",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Have a team do a job: its lead splits it among specialists who work at once, or a plan says who does what.

    The same command again goes on from where it was killed. Exit codes: 0 succeeded, 1 failed, 2 wrong use, 3 partial
    or stopped. JSON: {job_id, status, detail, mode, threads, turns, endings, skipped, not_begun, conflicts, tokens, dollars}
    """
    if not resume and (team is None or workspace is None):
        message = "A job needs --team DIR and --workspace DIR, or --resume JOB to go on with one."
        raise UsageError(message)
    caps = TeamCaps(max_dollars=max_dollars, max_tokens=max_tokens, max_seconds=max_seconds, at_once=at_once)
    told = task_text(task)
    if not resume and team and workspace:
        _check(told, team, workspace, plan, home)
    answer = run_flow(
        "orchestrate",
        verbose=verbose,
        task=told,
        team=str(team or ""),
        workspace=str(workspace or ""),
        plan=str(plan or ""),
        limits=caps,
        files=files,
        dispatch=dispatch,
        key=key,
        job=resume,
        home=str(home or ""),
    )
    if json:
        print_json(answer)
    else:
        with open_home(home) as doors:
            show_job(doors.state.job(answer["job_id"]), home)
    raise typer.Exit(_CODES.get(answer["status"], NOT_WHOLE))


def _check(task: str, team: Path, workspace: Path, plan: Path | None, home: Path | None) -> None:
    """Refuse what cannot be done before a server is started for it, and say what has no effect."""
    request = make_request(task, team=team, workspace=workspace, plan=plan)
    request.check()
    check_rubrics(request)
    request.check_apart(load_settings(home=home).home_path)
    warn(read_team(team.expanduser())[1])


def threads(
    job: Annotated[str, typer.Argument(help="job_…, or the beginning of it; none lists the jobs")] = "",
    action: Annotated[
        Literal["list", "show", "stop", "plan"],
        typer.Argument(
            help="list its threads; show one with its transcript; stop the job, or one thread; print it as a plan"
        ),
    ] = "list",
    thread: Annotated[str, typer.Argument(help="The thread to show, or to stop by itself")] = "",
    reason: Annotated[str, typer.Option(help="Why it is stopped")] = "stopped by hand",
    home: HomeOption = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Show the threads until the job ends")] = False,
    full: FullOption = False,
    json: JsonOption = False,
) -> None:
    """Every thread of a job, live and afterwards: what it was told, what it did, what it left, what it cost.

    JSON: {jobs: […]}, the job with its threads, turns and messages, or the one thread with its transcripts
    """
    with open_home(home) as doors:
        if not job:
            _list_jobs(doors, json=json)
        elif action == "stop":
            _stop(doors, job, thread, reason, json=json)
        elif action == "plan":
            found = doors.state.job(job)
            text = render_plan(found.plan or plan_of(found))
            _answer(json, {"plan": text}, text.rstrip("\n"))
        elif action == "show" or thread:
            _show_thread(doors, doors.state.job(job), thread, full=full, json=json)
        elif watch:
            _watch(doors, job, home)
        else:
            found = doors.state.job(job)
            if json:
                print_json(found)
            else:
                show_job(found, home)


def _answer(json: bool, value: dict[str, str], text: str) -> None:  # noqa: FBT001 - private
    if json:
        print_json(value)
    else:
        console.print(Text(text))


def _list_jobs(doors: Home, *, json: bool) -> None:
    jobs = doors.state.jobs()
    if json:
        print_json({"jobs": [summary(job) for job in jobs]})
    elif not jobs:
        console.print(
            Text(f"No job yet. Begin one: {program()} orchestrate --team DIR --plan FILE --workspace DIR")
        )
    else:
        rows = [
            (
                job.job_id,
                job.status,
                one_line(job.title, 50),
                job.team,
                len(job.threads),
                f"{job.created_at:%Y-%m-%d %H:%M}",
            )
            for job in jobs
        ]
        print_table(("job", "status", "title", "team", "threads", "begun (UTC)"), rows)


def _stop(doors: Home, job: str, thread: str, reason: str, *, json: bool) -> None:
    found = doors.state.job(job)
    if found.status in (
        DONE if thread else FINAL
    ):  # a thread of a stopped job can still be kept from going on
        line = f"{found.job_id} has ended already: {headline(found)}. Nothing was asked."
        _answer(json, {"job_id": found.job_id, "stop_asked": ""}, line)
        return
    if thread:
        numbers = doors.state.interrupt_thread(found.job_id, thread, reason)
        when = "when the job goes on" if found.status in FINAL else "within seconds; the job goes on"
        line = (
            f"{thread} is asked to stop and ends {when}."
            if numbers
            else f"{thread} is not at work. Nothing was asked."
        )
        asked = {"job_id": found.job_id, "thread": thread, "stop_asked": reason if numbers else ""}
        _answer(json, asked, line)
        return
    name = doors.state.stop_job(found.job_id, reason)
    line = f"{name} is asked to stop; running turns end within seconds."
    _answer(json, {"job_id": name, "stop_asked": reason}, line)


# -- one job -----------------------------------------------------------------------------------------


def show_job(job: Orchestration, home: Path | None) -> None:
    """The threads of a job as a table, what it left, and what to do next."""
    console.print(Text(f"Job {job.job_id} · {headline(job)}", style="bold"))
    console.print(Text(f"{one_line(job.title, 100)} · team {job.team} · {job.workspace}", style="dim"))
    if job.detail:
        console.print(Text(reveal(one_line(job.detail, 300)), style="yellow"))
    console.print(_table(job))
    aside = [change for turn in job.turns for change in turn.changes if change.is_kept_aside]
    if aside:
        console.print(
            Text(
                f"{len(aside)} conflicts: these versions are kept in {job.workspace}/.agentflows-conflicts/",
                style="yellow",
            )
        )
    if job.result and job.mode == "live":
        console.print()
        console.print(Text(reveal(job.result[:_SHOWN])))
    where = f" --home {home}" if home else ""
    console.print()
    first = next((thread.thread_id for thread in job.threads if thread.turns), LEAD)
    console.print(Text(f"Read a thread:  {program()} threads {job.job_id} show {first}{where}", style="dim"))
    if job.status not in FINAL:
        console.print(
            Text(f"Go on with it:  {program()} orchestrate --resume {job.job_id}{where}", style="dim")
        )
    if job.mode == "live":
        console.print(Text(f"As a plan:      {program()} threads {job.job_id} plan{where}", style="dim"))


def _table(job: Orchestration) -> Table:
    order = sorted(job.turns, key=lambda turn: (turn.started_at is None, turn.started_at, turn.thread_id))
    return _rows(job, order, not_begun(job))


def _rows(
    job: Orchestration, turns: Sequence[ThreadTurn], left: Sequence[SubTask], *, is_short: bool = False
) -> Table:
    """A row for each; with `is_short` one line for each, cut where the screen ends."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    names = ["thread", "turn", "task", "ending", "left", "seconds", "tokens", "why"]
    if not job.usage.total:
        names.remove("tokens")
    for name in names:
        is_prose = name in {"task", "left", "why"}
        table.add_column(
            name, overflow="fold" if is_prose and not is_short else "ellipsis", no_wrap=not is_prose
        )
    for turn in turns:
        cells = _cells(turn, is_planned=job.mode == "plan")
        table.add_row(*(_cell(name, cells[name], is_short=is_short) for name in names))
    for task in left:
        known = {"thread": task.agent, "task": one_line(task.task, 40), "ending": "not begun"}
        table.add_row(*(Text(reveal(known.get(name, ""))) for name in names))
    return table


def _cells(turn: ThreadTurn, *, is_planned: bool) -> dict[str, str]:
    seconds = (turn.ended_at - turn.started_at).total_seconds() if turn.started_at and turn.ended_at else None
    left = ", ".join(item.path for item in turn.outputs) or _count(len(turn.changes))
    missing = f"missing: {', '.join(turn.missing)}. " if turn.missing else ""
    return {
        "thread": turn.thread_id,
        "turn": str(turn.number),
        # the sub-task of a plan has a name; what a lead wrote has none
        "task": one_line(turn.order.subtask_id if is_planned else turn.order.task, 40),
        "ending": turn.ending or turn.status,
        "left": left if turn.status == "ended" else "",
        "seconds": "" if seconds is None else f"{seconds:.1f}",
        "tokens": f"{turn.usage.total:,}",
        "why": missing + ("" if turn.ending == "succeeded" else one_line(turn.detail, 80)),
    }


def _cell(name: str, text: str, *, is_short: bool) -> Text:
    style = _STYLES.get(text, "") if name == "ending" else ""
    return Text(
        reveal(text), style=style, no_wrap=is_short or None, overflow="ellipsis" if is_short else None
    )


def _count(changes: int) -> str:
    return f"{changes} file{'' if changes == 1 else 's'} changed"


def _watch(doors: Home, name: str, home: Path | None) -> None:
    """Draw the threads again and again in a terminal; elsewhere say each turn that ended, once."""
    screen, told = Console(highlight=False), set[tuple[str, int]]()
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        while True:
            job = doors.state.job(name)
            if screen.is_terminal:
                live.update(_view(job, screen.height), refresh=True)
            else:
                _tell(job, told)
            if job.status in FINAL or job.status == "interrupted" or not _is_worked_on(doors, job):
                break
            time.sleep(_EVERY)
    show_job(job, home)


def _view(job: Orchestration, height: int) -> Group:
    """As much of a job as a screen of that height holds: what is at work first, then what ended last."""

    def rank(turn: ThreadTurn) -> tuple[int, float]:
        at = turn.ended_at or turn.started_at
        place = {"running": 0, "ended": 1, "queued": 2}.get(turn.status, 3)
        return place, -at.timestamp() if at else 0.0

    turns = sorted(job.turns, key=rank)
    shown = turns[: max(1, height - 4)]
    parts: list[RenderableType] = [
        Text(headline(job), style="bold", no_wrap=True, overflow="ellipsis"),
        _rows(job, shown, (), is_short=True),
    ]
    if left := len(turns) - len(shown) + len(not_begun(job)):
        parts.append(Text(f"… {left} more", style="dim"))
    return Group(*parts)


def _tell(job: Orchestration, told: set[tuple[str, int]]) -> None:
    for turn in job.turns:
        key = (turn.thread_id, turn.number)
        if turn.status in {"ended", "skipped"} and key not in told:
            told.add(key)
            console.print(Text(f"{turn.thread_id} turn {turn.number}: {turn.ending or turn.status}"))


def _is_worked_on(doors: Home, job: Orchestration) -> bool:
    """Whether a living process holds its workspace; one that was killed cannot say that it is gone."""
    return bool(doors.state.holder(f"workspace:{job.workspace}"))


# -- one thread --------------------------------------------------------------------------------------


def _show_thread(doors: Home, job: Orchestration, name: str, *, full: bool, json: bool) -> None:
    known = {thread.thread_id: thread for thread in job.threads}
    if name not in known:
        message = f"The job {job.job_id} has no thread {name!r}. It has: {', '.join(known) or 'none yet'}."
        raise UsageError(message)
    thread = known[name]
    transcripts = {turn.number: transcript(doors, turn) for turn in thread.turns}
    if json:
        messages = [message for message in job.messages if name in {message.from_thread, message.to_thread}]
        print_json(
            {
                "thread": thread,
                "messages": messages,
                "transcripts": {
                    str(number): list(map(_plain, turns)) for number, turns in transcripts.items()
                },
            }
        )
        return
    console.print(
        Text(f"{thread.thread_id} · agent {thread.agent} · {thread.status} · job {job.job_id}", style="bold")
    )
    for turn in thread.turns:
        _show_turn(thread, turn, transcripts[turn.number], full=full)


def _plain(event: Turn) -> dict[str, object]:
    return {
        "seq": event.seq,
        "kind": event.kind,
        "trust": event.trust,
        "tool": event.tool,
        "is_error": event.is_error,
        "text": event.text,
    }


def _show_turn(thread: Thread, turn: ThreadTurn, events: list[Turn], *, full: bool) -> None:
    word = turn.ending or turn.status
    console.print()
    console.print(Text(f"Turn {turn.number}: {word}", style=_STYLES.get(word, "bold")))
    console.print(Text(f"told: {_cut(turn.order.task, full=full)}", style="dim"))
    if turn.detail:
        console.print(Text(f"why: {reveal(turn.detail)}"))
    for change in turn.changes:
        aside = " (conflict: kept aside)" if change.is_kept_aside else ""
        console.print(Text(f"  {change.kind} {reveal(change.path)}{aside}"))
    for path in turn.missing:
        console.print(Text(f"  promised and missing: {reveal(path)}", style="yellow"))
    for event in events:
        style = "red" if event.is_error else ("dim" if event.kind in {"tool_call", "tool_result"} else "")
        label = reveal(f"{event.kind} {event.tool}".strip())
        console.print(Text(f"  [{event.seq}] {label}: {_cut(event.text, full=full)}", style=style))
    if not events and turn.report:
        console.print(Text(_cut(turn.report, full=full)))
    del thread


def _cut(text: str, *, full: bool) -> str:
    shown = reveal(text)
    return (
        shown
        if full or len(shown) <= _SHOWN
        else f"{shown[:_SHOWN]} … ({len(shown) - _SHOWN:,} more: --full)"
    )
