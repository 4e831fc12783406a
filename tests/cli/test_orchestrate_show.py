"""What `threads JOB` says of a job at work, stopped, killed, dear or in conflict: the words a team acts on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentflows.budget import Call
from agentflows.change import Budget
from agentflows.cli import app
from agentflows.home import Home
from agentflows.orchestrating import as_it_stands
from agentflows.pursuing.holding import Hold
from agentflows.session import Usage
from agentflows.team import FileChange, Orchestration, Plan, SubTask, Thread, ThreadTurn

NOW = datetime.now(UTC).replace(tzinfo=None)
TASKS = tuple(SubTask(subtask_id=f"part-{name}", agent="reader", task="Read it all") for name in "ab")


@pytest.fixture
def job(home: Home, tmp_path: Path) -> Orchestration:
    """One sub-task at work, which was answered for $0.02, and one not begun."""
    begun = Orchestration(
        job_id="job_x", title="Read", task="", team="t", workspace=str(tmp_path), mode="plan", status="running",
        plan=Plan(subtasks=TASKS),
    )  # fmt: skip
    home.state.begin_job(begun, base_id="x", request="{}")
    home.state.open_thread(Thread(thread_id="reader-1", job_id="job_x", agent="reader", created_at=NOW))
    put(home, status="running")
    purse = home.state.purse({"job:job_x/reader-1/0": Budget()})
    hold = purse.reserve(2_000, 0.5, purpose="p")
    purse.settle(hold, 1_200, 0.02)
    purse.record_call(Call(model="m", purpose="p", usage=Usage(input_tokens=1_200), dollars=0.02))
    return begun


def put(home: Home, **fields: Any) -> None:
    """The turn, as it is now."""
    turn = ThreadTurn(job_id="job_x", thread_id="reader-1", number=0, order=TASKS[0], started_at=NOW)
    home.state.put_turn(turn.model_copy(update=fields))


def said(capsys: pytest.CaptureFixture[str], home: Home, *words: str) -> str:
    """What a command prints."""
    app(["threads", *words, "--home", str(home.settings.home_path)], standalone_mode=False)
    return capsys.readouterr().out


def test_a_job_at_work_shows_what_it_cost_until_now(
    home: Home, job: Orchestration, capsys: pytest.CaptureFixture[str]
):
    """It said 0 tokens until the first turn had ended, however dear that was, and to go on with what still ran."""
    hold = Hold(home.state, job.workspace, "tester", "job_x")
    try:
        shown = said(capsys, home, "job_x")
        at_work = said(capsys, home, "job_x", "show", "reader-1")
    finally:
        hold.close()
    assert "1,200 tokens, $0.02" in shown
    assert "0.0200" in shown
    assert "part-b" in shown  # not begun, by its name in the plan
    assert "threads job_x --watch" in shown
    assert "--resume" not in shown
    assert "Turn 0: running · " in at_work
    assert "1,200 tokens · $0.0200" in at_work


def test_a_killed_job_is_interrupted_and_nothing_of_it_runs(
    home: Home, job: Orchestration, capsys: pytest.CaptureFixture[str]
):
    """Who was killed could not say so. A stop that is asked of it says that nobody hears it."""
    assert as_it_stands(home, home.state.job("job_x")).status == "interrupted"
    shown = said(capsys, home, "job_x")
    assert "interrupted: 1 thread, turns: 1 midway, 1 not begun" in shown
    assert "killed or lost" in shown
    assert "orchestrate --resume job_x" in shown
    assert "interrupted" in said(capsys, home)
    assert "Nobody leads job_x any more" in said(capsys, home, "job_x", "stop").replace("\n", " ")
    assert "ends when the job goes on" in said(capsys, home, "job_x", "stop", "reader-1")


def test_a_stopped_job_says_how_it_goes_on(
    home: Home, job: Orchestration, capsys: pytest.CaptureFixture[str]
):
    """What was spent on a turn that a cap ended midway counts, too."""
    home.state.save_job(home.state.job("job_x").model_copy(update={"status": "stopped", "detail": "a cap"}))
    shown = said(capsys, home, "job_x")
    assert "stopped: 1 thread, turns: 1 midway, 1 not begun, 1,200 tokens, $0.02" in shown
    assert "orchestrate --resume job_x" in shown


def test_a_conflict_names_the_file_whose_version_it_met_and_where_the_other_is(
    home: Home, job: Orchestration, capsys: pytest.CaptureFixture[str]
):
    """It said how many there were, and left who and what to be searched for."""
    changes = (
        FileChange(path="a.md", kind="modified", conflict_with=("writer-1",), is_kept_aside=True),
        FileChange(path="b.md", kind="deleted", is_kept_aside=True),
    )
    put(home, status="ended", ending="succeeded", ended_at=NOW, changes=changes)
    home.state.save_job(home.state.job("job_x").model_copy(update={"status": "succeeded"}))
    shown = " ".join(said(capsys, home, "job_x").split())
    assert (
        "Conflict on a.md: reader-1 met writer-1; its version is in .agentflows-conflicts/reader-1/0/a.md"
        in shown
    )
    assert (
        "Conflict on b.md: reader-1 met a version that no thread of this job left; its deletion was not done"
        in shown
    )
