"""What every command prints: text for people, or one JSON object for programs."""

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from agentflows.errors import AgentflowsError, UsageError
from agentflows.marks import reveal

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="The home folder (default: AGENTFLOWS_HOME or ~/.agentflows)",
        show_default=False,
        readable=False,  # whoever opens it says what is wrong, and in one line
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output")]
FullOption = Annotated[bool, typer.Option("--full", help="Show all quotes and all refusals")]
StoreOption = Annotated[str, typer.Option("--store", help="The memory store's name or id")]
PictureOption = Annotated[
    Path | None,
    typer.Option(
        "--picture", help="Write a picture to this file: .svg, or .html with its numbers", show_default=False
    ),
]

_LISTED = 3
_ID = re.compile(r"[a-z]+_[0-9a-f]{8,}")
console = Console(highlight=False, soft_wrap=True)


class ProgressConsole(Console):
    """Standard error. Whoever has read enough of it (`2>&1 | head`) ends no work, in whatever thread that says a line."""

    def on_broken_pipe(self) -> None:
        """Say nothing more. Rich would send the answer on standard output nowhere, and end the thread."""
        self.quiet = True


progress_console = ProgressConsole(stderr=True, highlight=False, soft_wrap=True)


def program() -> str:
    """How this program was called, so that printed commands can be copied."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{_near(Path(sys.executable))} -m agentflows"
    on_path = shutil.which(called.name)
    return called.name if on_path and Path(on_path).resolve() == called.resolve() else _near(called)


def _near(path: Path) -> str:
    try:
        return str(Path(os.path.abspath(path)).relative_to(Path.cwd()))  # noqa: PTH100 - links stay links
    except ValueError:
        return str(path)


def as_json(value: Any) -> str:
    """One JSON object; models as their fields."""

    def plain(item: object) -> object:
        return item.model_dump(mode="json") if isinstance(item, BaseModel) else str(item)

    return json.dumps(value, default=plain, ensure_ascii=False, indent=2)


def task_text(given: str) -> str:
    """A task as it was given, or the text of the file that `@FILE` names.

    Raises:
        UsageError: the file cannot be read as text.
    """
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"The task cannot be read from {given[1:]!r}: {error}. Name a text file after the @."
        raise UsageError(message) from error


def print_json(value: Any) -> None:
    """Write one JSON object to standard output."""
    sys.stdout.write(as_json(value) + "\n")


def report_error(error: AgentflowsError, *, as_json: bool) -> None:
    """One line on standard error; with `--json` also `{"error": {"type", "message"}}` on standard output."""
    progress_console.print(Text(reveal(f"Error: {error}"), style="red"))
    if as_json:
        with contextlib.suppress(OSError):  # where nothing more can be written, the exit code has to do
            print_json({"error": {"type": type(error).__name__, "message": str(error)}})


def warn(warnings: Sequence[str]) -> None:
    """One line each on standard error: what was read and has no effect."""
    for line in warnings:
        progress_console.print(Text(reveal(f"Warning: {line}"), style="yellow"))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """A table; control characters from transcripts are made visible."""
    table = RichTable(
        title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False
    )
    cells = [[reveal(_cell(value)) for value in row] for row in rows]
    for place, name in enumerate(columns):
        is_copied = any(
            _ID.fullmatch(row[place]) for row in cells
        )  # whole, by whoever gives it to the next command
        table.add_column(name, overflow="fold", no_wrap=is_copied)
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def print_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """Rows of a query: as a table where it fits the terminal, else one block per row."""
    columns = list(rows[0])
    cells = [[reveal(_cell(value)) for value in row.values()] for row in rows]
    widths = [max(len(line[place]) for line in [columns, *cells]) for place in range(len(columns))]
    if sum(widths) + 2 * len(columns) <= console.width:
        print_table(columns, [list(row.values()) for row in rows])
        return
    label = max(len(name) for name in columns)
    for number, line in enumerate(cells, 1):
        console.print(Text(f"{number}", style="bold cyan"))
        for name, cell in zip(columns, line, strict=True):
            if cell:
                console.print(Text(f"  {name:<{label}}  ", style="dim").append(cell, style="default"))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.3g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list):
        some = cast("list[object]", value)
        value = ", ".join(str(item) for item in some[:_LISTED]) + (
            f", … {len(some) - _LISTED} more" if len(some) > _LISTED else ""
        )
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else text[:199] + "…"
