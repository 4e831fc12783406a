"""What the same command means the next time: the job that is not done, gone on with, or the next one."""

import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentflows.home import Home
from agentflows.orchestrating import begin, make_request
from agentflows.team import Orchestration, Plan, SubTask, TeamLimits, make_team
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.command_line import run
from tests.orchestrating import plays
from tests.orchestrating.plays import LEAD, prompt, send
from tests.pursuing.conftest import verdicts

Do = Callable[..., Orchestration]
MANY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO job (job_id, base_id, status, created_at, updated_at, request, job, stop_asked, seal)
SELECT 'job_old' || i, base_id, status, '2020-01-01 00:00:00.000000', updated_at, request, job, '', 'unread' FROM job, n
"""

CHECKED = "- **there**: There is a report.\n  check: exists a.md\n"
JUDGED = "- **there**: The report says all is well.\n"


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


def bodies(fake: FakeMessagesAPI) -> list[str]:
    """What was asked, in order."""
    return [repr(request.body) for request in fake.requests]


def endings(job: Orchestration) -> dict[str, str]:
    """What became of each sub-task."""
    return {turn.order.subtask_id: turn.ending or turn.status for turn in job.turns}


def dear(_: FakeRequest) -> Reply:
    """A last reply after a long file was read."""
    return Reply.text("done").counting(input_tokens=9_000, output_tokens=50)


# -- the job's cap -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rubric", ["", pytest.param(CHECKED, marks=pytest.mark.slow)])
def test_a_turn_that_meets_the_jobs_cap_midway_goes_on_where_it_was_once_it_is_raised(
    do: Do, fake: FakeMessagesAPI, workspace: Path, rubric: str
):
    """Graded or not: the replies that were paid are not asked for again, and what was written is there."""
    (workspace / "big.txt").write_text("word " * 8_000)
    read, write = Reply.tool_use("read", {"path": "big.txt"}), plays.write("a.md", "All is well.")
    plays.script(fake, prompt("a"), read, write, dear)
    tasks = plan(task("one", rubric=rubric, max_iterations=0, outputs=["a.md"]))
    stopped = do(plays.team("a", max_tokens=30_000), plan=tasks)
    assert (stopped.status, endings(stopped)) == ("stopped", {"one": "running"})
    assert "may use 30,000 tokens" in stopped.detail
    assert len(fake.requests) == 1
    again = do(plays.team("a", max_tokens=1_000_000), plan=tasks)
    assert (again.job_id, again.status, len(fake.requests)) == (stopped.job_id, "succeeded", 3)
    assert len(set(bodies(fake))) == 3
    assert (workspace / "a.md").read_text() == "All is well."


def test_turns_midway_wait_for_what_others_have_only_set_aside(
    do: Do, fake: FakeMessagesAPI, workspace: Path
):
    """Three at once for whose second replies the cap suffices one after the other, but not at the same time."""
    (workspace / "big.txt").write_text("word " * 8_000)
    asked = threading.Barrier(3, timeout=60)

    def reads(_: FakeRequest) -> Reply:
        asked.wait()
        return Reply.tool_use("read", {"path": "big.txt"})

    plays.script(fake, prompt("a"), reads, lambda _: Reply.text("done").after(0.3))
    tasks = plan(*(task(str(number)) for number in range(3)))
    job = do(plays.team("a", max_tokens=65_000), plan=tasks)
    assert (job.status, len(fake.requests)) == ("succeeded", 6)


def test_a_lead_midway_waits_for_what_its_specialists_have_only_set_aside(do: Do, fake: FakeMessagesAPI):
    """Its turn would be over for good, and the job with it, while the money is about to come back."""
    asked, dear = threading.Event(), threading.Event()

    def slow(_: FakeRequest) -> str:
        asked.set()
        assert dear.wait(60)
        time.sleep(0.3)
        return "done"

    def looks(_: FakeRequest) -> Reply:
        assert asked.wait(60)
        dear.set()
        look = Reply.tool_use("list_agents", {})
        return look.counting(input_tokens=9_000, output_tokens=1_000)

    plays.script(fake, prompt("a"), slow)
    plays.script(fake, LEAD, send("a", "x"), looks, plays.wait(), "Done.")
    job = do(plays.team("a", max_tokens=40_000))
    assert (job.status, job.result) == ("succeeded", "Done.")


# -- archive and endpoint ----------------------------------------------------------------------------


def test_an_archive_that_cannot_be_written_for_a_while_costs_no_turn(
    do: Do, fake: FakeMessagesAPI, judged: Home
):
    """The job stops and says why; the same command goes on with it, and the reply that was paid is not asked for again."""
    plays.says(fake, "a")
    in_the_way = judged.settings.home_path / "archive"
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("no folder")
    tasks = plan(task("one"), task("two", needs=["one"]))
    stopped = do(plays.team("a"), plan=tasks)
    assert (stopped.status, endings(stopped)) == ("stopped", {"one": "running"})
    assert "one could not go on. The archive at" in stopped.detail
    in_the_way.unlink()
    again = do(plays.team("a"), plan=tasks)
    assert (again.job_id, again.status, len(fake.requests)) == (stopped.job_id, "succeeded", 2)


@pytest.mark.parametrize(
    "broken",
    [pytest.param("first", marks=pytest.mark.slow), "last", pytest.param("grader", marks=pytest.mark.slow)],
)
def test_an_endpoint_that_is_down_for_a_while_costs_no_turn(do: Do, fake: FakeMessagesAPI, broken: str):
    """Whose reply ever did not come: only that one is asked for again, and the sub-tasks after it are not begun in vain."""
    down = [True]

    def unless_down(who: str, reply: Reply | dict[str, Any]) -> Callable[[FakeRequest], Any]:
        return lambda _: Reply.error(529, should_retry=False) if down[0] and who == broken else reply

    works = [plays.write("a.md", "All is well."), Reply.text("done")]
    plays.script(fake, prompt("a"), unless_down("first", works[0]), unless_down("last", works[1]))
    fake.when(
        "You are an independent grader", unless_down("grader", verdicts(there=("a.md", "All is well.")))
    )
    tasks = plan(
        task("one", rubric=JUDGED if broken == "grader" else "", outputs=["a.md"]),
        task("two", needs=["one"]),
        task("three", needs=["two"]),
    )
    stopped = do(plays.team("a"), plan=tasks)
    assert (stopped.status, endings(stopped)) == ("stopped", {"one": "running"})
    assert "one could not go on. The model endpoint" in stopped.detail
    down[0] = False
    again = do(plays.team("a"), plan=tasks)
    assert (again.job_id, again.status) == (stopped.job_id, "succeeded")
    assert len(fake.requests) == len(set(bodies(fake))) + 1


def test_a_turn_that_never_gets_further_can_be_ended_by_itself(do: Do, fake: FakeMessagesAPI, judged: Home):
    """The endpoint breaks at one conversation again and again: the job must not stop at it for ever."""
    plays.says(fake, "b")
    plays.script(
        fake, prompt("a"), Reply.tool_use("read", {"path": "mine.txt"}), Reply.error(500, should_retry=False)
    )
    tasks, team = (
        plan(task("one"), task("two", agent="b", needs=["three"]), task("three", agent="b")),
        plays.team("a", "b"),
    )
    stopped = do(team, plan=tasks)
    assert (stopped.status, endings(stopped)["one"]) == ("stopped", "running")
    said = run("threads", stopped.job_id, "stop", "a-1", "--home", judged.settings.home_path).stdout
    assert "a-1 is asked to stop and ends when the job goes on." in " ".join(said.split())
    asked = len(plays.asked_by(fake, prompt("a")))
    again = do(team, plan=tasks)
    assert (again.job_id, again.status) == (stopped.job_id, "partial")
    assert endings(again) == {"one": "failed", "two": "succeeded", "three": "succeeded"}
    assert len(plays.asked_by(fake, prompt("a"))) == asked


def test_a_fault_of_one_agents_own_request_ends_its_turn_alone(do: Do, fake: FakeMessagesAPI):
    """A model that is not there, say: asking again later would not help, and the others can go on."""
    plays.says(fake, "b")
    plays.script(fake, prompt("a"), Reply.error(404))
    job = do(plays.team("a", "b"), plan=plan(task("one"), task("two", agent="b")))
    assert (job.status, endings(job)) == ("partial", {"one": "failed", "two": "succeeded"})


def test_what_runs_comes_to_its_end_while_another_turn_cannot_go_on(
    do: Do, fake: FakeMessagesAPI, workspace: Path, tmp_path: Path
):
    """A command cannot be gone on with midway: killing it would throw away what it has done and spent."""
    begun, down = tmp_path / "begun", tmp_path / "down"
    script = (
        f"touch {begun}; while ! test -e {down}; do sleep 0.05; done; sleep 0.4; echo done > c.md; echo done"
    )
    works = plays.member("c", runner="command", command=["/bin/sh", "-c", script], sandbox="off", tools=[])

    def fails(_: FakeRequest) -> Reply:
        end = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < end:
            time.sleep(0.02)
        down.touch()
        return Reply.error(529, should_retry=False)

    plays.script(fake, prompt("a"), fails)
    team = make_team("play", None, [plays.member("a"), works], TeamLimits())
    job = do(team, plan=plan(task("one"), task("two", agent="c"), task("three", agent="c", needs=["two"])))
    assert (job.status, endings(job)) == ("stopped", {"one": "running", "two": "succeeded"})
    assert (workspace / "c.md").read_text() == "done\n"


def test_a_stop_is_heard_while_another_process_merges(
    do: Do, fake: FakeMessagesAPI, judged: Home, workspace: Path
):
    """It may hang for ever, and hold its lease for as long. The turn is not lost: its changes are merged later."""
    team, tasks = plays.team("a"), plan(task("one", outputs=["a.md"]))
    with begin(judged, make_request("", team=team, workspace=workspace, plan=tasks)) as begun:
        job_id = begun.job.job_id

    def ends(_: FakeRequest) -> str:
        judged.state.stop_job(job_id, "enough")
        return "done"

    plays.script(fake, prompt("a"), plays.write("a.md", "All is well."), ends)
    other = judged.state.lease(f"merge:{job_id}", "another process", timedelta(minutes=10))
    stopped = do(team, "", plan=tasks)
    assert (stopped.job_id, stopped.status, stopped.detail) == (job_id, "stopped", "enough")
    assert not (workspace / "a.md").exists()
    judged.state.release(other)
    again = do(team, "", plan=tasks)
    assert (again.job_id, again.status, len(fake.requests)) == (job_id, "succeeded", 2)
    assert (workspace / "a.md").read_text() == "All is well."
