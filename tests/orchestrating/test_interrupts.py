"""One thread stopped by itself: it ends as it is, and the job, its other threads and its own context go on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agentflows.errors import NotFoundError, UsageError
from agentflows.home import Home
from agentflows.team import Orchestration, Plan, SubTask
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.orchestrating import plays
from tests.orchestrating.machines import Machines
from tests.orchestrating.plays import LEAD, asked_by, calls, prompt, send, wait, write

Do = Callable[..., Orchestration]
WHY = "this thread was stopped: it runs wild"


def task(name: str, agent: str, **fields: object) -> SubTask:
    return SubTask.model_validate({"subtask_id": name, "agent": agent, "task": f"Do {name}", **fields})


def stop(home: Home, thread: str) -> list[int]:
    return home.state.interrupt_thread(home.state.jobs()[0].job_id, thread, "it runs wild")


def runs_wild(home: Home, thread: str, *, writes: str = "") -> Callable[[FakeRequest], Reply | str]:
    """A specialist that leaves a file and then reads for ever; somebody stops its thread at its second reply."""

    def answer(request: FakeRequest) -> Reply | str:
        if "Once more" in request.last_text:
            return "I remember."
        number = plays.replies(request)
        if number == 1:
            assert stop(home, thread) == [0]
        if number == 0 and writes:
            return write(writes, "half")
        return Reply.tool_use("read", {"path": f"{number}"}).after(0.1)

    return answer


def endings(job: Orchestration) -> dict[str, str]:
    return {turn.order.subtask_id: turn.ending or turn.status for turn in job.turns}


def test_a_thread_is_stopped_alone_and_takes_follow_ups(do: Do, fake: FakeMessagesAPI, judged: Home):
    """The lead hears how it ended; what it had done counts, and its context is there for the next task."""
    fake.when(prompt("a"), runs_wild(judged, "a-1", writes="a.txt"))
    plays.says(fake, "b")
    news: list[str] = []

    def follow_up(request: FakeRequest) -> Reply:
        news.extend(plays.results(request))
        return calls(send("a-1", "Once more"), wait())

    plays.script(fake, LEAD, calls(send("a", "x"), send("b", "y")), calls(wait(), wait()), follow_up, "Done.")
    job = do(plays.team("a", "b"))
    first, second = next(thread for thread in job.threads if thread.thread_id == "a-1").turns
    assert (first.ending, first.end, first.detail) == ("partial", "interrupted", WHY)
    assert [change.path for change in first.changes] == ["a.txt"]
    assert any(WHY in one for one in news)
    assert (second.ending, second.report) == ("succeeded", "I remember.")
    assert "half" in str(asked_by(fake, prompt("a"))[-1].body["messages"]), "the same conversation"
    assert job.status == "succeeded"


def test_in_a_plan_what_needs_it_is_skipped_and_the_rest_is_done(do: Do, fake: FakeMessagesAPI, judged: Home):
    """As after any failure; nothing is asked again when the plan is run again."""
    fake.when(prompt("a"), runs_wild(judged, "a-1"))
    plays.says(fake, "b")
    tasks = Plan(subtasks=(task("wild", "a"), task("needs", "b", needs=["wild"]), task("other", "b")))
    job = do(plays.team("a", "b"), plan=tasks)
    assert (job.status, endings(job)) == (
        "partial",
        {"wild": "failed", "needs": "skipped", "other": "succeeded"},
    )
    asked = len(fake.requests)
    assert do(plays.team("a", "b"), plan=tasks).job_id == job.job_id
    assert len(fake.requests) == asked


def test_a_turn_that_was_not_begun_ends_without_a_request(do: Do, fake: FakeMessagesAPI, judged: Home):
    """Where it waits behind others."""

    def stops_the_other(_: FakeRequest) -> Reply:
        assert stop(judged, "b-1") == [0]
        return Reply.text("done").after(1.2)

    fake.when(prompt("a"), stops_the_other)
    plays.says(fake, "b")
    job = do(plays.team("a", "b", at_once=1), plan=Plan(subtasks=(task("one", "a"), task("two", "b"))))
    assert endings(job) == {"one": "succeeded", "two": "failed"}
    assert not asked_by(fake, prompt("b"))


def test_graded_work_leaves_its_best_version(judged: Home, do: Do, fake: FakeMessagesAPI, workspace: Path):
    """What a revision was about to make of it was graded by nobody."""
    replies = iter(
        [write("a.md", "graded"), "Drafted.", write("a.md", "torn"), lambda: stop(judged, "a-1") and None]
    )

    def answer(_: FakeRequest) -> Reply | str:
        step = next(replies, None)
        if callable(step):
            step()
        return step if isinstance(step, Reply | str) else Reply.tool_use("read", {"path": "a.md"}).after(0.3)

    fake.when(prompt("a"), answer)
    rubric = "- **long**: It is long.\n  check: regex a.md `x{100}`\n"
    job = do(plays.team("a"), plan=Plan(subtasks=(task("page", "a", outputs=["a.md"], rubric=rubric),)))
    (turn,) = job.turns
    assert (turn.ending, (workspace / "a.md").read_text()) == ("partial", "graded")
    assert WHY in turn.detail


def test_a_worker_elsewhere_hears_of_it(tmp_path: Path, workspace: Path, fake: FakeMessagesAPI):
    """The turn ends there, and comes home."""
    machines = Machines(
        tmp_path / "site",
        f"file://{tmp_path}/staging",
        {"ANTHROPIC_BASE_URL": fake.url, "ANTHROPIC_API_KEY": fake.api_key},
    )
    with machines.home("watcher") as home:
        fake.when(prompt("a"), runs_wild(home, "a-1", writes="a.txt"))
        plays.says(fake, "b")
        tasks = Plan(subtasks=(task("wild", "a"), task("other", "b")))
        job = machines.lead(plays.team("a", "b"), tasks, workspace)
    assert endings(job) == {"wild": "partial", "other": "succeeded"}
    assert (workspace / "a.txt").read_text() == "half"


def test_what_cannot_be_stopped_alone_is_said(do: Do, fake: FakeMessagesAPI, judged: Home):
    """An idle thread has nothing to end; the lead carries the job; a thread that is not there is named."""
    plays.says(fake, "a")
    do(plays.team("a"), plan=Plan(subtasks=(task("one", "a"),)))
    assert stop(judged, "a-1") == []
    with pytest.raises(NotFoundError, match=r"no thread 'b-1'\. It has: a-1"):
        stop(judged, "b-1")
    with pytest.raises(UsageError, match="Stop the job"):
        stop(judged, "lead")
