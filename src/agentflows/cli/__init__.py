"""The command line: `agentflows …`.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but held for review, 4 waiting for a batch. With `--json`, standard output is one
JSON object; progress and logs go to standard error.
"""

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from agentflows import __version__
from agentflows.cli.commands import COMMANDS, Commands, listed
from agentflows.cli.output import report_error
from agentflows.errors import AgentflowsError, UsageError
from agentflows.terminating import ENDINGS, TerminatedError, end_by, terminable

_WRONG_USE: type[Exception] = typer.BadParameter.__mro__[1]
"""The parser's own error; which package it comes from depends on typer's version."""


@contextmanager
def _in_our_words() -> Generator[None, None, None]:
    """Turn Ctrl-C, and with `--json` wrong use too, into our errors before typer prints its own.

    Raises:
        AgentflowsError: the user interrupted.
        UsageError: the command line is not what the command takes.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        message = "Interrupted. What was read stays read; run the same command again to go on."
        raise AgentflowsError(message) from error
    except _WRONG_USE as error:
        if "--json" not in sys.argv:
            raise
        raise UsageError(str(getattr(error, "format_message", error.__str__)())) from error


class _Commands(TyperGroup):
    """The command group: each command is imported when it is used; errors are in our words."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Commands()
        self._is_listing = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's form
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self._is_listing and cmd_name in COMMANDS:
            return listed(cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._is_listing = True
        super().format_help(ctx, formatter)

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _in_our_words():
            return super().make_context(*args, **extra)

    def invoke(self, *args: Any, **extra: Any) -> Any:
        with _in_our_words():
            return super().invoke(*args, **extra)


app = typer.Typer(
    name="agentflows",
    cls=_Commands,
    help="Agents that learn from their own past work, on your own Prefect, with proof for every memory.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but held for review, 4 waiting for a batch of model calls.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's form
    if wanted:
        typer.echo(f"agentflows {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True),
) -> None:
    """Read the options before any command."""
    del version


class _End:
    """The last thing that happens here: registered first, it runs last, when all that is ours has been said and closed."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def by(self, error: TerminatedError) -> None:
        """Say so, and end of the signal when all is closed; being asked again changes nothing."""
        self.signal = error.signal
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        message = (
            f"Ended by {error.signal.name}. What was read stays read; run the same command again to go on."
        )
        with contextlib.suppress(OSError):  # the terminal may be what is gone
            report_error(AgentflowsError(message), as_json="--json" in sys.argv)

    def __call__(self) -> None:
        """Let nothing print after the interpreter has begun to shut down.

        DuckDB's bindings then list every object that Prefect's daemon threads still hold, some fifty lines that
        say nothing to a user.
        """
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if self.signal is not None:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
            end_by(self.signal)


def main() -> None:
    """Run the command line; every error of ours is one line and an exit code."""
    end = _End()
    atexit.register(end)
    try:
        with terminable():
            _run()
    except TerminatedError as error:
        end.by(error)
        raise


def _run() -> None:
    try:
        app()
    except AgentflowsError as error:
        report_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        message = f"The system refused: {error.strerror or error}{place}. Check space and rights, then run the same command again."
        report_error(AgentflowsError(message), as_json="--json" in sys.argv)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("Interrupted.", err=True)
        sys.exit(1)
