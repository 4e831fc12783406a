"""Threads of a job: limits, order, messages, and going on after a crash."""

import threading
import time
from typing import Any

import pytest

from agentflows.agent import Transcript
from agentflows.errors import DreamError, NotFoundError, StoreError, UsageError
from agentflows.orchestration import Desk, lead
from agentflows.orchestration.roster import now
from agentflows.session import Session
from agentflows.team import LEAD, FileChange, ThreadTurn
from tests.orchestration.crews import Pages, crew, does, task, team


def said(text: str) -> Transcript:
    """What a lead's turn leaves behind."""
    return Transcript(
        session=Session(session_id="s", format="agentflows", reader="agentflows/1"), end="finished", text=text
    )


def test_as_many_threads_exist_as_may_and_an_archived_one_gives_its_place_back() -> None:
    """Idle threads count, as in the hosted API."""
    with crew(team("a", max_threads=2), does()) as workers:
        first, second = workers.send(task("1")), workers.send(task("2"))
        workers.wait()
        with pytest.raises(UsageError, match=r"2 threads exist, and max_threads is 2.*Archive one"):
            workers.send(task("3"))
        workers.settle()
        workers.archive(first.thread_id)
        third = workers.send(task("3"))
    assert [first.thread_id, second.thread_id, third.thread_id] == ["a-1", "a-2", "a-3"]


def test_an_unknown_agent_and_an_archived_thread_are_refused_with_what_there_is() -> None:
    """Nothing is begun by either."""
    with crew(team("a", "b"), does()) as workers:
        with pytest.raises(NotFoundError, match=r"no agent 'c'.*There are: a, b\."):
            workers.send(task("1", agent="c"))
        turn = workers.send(task("1"))
        workers.wait()
        workers.archive(turn.thread_id)
        with pytest.raises(UsageError, match="is archived"):
            workers.send(task("2"), thread_id=turn.thread_id)
        with pytest.raises(UsageError, match="belongs to b, not to a"):
            workers.send(task("4", agent="a"), thread_id=workers.send(task("3", agent="b")).thread_id)
        assert [one.order.subtask_id for one in workers.turns] == ["1", "3"]


def test_a_thread_at_work_is_not_archived() -> None:
    """Its report would be lost."""
    go = threading.Event()

    def slow(turn: ThreadTurn) -> ThreadTurn:
        go.wait(30)
        return does()(turn)

    with crew(team("a"), slow) as workers:
        turn = workers.send(task("1"))
        with pytest.raises(UsageError, match="is at work"):
            workers.archive(turn.thread_id)
        go.set()


def test_turns_of_one_thread_run_in_order_and_threads_at_once() -> None:
    """A follow-up waits for the turn before it; another thread does not."""
    log: list[str] = []
    both = threading.Barrier(2, timeout=30)

    def work(turn: ThreadTurn) -> ThreadTurn:
        if turn.number == 0:
            both.wait()
        log.append(f"{turn.thread_id}/{turn.number}")
        return does()(turn)

    with crew(team("a", "b"), work) as workers:
        first = workers.send(task("1"))
        workers.send(task("2"), thread_id=first.thread_id)
        workers.send(task("3", agent="b"))
        workers.settle()
    assert sorted(log) == ["a-1/0", "a-1/1", "b-1/0"]
    assert log.index("a-1/0") < log.index("a-1/1")


def test_no_more_turns_run_at_once_than_the_team_allows() -> None:
    """`at_once` bounds processes and model calls."""
    lock, now, most = threading.Lock(), 0, 0

    def work(turn: ThreadTurn) -> ThreadTurn:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return does()(turn)

    with crew(team("a", at_once=3, max_threads=20), work) as workers:
        for number in range(12):
            workers.send(task(str(number)))
        workers.settle()
    assert most == 3


def test_work_that_raises_is_a_failed_turn_and_the_others_go_on() -> None:
    """One specialist's fault is no reason to lose the rest."""
    broken, poor = "broken", "No money."

    def work(turn: ThreadTurn) -> ThreadTurn:
        if turn.order.subtask_id == "bad":
            raise ValueError(broken)
        if turn.order.subtask_id == "poor":
            raise DreamError(poor)
        return does()(turn)

    pages = Pages()
    with crew(team("a"), work, pages=pages) as workers:
        for name in ("bad", "good", "poor"):
            workers.send(task(name))
        workers.settle()
    kept = {turn.order.subtask_id: turn for thread in pages.threads.values() for turn in thread.turns}
    assert (kept["bad"].ending, kept["bad"].detail) == ("failed", "ValueError: broken")
    assert (kept["poor"].ending, kept["poor"].detail) == ("failed", "No money.")
    assert kept["good"].ending == "succeeded"


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
def test_what_ends_a_thread_ends_the_job_and_never_leaves_it_waiting(error: BaseException) -> None:
    """A turn whose thread was ended so was waited for until the process was killed, and a stop was not heard."""

    def work(turn: ThreadTurn) -> ThreadTurn:
        raise error

    pages = Pages()

    def waits() -> None:
        with crew(team("a"), work, pages=pages) as workers:
            workers.send(task("one"))
            workers.settle()

    with pytest.raises(type(error)):
        waits()
    (turn,) = [turn for thread in pages.threads.values() for turn in thread.turns]
    assert turn.status == "running"  # it goes on with the next process


