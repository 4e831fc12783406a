"""Caps, the kill switch, and going on after either."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agentflows.errors import BudgetError, PlanError
from agentflows.home import Home
from agentflows.orchestrating import begin, make_request, orchestrate, resume
from agentflows.orchestration import estimate, not_begun
from agentflows.team import LEAD as LEAD_THREAD
from agentflows.team import Orchestration, Plan, SubTask, TeamLimits, make_team
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.orchestrating import plays
from tests.orchestrating.plays import LEAD, calls, prompt, send, wait

Do = Callable[..., Orchestration]
RUBRIC = "- **there**: There is a report.\n  check: exists a.md\n"


def plan(*tasks: SubTask) -> Plan:
    """A plan."""
    return Plan(subtasks=tasks)


def task(name: str, agent: str = "a", **fields: object) -> SubTask:
    """A sub-task."""
    return SubTask.model_validate({"subtask_id": name, "agent": agent, "task": f"Do {name}", **fields})


def dear(_: FakeRequest) -> Reply:
    """A reply that costs 10,000 tokens; some 19,000 are set aside for it."""
    return Reply.text("done").counting(input_tokens=9_000, output_tokens=1_000)


def endings(job: Orchestration) -> dict[str, str]:
    """What became of each sub-task."""
    return {turn.order.subtask_id: turn.ending or turn.status for turn in job.turns}


def unbegun(job: Orchestration) -> Orchestration:
    """The job as it was before its first turn."""
    return job.model_copy(update={"threads": (), "detail": ""})


def test_a_cap_of_the_job_stops_it_and_a_raised_one_goes_on(do: Do, fake: FakeMessagesAPI):
    """Nothing that was done is lost or paid again: the re-run asks only what is left."""
    fake.when(prompt("a"), dear)
    tasks = plan(*(task(str(number), needs=[str(number - 1)] if number else []) for number in range(4)))
    job = do(plays.team("a", max_tokens=40_000), plan=tasks)
    assert job.status == "stopped"
    assert "a cap of the job was reached" in job.detail
    assert job.is_at_budget(unbegun(job))
    done = [name for name, word in endings(job).items() if word == "succeeded"]
    assert 0 < len(done) < 4
    asked = len(fake.requests)
    again = do(plays.team("a", max_tokens=400_000), plan=tasks)
    assert (again.job_id, again.status) == (job.job_id, "succeeded")
    assert not again.is_at_budget(job)
    assert len(fake.requests) - asked == 4 - len(done)


def test_a_cap_of_a_thread_ends_that_thread_alone(do: Do, fake: FakeMessagesAPI):
    """Follow-ups draw on the same purse; another thread has its own."""
    fake.when("You are the specialist", dear)
    tasks = plan(task("one"), task("two", follows="one"), task("three", follows="two"), task("other", "b"))
    job = do(plays.team("a", "b", max_thread_tokens=35_000), plan=tasks)
    found = endings(job)
    assert (found["one"], found["other"], job.status) == ("succeeded", "succeeded", "partial")
    assert "failed" in found.values()
    (why,) = {turn.detail for turn in job.turns if turn.ending == "failed"}
    assert f"{job.job_id}/a-1' may use 35,000 tokens" in why
    assert job.is_at_budget(unbegun(job))
    assert not job.is_at_budget(job), "what an earlier run was told of is not told again"


def test_graded_work_counts_for_the_job(do: Do, fake: FakeMessagesAPI, judged: Home, workspace: Path):
    """Drafts, revisions and gradings draw on the purses of job and thread, and are in the archive under the job."""
    plays.script(fake, prompt("a"), "not yet", plays.write("a.md", "x"), "now")
    job = do(plays.team("a"), plan=plan(task("one", rubric=RUBRIC, outputs=["a.md"])))
    (turn,) = job.turns
    assert (turn.ending, turn.outputs[0].path, (workspace / "a.md").read_text()) == ("succeeded", "a.md", "x")
    spent = judged.state.balance(f"job:{job.job_id}")
    assert spent.tokens == turn.usage.total > 0
    assert spent.calls == len(fake.requests) == 3
    assert judged.state.balance(f"job:{job.job_id}/a-1").tokens == spent.tokens
    sessions = list(judged.archive.sessions([one.session_id for one in judged.archive.info()]))
    assert len(sessions) == 2
    assert {session.root_id for session in sessions} == {job.job_id}
    assert {session.project for session in sessions} == {str(workspace)}


def test_a_follow_up_of_graded_work_keeps_its_context(do: Do, fake: FakeMessagesAPI):
    """A thread is one context, whether its turns are graded or not."""
    plays.script(fake, prompt("a"), "plain", plays.write("a.md", "x"), "graded", "plain again")
    tasks = plan(
        task("PLUM"),
        task("FIG", follows="PLUM", rubric=RUBRIC, outputs=["a.md"]),
        task("DATE", follows="FIG"),
    )
    assert do(plays.team("a"), plan=tasks).status == "succeeded"
    said = fake.requests[-1].text
    assert [word in said for word in ("Do PLUM", "Do FIG", "Do DATE", "graded")] == [True] * 4


def test_a_job_that_takes_too_long_is_stopped(do: Do, fake: FakeMessagesAPI):
    """What runs ends at its next step, what waits is not begun, and both are shown as what they are."""
    fake.when(
        prompt("a"),
        lambda request: Reply.tool_use("read", {"path": f"{plays.replies(request)}.txt"}).after(0.2),
    )
    tasks = plan(task("one"), task("two", needs=["one"]))
    job = do(plays.team("a", max_seconds=3), plan=tasks)
    assert (job.status, [task.subtask_id for task in not_begun(job)]) == ("stopped", ["two"])
    assert endings(job)["one"] in {"queued", "running"}
    assert "max_seconds (3)" in job.detail
    assert not job.is_at_budget(unbegun(job)), "a cap in seconds is no budget"


def test_the_kill_switch_stops_a_job_that_goes_on_later(do: Do, fake: FakeMessagesAPI, judged: Home):
    """By its id, from another process: the lead's and the specialist's next step is not made; nothing is asked twice."""
    stopped = threading.Event()

    def stops(_: FakeRequest) -> Reply:
        if not stopped.is_set():
            stopped.set()
            judged.state.stop_job(judged.state.jobs()[0].job_id, "enough")
        return Reply.tool_use("read", {"path": "mine.txt"})

    def slowly(request: FakeRequest) -> Reply | str:
        return (
            "slow"
            if plays.replies(request) > 8
            else Reply.tool_use("read", {"path": f"{plays.replies(request)}"}).after(0.3)
        )

    fake.when(prompt("a"), slowly)
    plays.script(fake, prompt("b"), stops, "read")
    plays.script(fake, LEAD, calls(send("a", "x"), send("b", "y")), calls(wait(), wait(), wait()), "Done.")
    team = plays.team("a", "b")
    job = do(team)
    assert (job.status, job.detail) == ("stopped", "enough")
    before = [repr(request.body) for request in fake.requests]
    assert (
        endings(job)[next(turn.order.subtask_id for turn in job.turns if turn.thread_id == "a-1")]
        == "running"
    )
    again = resume(job.job_id, home=judged)
    assert (again.status, again.result) == ("succeeded", "Done.")
    asked = [repr(request.body) for request in fake.requests]
    assert len(set(asked)) == len(asked) > len(before)


def test_a_lead_without_money_leaves_the_job_to_be_gone_on_with(do: Do, fake: FakeMessagesAPI, judged: Home):
    """The error says which cap; the record says that the job was stopped, not that it runs."""
    plays.script(fake, LEAD, "Done.")
    with pytest.raises(BudgetError, match="may use 100 tokens"):
        do(plays.team("a", max_tokens=100))
    (job,) = judged.state.jobs()
    assert job.status == "stopped"
    assert do(plays.team("a")).job_id == job.job_id


def test_an_endpoint_that_is_gone_leaves_the_job_interrupted(
    workspace: Path, tmp_path: Path, fake: FakeMessagesAPI
):
    """Nobody works on it any more, and the same command goes on."""
    from agentflows.errors import EndpointError
    from agentflows.home import open_home

    with open_home(tmp_path / "home", ANTHROPIC_BASE_URL=fake.url, ANTHROPIC_API_KEY="wrong") as broken:
        with pytest.raises(EndpointError):
            orchestrate("x", team=plays.team("a"), workspace=workspace, home=broken)
        (job,) = broken.state.jobs()
    assert job.status == "interrupted"
    plays.script(fake, LEAD, "Done.")
    with open_home(tmp_path / "home", ANTHROPIC_BASE_URL=fake.url, ANTHROPIC_API_KEY=fake.api_key) as mended:
        assert orchestrate("x", team=plays.team("a"), workspace=workspace, home=mended).job_id == job.job_id


def test_what_certainly_cannot_be_afforded_is_refused_before_anything_is_spent(
    judged: Home, workspace: Path, fake: FakeMessagesAPI
):
    """A plan whose prompts alone are longer than the job's cap."""
    tasks = plan(*(task(str(number), task="word " * 4_000) for number in range(10)))
    request = make_request("", team=plays.team("a", max_tokens=10_000), workspace=workspace, plan=tasks)
    with pytest.raises(
        PlanError, match=r"10 sub-tasks read at least 12,\d{3} tokens, and max_tokens is 10,000"
    ):
        begin(judged, request)
    assert (judged.state.jobs(), fake.requests) == ([], [])


