"""`agentflows ingest`, `dream`, `init` and `demo`."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from agentflows import readers
from agentflows.archive import AddReport
from agentflows.change import Budget
from agentflows.cli.orders import standing_orders
from agentflows.cli.output import FullOption, HomeOption, JsonOption, console, print_json, program
from agentflows.cli.runner import run_flow
from agentflows.cli.show import show_dream, show_ingest
from agentflows.cli.shown import note_shown
from agentflows.dreaming import MAX_INSTRUCTIONS, SessionFilter
from agentflows.errors import UsageError
from agentflows.home import open_home
from agentflows.project import bundled, init_project

HELD = 3
PENDING = 4
_MARK = "agentflows-demo"

VerboseOption = Annotated[bool, typer.Option("--verbose", help="Show Prefect's own log lines too")]


def ingest(
    path: Annotated[str, typer.Argument(help="A folder, a file, or - for standard input")],
    source: Annotated[str, typer.Option("--source", help="The format; auto recognises it")] = "auto",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Read native session logs into the archive: redacted, with the trust of every turn. Idempotent.

    JSON: {files, unchanged_files, added, grown, unchanged, changed, lines, accepted, quarantined, turns, redactions}
    """
    if source not in readers.formats():
        message = f"--source {source}: there is no such format. There are: {', '.join(readers.formats())}."
        raise UsageError(message)
    if path == "-":
        from agentflows.ingesting import ingest_stream

        with open_home(home) as doors:
            report = ingest_stream(doors, sys.stdin.buffer, source=source)
    else:
        answer = run_flow("ingest", verbose=verbose, path=path, source=source, home=str(home or ""))
        report = AddReport.model_validate(answer)
    if json:
        print_json(report)
    else:
        show_ingest(report, home)


