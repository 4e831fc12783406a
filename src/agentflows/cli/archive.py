"""`agentflows archive`: question all sessions."""

from typing import Annotated

import typer
from pydantic import BaseModel

from agentflows.archive import Archive
from agentflows.cli.output import (
    HomeOption,
    JsonOption,
    PictureOption,
    console,
    print_json,
    print_rows,
    print_table,
)
from agentflows.cli.show import show_stats
from agentflows.errors import NotFoundError
from agentflows.home import open_home

app = typer.Typer(
    help="Question all archived sessions: figures, text search, pattern queries, SQL.", no_args_is_help=True
)


@app.command()
def stats(home: HomeOption = None, *, json: JsonOption = False) -> None:
    """How much the archive holds, of what, from when to when.

    JSON: {sessions, turns, …}
    """
    with open_home(home) as doors:
        found = doors.archive.stats()
    if json:
        print_json(found)
    else:
        show_stats(found)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Words to find; case does not matter")],
    limit: Annotated[int, typer.Option(help="At most so many hits", min=1)] = 20,
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Find text: what users and agents said and errors first, tool output last.

    JSON: {hits: [{session_id, seq, kind, snippet, …}]}
    """
    with open_home(home) as doors:
        hits = doors.archive.search(text, limit=limit)
    if json:
        print_json({"hits": hits})
    elif hits:
        print_table(
            ["address", "kind", "text"],
            [[f"{hit.session_id}#{hit.seq}", hit.kind, hit.snippet] for hit in hits],
        )
    else:
        console.print(f"Nothing in the archive says {text!r}.", markup=False)


@app.command()
def patterns(
    name: Annotated[str, typer.Argument(help="The query to run; without it, they are listed")] = "",
    limit: Annotated[int, typer.Option(help="At most so many rows", min=1)] = 20,
    home: HomeOption = None,
    *,
    sql: Annotated[bool, typer.Option("--sql", help="Print the query's SQL instead of running it")] = False,
    picture: PictureOption = None,
    store: Annotated[
        str, typer.Option("--store", help="With --picture: mark the versions of this store")
    ] = "",
    json: JsonOption = False,
) -> None:
    """List the named pattern queries, or run one over the whole archive.

    JSON: {patterns: [{name, title, description, columns}]} or {pattern, rows}; with --picture {file, bytes}
    """
    known = {item.name: item for item in Archive.patterns()}
    if not name:
        if json:
            print_json({"patterns": list(known.values())})
        else:
            print_table(["pattern", "what it finds"], [[item.name, item.title] for item in known.values()])
        return
    if name not in known:
        message = f"There is no pattern {name!r}. There are: {', '.join(known)}."
        raise NotFoundError(message)
    if sql:
        print_json({"pattern": known[name]}) if json else typer.echo(known[name].sql)
        return
    with open_home(home) as doors:
        if picture is not None:
            from agentflows.cli.picture import write_pictures
            from agentflows.picturing import picture_pattern

            size = write_pictures(picture, known[name].title, [picture_pattern(doors, name, store=store)])
            print_json({"file": str(picture), "bytes": size}) if json else console.print(
                f"{picture}: {known[name].title} over time ({size:,} bytes)", markup=False
            )
            return
        rows = doors.archive.pattern(name, limit=limit)
    if json:
        print_json({"pattern": known[name], "rows": rows})
        return
    console.print(known[name].description, markup=False, style="dim")
    if rows:
        print_rows(rows)
    else:
        console.print("No rows.")


@app.command()
def sql(
    query: Annotated[
        str, typer.Argument(help="A SELECT over sessions, turns, steps, texts, checks, pattern_…")
    ],
    limit: Annotated[int, typer.Option(help="At most so many rows", min=1)] = 100,
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Run your own SQL, read-only, with no access to other files.

    JSON: {columns, rows}
    """
    with open_home(home) as doors:
        table = doors.archive.sql(query, limit=limit)
    if json:
        print_json({"columns": table.columns, "rows": table.rows})
    elif table.rows:
        print_rows([dict(zip(table.columns, row, strict=True)) for row in table.rows])
    else:
        console.print(f"No rows. Columns: {', '.join(table.columns)}", markup=False)


@app.command()
def rebuild(home: HomeOption = None, *, json: JsonOption = False) -> None:
    """Read every archived raw line again with today's readers. Nothing but the archive itself is needed.

    JSON: {sources, same, different, kept, new}
    """
    from agentflows import readers

    with open_home(home) as doors:
        report = doors.archive.rebuild(readers.read_raw)
    _say(report, json=json)


@app.command()
def compact(home: HomeOption = None, *, json: JsonOption = False) -> None:
    """Merge small files, and drop what killed runs left behind. Safe while others read and add.

    JSON: {…} what was merged and dropped
    """
    with open_home(home) as doors:
        report = doors.archive.compact()
    _say(report, json=json)


@app.command()
def verify(home: HomeOption = None, *, json: JsonOption = False) -> None:
    """Read every file back and check its sha256 and row hashes. Exit code 1 when something does not match.

    JSON: {problems: […]}
    """
    with open_home(home) as doors:
        problems = doors.archive.verify()
    if json:
        print_json({"problems": problems})
    for problem in problems if not json else []:
        console.print(problem, markup=False, style="red")
    if problems:
        raise typer.Exit(1)
    if not json:
        console.print("Every file holds what was written.")


def _say(report: BaseModel, *, json: bool) -> None:
    if json:
        print_json(report)
    else:
        print_table(
            ["", ""], [[name.replace("_", " "), value] for name, value in report.model_dump().items()]
        )
