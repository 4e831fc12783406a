"""What the command line says when it starts a flow: which server, whose flows."""

import io
import os
import subprocess
from pathlib import Path

import pytest

from agentflows.cli.output import ProgressConsole
from agentflows.project import init_project
from tests import command_line
from tests.conftest import EXAMPLES

NOWHERE = "http://127.0.0.1:9/api"
"""Port 9 is `discard`: nothing answers there."""


def ingest(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """`agentflows ingest` in `folder`, with a server that is not there."""
    words = ["ingest", str(EXAMPLES / "sessions"), "--home", str(tmp_path / "home")]
    environment = {"PREFECT_API_URL": NOWHERE, "PREFECT_HOME": str(tmp_path / "prefect"), "COLUMNS": "400"}
    return command_line.run(*words, environment=os.environ | environment, folder=folder)


def test_a_server_that_cannot_be_reached_is_one_line_and_names_the_variable(tmp_path: Path):
    """A traceback of forty frames does not say that a variable is stale."""
    done = ingest(tmp_path, tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"The Prefect server at {NOWHERE}" in done.stderr
    assert "unset PREFECT_API_URL" in done.stderr


@pytest.mark.parametrize("marked", [True, False])
def test_the_start_line_says_whose_flows_run(tmp_path: Path, marked: bool):  # noqa: FBT001
    """Flows of the current folder are code; whoever runs it should see that it does."""
    folder = tmp_path / "project"
    init_project(folder)
    code = folder / "flows" / "ingest.py"
    code.write_text(f"import pathlib\npathlib.Path('ran').write_text('')\n{code.read_text()}")
    if not marked:
        (folder / ".agentflows-project").unlink()
    done = ingest(folder, tmp_path)
    assert (folder / "ran").exists() == marked
    assert ("flows from ./flows" in done.stderr) == marked
    assert ("./flows is not run" in done.stderr) != marked


class Gone(io.StringIO):
    """A pipe that nobody reads."""

    def write(self, _: str, /) -> int:
        raise BrokenPipeError


def test_whoever_reads_no_more_progress_ends_no_work():
    """`2>&1 | head -3` ended the thread that said the fourth line, and sent the answer on standard output nowhere."""
    before, screen = os.fstat(1), ProgressConsole(file=Gone())
    for line in ("one", "two"):
        screen.print(line)
    assert screen.quiet
    assert os.fstat(1) == before
