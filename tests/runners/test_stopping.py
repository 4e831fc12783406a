"""What an agent has started ends when the run is to end, and when the process that watches over it dies."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentflows.agent import AgentDefinition, Job
from agentflows.runners import CommandRunner
from agentflows.testing import FakeMessagesAPI, Reply
from tests.runners.conftest import Run, writer
from tests.runners.test_python import is_gone

WITHIN = 60.0
"""Seconds in which what must happen happens, on a busy machine too."""


def until(is_so: Callable[[], object]) -> bool:
    """Wait for it."""
    end = time.monotonic() + WITHIN
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def has_process(word: str) -> bool:
    """Whether any process of this machine has this among its words."""
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in found.read_bytes():
                return True
        except OSError:  # it ended meanwhile
            continue
    return False


def asks(begun: Path) -> Callable[[], str]:
    """Somebody who wants it to end once it has begun."""
    return lambda: "enough" if begun.exists() else ""


def test_a_command_is_stopped_midway_with_all_it_started(job: Job):
    """Else it would go on writing into a workspace that nobody watches."""
    script = "sleep 300 & echo $! > child; echo some words; echo $$ > begun; wait"
    agent = writer(runner="command", command=("/bin/sh", "-c", script))
    done = CommandRunner().run(agent, job, stop=asks(job.workspace / "begun"))
    assert (done.end, done.detail, done.text) == ("interrupted", "enough", "some words")
    assert is_gone(int((job.workspace / "begun").read_text()))
    assert is_gone(int((job.workspace / "child").read_text()))


@pytest.mark.usefixtures("sandbox_here")
def test_a_command_behind_walls_is_stopped_midway_too(job: Job):
    """Its numbers mean nothing outside, so it is looked for by a word of its own."""
    word = f"300.{secrets.randbelow(10**9):09}"
    agent = writer(
        runner="command",
        command=("/bin/sh", "-c", f"echo said; touch begun; sleep {word}"),
        sandbox="required",
    )
    done = CommandRunner().run(agent, job, stop=asks(job.workspace / "begun"))
    assert (done.end, done.detail, done.text) == ("interrupted", "enough", "said")
    assert not has_process(word)


@pytest.mark.usefixtures("sandbox_here")
def test_a_tools_command_is_stopped_midway_too(run: Run, fake: FakeMessagesAPI, job: Job):
    """Nobody waits two minutes for the end of a build that nobody wants any more."""
    word = f"300.{secrets.randbelow(10**9):09}"
    fake.queue(Reply.tool_use("bash", {"command": f"touch begun; sleep {word}"}))
    done = run(stop=asks(job.workspace / "begun"))
    assert (done.end, done.detail) == ("interrupted", "enough")
    assert not has_process(word)
    assert len(fake.requests) == 1
    assert "the run is to end" in done.session.turns[-2].text


CHILD = """
import sys
from pathlib import Path
from agentflows.agent import AgentDefinition
from agentflows.pursuing import pursue

here = Path.cwd()
agent = AgentDefinition(name="w", prompt="p", runner="command", sha256="1", command=("/bin/sh", "-c", SCRIPT))
pursue("Wait", rubric="- **a**: A.\\n  check: exists a.txt\\n", agent=agent, workspace=here / "work", home=here / "home")
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_nothing_outlives_the_process_that_watches(tmp_path: Path, number: signal.Signals):
    """The next run of the same command would share the workspace with what is left of this one."""
    (tmp_path / "work").mkdir()
    script = "cat > ../told; sleep 300 & echo $! > ../child; echo $$ > ../begun.new; mv ../begun.new ../begun; wait"
    begun = tmp_path / "begun"
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.replace("SCRIPT", repr(script))],
        cwd=tmp_path,
        env={**os.environ, "AGENTFLOWS_HOME": str(tmp_path / "home")},
        stderr=subprocess.DEVNULL,
    )
    try:
        assert until(begun.exists)
        process.send_signal(number)
        assert process.wait(WITHIN) != 0
    finally:
        process.kill()
    for name in ("begun", "child"):
        left = int((tmp_path / name).read_text())
        assert until(lambda left=left: is_gone(left)), name


def test_a_guard_leaves_with_what_it_guards(job: Job):
    """One shell for each command would soon be many."""
    before = _children()
    agent = AgentDefinition(name="w", prompt="p", runner="command", command=("/bin/true",))
    assert CommandRunner().run(agent, job).end == "finished"
    assert _children() == before


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
