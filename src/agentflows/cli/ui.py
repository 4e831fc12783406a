"""`agentflows ui`: the web page of a home, served by this machine."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from agentflows.cli.output import HomeOption, JsonOption, console, print_json
from agentflows.home import open_home

_DEFAULT_PORT = 4280


def ui(
    host: Annotated[
        str,
        typer.Option(
            help="The address to listen on; any but this machine's own asks for the link to read, too"
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one", min=0, max=65535)] = _DEFAULT_PORT,
    by: Annotated[
        str, typer.Option("--by", help="Who decides (default: AGENTFLOWS_REVIEWER or your login)")
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", help="A name this server is reached by, beside its address; repeat for more"
        ),
    ] = None,
    home: HomeOption = None,
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Let the browser that opens the printed link decide on changes")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="Ask for the link to read, too: for a machine that others use")
    ] = False,
    open_: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open", help="Open the browser (default: where there is a terminal and a desktop)"
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Read stores, dreams, sessions, jobs and outcomes in the browser, and with --write decide on held changes.

    It only shows, unless told otherwise. The link printed with --write works once, in one browser. Ctrl-C ends it.

    JSON, before it begins to serve: {url, link, home}
    """
    from agentflows.web import Served

    with open_home(home) as doors:
        served = Served(
            doors,
            host=host,
            port=port,
            can_write=write,
            is_private=private,
            allow_hosts=allow_host or [],
            reviewer=by,
        )

        def begun() -> None:
            _tell(served.url, served.link, doors.settings.home_path, write=write, json=json)
            if _has_desktop() if open_ is None else open_:
                webbrowser.open(served.link)

        try:
            served.run(begun=begun)
        except KeyboardInterrupt:
            console.print()
        finally:
            served.close()


def _tell(url: str, link: str, home: Path, *, write: bool, json: bool) -> None:
    if json:
        print_json({"url": url, "link": link, "home": str(home)})
        sys.stdout.flush()
        return
    what = (
        "Deciding is on: the link works once, in one browser."
        if write
        else "Reading only; --write lets you decide."
    )
    console.print(Text(link, style="bold"))
    console.print(Text(f"{what} Home: {home}. Ctrl-C ends it.", style="dim"))


def _has_desktop() -> bool:
    """Whether a browser that opens would be seen."""
    is_shown = sys.platform in {"darwin", "win32"} or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    return sys.stdout.isatty() and is_shown and "SSH_CONNECTION" not in os.environ
