"""The command line: `agentflows …`.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but held for review. With `--json`, standard output is one
JSON object; progress and logs go to standard error.
"""

import atexit
import os
import sys

import typer

from agentflows import __version__
from agentflows.cli import archive, memory, review, work
from agentflows.cli.output import report_error
from agentflows.errors import AgentflowsError

app = typer.Typer(
    name="agentflows",
    help="Agents that learn from their own past work, on your own Prefect, with proof for every memory.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but held for review.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("ingest")(work.ingest)
app.command("dream")(work.dream)
app.add_typer(review.app, name="review")
app.add_typer(memory.app, name="memory")
app.add_typer(archive.app, name="archive")
app.command("init")(work.init)
app.command("demo")(work.demo)


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


def _end_quietly() -> None:
    """Let nothing print after the interpreter has begun to shut down.

    DuckDB's bindings then list every object that Prefect's daemon threads still hold, some fifty lines that
    say nothing to a user. Registered first, this runs last, when all that is ours has been said.
    """
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def main() -> None:
    """Run the command line; every error of ours is one line and an exit code."""
    atexit.register(_end_quietly)
    try:
        app()
    except AgentflowsError as error:
        report_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("Interrupted. What was read stays read; run the same command again to go on.", err=True)
        sys.exit(1)
