"""A command that is asked to end takes with it what it started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentflows.terminating import TerminatedError, terminable
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


@pytest.fixture
def hangup() -> Iterator[Callable[[signal.Handlers], object]]:
    """What SIGHUP does when the command begins; afterwards it does what it did before."""
    before = signal.getsignal(signal.SIGHUP)
    yield lambda handler: signal.signal(signal.SIGHUP, handler)
    signal.signal(signal.SIGHUP, before)


def test_what_nohup_ignores_stays_ignored(hangup: Callable[[signal.Handlers], object]):
    """Who starts a long dream and logs out wants it to go on."""
    hangup(signal.SIG_IGN)
    with terminable():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_asked_twice_it_ends_once(hangup: Callable[[signal.Handlers], object]):
    """`timeout` asks the process and then its group: the second must not cut off what the first has closed."""
    hangup(signal.SIG_DFL)
    closed: list[str] = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGHUP)
            closed.append("server")

    with pytest.raises(TerminatedError) as ended, terminable():
        work()
    assert (ended.value.signal, ended.value.code, closed) == (signal.SIGHUP, 129, ["server"])
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