def dream(
    store: Annotated[
        str, typer.Option("--store", help="The memory store; created empty when it does not exist")
    ] = "team",
    engine: Annotated[
        Literal["auto", "rules", "claude"],
        typer.Option(help="auto: claude when a key or endpoint is configured, else rules"),
    ] = "auto",
    commit: Annotated[
        Literal["review", "auto"],
        typer.Option(help="review: hold everything; auto: commit what is safe, hold the rest"),
    ] = "review",
    output: Annotated[
        Literal["update_existing", "create_new"],
        typer.Option(help="New versions in this store, or a copy that gets them"),
    ] = "update_existing",
    instructions: Annotated[
        str, typer.Option(help=f"What to look for, up to {MAX_INSTRUCTIONS:,} characters; @FILE reads a file")
    ] = "",
    since: Annotated[
        str, typer.Option(help="Sessions from this date, or this age: 2026-11-01, 7d, 36h")
    ] = "",
    until: Annotated[str, typer.Option(help="Sessions before this date or age")] = "",
    project: Annotated[str, typer.Option(help="Sessions of this project")] = "",
    agent: Annotated[str, typer.Option(help="Sessions of this agent")] = "",
    outcome: Annotated[
        Literal["any", "success", "failure"], typer.Option(help="Sessions that ended so")
    ] = "any",
    query: Annotated[
        str, typer.Option(help="Sessions for which this SQL condition holds: 'errors > 3'")
    ] = "",
    session: Annotated[
        list[str] | None, typer.Option("--session", help="This session; repeat for more")
    ] = None,
    limit: Annotated[int, typer.Option(help="The newest so many sessions; 0 is all", min=0)] = 0,
    support: Annotated[
        int, typer.Option(help="Sessions that must say the same before it is proposed", min=1)
    ] = 2,
    budget_dollars: Annotated[
        float | None, typer.Option(help="Spend at most this, at list price", min=0)
    ] = None,
    budget_tokens: Annotated[int | None, typer.Option(help="Spend at most so many tokens", min=0)] = None,
    model: Annotated[str, typer.Option(help="The model; empty: AGENTFLOWS_MODEL")] = "",
    read_at_most: Annotated[
        int,
        typer.Option(
            help="Read so many sessions anew, chosen by what they show; 0: as the budget allows", min=0
        ),
    ] = 0,
    calls: Annotated[
        Literal["interactive", "batch", "auto"],
        typer.Option(
            help="batch: answered within a day, half the price at Anthropic; auto: where there is much"
        ),
    ] = "interactive",
    probes: Annotated[
        Path | None,
        typer.Option(help="A folder of probes to run with the changed memory; what makes one fail waits"),
    ] = None,
    replay_dollars: Annotated[
        float | None, typer.Option(help="Of the budget, spend at most this on probes", min=0)
    ] = None,
    replay_tokens: Annotated[
        int | None, typer.Option(help="Of the budget, spend at most so many tokens on probes", min=0)
    ] = None,
    dispatch: Annotated[
        Literal["tasks", "deployment", "dask"],
        typer.Option(
            help="tasks: read sessions here; deployment: on the work pool, in parts; dask: on a Dask cluster"
        ),
    ] = "tasks",
    home: HomeOption = None,
    *,
    full: FullOption = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Review past sessions beside a memory store and propose what it should say, with the quotes that prove it.

    Exit code 3 when changes wait for review, 4 when it waits for a batch of model calls: the same command goes on.
    JSON: the whole report: {dream, changes, ledger, coverage, patterns,
    refusals, refused, cost, notes, replay}
    """
    try:
        sessions = SessionFilter(
            since=since,
            until=until,
            project=project,
            agent=agent,
            outcome=outcome,
            query=query,
            ids=session or [],
            limit=limit,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = f"--{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}"
        raise UsageError(message) from error
    answer = run_flow(
        "dream",
        verbose=verbose,
        store=store,
        sessions=sessions,
        engine=engine,
        commit=commit,
        output=output,
        instructions=_text(instructions),
        budget=Budget(dollars=budget_dollars, tokens=budget_tokens),
        support=support,
        model=model,
        read_at_most=read_at_most,
        calls=calls,
        probes=str(probes.expanduser().resolve()) if probes else "",
        replay_budget=Budget(dollars=replay_dollars, tokens=replay_tokens),
        dispatch=dispatch,
        home=str(home or ""),
    )
    with open_home(home) as doors:
        report = doors.state.dream(answer["dream_id"])
        if sys.stdout.isatty() and not json:  # into a log, nobody is shown anything
            note_shown(doors, report.dream.dream_id)
    if json:
        print_json(report)
    else:
        show_dream(report, home, full=full)
    if report.dream.status == "pending":
        raise typer.Exit(PENDING)
    if any(change.status == "held" for change in report.changes):
        raise typer.Exit(HELD)


def _text(value: str) -> str:
    if value.startswith("@"):
        path = Path(value[1:])
        try:
            value = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = (
                f"--instructions {value}: the file cannot be read as UTF-8 text ({error}). Name another."
            )
            raise UsageError(message) from error
    if len(value) > MAX_INSTRUCTIONS:
        message = f"--instructions holds {len(value):,} characters; at most {MAX_INSTRUCTIONS:,} are allowed. Shorten it."
        raise UsageError(message)
    return value


def init(
    folder: Annotated[Path, typer.Argument(help="Where the project goes; made when missing")],
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Lay down a project to edit: flows/, prefect.yaml and the examples. Files that exist are kept.

    A `.gitignore` gets one line more: the file with the password of a Prefect server is not to be committed.

    JSON: {folder, written}
    """
    written = init_project(folder)
    if json:
        print_json({"folder": str(folder), "written": written})
        return
    at_home = f" --home {home}" if home else ""
    here = folder.resolve() == Path.cwd()
    files = "1 file" if len(written) == 1 else f"{len(written)} files"
    console.print(f"{files} written to {'this folder' if here else folder}.", markup=False)
    go = "" if here else f"  cd {folder}\n"
    console.print(
        f"Next:\n{go}  {program()} ingest examples/sessions{at_home}\n"
        f"  {program()} memory import examples/memory --store example{at_home}\n  {program()} dream --store example{at_home}",
        markup=False,
    )


def demo(
    home: HomeOption = None,
    *,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Dream over the bundled example sessions, with no key and no server of your own.

    Exit code 0, also though changes wait for review: a demo that worked has done what it is for.

    JSON: the same object as `agentflows dream`
    """
    folder = _demo_home(home)
    examples = bundled() / "examples"
    os.environ.setdefault("PREFECT_HOME", str(folder / "prefect"))
    read = AddReport.model_validate(
        run_flow("ingest", verbose=verbose, path=str(examples / "sessions"), home=str(folder))
    )
    with open_home(folder) as doors:
        if not any(store.name == "example" for store in doors.state.list_stores()):
            doors.state.create_store("example", "The example project's memory", actor=doors.actor())
            doors.state.import_folder("example", examples / "memory", actor=doors.actor())
    answer = run_flow("dream", verbose=verbose, store="example", engine="rules", home=str(folder))
    with open_home(folder) as doors:
        report = doors.state.dream(answer["dream_id"])
        orders = standing_orders(doors.archive, report)
    if json:
        print_json(report)
        return
    console.print()
    show_ingest(read, folder, demo=True)
    show_dream(report, folder, demo=True, orders=orders)


def _demo_home(home: Path | None) -> Path:
    """A fresh home for the demo: the one given, else one under the temporary folder, made anew each time."""
    if home:
        home.mkdir(
            mode=0o700, parents=True, exist_ok=True
        )  # Prefect makes its own folder in it, and no parents
        return home
    folder = Path(tempfile.gettempdir()) / f"agentflows-demo-{os.getuid()}"
    mark = folder / _MARK
    if folder.exists():
        if not mark.is_file() or folder.is_symlink() or folder.stat().st_uid != os.getuid():
            message = f"{folder} exists and is not from an earlier demo. Name another folder with --home."
            raise UsageError(message)
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    mark.write_text("Made by `agentflows demo`; the next demo replaces it.\n", "utf-8")
    return folder
