"""A command that is asked to end takes with it what it started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import command_line

WITHIN = 120
"""Seconds that a busy machine may need."""


def servers(home: Path) -> list[int]:
    """The processes of Prefect servers over that folder."""
    found: list[int] = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                variables = (place / "environ").read_bytes().split(b"\0")
                is_server = b"uvicorn" in (place / "cmdline").read_bytes().split(b"\0")
                if is_server and f"PREFECT_HOME={home}".encode() in variables:
                    found.append(int(place.name))
    return found


def until(is_so: Callable[[], object]) -> bool:
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.05)
    return False


def is_read(pipe: Path) -> bool:
    """Whether somebody has opened it to read: nothing comes, so they wait."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.parametrize("moment", ["the server starts", "a flow runs"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_temporary_server_outlives_a_command_that_is_asked_to_end(
    tmp_path: Path, number: signal.Signals, moment: str
):
    """`timeout 300 agentflows …` every night would leave as many servers, which answer everybody on this machine."""
    prefect, log = tmp_path / "prefect", tmp_path / "sessions.jsonl"
    os.mkfifo(log)
    variables = {
        name: value for name, value in command_line.foreign_variables().items() if "PREFECT" not in name
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "agentflows", "ingest", str(log), "--home", str(tmp_path / "home")],
        cwd=tmp_path,
        env=variables | {"PREFECT_HOME": str(prefect), "COLUMNS": "400"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert until(lambda: is_read(log) if moment == "a flow runs" else servers(prefect))
        process.send_signal(number)
        _, said = process.communicate(timeout=WITHIN)
        left = servers(prefect)
    finally:
        process.kill()
        for server in servers(prefect):
            os.kill(server, signal.SIGKILL)
    assert left == []
    assert process.returncode == -number
    assert f"Ended by {number.name}" in said
    assert "Traceback" not in said
