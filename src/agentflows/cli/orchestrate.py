"""`agentflows orchestrate` and `agentflows threads`: have a team do a job, and see everything it does."""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from agentflows.cli.orchestrate_show import show_job, show_turn, view
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
from agentflows.marks import one_line
from agentflows.orchestrating import (
    DONE,
    FINAL,
    Files,
    as_it_stands,
    check_rubrics,
    make_request,
    transcript,
)
from agentflows.orchestration import headline, plan_of, summary
from agentflows.session import Turn
from agentflows.settings import load_settings
from agentflows.team import Orchestration, TeamCaps, read_team, render_plan

NOT_WHOLE = 3
"""Exit code where some of the work is not done: partial, stopped or interrupted."""
_CODES = {"succeeded": 0, "failed": 1}
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
    told = task_text(task)
    if resume:
        _check_resumed(task=told, team=team, workspace=workspace, plan=plan, key=key)
    elif team is None or workspace is None:
        message = "A job needs --team DIR and --workspace DIR, or --resume JOB to go on with one."
        raise UsageError(message)
    caps = TeamCaps(max_dollars=max_dollars, max_tokens=max_tokens, max_seconds=max_seconds, at_once=at_once)
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
            show_job(_seen(doors, answer["job_id"]), home)
    raise typer.Exit(_CODES.get(answer["status"], NOT_WHOLE))


def _check_resumed(**given: object) -> None:
    """A job goes on as it was begun: what would have no effect is refused, so that nobody takes it for done."""
    if named := [name if name == "task" else f"--{name}" for name, value in given.items() if value]:
        message = (
            f"With --resume a job goes on as it was begun; {' and '.join(named)} would have no effect. Leave that out, or "
            "leave out --resume for a job of its own. Caps may be given with it."
        )
        raise UsageError(message)


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
            _show_thread(doors, _seen(doors, job), thread, full=full, json=json)
        elif watch:
            _watch(doors, job, home)
        else:
            found = _seen(doors, job)
            if json:
                print_json(found)
            else:
                show_job(found, home)


def _seen(doors: Home, name: str) -> Orchestration:
    return as_it_stands(doors, doors.state.job(name))


def _answer(json: bool, value: dict[str, str], text: str) -> None:  # noqa: FBT001 - private
    if json:
        print_json(value)
    else:
        console.print(Text(text))


def _list_jobs(doors: Home, *, json: bool) -> None:
    jobs = [as_it_stands(doors, job) for job in doors.state.jobs()]
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
                f"{job.dollars:.2f}" if job.dollars else "",
                f"{job.created_at:%Y-%m-%d %H:%M}",
            )
            for job in jobs
        ]
        names = ("job", "status", "title", "team", "threads", "dollars", "begun (UTC)")
        shown = [
            place for place, name in enumerate(names) if name != "dollars" or any(row[place] for row in rows)
        ]
        print_table([names[place] for place in shown], [[row[place] for place in shown] for row in rows])


def _stop(doors: Home, job: str, thread: str, reason: str, *, json: bool) -> None:
    found = _seen(doors, job)
    # a thread of a stopped job can still be kept from going on
    if found.status in (DONE if thread else FINAL):
        line = f"{found.job_id} has ended already: {headline(found)}. Nothing was asked."
        _answer(json, {"job_id": found.job_id, "stop_asked": ""}, line)
        return
    is_led = found.status in {"pending", "running"}
    if thread:
        numbers = doors.state.interrupt_thread(found.job_id, thread, reason)
        when = "within seconds; the job goes on" if is_led else "when the job goes on"
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
    if not is_led:
        line = (
            f"Nobody leads {name} any more ({found.detail}): turns that workers still have end within seconds, and it goes "
            f"on with {program()} orchestrate --resume {name}."
        )
    _answer(json, {"job_id": name, "stop_asked": reason}, line)


def _watch(doors: Home, name: str, home: Path | None) -> None:
    """Draw the threads again and again in a terminal; elsewhere say each turn that ended, once."""
    screen, told = Console(highlight=False), set[tuple[str, int]]()
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        while True:
            job = _seen(doors, name)
            if screen.is_terminal:
                live.update(view(job, screen.height), refresh=True)
            else:
                _tell(job, told)
            if job.status in FINAL or job.status == "interrupted":
                break
            time.sleep(_EVERY)
    show_job(job, home)


def _tell(job: Orchestration, told: set[tuple[str, int]]) -> None:
    for turn in job.turns:
        key = (turn.thread_id, turn.number)
        if turn.status in {"ended", "skipped"} and key not in told:
            told.add(key)
            console.print(Text(f"{turn.thread_id} turn {turn.number}: {turn.ending or turn.status}"))


def _show_thread(doors: Home, job: Orchestration, name: str, *, full: bool, json: bool) -> None:
    known = {thread.thread_id: thread for thread in job.threads}
    if name not in known:
        none = f"has no thread {name!r}" if name else "is not one thread: name the one to show"
        message = f"The job {job.job_id} {none}. It has: {', '.join(known) or 'none yet'}."
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
        show_turn(job, turn, transcripts[turn.number], full=full)


def _plain(event: Turn) -> dict[str, object]:
    return {
        "seq": event.seq,
        "kind": event.kind,
        "trust": event.trust,
        "tool": event.tool,
        "is_error": event.is_error,
        "text": event.text,
    }
