"""A job that dies anywhere is run again: no finished turn repeated, none lost, no reply paid twice, no report twice."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows.orchestrating import POINTS
from agentflows.team import LEAD
from agentflows.testing import FakeMessagesAPI, FakeRequest
from tests.crash import jobs, workers

ALL_POINTS = ("job.begun", "thread.opened", "message.posted", *POINTS, "job.ended")


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI().script(jobs.answer) as api:
        yield api


def told(fake: FakeMessagesAPI) -> dict[str, str]:
    """What a process needs to find the endpoint."""
    return {"ANTHROPIC_BASE_URL": fake.url, "ANTHROPIC_API_KEY": fake.api_key}


def ran(folder: Path) -> list[str]:
    """The parts that a specialist wrote to their end, in order."""
    log = folder / "log.txt"
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def plan_ended(folder: Path, *, seconds: str = "0", at_once: int = 3) -> None:
    """Run the plan to its end, and see that it came out as it does undisturbed."""
    assert workers.finish(workers.start(jobs.plan_job, folder, seconds, at_once)) == 0
    job, files, sessions, _ = jobs.found(folder)
    assert job.status == "succeeded"
    assert files == jobs.EXPECTED
    assert [(thread.thread_id, len(thread.turns)) for thread in job.threads] == [
        ("player-1", 1), ("player-2", 1), ("player-3", 2),
    ]  # fmt: skip
    assert {turn.status for turn in job.turns} == {"ended"}
    assert all(not change.is_kept_aside for turn in job.turns for change in turn.changes)
    assert sorted(sessions) == sorted(turn.session_id for turn in job.turns)
    assert len([message for message in job.messages if message.from_thread == LEAD]) == len(jobs.PARTS)
    assert not list((folder / "home" / "jobs" / job.job_id).glob("turns/*"))


def live_ended(folder: Path, fake: FakeMessagesAPI) -> None:
    """Have the live job come to its end, and see that it came out as it does undisturbed."""
    assert workers.finish(workers.start(jobs.live_job, folder, **told(fake))) == 0
    job, files, sessions, spent = jobs.found(folder)
    assert (job.status, job.result) == ("succeeded", "All is written.")
    written = {name: text for name, text in files.items() if name.endswith(".md")}
    assert written == {
        "sun-first.md": "sun first",
        "rain-first.md": "rain first",
        "sun-again.md": "sun again",
    }
    reports = [message for message in job.messages if message.to_thread == LEAD]
    assert sorted(message.text for message in reports) == sorted(jobs.REPORTS)
    orders = [message.text for message in job.messages if message.from_thread == LEAD]
    assert sorted(orders) == ["Write it", "Write it", "Write it again"]
    assert [thread.thread_id for thread in job.threads if thread.thread_id != LEAD] == ["sun-1", "rain-1"]
    assert sorted(sessions) == sorted(turn.session_id for turn in job.turns)
    # A call that was settled and not yet logged when its process died is in the purse alone.
    assert sum(turn.usage.total for turn in job.turns) <= spent
    last = [request for request in fake.requests if jobs.LEAD in request.text][-1]
    assert [last.text.count(f"turn {turn}: succeeded]") for turn in (0, 1)] == [2, 1]


def dies(point: str, work: Any, *arguments: object, **variables: str) -> bool:
    """Run to the failpoint; whether it died there."""
    variables[workers.VARIABLE] = f"{point}:kill"
    code = workers.finish(workers.start(work, *arguments, **variables))
    assert code in {workers.KILLED, 0}
    return code == workers.KILLED


def test_a_plan_may_die_at_every_point_in_turn(tmp_path: Path):
    """One job, killed at each failpoint: every part is written to its end once, where a turn had come so far at all."""
    died = [point for point in ALL_POINTS if dies(point, jobs.plan_job, tmp_path, "0", 1)]
    assert died == list(ALL_POINTS)
    plan_ended(tmp_path, at_once=1)
    lost = set(jobs.PARTS) - set(ran(tmp_path))
    repeated = _repeated_after_done(tmp_path)
    print(f"JOB_KILLS mode=plan tried={len(died)} lost={len(lost)} repeated={repeated}")  # noqa: T201
    assert (lost, repeated) == (set(), 0)


def _repeated_after_done(folder: Path) -> int:
    """Parts that ran again although their turn's result was kept.

    At `turn.ran` it is not kept yet: the one at work ends its function there in vain. One works at a time, so that a
    death elsewhere interrupts none that is not counted.
    """
    unkept = 1
    return max(0, len(ran(folder)) - len(jobs.PARTS) - unkept)


@pytest.mark.slow
@pytest.mark.parametrize("point", ALL_POINTS)
def test_a_plan_may_die_at_one_point_alone(tmp_path: Path, point: str):
    """Each by itself, so that no earlier death hides a later one's."""
    assert dies(point, jobs.plan_job, tmp_path)
    plan_ended(tmp_path)


