"""What can be seen of a job, live and afterwards, and what dreams learn from it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import Home
from agentflows.orchestrating import transcript
from agentflows.orchestrating.turning import turn_name
from agentflows.orchestration import headline, markdown, not_begun, summary, table
from agentflows.session import Turn
from agentflows.team import Orchestration, Plan, SubTask, TeamLimits, make_team
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.orchestrating import plays
from tests.orchestrating.plays import LEAD, calls, prompt, send, wait

Do = Callable[..., Orchestration]
RUBRIC = "- **there**: There is a report.\n  check: exists a.md\n"


def test_a_turn_is_seen_while_it_runs_with_its_secrets_replaced(do: Do, fake: FakeMessagesAPI, judged: Home):
    """What its runner kept after its last step, as the archive will show it."""
    seen: list[list[str]] = []
    secret = "ghp_" + "a1B2" * 9

    def looks(_: FakeRequest) -> str:
        (job,) = judged.state.jobs()
        (turn,) = judged.state.job(job.job_id).turns
        seen.append([f"{event.kind} {event.text}" for event in transcript(judged, turn)])
        return "wrote it"

    plays.script(fake, prompt("a"), plays.write("a.md", secret), looks)
    job = do(plays.team("a"), plan=Plan(subtasks=(SubTask(subtask_id="one", agent="a", task="Write it"),)))
    (live,) = seen
    (turn,) = job.turns
    assert [line.split()[0] for line in live] == ["user", "tool_call", "tool_result"]
    assert secret not in repr(live)
    after = [f"{event.kind} {event.text}" for event in transcript(judged, turn)]
    assert after[: len(live)] == live
    assert after[-1] == "agent wrote it"


@pytest.mark.parametrize("rubric", ["", RUBRIC])
def test_a_command_is_seen_while_it_runs(do: Do, judged: Home, tmp_path: Path, rubric: str):
    """It may take an hour: what it printed is there a few seconds late, redacted, and of that nothing stays after its end."""
    secret, enough = "ghp_" + "a1B2" * 9, tmp_path / "enough"
    script = f"echo It is {secret}; touch a.md; until test -e {enough}; do sleep 0.1; done; echo Done"
    works = plays.member("c", runner="command", command=["/bin/sh", "-c", script], sandbox="off", tools=[])
    order = SubTask(subtask_id="one", agent="c", task="Look", outputs=("a.md",), rubric=rubric)
    live: list[Turn] = []

    def looks() -> None:
        until = time.monotonic() + 60
        while not any("It is" in event.text for event in live) and time.monotonic() < until:
            time.sleep(0.1)
            jobs = [judged.state.job(job.job_id) for job in judged.state.jobs()]
            live[:] = [event for job in jobs for turn in job.turns for event in transcript(judged, turn)]
        enough.touch()

    looking = threading.Thread(target=looks)
    looking.start()
    job = do(make_team("play", None, [works], TeamLimits()), "", plan=Plan(subtasks=(order,)))
    looking.join()
    assert [event.kind for event in live] == ["user", "agent"]
    assert secret not in repr(live)
    assert job.status == "succeeded"
    assert [event.text for event in transcript(judged, job.turns[0])][-1].endswith("Done")
    names = [f"{turn_name(job.turns[0])}/shown", f"{job.turns[0].outcome_id}/attempt/0/shown"]
    assert [judged.state.runner_state(name) for name in names] == ["", ""]


def test_every_attempt_of_graded_work_is_seen(do: Do, fake: FakeMessagesAPI, judged: Home):
    """The draft that was not enough too."""
    plays.script(fake, prompt("a"), "not yet", plays.write("a.md", "x"), "now")
    tasks = Plan(subtasks=(SubTask(subtask_id="1", agent="a", task="Do", rubric=RUBRIC, outputs=("a.md",)),))
    (turn,) = do(plays.team("a"), plan=tasks).turns
    words = [event.text for event in transcript(judged, turn) if event.kind == "agent"]
    assert words == ["not yet", "now"]


def test_what_was_not_begun_is_shown_as_that(do: Do, fake: FakeMessagesAPI, judged: Home):
    """A stopped job's page names every sub-task of its plan: skipped, not begun, or what became of it."""

    def stops(_: FakeRequest) -> Reply:
        (job,) = judged.state.jobs()
        until = time.monotonic() + 60
        while not any(turn.status == "skipped" for turn in judged.state.job(job.job_id).turns):
            assert time.monotonic() < until
            time.sleep(0.05)
        judged.state.stop_job(job.job_id, "enough")
        return Reply.tool_use("read", {"path": "mine.txt"}).after(1.5)

    fake.when("Do slow", stops)
    fake.when("Do bad", lambda _: Reply.refusal("cyber"))
    names = (("slow", ()), ("bad", ()), ("after bad", ("bad",)), ("later", ("slow",)))
    tasks = tuple(
        SubTask(subtask_id=name, agent="a", task=f"Do {name}", needs=needs) for name, needs in names
    )
    job = do(plays.team("a"), plan=Plan(subtasks=tasks))
    assert job.status == "stopped"
    assert [task.subtask_id for task in not_begun(job)] == ["later"]
    assert (summary(job)["skipped"], summary(job)["not_begun"]) == (1, 1)
    assert "1 not begun" in headline(job)
    words = {row["task"]: row["ending"] for row in table(job)}
    assert words == {
        "Do slow": "midway",
        "Do bad": "failed",
        "Do after bad": "skipped",
        "Do later": "not begun",
    }
    page = markdown(job)
    assert "## Not begun\n\n- later (a)" in page
    assert "it needs bad, which ended failed" in page


def test_the_page_of_a_job_draws_nothing_that_others_wrote(do: Do, fake: FakeMessagesAPI):
    """Titles, tasks, paths and reports are shown word for word, and make no link and no picture."""
    hostile = "**All done** [here](http://evil.example) <img src=x> ``` |"
    plays.script(fake, prompt("a"), hostile)
    tasks = (SubTask(subtask_id="one", agent="a", task=hostile, outputs=("`no` [x](http://y)",)),)
    job = do(plays.team("a"), plan=Plan(title=hostile, subtasks=tasks))
    drawn = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(markdown(job))
    assert drawn.count("All done") >= 3
    assert "<img" not in drawn
    assert 'href="http' not in drawn


def test_a_dream_over_jobs_counts_a_job_once(do: Do, fake: FakeMessagesAPI, judged: Home):
    """Three jobs whose every thread meets the same error are three cases of it, not nine."""
    fake.when("You are the specialist", _stumbles)
    sent = calls(*(send("a", f"Part {number}") for number in range(3)))
    plays.script(fake, LEAD, sent, calls(wait(), wait(), wait()), "Done.")
    judged.state.create_store("team", actor=judged.actor("tester"))
    jobs = [do(plays.team("a"), key=str(number)) for number in range(3)]
    assert {job.status for job in jobs} == {"succeeded"}
    report = dream_over(judged, DreamRequest(store="team", engine="rules"))
    (found,) = [pattern for pattern in report.patterns if "no-such-file" in repr(pattern)]
    assert found.sessions == tuple(sorted(job.job_id for job in jobs))


def _stumbles(request: FakeRequest) -> Reply | str:
    number = plays.replies(request)
    return "gave up" if number else Reply.tool_use("read", {"path": "no-such-file.txt"})
