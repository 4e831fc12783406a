"""The edge cases of threads, as the hosted API has them, end to end over the real SDK."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentflows.agent import AgentLimits
from agentflows.home import Home
from agentflows.orchestrating import orchestrate
from agentflows.orchestration import plan_of
from agentflows.team import LEAD as LEAD_THREAD
from agentflows.team import Orchestration, Plan, SubTask, TeamLimits, make_team, parse_plan, render_plan
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.orchestrating import plays
from tests.orchestrating.plays import LEAD, calls, prompt, results, send, told, wait

Do = Callable[..., Orchestration]


def plan(*tasks: SubTask) -> Plan:
    return Plan(subtasks=tasks)


def task(name: str, agent: str = "a", **fields: Any) -> SubTask:
    return SubTask.model_validate({"subtask_id": name, "agent": agent, "task": f"Do {name}", **fields})


def turns(job: Orchestration) -> dict[str, str]:
    return {turn.order.subtask_id: turn.ending or turn.status for turn in job.turns}


def test_a_specialist_that_ends_without_a_report_is_empty_and_the_lead_reads_so(
    do: Do, fake: FakeMessagesAPI
):
    """A report that never comes is not waited for, and not taken for success."""
    heard: list[str] = []

    def ends(request: FakeRequest) -> str:
        heard.extend(results(request))
        return "One said nothing."

    plays.script(fake, prompt("a"), Reply.stopped("end_turn"))
    plays.script(fake, LEAD, send("a", "Look"), wait(), ends)
    job = do(plays.team("a"))
    (turn,) = [one for one in job.turns if one.thread_id == "a-1"]
    assert (turn.ending, turn.report, job.status) == ("empty", "", "partial")
    assert "[report from a-1, turn 0: empty]" in heard[0]
    assert "(no words)" in heard[0]


def test_an_archived_thread_can_still_be_read(do: Do, fake: FakeMessagesAPI):
    """Its place is given back, its record stays."""
    seen: list[str] = []

    def ends(request: FakeRequest) -> str:
        seen.extend(results(request))
        return "Read."

    plays.says(fake, "a")
    archive, read = (Reply.tool_use(name, {"thread_id": "a-1"}) for name in ("archive_thread", "read_thread"))
    plays.script(fake, LEAD, send("a", "Look for FIGS"), wait(), archive, read, ends)
    assert do(plays.team("a")).status == "succeeded"
    assert "# a-1 (a, archived)" in seen[0]
    assert "done: Look for FIGS" in seen[0]


def test_a_thread_at_work_is_not_archived_by_its_lead(do: Do, fake: FakeMessagesAPI):
    """Its report would have nowhere to come from."""
    go = threading.Event()
    heard: list[tuple[str, bool]] = []

    def slow(_: FakeRequest) -> str:
        assert go.wait(60)
        return "done"

    def waits(request: FakeRequest) -> Reply:
        heard.extend(told(request))
        go.set()
        return wait()

    plays.script(fake, prompt("a"), slow)
    archive = Reply.tool_use("archive_thread", {"thread_id": "a-1"})
    plays.script(fake, LEAD, send("a", "x"), archive, waits, "Done.")
    assert do(plays.team("a")).status == "succeeded"
    ((said, is_error),) = heard
    assert is_error
    assert "at work and cannot be archived" in said


def test_a_follow_up_to_a_thread_at_work_waits_for_its_turn(do: Do, fake: FakeMessagesAPI):
    """Two turns of one thread are never under way at once; the second knows the first."""
    go = threading.Event()

    def answers(request: FakeRequest) -> str:
        if "SECOND" not in request.text:
            assert go.wait(60)
            return "one"
        return f"two after {request.text.count('FIRST')}"

    def sends(_: FakeRequest) -> Reply:
        go.set()
        return calls(wait(), wait())

    fake.when(prompt("a"), answers)
    plays.script(fake, LEAD, send("a", "FIRST"), send("a-1", "SECOND"), sends, "Done.")
    job = do(plays.team("a"))
    assert [turn.report for turn in job.turns if turn.thread_id == "a-1"] == ["one", "two after 1"]


@pytest.mark.parametrize("files", ["staged", "shared"])
def test_a_write_over_what_another_changed_since_loses_nobodys_update(
    do: Do, fake: FakeMessagesAPI, workspace: Path, files: str
):
    """Both read the file, then both write it. In copies the loser is kept aside; in one folder its write is refused."""
    read, written = threading.Barrier(2, timeout=60), threading.Event()
    refused: list[tuple[str, bool]] = []

    def first(_: FakeRequest) -> Reply:
        read.wait()
        return plays.write("mine.txt", "by a")

    def wrote(_: FakeRequest) -> str:
        written.set()
        return "wrote it"

    def second(_: FakeRequest) -> Reply:
        read.wait()
        assert written.wait(60)
        return plays.write("mine.txt", "by b")

    def saw(request: FakeRequest) -> str:
        refused.extend(told(request))
        return "saw it"

    look = Reply.tool_use("read", {"path": "mine.txt"})
    plays.script(fake, prompt("a"), look, first, wrote)
    plays.script(fake, prompt("b"), look, second, saw)
    job = do(plays.team("a", "b"), plan=plan(task("one"), task("two", "b")), files=files)
    aside = [change for turn in job.turns for change in turn.changes if change.is_kept_aside]
    if files == "shared":
        assert (workspace / "mine.txt").read_text() == "by a"
        assert refused[0][1]
        assert "changed" in refused[0][0]
        assert aside == []
    else:
        assert len(aside) == 1
        (kept,) = (workspace / ".agentflows-conflicts").rglob("mine.txt")
        assert {kept.read_text(), (workspace / "mine.txt").read_text()} == {"by a", "by b"}


def dear(_: FakeRequest) -> Reply:
    """A reply that costs some ten cents at list price."""
    return Reply.text("done").counting(input_tokens=90_000, output_tokens=10_000)


def test_money_caps_a_job_and_a_thread(do: Do, fake: FakeMessagesAPI):
    """In dollars as in tokens: the thread's ends that thread, the job's stops the job, and a raised one goes on."""
    fake.when("You are the specialist", dear)
    tasks = plan(*(task(str(number), needs=[str(number - 1)] if number else []) for number in range(4)))
    stopped = do(plays.team("a", max_dollars=0.9), plan=tasks)
    assert (stopped.status, "a cap of the job was reached" in stopped.detail) == ("stopped", True)
    assert "$" in stopped.detail
    assert 0 < stopped.dollars <= 0.9
    again = do(plays.team("a", max_dollars=30), plan=tasks)
    assert (again.job_id, again.status, len(fake.requests)) == (stopped.job_id, "succeeded", 4)
    follow = plan(task("x"), task("y", follows="x"), task("z", follows="y"))
    job = do(plays.team("a", max_thread_dollars=0.5), plan=follow, key="thread")
    assert "failed" in turns(job).values()
    assert turns(job)["x"] == "succeeded"


def test_a_turn_is_capped_in_time_in_replies_and_in_tokens_of_its_own(do: Do, fake: FakeMessagesAPI):
    """By its agent's file or by its sub-task; only that turn ends, and says which cap it was."""
    fake.when(
        "You are the specialist",
        lambda request: Reply.tool_use("read", {"path": f"{plays.replies(request)}.txt"}).after(0.1),
    )
    limits = {
        "seconds": AgentLimits(max_seconds=1.0),
        "replies": AgentLimits(max_turns=2),
        "tokens": AgentLimits(max_tokens=30_000),
    }
    tasks = plan(*(task(name, limits=given) for name, given in limits.items()))
    job = do(plays.team("a"), plan=tasks)
    why = {turn.order.subtask_id: turn.detail for turn in job.turns}
    assert "max_seconds" in why["seconds"]
    assert "max_turns, 2 replies" in why["replies"]
    assert "30,000 tokens" in why["tokens"]
    assert set(turns(job).values()) == {"failed"}


