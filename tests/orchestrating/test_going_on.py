"""What the same command means the next time: the job that is not done, gone on with, or the next one."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentflows.home import Home
from agentflows.team import Orchestration, Plan, SubTask
from agentflows.testing import FakeMessagesAPI
from tests.orchestrating import plays

Do = Callable[..., Orchestration]
MANY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO job (job_id, base_id, status, created_at, updated_at, request, job, stop_asked, seal)
SELECT 'job_old' || i, base_id, status, '2020-01-01 00:00:00.000000', updated_at, request, job, '', 'unread' FROM job, n
"""


def plan(*tasks: SubTask) -> Plan:
    """A plan."""
    return Plan(subtasks=tasks)


def task(name: str, **fields: Any) -> SubTask:
    """A sub-task of the agent a."""
    return SubTask.model_validate({"subtask_id": name, "agent": "a", "task": f"Do {name}", **fields})


def test_a_command_on_a_schedule_begins_a_new_job_however_many_there_were(
    do: Do, fake: FakeMessagesAPI, judged: Home, workspace: Path
):
    """None of the earlier ones is read but the last: here they could not be."""
    plays.says(fake, "a")
    first = do(plays.team("a"), plan=plan(task("one")))
    with sqlite3.connect(judged.settings.home_path / "state.db") as database:
        database.execute(MANY)
    (workspace / "mine.txt").write_text("another day\n")
    again = do(plays.team("a"), plan=plan(task("one")))
    assert (again.status, len(fake.requests)) == ("succeeded", 2)
    assert again.job_id not in {first.job_id, "job_old1"}
