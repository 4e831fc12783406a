"""The python runner: a function of one's own, and whatever it does ends as a transcript."""

import os
import time
from pathlib import Path

import pytest

from agentflows.agent import Job
from agentflows.errors import UsageError
from agentflows.runners import PythonRunner
from tests.runners.conftest import writer

MODULE = """
import os, subprocess, sys, time
def good(task, feedback, workspace, memory):
    print("working")
    (workspace / "a.txt").write_text(task)
    return f"wrote it; {feedback or 'first'}; {sorted(memory)}"
def silent(task, feedback, workspace, memory):
    return None
def raises(task, feedback, workspace, memory):
    raise ValueError("no such thing")
def leaves(task, feedback, workspace, memory):
    sys.exit("enough")
def crashes(task, feedback, workspace, memory):
    os._exit(9)
def tells(task, feedback, workspace, memory):
    return "x" * (5 << 20)
def hangs(task, feedback, workspace, memory):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (workspace / "child.pid").write_text(str(child.pid))
    time.sleep(60)
def sees(task, feedback, workspace, memory):
    return ",".join(name for name in os.environ if "KEY" in name or name == "NAMED")
"""


@pytest.fixture
def source(tmp_path: Path) -> str:
    """An agent file with a module beside it."""
    (tmp_path / "functions.py").write_text(MODULE)
    return str(tmp_path / "agent.md")


def is_alive(pid: int) -> bool:
    """Whether a process runs still; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def is_gone(pid: int) -> bool:
    """Whether it goes within a moment: a kill is carried out by the kernel a little later."""
    for _ in range(100):
        if not is_alive(pid):
            return True
        time.sleep(0.02)
    return False


def test_a_function_gets_the_job_and_its_words_are_the_answer(source: str, job: Job):
    """Task, feedback, workspace and memory reach it; what it prints and returns stands in the record."""
    agent = writer(runner="python", function="functions:good", source=source)
    done = PythonRunner().run(agent, job.model_copy(update={"memory": {"/prefs.md": "- tabs"}}))
    assert (done.end, done.text) == ("finished", "wrote it; first; ['/prefs.md']")
    assert (job.workspace / "a.txt").read_text() == job.task
    assert done.session.session_id == job.job_id
    told = [(turn.kind, turn.trust, turn.text) for turn in done.session.turns]
    assert ("user", 2, job.task) in told
    assert ("system", 1, "working") in told
    assert told[-1] == ("agent", 2, done.text)
    assert done.session.turns[0].spans[0].kind == "recalled"


def test_nothing_returned_is_finished_without_words(source: str, job: Job):
    """A function that only writes files need not talk."""
    done = PythonRunner().run(writer(runner="python", function="functions:silent", source=source), job)
    assert (done.end, done.text) == ("finished", "")


@pytest.mark.parametrize(
    ("function", "detail"),
    [
        ("functions:raises", "ValueError: no such thing"),
        ("functions:leaves", "SystemExit: enough"),
        ("functions:crashes", "exit code 9 and no answer"),
        ("functions:tells", "its answer has 5,242,892 bytes; at most 4,194,304 are read"),
        ("functions:missing", "has no attribute 'missing'"),
        ("nowhere:good", "No module named 'nowhere'"),
    ],
)
def test_a_failing_function_ends_the_run_not_the_process(source: str, job: Job, function: str, detail: str):
    """An exception, an exit, a crash of the interpreter: failed, with the last line as the reason."""
    done = PythonRunner().run(writer(runner="python", function=function, source=source), job)
    assert done.end == "failed"
    assert detail in done.detail


def test_a_hanging_function_is_killed_with_what_it_started(source: str, job: Job):
    """The deadline holds, and nothing works on in the workspace while it is graded."""
    agent = writer(runner="python", function="functions:hangs", source=source, max_seconds=1.5)
    done = PythonRunner().run(agent, job)
    assert done.end == "cap_reached"
    assert "max_seconds" in done.detail
    assert is_gone(int((job.workspace / "child.pid").read_text()))


def test_an_interrupt_ends_it(source: str, job: Job):
    """A person who stops a run does not wait for its deadline."""
    agent = writer(runner="python", function="functions:hangs", source=source, max_seconds=60)
    done = PythonRunner().run(agent, job, stop=lambda: "stopped by ada")
    assert (done.end, done.detail) == ("interrupted", "stopped by ada")


def test_it_sees_named_variables_only(source: str, job: Job, monkeypatch: pytest.MonkeyPatch):
    """A key of ours must not be in reach because somebody wrote a function."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    monkeypatch.setenv("NAMED", "1")
    agent = writer(runner="python", function="functions:sees", source=source)
    assert PythonRunner().run(agent, job).text == ""
    assert PythonRunner().run(agent.model_copy(update={"env": ("NAMED",)}), job).text == "NAMED"
    assert "ANTHROPIC_API_KEY" in os.environ


def test_an_agent_without_a_function_is_refused(job: Job):
    """Before anything runs, with what to write."""
    with pytest.raises(UsageError, match="needs `function: module:function`"):
        PythonRunner().run(writer(runner="python"), job)