def test_a_live_run_is_saved_as_a_plan_edited_and_run_again_without_a_lead(
    do: Do, fake: FakeMessagesAPI, judged: Home, workspace: Path, tmp_path: Path
):
    """What a lead found out once needs no model to lead the next time."""
    plays.says(fake, "a", "b")
    plays.script(
        fake,
        LEAD,
        calls(send("a", "Count the PLUMS"), send("b", "Count the FIGS")),
        calls(wait(), wait()),
        send("a-1", "Add them up"),
        wait(),
        "Done.",
    )
    live = do(plays.team("a", "b"))
    text = render_plan(plan_of(live))
    edited = text.replace("Count the FIGS", "Count the DATES")
    assert edited != text
    (tmp_path / "plan.yaml").write_text(edited)
    led = len(plays.asked_by(fake, LEAD))
    members = [plays.member("a"), plays.member("b")]
    again = orchestrate(
        team=make_team("play", None, members, TeamLimits()),
        plan=tmp_path / "plan.yaml",
        workspace=workspace,
        home=judged,
    )
    assert (again.mode, again.status) == ("plan", "succeeded")
    assert {turn.order.task for turn in again.turns} == {"Count the PLUMS", "Count the DATES", "Add them up"}
    assert [(turn.thread_id, turn.number) for turn in again.turns if turn.order.task == "Add them up"] == [
        ("a-1", 1)
    ]
    assert len(plays.asked_by(fake, LEAD)) == led
    assert LEAD_THREAD not in {thread.thread_id for thread in again.threads}
    assert render_plan(parse_plan(text)) == text


def test_what_a_job_costs_is_the_sum_of_its_threads(do: Do, fake: FakeMessagesAPI, judged: Home):
    """The hosted figures do not add up; these do, the lead's too."""
    fake.when("You are the specialist", dear)
    plays.script(fake, LEAD, calls(send("a", "x"), send("b", "y")), calls(wait(), wait()), "Done.")
    job = do(plays.team("a", "b"))
    spent = judged.state.spent(f"job:{job.job_id}")
    assert job.usage.total == spent.usage.total
    assert job.dollars == pytest.approx(spent.dollars)
    assert all(turn.dollars > 0 for turn in job.turns)
