"""What is left of a job's conversations once it is done: what the archive has, redacted, and nothing else."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agentflows.home import Home
from agentflows.orchestrating import transcript
from agentflows.orchestration import plan_of
from agentflows.team import Orchestration, Plan, SubTask, ThreadTurn
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.orchestrating import plays
from tests.orchestrating.plays import LEAD, prompt, send, wait

Do = Callable[..., Orchestration]
SECRET = "ghp_" + "a1B2" * 9
READS = Reply.tool_use("read", {"path": "keys.txt"})


@pytest.fixture(autouse=True)
def _secret(workspace: Path) -> None:  # pyright: ignore[reportUnusedFunction]
    (workspace / "keys.txt").write_text(f"key = {SECRET}\n")


def holders(home: Home) -> list[str]:
    """Tables of the state database with a column that holds the secret."""
    with closing(sqlite3.connect(home.settings.home_path / "state.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [
            table
            for table in tables
            for row in database.execute(f"SELECT * FROM {table}")
            if any(SECRET in str(value) for value in row)
        ]


def seen(home: Home, turn: ThreadTurn) -> list[tuple[str, str]]:
    return [(event.kind, event.text) for event in transcript(home, turn)]


def test_nothing_unredacted_is_left_of_a_job_that_is_done(do: Do, fake: FakeMessagesAPI, judged: Home):
    """Whoever forgets a session, or reads the database, finds no word that the archive would have replaced."""
    under_way: list[list[str]] = []

    def ends(_: FakeRequest) -> str:
        under_way.append(holders(judged))
        return f"All done with {SECRET}."

    rubric = "- **there**: There is a report.\n  check: exists b.md\n"
    plays.script(fake, LEAD, send("a", "Look"), wait(), send("b", "Draft", rubric=rubric), wait(), ends)
    plays.script(fake, prompt("a"), READS, f"It is {SECRET}.")
    plays.script(fake, prompt("b"), READS, "not yet", plays.write("b.md", SECRET), "now")
    job = do(plays.team("a", "b"))
    assert job.status == "succeeded", job.result
    assert set(under_way[0]) == {"runner_state"}  # the job lives, and its threads take follow-ups
    assert holders(judged) == []
    assert all(seen(judged, turn) for turn in job.turns)
    assert [task.agent for task in plan_of(job).subtasks] == ["a", "b"]
    asked = len(fake.requests)
    assert do(plays.team("a", "b")) == job
    assert len(fake.requests) == asked


def test_a_turn_that_broke_off_before_it_was_archived_can_still_be_looked_at(
    do: Do, fake: FakeMessagesAPI, judged: Home
):
    """What its runner kept is all that there is of it: it stays, with its secrets replaced."""

    def breaks(_: FakeRequest) -> str:
        (copy,) = (judged.settings.home_path / "jobs").glob("*/turns/*/0")
        copy.joinpath(*"d" * 70).mkdir(parents=True)
        return "done"

    plays.script(fake, prompt("a"), READS, breaks)
    plan = Plan(subtasks=(SubTask(subtask_id="one", agent="a", task="Look"),))
    (turn,) = do(plays.team("a"), plan=plan).turns
    assert (turn.ending, turn.session_id) == ("failed", "")
    assert "too large" in turn.detail
    assert [kind for kind, _ in seen(judged, turn)] == ["user", "tool_call", "tool_result", "agent"]
    assert "key = [REDACTED:" in seen(judged, turn)[2][1]
    assert holders(judged) == []
