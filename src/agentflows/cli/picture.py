"""`agentflows picture`: what recurs, how sessions went, what dreams, outcomes and jobs cost, as pictures in a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, get_args

import typer

from agentflows.cli.output import HomeOption, JsonOption, StoreOption, console, print_json, print_table
from agentflows.errors import UsageError
from agentflows.home import open_home
from agentflows.pictures import Shown, html_page, picture, table_of
from agentflows.picturing import PICTURES, PictureName, collect

_PATH_WORDS = "Name a file that ends in .svg (one picture) or .html (one or more, with their numbers)."


def pictures(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Which; `all` for all of them; without one, they are listed"
        ),
    ] = None,
    store: StoreOption = "team",
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The file to write: .svg for one picture, or .html", show_default=False),
    ] = None,
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Draw what an installation knows about itself. Without --to, NAME.svg (one) or pictures.html (several) is written here.

    JSON: {pictures: [{name, shows}]} or {file, bytes, pictures: [{name, title, columns, rows}]}
    """
    if not names:
        rows = [[name, shows] for name, shows in PICTURES.items()]
        if json:
            print_json({"pictures": [{"name": name, "shows": shows} for name, shows in PICTURES.items()]})
        else:
            print_table(["picture", "what it shows"], rows)
        return
    wanted = _wanted(names)
    path = to or Path(f"{wanted[0]}.svg" if len(wanted) == 1 else "pictures.html")
    with open_home(home) as doors:
        found = [collect(doors, name, store=store) for name in wanted]
    size = write_pictures(path, f"Pictures of {store}", found)
    if json:
        print_json(
            {
                "file": str(path),
                "bytes": size,
                "pictures": [_told(*pair) for pair in zip(wanted, found, strict=True)],
            }
        )
    else:
        console.print(f"{path}: {', '.join(wanted)} ({size:,} bytes)", markup=False)


def _wanted(names: Sequence[str]) -> list[PictureName]:
    known = get_args(PictureName)
    unknown = [name for name in names if name not in {*known, "all"}]
    if unknown:
        message = f"There is no picture {unknown[0]!r}. There are: {', '.join(known)}, and all."
        raise UsageError(message)
    return [name for name in known if name in names or "all" in names]


def _told(name: PictureName, found: Shown) -> dict[str, object]:
    table = table_of(found)
    return {"name": name, "title": found.title, "columns": table.columns, "rows": table.rows}


def write_pictures(path: Path, title: str, found: Sequence[Shown]) -> int:
    """Write pictures as a file's ending asks for, and return its size in bytes.

    Raises:
        UsageError: the ending is another, is for one picture only, or the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in {".svg", ".html"} or (kind == ".svg" and len(found) != 1):
        message = f"The picture cannot be written to {str(path)!r}. {_PATH_WORDS}"
        raise UsageError(message)
    text = picture(found[0]) if kind == ".svg" else html_page(title, found)
    try:
        return path.write_bytes(text.encode())
    except OSError as error:
        message = f"The picture cannot be written to {str(path)!r}: {error.strerror}. Name another file."
        raise UsageError(message) from error
