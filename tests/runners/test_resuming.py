"""Killed runs go on: no reply is paid twice, and a tool whose result was saved does not run again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentflows.agent import Job
from agentflows.errors import UsageError
from agentflows.home import Home
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.runners.conftest import MODEL, Run, calls, writer

pytestmark = pytest.mark.usefixtures("sandbox_here")


def note(word: str) -> Reply:
    """A command that leaves a trace each time it runs."""
    return Reply.tool_use("bash", {"command": f"echo {word} >> log"})


def script(request: FakeRequest) -> Reply:
    """Two commands at once, then a third, then the end; by how far the conversation is, not by how often it asks."""
    return {1: calls(note("a"), note("b")), 3: note("c")}.get(
        len(request.body["messages"]), Reply.text("Done.")
    )


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("last", range(1, 7))
def test_a_run_killed_after_any_step_goes_on_after_it(
    run: Run, fake: FakeMessagesAPI, job: Job, home: Home, last: int
):
    """Three replies and three results make six steps; whichever was the last one saved, the rest follows once."""
    fake.script(script)
    kept: list[str] = []

    def keep(state: str) -> None:
        kept.append(state)
        if len(kept) == last:
            raise KilledError

    with pytest.raises(KilledError):
        run(keep=keep)
    done = run(state=kept[-1], keep=kept.append)
    assert done.end == "finished"
    assert len(kept) == 6
    assert len(fake.requests) == 3
    assert (job.workspace / "log").read_text() == "a\nb\nc\n"
    assert [turn.kind for turn in done.session.turns] == [
        "user", "tool_call", "tool_call", "tool_result", "tool_result", "tool_call", "tool_result", "agent",
    ]  # fmt: skip
    spent = home.state.balance("dream:test")
    assert done.usage.total == done.session.usage.total == spent.tokens
    assert done.dollars == pytest.approx(spent.dollars)
    assert not fake.refused


CHILD = """
import os, signal, sys
from pathlib import Path
from agentflows.agent import AgentDefinition, Job
from agentflows.change import Budget
from agentflows.home import open_home

state = Path("state")
left = int(sys.argv[2])

def keep(text):
    global left
    Path("state.new").write_text(text)
    Path("state.new").rename(state)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

with open_home("home", model=sys.argv[1]) as home:
    agent = AgentDefinition(name="writer", prompt="You write.")
    job = Job(job_id="j", task="t", workspace=Path("work"), state=state.read_text() if state.exists() else "")
    print(home.runner(agent, home.purse("x", Budget())).run(agent, job, keep=keep).end)
"""


def test_kill_9_repeats_nothing(fake: FakeMessagesAPI, tmp_path: Path):
    """The real thing: a process of its own, killed after the second step."""
    fake.script(script)
    (tmp_path / "work").mkdir()
    environment = {**os.environ, "ANTHROPIC_BASE_URL": fake.url, "ANTHROPIC_API_KEY": fake.api_key}

    def child(steps: int) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-c", CHILD, MODEL, str(steps)]
        return subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    assert child(2).returncode == -signal.SIGKILL
    last = child(0)
    assert (last.returncode, last.stdout.strip()) == (0, "finished"), last.stderr
    assert len(fake.requests) == 3
    assert (tmp_path / "work" / "log").read_text() == "a\nb\nc\n"


def test_a_finished_run_is_not_asked_again(run: Run, fake: FakeMessagesAPI):
    """Killed after its last reply was saved: the transcript is made of what is there."""
    fake.queue(Reply.text("Done."))
    first = run()
    again = run(state=first.state)
    assert (again.end, again.text, len(fake.requests)) == ("finished", "Done.", 1)


def test_an_agents_ceiling_counts_what_was_spent_before_the_kill(run: Run, fake: FakeMessagesAPI):
    """Else every restart would be a fresh allowance."""
    fake.queue(Reply.tool_use("bash", {"command": "yes | head -c 20000"}), Reply.text("Done."))
    kept: list[str] = []
    run(writer(max_tokens=100_000), keep=kept.append, stop=lambda: "stop" if kept else "")
    spent = json.loads(kept[-1])["talk"]["spent_tokens"]
    assert spent > 0
    assert run(writer(max_tokens=spent + 10_000), state=kept[-1]).end == "cap_reached"


@pytest.mark.parametrize("is_changed", [False, True])
def test_what_was_read_before_the_kill_may_be_overwritten_unless_it_changed(
    run: Run, fake: FakeMessagesAPI, job: Job, *, is_changed: bool
):
    """The agent still has the text in its context; what somebody wrote since it has not."""
    path = job.workspace / "a.txt"
    path.write_text("old")
    fake.queue(Reply.tool_use("read", {"path": "a.txt"}))
    kept: list[str] = []
    run(keep=kept.append, stop=lambda: "stop" if len(kept) > 1 else "")
    if is_changed:
        path.write_text("somebody's")
    fake.queue(Reply.tool_use("write", {"path": "a.txt", "content": "new"}), Reply.text("Done."))
    done = run(state=kept[-1])
    assert (done.end, done.tool_errors) == ("finished", int(is_changed))
    assert path.read_text() == ("somebody's" if is_changed else "new")


def test_a_revision_knows_what_the_draft_read(run: Run, fake: FakeMessagesAPI, job: Job):
    """It goes on in the same context, so the words are there."""
    fake.queue(Reply.tool_use("write", {"path": "a.txt", "content": "one"}), Reply.text("Drafted."))
    state = run().state
    fake.queue(Reply.tool_use("write", {"path": "a.txt", "content": "two"}), Reply.text("Revised."))
    assert run(state=state, job_id="outc_1/attempt/1", feedback="Say two.").tool_errors == 0
    assert (job.workspace / "a.txt").read_text() == "two"


@pytest.mark.parametrize("state", ["{", "[]", '{"version": 99}'])
def test_a_state_of_another_kind_is_refused(run: Run, state: str):
    """With what to do, before anything is spent."""
    with pytest.raises(UsageError, match="Run the job without it"):
        run(state=state)
