"""`agentflows serve`: the deployments of `prefect.yaml` from one process."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit

import httpx2
import typer
from rich.text import Text

from agentflows.cli.output import HomeOption, console, progress_console
from agentflows.deployments import Deployment, read_deployments
from agentflows.diagnosis.server import Server, find_server
from agentflows.errors import ServerError, UsageError
from agentflows.project import load_helper, project_root
from agentflows.settings import load_settings
from agentflows.terminating import terminable

_SECONDS = 10.0
"""How long an answer of the server is waited for."""
_STARTS = 240
"""How often a server that was just started is asked whether it is there, half a second apart."""
_OWN = "http://127.0.0.1:4200/api"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def serve(
    only: Annotated[
        list[str] | None, typer.Option("--only", help="This deployment; repeat for more (default: all)")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Runs that work at once (default: Prefect's own, 5)", min=1)
    ] = None,
    home: HomeOption = None,
    *,
    with_server: Annotated[
        bool,
        typer.Option(
            "--with-server", help="Start a Prefect server too where none is there; it ends with this"
        ),
    ] = False,
) -> None:
    """Serve every deployment of prefect.yaml from this one process: no work pool and no worker are needed.

    The flows and schedules are those of the project in this folder, else those of this installation. It goes on until
    Ctrl-C; then the schedules are paused, and the next start resumes them.
    """
    root = project_root()
    wanted = _chosen(read_deployments(root), only or [])
    if home:
        os.environ["AGENTFLOWS_HOME"] = str(home.expanduser().resolve())
    with (
        terminable(),
        _server(with_server=with_server) as server,
    ):  # the end of a service ends its server, too
        os.environ["PREFECT_API_URL"] = server.url
        console.print(Text(f"Serving the flows of {root} on {server.page} …", style="dim"))
        load_helper("_serve", root).serve(
            root,
            wanted,
            limit=limit,
            told=partial(_tell, server),
            ready=partial(_ready, server, wanted),
        )
        console.print("Ended. Its schedules are paused until the next `agentflows serve`.")


def _chosen(all_there: list[Deployment], only: list[str]) -> list[Deployment]:
    names = [one.name for one in all_there]
    unknown = [name for name in only if name not in names]
    if unknown:
        message = f"--only {unknown[0]}: prefect.yaml has no such deployment. It has: {', '.join(names)}."
        raise UsageError(message)
    return [one for one in all_there if not only or one.name in only]


def _tell(server: Server, one: Deployment, identity: str) -> None:
    when = "; ".join(schedule.when for schedule in one.schedules) or "when asked"
    console.print(Text(f"  {one.name:<17}", style="bold").append(f"{when}\n", style="not bold"), end="")
    console.print(Text(f"  {'':<17}{server.page}/deployments/deployment/{identity}", style="dim"))


def _ready(server: Server, wanted: list[Deployment]) -> None:
    first = wanted[0].name
    console.print(
        Text(
            f"Ready. To run one: open {server.page}/deployments, choose it, Run → Custom run; or\n"
            f"  prefect deployment run {first}/{first}\nCtrl-C ends it."
        )
    )


@contextmanager
def _server(*, with_server: bool) -> Generator[Server]:
    """The server that is named; or, where that is asked for, one started here.

    Raises:
        ServerError: none is named, or the one that is does not answer; the message says what to do.
    """
    named = find_server(_SECONDS)
    if named and _answers(named):
        yield named
        return
    if not with_server:
        raise ServerError(_missing(named))
    server = named or Server(_OWN, "--with-server", {}, _SECONDS)
    if _answers(server):
        yield server
        return
    with _started(server):
        yield server


def named_server() -> Server:
    """The server that is named, and answers.

    Raises:
        ServerError: there is none.
    """
    named = find_server(_SECONDS)
    if named is None or not _answers(named):
        raise ServerError(_missing(named))
    return named


def _answers(server: Server) -> bool:
    try:
        answer = server.get("/admin/version")
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return False
    if answer.status_code in {401, 403}:
        message = f"The Prefect server at {server.told} wants a password or another one. Set PREFECT_API_AUTH_STRING."
        raise ServerError(message)
    return answer.status_code == 200


def _missing(named: Server | None) -> str:
    if named:
        return (
            f"The Prefect server at {named.told} does not answer. Start it (`prefect server start`), correct the "
            "address, or have one started here with `agentflows serve --with-server`."
        )
    return (
        "This needs a Prefect server, and none is named. Have one started here with `agentflows serve --with-server`; "
        f"or run `prefect server start` in another terminal, and `export PREFECT_API_URL={_OWN}` in this one."
    )


@contextmanager
def _started(server: Server) -> Generator[None]:
    """A server on this machine, for as long as this runs, that no other page and no other machine can use.

    Raises:
        ServerError: its address is not on this machine, or it does not start.
    """
    parts = urlsplit(server.url)
    if parts.hostname not in _LOOPBACK or parts.scheme != "http":
        message = f"--with-server starts a server on this machine only, and {server.told} is elsewhere. Unset PREFECT_API_URL."
        raise ServerError(message)
    host, port = str(parts.hostname), parts.port or 80
    progress_console.print(Text(f"Starting a Prefect server at {server.page} (10–20 s) …", style="dim"))
    own = {
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": server.page,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    folder = load_settings().home_path
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = folder / "prefect-server.log"
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, and words of ours
            [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", str(port)],
            env=own | os.environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C ends the runs first, and the server last
        )
    try:
        for _ in range(_STARTS):
            if process.poll() is not None or _answers(server):
                break
            time.sleep(0.5)
        if process.poll() is not None or not _answers(server):
            message = f"The Prefect server at {server.page} did not start. Its log is {log}."
            raise ServerError(message)
        yield
    finally:
        process.terminate()
        process.wait()