def test_an_estimate_says_what_is_known_and_that_the_rest_is_unbounded():
    """Agents' own limits add up; one without a limit, or a grading, leaves the whole without one."""

    def most(*tasks: SubTask, **limits: int) -> tuple[float | None, float | None]:
        own = {"limits": {"max_tokens": 1_000, "max_dollars": 0.5}}
        team = make_team("t", None, [plays.member("a", **own), plays.member("free")], TeamLimits(**limits))
        found = estimate(plan(*tasks), team, {})
        return found.most_tokens, found.most_dollars

    assert most(task("1"), task("2")) == (2_000, 1.0)
    assert most(task("1"), task("2"), max_tokens=1_500) == (1_500, 1.0)
    assert most(task("1"), task("2", "free")) == (None, None)
    assert most(task("1", rubric=RUBRIC)) == (None, None)
    assert most(task("1", rubric=RUBRIC), max_tokens=7) == (7, None)
    free = make_team("t", None, [plays.member("p", runner="python", function="x:y")])
    assert (
        estimate(plan(task("1", "p")), free, {}).told
        == "1 sub-tasks, 0 that may cost: no model is needed, up to 7,200 s"
    )


def test_threads_of_the_lead_are_exempt_from_the_cap_of_a_thread(do: Do, fake: FakeMessagesAPI):
    """Its own file limits it; a cap for specialists must not end the one who leads."""
    plays.says(fake, "a")
    plays.script(fake, LEAD, send("a", "x"), wait(), "Done.")
    job = do(plays.team("a", max_thread_tokens=20_000))
    assert job.status == "succeeded"
    assert {turn.thread_id for turn in job.turns} == {LEAD_THREAD, "a-1"}
