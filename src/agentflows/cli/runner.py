"""Run a flow from the command line: progress on standard error, errors as one line, Prefect's own noise out."""

import logging
import os
import warnings
from typing import Any

from rich.text import Text

from agentflows.cli.output import progress_console
from agentflows.project import load_flow

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
        if getattr(record, "progress", False):
            progress_console.print(Text(record.getMessage(), style="dim"))


def run_flow(name: str, *, verbose: bool = False, **parameters: Any) -> Any:
    """Run the flow called `name` here and now, and return what it returns.

    With `PREFECT_API_URL` set it is recorded there; else Prefect starts a temporary server.
    """
    if not verbose:
        for variable, value in _QUIET.items():
            os.environ.setdefault(variable, value)
        warnings.filterwarnings("ignore", module="prefect")
    server = os.environ.get("PREFECT_API_URL", "")
    where = f"on {server}" if server else "with a temporary server (10–20 s to start)"
    progress_console.print(Text(f"Starting Prefect {where} …", style="dim"))
    flow = load_flow(name)
    handler = _Progress()
    loggers = [logging.getLogger("prefect.flow_runs"), logging.getLogger("prefect.task_runs")]
    if not verbose:
        for logger in loggers:
            logger.addHandler(handler)
    try:
        return flow(**parameters)
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
