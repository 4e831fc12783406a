"""`agentflows threads JOB --watch` in a real terminal: it fits, it moves, and it ends with the job."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentflows.home import Home
from agentflows.pursuing.holding import Hold
from agentflows.team import Orchestration, SubTask, Thread, ThreadTurn
from tests.command_line import foreign_variables, run

ROWS, COLUMNS = 24, 80
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def put(home: Home, number: int, *, ended: bool) -> None:
    """One thread of the job, at work or at its end."""
    now = datetime.now(UTC).replace(tzinfo=None)
    name = f"reader-{number}"
    home.state.open_thread(Thread(thread_id=name, job_id="job_x", agent="reader", created_at=now))
    order = SubTask(
        subtask_id=f"part-{number}", agent="reader", task=f"Read part {number} " + "of much " * 20
    )
    turn = ThreadTurn(job_id="job_x", thread_id=name, number=0, order=order, status="running", started_at=now)
    done = {"status": "ended", "ending": "succeeded", "ended_at": now, "report": "read it"}
    home.state.put_turn(turn.model_copy(update=done) if ended else turn)


@pytest.fixture
def job(home: Home, tmp_path: Path, request: pytest.FixtureRequest) -> Orchestration:
    """A job with so many threads, every third at work, held by this process."""
    begun = Orchestration(
        job_id="job_x", title="Read", task="Read", team="t", workspace=str(tmp_path), mode="live", status="running"
    )  # fmt: skip
    home.state.begin_job(begun, base_id="x", request="{}")
    for number in range(request.param):
        put(home, number, ended=number % 3 > 0)
    return begun


def end(home: Home, threads: int) -> None:
    """Every turn, then the job."""
    for number in range(threads):
        put(home, number, ended=True)
    home.state.save_job(home.state.job("job_x").model_copy(update={"status": "succeeded"}))


def watched(home: Home, threads: int) -> tuple[str, int]:
    """What the terminal got, and the exit code; the job ends once the first picture was seen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    words = [
        sys.executable,
        "-m",
        "agentflows",
        "threads",
        "job_x",
        "--watch",
        "--home",
        str(home.settings.home_path),
    ]
    variables = {**foreign_variables(), "TERM": "xterm-256color"}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        variables.pop(name, None)
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=variables)
    os.close(theirs)
    seen, until, is_ended = b"", time.monotonic() + 120, False
    while time.monotonic() < until:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                seen += os.read(ours, 1 << 16)
            except OSError:  # the other side closed it
                break
        elif seen.count(b"reader-") > 1 and not is_ended:
            is_ended = True
            end(home, threads)
        elif process.poll() is not None:
            break
    os.close(ours)
    return seen.decode(), process.wait(60)


@pytest.mark.parametrize("job", [6, pytest.param(60, id="60")], indirect=True)
def test_it_fits_the_terminal_shows_what_is_at_work_and_ends_with_the_job(
    home: Home, job: Orchestration, tmp_path: Path, request: pytest.FixtureRequest
):
    """Six threads and sixty: no line is wrapped by the terminal, and the first picture has every thread at work that fits."""
    threads = len(home.state.job("job_x").threads)
    hold = Hold(home.state, job.workspace, "tester", "job_x")
    try:
        seen, code = watched(home, threads)
    finally:
        hold.close()
    assert code == 0, seen
    first = _CODES.sub("", seen.split("Job job_x")[0].split("\x1b[2K")[0]).replace("\r", "")
    lines = [line for line in first.split("\n") if line.strip()]
    assert len(lines) <= ROWS
    assert max(map(len, lines)) <= COLUMNS
    at_work = [line for line in lines if "running" in line and line.startswith("reader-")]
    assert len(at_work) == min(-(-threads // 3), ROWS - 4)
    assert ("… 40 more" in first) is (threads == 60)
    last = _CODES.sub("", seen.rpartition("Job job_x")[2])
    assert "succeeded" in last
    assert last.count("reader-") >= threads  # the whole job stands there when it has ended


@pytest.mark.parametrize("job", [6], indirect=True)
def test_without_a_terminal_each_turn_is_said_once_as_it_ends(home: Home, job: Orchestration):
    """A log gets lines, not pictures."""
    hold = Hold(home.state, job.workspace, "tester", "job_x")
    timer = threading.Timer(3, end, (home, 6))
    timer.start()
    try:
        answer = run("threads", "job_x", "--watch", "--home", home.settings.home_path)
    finally:
        timer.join()
        hold.close()
    assert answer.returncode == 0
    assert "\x1b" not in answer.stdout
    told = answer.stdout.split("Job job_x")[0].splitlines()
    assert sorted(told) == [f"reader-{number} turn 0: succeeded" for number in range(6)]


@pytest.mark.parametrize("job", [6], indirect=True)
def test_a_job_that_nobody_works_on_is_shown_and_not_waited_for(home: Home, job: Orchestration):
    """Whoever led it was killed and cannot say so."""
    answer = run("threads", "job_x", "--watch", "--home", home.settings.home_path)
    assert answer.returncode == 0
    assert f"--resume {job.job_id}" in answer.stdout
