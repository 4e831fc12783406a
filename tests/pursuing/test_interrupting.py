"""An attempt that was interrupted midway is gone on with, or made again; what it left is never taken for a version."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentflows.agent import AgentDefinition
from agentflows.home import Home, open_home
from agentflows.pursuing import Grading, pursue, resume
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.pursuing.conftest import verdicts

RUBRIC = "- **rain**: The notes name rain.\n  check: regex notes.md `rain`\n"


@contextmanager
def stopping(home: Home, begun: Path) -> Generator[None]:
    """Somebody in another process asks it to end once the agent has begun."""

    def ask() -> None:
        with open_home(home.settings.home_path) as doors:
            end = time.monotonic() + 60
            while not begun.exists() and time.monotonic() < end:
                time.sleep(0.02)
            doors.state.ask_stop(doors.state.outcomes(limit=1)[0].outcome_id, "enough")

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    thread.join()


def test_a_command_that_was_stopped_begins_anew_and_its_second_run_is_graded(home: Home, workspace: Path):
    """The half-written file of the first run is gone when the second begins, and what it writes is what is graded."""
    begun = workspace.parent / "begun"
    script = f"""
    ls > {workspace.parent}/found
    if [ -e {begun} ]; then echo rain > notes.md; exit 0; fi
    echo half > notes.md; touch half.tmp {begun}; sleep 300
    """
    agent = AgentDefinition(
        name="w", prompt="p", runner="command", command=("/bin/sh", "-c", script), sha256="1"
    )
    with stopping(home, begun):
        found = pursue("Notes", rubric=RUBRIC, agent=agent, workspace=workspace, home=home)
    assert (found.result, found.explanation, found.attempts) == ("interrupted", "enough", ())
    again = resume(found.outcome_id, home=home)
    assert (again.result, len(again.attempts)) == ("satisfied", 1)
    assert (workspace / "notes.md").read_text() == "rain\n"
    assert not (workspace / "half.tmp").exists()
    assert (workspace.parent / "found").read_text() == "mine.txt\n"
    sessions = {one.session_id: one.verdict for one in home.archive.info()}
    assert len(sessions) == 2, "both runs are on record, each as itself"
    assert sessions[again.attempts[0].session_id] == "success"


@pytest.mark.usefixtures("sandbox_here")
def test_a_conversation_that_was_stopped_goes_on_where_it_was(
    judged_home: Home, workspace: Path, fake: FakeMessagesAPI
):
    """No reply is paid twice, and the workspace is as the conversation left it, whatever happened to it meanwhile."""
    steps = [
        Reply.tool_use("write", {"path": "draft.md", "content": "some"}),
        Reply.tool_use("bash", {"command": "touch begun; sleep 300"}),
        Reply.tool_use("bash", {"command": "cat draft.md; echo rain > notes.md"}),
        Reply.text("Done."),
    ]

    def answer(request: FakeRequest) -> Any:
        return steps[sum(one["role"] == "assistant" for one in request.body["messages"])]

    fake.script(answer)
    agent = AgentDefinition(name="w", prompt="p", sha256="1")
    with stopping(judged_home, workspace / "begun"):
        found = pursue("Notes", rubric=RUBRIC, agent=agent, workspace=workspace, home=judged_home)
    assert (found.result, found.explanation, found.attempts) == ("interrupted", "enough", ())
    assert len(fake.requests) == 2
    (workspace / "draft.md").unlink()
    again = resume(found.outcome_id, home=judged_home)
    assert (again.result, len(again.attempts)) == ("satisfied", 1)
    assert len(fake.requests) == 4, "each reply was paid once"
    assert again.attempts[0].tool_errors == 1, "the stopped command alone: the draft was there again"
    assert (workspace / "draft.md").read_text() == "some"
    assert again.usage.total == judged_home.state.spent(f"outcome:{again.outcome_id}").usage.total


@pytest.mark.parametrize("kind", ["command", "python"])
def test_a_check_that_is_stopped_ends_at_once_and_is_no_verdict(tmp_path: Path, workspace: Path, kind: str):
    """It waits for a file that nobody makes, as a test suite may for minutes. Gone on with, it is made again, and nothing else is."""
    begun, go, ran = (tmp_path / name for name in ("begun", "go", "ran"))
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\n"
        "def ok(folder):\n"
        f"    pathlib.Path({str(begun)!r}).touch()\n"
        f"    while not pathlib.Path({str(go)!r}).exists():\n        time.sleep(0.05)\n"
        "    return True\n"
    )
    command = f"touch {begun}; while ! test -e {go}; do sleep 0.05; done"
    check = f"command `{command}`" if kind == "command" else "python slow:ok"
    (tmp_path / "rubric.md").write_text(f"- **ok**: It is ok.\n  check: {check} (timeout 600)\n")
    script = ("/bin/sh", "-c", f"echo x >> {ran}; echo rain > notes.md")
    agent = AgentDefinition(name="w", prompt="p", runner="command", command=script, sha256="1")
    with open_home(tmp_path / "home", sandbox="off") as home:
        with stopping(home, begun):
            found = pursue(
                "Notes", rubric=tmp_path / "rubric.md", agent=agent, workspace=workspace, home=home
            )
        assert (found.result, found.explanation, found.evaluations) == ("interrupted", "enough", ())
        go.touch()
        again = resume(found.outcome_id, home=home)
    assert (again.result, len(again.attempts), ran.read_text()) == ("satisfied", 1, "x\n")


def test_no_other_grader_is_asked_once_somebody_stopped_it(
    judged_home: Home, workspace: Path, fake: FakeMessagesAPI
):
    """The reply under way is heard, since it is paid, and is not asked for again."""
    asked: list[FakeRequest] = []

    def grades(request: FakeRequest) -> Any:
        asked.append(request)
        if len(asked) == 1:
            (found,) = judged_home.state.outcomes()
            judged_home.state.ask_stop(found.outcome_id, "enough")
        return verdicts(rain=("notes.md", "rain"))

    fake.when("You are an independent grader", grades)
    script = ("/bin/sh", "-c", "echo rain > notes.md")
    agent = AgentDefinition(name="w", prompt="p", runner="command", command=script, sandbox="off", sha256="1")
    options: dict[str, Any] = {
        "grading": Grading(panel=5),
        "agent": agent,
        "workspace": workspace,
        "home": judged_home,
    }
    found = pursue("Notes", rubric="- **rain**: The notes name rain.\n", **options)
    assert (found.result, found.evaluations) == ("interrupted", ())
    assert len(asked) == 1
    assert resume(found.outcome_id, home=judged_home).result == "satisfied"
    assert len(asked) == 5
