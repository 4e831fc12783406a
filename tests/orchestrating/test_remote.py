"""One turn carried out by a process that does not lead the job."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentflows.errors import BudgetError, HinderedError, NotFoundError
from agentflows.home import Home
from agentflows.orchestrating import begin, carry_out_turn, is_at_work, make_request, refused
from agentflows.team import Plan, SubTask, Thread, ThreadTurn
from agentflows.testing import FakeMessagesAPI, FakeRequest
from tests.orchestrating.plays import prompt, says, team


def sent(home: Home, workspace: Path, **limits: Any) -> ThreadTurn:
    """A turn as whoever leads the job has recorded it before sending it."""
    order = SubTask(subtask_id="one", agent="ann", task="sing")
    request = make_request("", team=team("ann", **limits), plan=Plan(subtasks=(order,)), workspace=workspace)
    with begin(home, request) as run:
        turn = ThreadTurn(
            job_id=run.job.job_id,
            thread_id="ann-1",
            number=0,
            order=order,
            status="running",
            started_at=datetime.now(UTC).replace(tzinfo=None),
        )
        home.state.open_thread(Thread(thread_id="ann-1", job_id=run.job.job_id, agent="ann"))
        home.state.put_turn(turn)
    return turn


def test_a_turn_is_carried_out_once_however_often_it_is_taken(
    judged: Home, fake: FakeMessagesAPI, workspace: Path
):
    """A worker may get a turn that another finished in the meantime."""
    says(fake, "ann")
    turn = sent(judged, workspace)
    first = carry_out_turn(judged, turn.job_id, "ann-1", 0)
    assert (first.status, first.ending, first.report) == ("ended", "succeeded", "done: sing")
    assert judged.state.turn(turn.job_id, "ann-1", 0) == first
    assert carry_out_turn(judged, turn.job_id, "ann-1", 0) == first
    assert len(fake.requests) == 1


def test_two_never_work_on_one_turn(judged: Home, fake: FakeMessagesAPI, workspace: Path):
    """One that was taken for lost may come back: whoever took its place waits, and finds the turn done."""
    asked, go = threading.Event(), threading.Event()

    def answer(_: FakeRequest) -> str:
        asked.set()
        go.wait(60)
        return "done"

    fake.when(prompt("ann"), answer)
    turn = sent(judged, workspace)
    assert not is_at_work(judged, turn)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(carry_out_turn, judged, turn.job_id, "ann-1", 0)
        assert asked.wait(60)
        assert is_at_work(judged, turn)
        second = pool.submit(carry_out_turn, judged, turn.job_id, "ann-1", 0)
        go.set()
        assert first.result() == second.result()
    assert len(fake.requests) == 1
    assert not is_at_work(judged, turn)


def test_a_turn_the_job_cannot_pay_for_comes_back_as_it_was_and_says_why(
    judged: Home, fake: FakeMessagesAPI, workspace: Path
):
    """Whoever leads decides whether money comes back from other turns, or the job stops."""
    says(fake, "ann")
    turn = sent(judged, workspace, max_tokens=10)
    assert refused(judged, turn) is None
    assert carry_out_turn(judged, turn.job_id, "ann-1", 0).status == "running"
    refusal = refused(judged, turn)
    assert isinstance(refusal, BudgetError)
    assert f"job:{turn.job_id}" in refusal.levels
    assert fake.requests == []


def test_a_turn_that_the_archive_keeps_from_its_end_comes_back_as_it_was_and_says_why(
    judged: Home, fake: FakeMessagesAPI, workspace: Path
):
    """Else the run of the worker failed, and whoever leads took the turn, which is paid, for failed too."""
    says(fake, "ann")
    turn = sent(judged, workspace)
    in_the_way = judged.settings.home_path / "archive"
    in_the_way.write_text("no folder")
    assert carry_out_turn(judged, turn.job_id, "ann-1", 0).status == "running"
    why = refused(judged, turn)
    assert isinstance(why, HinderedError)
    assert "The archive at" in str(why)
    in_the_way.unlink()
    assert carry_out_turn(judged, turn.job_id, "ann-1", 0).ending == "succeeded"
    assert refused(judged, turn) is None
    assert len(fake.requests) == 1


def test_a_turn_of_a_stopped_job_is_left_to_be_gone_on_with(
    judged: Home, fake: FakeMessagesAPI, workspace: Path
):
    """The kill switch reaches workers through the state database."""
    says(fake, "ann")
    turn = sent(judged, workspace)
    judged.state.stop_job(turn.job_id, "enough")
    left = carry_out_turn(judged, turn.job_id, "ann-1", 0)
    assert (left.status, left.detail) == ("running", "enough")
    assert fake.requests == []


def test_a_turn_that_does_not_exist_is_named(judged: Home, workspace: Path):
    """A run made by hand with a wrong number is refused with what was expected."""
    turn = sent(judged, workspace)
    with pytest.raises(NotFoundError, match="has no turn 7"):
        carry_out_turn(judged, turn.job_id, "ann-1", 7)
