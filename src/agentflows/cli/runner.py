"""Run a flow from the command line: progress on standard error, errors as one line, Prefect's own noise out."""

import logging
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.text import Text

from agentflows.cli.output import progress_console
from agentflows.errors import AgentflowsError, ServerError
from agentflows.marks import reveal
from agentflows.project import MARKER, flows_folder, load_flow

_UNREACHABLE = "Failed to reach API at "
"""How Prefect's message begins; it has no class of its own for this."""
_NOT_STARTED = "Timed out while attempting to connect to ephemeral"
"""The same for a temporary server."""
_QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # Two busy cores have been seen to need more than Prefect's 20 s.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}


class _Progress(logging.Handler):
    """Prints the lines a flow marks as progress."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # a full disk behind standard error is no reason to end what runs
            self._print(record)

    def _print(self, record: logging.LogRecord) -> None:
        if getattr(record, "progress", False):
            progress_console.print(Text(reveal(record.getMessage()), style="dim"))


def run_flow(name: str, *, verbose: bool = False, **parameters: Any) -> Any:
    """Run the flow called `name` here and now, and return what it returns.

    With `PREFECT_API_URL` set it is recorded there; else Prefect starts a temporary server.

    Raises:
        ServerError: that server cannot be reached, or failed while the flow ran.
    """
    if not verbose:
        for variable, value in _QUIET.items():
            os.environ.setdefault(variable, value)
        warnings.filterwarnings("ignore", module="prefect")
    server = os.environ.get("PREFECT_API_URL", "")
    where = f"on {server}" if server else "with a temporary server (10–20 s to start)"
    progress_console.print(Text(f"Starting Prefect {where}{_whose_flows()} …", style="dim"))
    if not server:
        _check_prefect_home()
    flow = load_flow(name)
    handler = _Progress()
    loggers = [logging.getLogger("prefect.flow_runs"), logging.getLogger("prefect.task_runs")]
    if not verbose:
        for logger in loggers:
            logger.addHandler(handler)
    try:
        return flow(**parameters)
    except AgentflowsError:
        raise
    except Exception as error:
        failure = _server_failure(error)
        if failure is None:
            raise
        raise failure from error
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def _whose_flows() -> str:
    """Where the flows come from, when a folder of the user's has a say in it: they are code that runs."""
    if flows_folder():
        return ", flows from ./flows"
    if Path("flows/dream.py").is_file():
        return f" (./flows is not run: `agentflows init` makes a project, with {MARKER} and prefect.yaml)"
    return ""


def _check_prefect_home() -> None:
    """A temporary server that cannot write its folder would be waited for until the time is up.

    Raises:
        ServerError: the folder can be neither made nor written.
    """
    folder = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "no right to write there"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        message = f"Prefect's folder {folder} cannot be used: {reason}. Name another in PREFECT_HOME."
        raise ServerError(message)


def _server_failure(error: Exception) -> ServerError | None:
    """The error in our words when it is Prefect's and not of what it ran."""
    text = str(error).strip().split("\n")[0]
    if text.startswith(_UNREACHABLE):
        return _unreachable(text.removeprefix(_UNREACHABLE))
    if text.startswith(_NOT_STARTED):
        return ServerError(
            "Prefect's temporary server did not start in time. Run again with --verbose to see its log; or start one "
            "with `prefect server start`, and set PREFECT_API_URL to its address."
        )
    if type(error).__module__.partition(".")[0] not in {"prefect", "httpx"}:
        return None
    return ServerError(
        f"The Prefect server failed while this ran ({type(error).__name__}: {text}). What was read stays read; see that "
        "the server runs, and run the same command again."
    )


def _unreachable(url: str) -> ServerError:
    named = "PREFECT_API_URL names it" if os.environ.get("PREFECT_API_URL") else "Prefect's profile names it"
    unset = (
        "unset PREFECT_API_URL"
        if os.environ.get("PREFECT_API_URL")
        else "prefect config unset PREFECT_API_URL"
    )
    return ServerError(
        f"The Prefect server at {url} cannot be reached ({named}). Start it, or correct the address; "
        f"`{unset}` has agentflows start a temporary one."
    )