def test_a_live_job_may_die_at_every_point_in_turn(tmp_path: Path, fake: FakeMessagesAPI):
    """Every reply that was heard is paid once; only one on its way when the process died is asked again."""
    died = [point for point in ALL_POINTS if dies(point, jobs.live_job, tmp_path, **told(fake))]
    assert died == list(ALL_POINTS)
    live_ended(tmp_path, fake)
    again = len(fake.requests) - jobs.LIVE_CALLS
    print(f"JOB_KILLS mode=live tried={len(died)} lost=0 repeated=0 replies_unheard={again}")  # noqa: T201
    # Two specialists and the lead work at once: at most two others had a reply on its way at each death.
    assert 0 <= again <= 2 * len(died)


@pytest.mark.slow
@pytest.mark.parametrize("point", ALL_POINTS)
def test_a_live_job_may_die_at_one_point_alone(tmp_path: Path, fake: FakeMessagesAPI, point: str):
    """Each by itself."""
    assert dies(point, jobs.live_job, tmp_path, **told(fake))
    live_ended(tmp_path, fake)
    assert len(fake.requests) - jobs.LIVE_CALLS <= 2


@pytest.mark.slow
def test_a_live_job_may_die_between_any_two_calls(tmp_path: Path, fake: FakeMessagesAPI):
    """Killed while each question is on its way for the first time: what was heard before is never asked again."""
    running: list[Any] = []
    seen: set[str] = set()
    heard: dict[str, int] = {}
    lock = threading.Lock()

    def deadly(request: FakeRequest) -> Any:
        question = repr(request.body)
        with lock:
            heard[question] = heard.get(question, 0) + 1
            if question not in seen:
                seen.add(question)
                os.kill(running[-1].pid, signal.SIGKILL)
        return jobs.answer(request)

    fake.script(deadly)
    deaths = 0
    while True:
        running.append(workers.start(jobs.live_job, tmp_path, **told(fake)))
        if workers.finish(running[-1]) == 0:
            break
        deaths += 1
        assert deaths <= 3 * jobs.LIVE_CALLS
    live_ended(tmp_path, fake)
    # A question is asked again only after a death that came while its answer was on its way.
    worst = max(heard.values())
    print(f"JOB_CALL_KILLS tried={deaths} lost=0 repeated=0 asked={len(heard)} worst={worst}")  # noqa: T201
    assert worst <= 4


@pytest.mark.slow
def test_a_plan_may_die_at_any_moment(tmp_path: Path, kills: int):
    """Killed at random moments while functions are at work: a half-written part is begun anew, never gone on with."""
    chance = random.Random(5)
    for _ in range(kills):
        process = workers.start(jobs.plan_job, tmp_path, "0.3")
        time.sleep(chance.uniform(0.3, 2.5))
        process.kill()
        workers.finish(process)
    plan_ended(tmp_path, seconds="0.3")
    print(f"JOB_RANDOM_KILLS mode=plan tried={kills} lost=0 ran={len(ran(tmp_path))} of {len(jobs.PARTS)}")  # noqa: T201


@pytest.mark.slow
def test_a_live_job_may_die_at_any_moment(tmp_path: Path, fake: FakeMessagesAPI, kills: int):
    """The same with a lead."""
    chance = random.Random(7)
    fake.script(lambda request: time.sleep(0.1) or jobs.answer(request))
    for _ in range(kills):
        process = workers.start(jobs.live_job, tmp_path, **told(fake))
        time.sleep(chance.uniform(0.3, 2.5))
        process.kill()
        workers.finish(process)
    live_ended(tmp_path, fake)
    again = len(fake.requests) - jobs.LIVE_CALLS
    print(f"JOB_RANDOM_KILLS mode=live tried={kills} lost=0 repeated=0 replies_unheard={again}")  # noqa: T201
    assert again <= 3 * kills


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_who_asks_a_job_to_end_leaves_no_process_behind(tmp_path: Path, number: int):
    """Ctrl-C, and what schedulers send: the agents' own processes are gone, and a re-run goes on."""
    process = workers.start(jobs.plan_job, tmp_path, "60")
    pids = jobs.wait_for(lambda: found if len(found := jobs.left_running(tmp_path)) == 3 else None)
    assert process.pid
    os.kill(process.pid, number)
    assert workers.finish(process) not in {0, workers.KILLED}
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    job, files, _, _ = jobs.found(tmp_path)
    assert job.status == "interrupted"
    assert not [name for name in files if name.endswith(".md")]  # nothing half-written reached the workspace
    (tmp_path / "players.py").write_text(jobs.FUNCTION.replace("float(seconds)", "0"))
    plan_ended(tmp_path, seconds="60")