def test_what_ran_when_the_process_died_goes_on_and_what_ended_does_not() -> None:
    """The record alone decides: an ended turn is never paid twice."""
    pages = Pages()
    with crew(team("a"), does(), pages=pages) as workers:
        workers.send(task("done"))
        workers.wait()
        halfway = workers.send(task("half"))
        workers.wait(known={("a-1", 0)})
    pages.record("job_1", turns=[halfway.model_copy(update={"status": "running"})])
    again: list[str] = []
    with crew(team("a"), does(log=again), pages=pages, of=pages.job()) as workers:
        workers.resume()
        workers.settle()
        assert workers.send(task("done")).status == "ended"
    assert again == ["half"]


def test_a_call_made_again_after_a_crash_has_no_second_effect_and_gets_the_same_reports() -> None:
    """A lead's reply is saved before its tools run, so a killed lead runs them again."""
    pages = Pages()
    with crew(team("a"), does(), pages=pages) as workers:
        desk = Desk(workers)
        desk.send_to_agent("call-1", "a", "look")
        first = desk.wait("call-2")
    assert "did look" in first
    with crew(team("a"), does(), pages=pages, of=pages.job()) as workers:
        desk = Desk(workers)
        assert desk.send_to_agent("call-1", "a", "look").startswith("Sent to thread a-1, turn 0.")
        assert desk.wait("call-2") == first
        assert desk.wait("call-3").startswith("Nothing is under way")
        assert len(workers.threads) == 1
    assert [(one.from_thread, one.to_thread) for one in pages.messages] == [(LEAD, "a-1"), ("a-1", LEAD)]


def test_a_lead_that_ends_while_threads_run_gets_their_reports_and_another_turn() -> None:
    """It cannot finish without them."""
    told: list[str] = []

    def slow(turn: ThreadTurn) -> ThreadTurn:
        time.sleep(0.05)
        return does()(turn)

    with crew(team("a"), slow) as workers:

        def run(news: str) -> Transcript:
            told.append(news)
            if not news:
                workers.send(task("1"))
                return said("I am done already.")
            return said("Now I am.")

        assert lead(run, workers).text == "Now I am."
    assert len(told) == 2
    assert "did task 1" in told[1]


def test_nothing_is_begun_once_the_job_was_stopped() -> None:
    """What was queued stays queued and is said so by the record."""
    pages = Pages()
    log: list[str] = []
    with crew(team("a"), does(log=log), pages=pages) as workers:
        workers.stop("the kill switch")
        with pytest.raises(UsageError, match="the kill switch"):
            workers.send(task("1"))
    assert (log, pages.threads) == ([], {})


def test_several_orders_are_given_together_or_not_at_all() -> None:
    """One transaction for a whole fan-out; a bad order among them leaves no half of it behind."""
    pages = Pages()
    with crew(team("a", "b", max_threads=3), does(), pages=pages) as workers:
        with pytest.raises(NotFoundError, match="no agent 'c'"):
            workers.send_all([(task("1"), ""), (task("2", agent="c"), "")])
        with pytest.raises(UsageError, match="3 threads exist"):
            workers.send_all([(task(str(number)), "") for number in range(4)])
        assert (pages.threads, pages.messages) == ({}, [])
        turns = workers.send_all([(task("1"), ""), (task("2", agent="b"), ""), (task("1"), "")])
        more = workers.send_all([(task("3"), "a-1"), (task("4"), "a-1"), (task("2", agent="b"), "")])
        workers.settle()
    assert [(turn.thread_id, turn.number) for turn in (*turns, *more)] == [
        ("a-1", 0), ("b-1", 0), ("a-1", 0), ("a-1", 1), ("a-1", 2), ("b-1", 0),
    ]  # fmt: skip
    assert [one.key for one in pages.messages] == ["1", "2", "3", "4"]
    assert [turn.status for turn in pages.threads["a-1"].turns] == ["ended"] * 3


def test_an_end_that_cannot_be_recorded_ends_the_job_and_is_raised() -> None:
    """A full disk at the last step: whoever waits is told, and waits no longer."""

    class Full(Pages):
        why = "The disk is full."

        def record(self, job_id: str, **what: Any) -> Any:
            if self.why and any(turn.status == "ended" for turn in what.get("turns", ())):
                raise StoreError(self.why)
            return super().record(job_id, **what)

    pages, log = Full(), list[str]()
    with crew(team("a"), does(log=log), pages=pages) as workers:
        workers.send(task("1"))
        with pytest.raises(StoreError, match="disk is full"):
            workers.settle()
    pages.why = ""
    with crew(team("a"), does(log=log), pages=pages, of=pages.job()) as workers:
        workers.resume()
        workers.settle()
    assert log == ["1", "1"]
    assert [turn.status for turn in pages.threads["a-1"].turns] == ["ended"]


def test_of_two_turns_that_end_at_once_one_knows_the_other() -> None:
    """An end is recorded while others end: what it changed counts for them all the same."""
    both, began = threading.Barrier(2, timeout=30), now()

    def work(turn: ThreadTurn) -> ThreadTurn:
        both.wait()
        change = FileChange(path="x.md", kind="created", after_sha256=turn.thread_id)
        return does()(turn).model_copy(update={"changes": (change,), "started_at": began})

    class Slow(Pages):
        def record(self, job_id: str, **what: Any) -> Any:
            if any(turn.status == "ended" for turn in what.get("turns", ())):
                both.wait()
            return super().record(job_id, **what)

    with crew(team("a"), work, pages=Slow()) as workers:
        workers.send_all([(task("1"), ""), (task("2"), "")])
        workers.settle()
        met = [turn.changes[0].conflict_with for turn in workers.turns]
    assert sorted(met, key=len) in ([(), ("a-1",)], [(), ("a-2",)])
