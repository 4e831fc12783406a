"""Runs in the archive: sessions like any other, redacted, rebuilt from raw, and something dreams learn from."""

import sys
from pathlib import Path

import pytest

from agentflows import readers
from agentflows.agent import Job, Transcript
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import NotFoundError
from agentflows.home import Home
from agentflows.recording import record_run
from agentflows.runners import CommandRunner, PythonRunner
from agentflows.session import Check, OutcomeLabel
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.runners.conftest import Run, calls, writer
from tests.runners.test_command import claude

pytestmark = pytest.mark.usefixtures("sandbox_here")

DONE = Reply.text("Done.")
FAILED = OutcomeLabel(
    verdict="failure", score=0.5, source="outcome_evaluation", checks=(Check(name="has_date", passed=False),)
)


def test_a_run_is_a_session_with_its_label_joined_later(run: Run, fake: FakeMessagesAPI, home: Home):
    """Recorded at its end and once more when graded: one session, the label on it, and nothing twice."""
    fake.queue(Reply.tool_use("bash", {"command": "ls /nowhere"}), DONE)
    done = run(project="docs")
    assert record_run(home, done).added == 1
    assert record_run(home, done).unchanged_files == 1
    assert record_run(home, done, FAILED).grown == 1
    assert record_run(home, done, FAILED).unchanged_files == 1
    archived = next(home.archive.sessions([done.session.session_id]))
    assert archived.turns == done.session.turns
    assert (archived.format, archived.agent, archived.project) == ("agentflows", "writer", "docs")
    assert archived.task == "Write a.txt."
    assert archived.outcome == FAILED
    assert archived.meta["end"] == "finished"
    assert archived.meta["sandbox"] == "required"
    assert archived.usage == done.usage


def test_secrets_are_replaced_before_anything_is_kept(run: Run, fake: FakeMessagesAPI, home: Home):
    """In what the agent wrote, what a tool printed and the raw lines, as in every session."""
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    fake.queue(Reply.tool_use("bash", {"command": f"echo {secret}"}), Reply.text(f"It printed {secret}."))
    report = record_run(home, run())
    assert sum(report.redactions.values()) >= 3
    session = next(home.archive.sessions(["outc_1/attempt/0"]))
    assert all(secret not in turn.text for turn in session.turns)
    files = [path for path in Path(home.settings.resolved_archive).rglob("*") if path.is_file()]
    assert files
    assert all(secret.encode() not in path.read_bytes() for path in files)


def test_the_archive_is_rebuilt_from_the_lines_of_runs(
    run: Run, fake: FakeMessagesAPI, home: Home, job: Job, tmp_path: Path
):
    """Of all three runners: the same sessions, to the last field."""
    both = calls(Reply.tool_use("bash", {"command": "true"}), Reply.tool_use("read", {"path": "none"}))
    fake.queue(both, DONE)
    record_run(home, run(memory={"/prefs.md": "- tabs"}), FAILED)
    record_run(home, CommandRunner().run(claude(), job.model_copy(update={"job_id": "c"})))
    (tmp_path / "f.py").write_text("def f(task, feedback, workspace, memory): raise OSError('no')")
    agent = writer(runner="python", function="f:f", source=str(tmp_path / "a.md"))
    record_run(home, PythonRunner().run(agent, job.model_copy(update={"job_id": "p"})))
    before = home.archive.fingerprint()
    home.archive.rebuild(readers.read_raw)
    assert home.archive.fingerprint() == before
    assert not home.archive.verify()
    assert home.archive.stats().formats == {"agentflows": 3}
    assert home.archive.stats().quarantined == 0


def test_attempts_at_one_task_count_as_one_session(run: Run, fake: FakeMessagesAPI, home: Home):
    """A revision that meets the same error again is no second witness."""
    fake.queue(DONE, DONE)
    first = run()
    record_run(home, first)
    record_run(home, run(job_id="outc_1/attempt/1", parent_id=first.session.session_id, state=first.state))
    stats = home.archive.stats()
    assert (stats.sessions, stats.root_sessions) == (2, 1)


def mistaken(request: FakeRequest) -> Reply:
    """An agent that calls a program by the wrong name first, as one without that memory does each time."""
    steps = {
        1: Reply.tool_use("bash", {"command": "pythn report.py --all"}),
        3: Reply.tool_use("bash", {"command": f"{Path(sys.executable).name} report.py --all"}),
    }
    return steps.get(len(request.body["messages"]), DONE)


def test_a_dream_learns_from_what_agents_did(run: Run, fake: FakeMessagesAPI, home: Home, workspace: Path):
    """Four runs, the same tool error in each: a dream over them proposes a note that quotes it."""
    (workspace / "report.py").write_text("print('ok')")
    fake.script(mistaken)
    for number in range(4):
        record_run(home, run(job_id=f"run-{number}", task=f"Make report {number}."))
    report = dream_over(home, DreamRequest(store="team", engine="rules"))
    told = [change for change in report.changes if "pythn" in str(change.after)]
    assert told, [str(change.after) for change in report.changes]
    quotes = [quote for change in told for quote in change.quotes]
    assert len({quote.root_id for quote in quotes}) >= 2
    assert any("command not found" in quote.text for quote in quotes)


def test_what_a_memory_said_is_no_evidence_for_it(run: Run, fake: FakeMessagesAPI, home: Home):
    """Four agents are shown a note and repeat nothing of it: a dream finds nothing in that."""
    fake.script(lambda _: DONE)
    note = (
        "- Always run `pip install -e packages/widgets` after ModuleNotFoundError: No module named 'widgets'."
    )
    for number in range(4):
        record_run(home, run(job_id=f"run-{number}", memory={"/team.md": note}))
    report = dream_over(home, DreamRequest(store="team", engine="rules"))
    assert not [change for change in report.changes if "widgets" in str(change.after)]


def test_a_removed_run_stays_removed(run: Run, fake: FakeMessagesAPI, home: Home):
    """Forgetting wins over a grading that comes later."""
    fake.queue(DONE)
    done: Transcript = run()
    record_run(home, done)
    home.archive.remove([done.session.session_id])
    record_run(home, done, FAILED)
    with pytest.raises(NotFoundError):
        next(home.archive.sessions([done.session.session_id]))
