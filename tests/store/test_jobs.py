"""Jobs of teams: recorded as they go, read back whole, and never written over once a turn ended."""

import threading

import pytest

from agentflows.errors import NotFoundError
from agentflows.store import State
from agentflows.team import LEAD, Message, Orchestration, SubTask, Thread, ThreadTurn

JOB = Orchestration(job_id="job_1", title="T", task="All", team="team", workspace="/ws", mode="plan")


def turn(number: int = 0, **fields: object) -> ThreadTurn:
    """A turn of the thread a-1."""
    order = SubTask(subtask_id=f"s{number}", agent="a", task="…")
    return ThreadTurn.model_validate(
        {"job_id": "job_1", "thread_id": "a-1", "number": number, "order": order} | fields
    )


@pytest.fixture
def begun(state: State) -> State:
    """A job with one thread."""
    state.begin_job(JOB, base_id="base", request="{}")
    state.open_thread(Thread(thread_id="a-1", job_id="job_1", agent="a"))
    return state


def test_a_job_is_read_back_with_its_threads_turns_and_messages(begun: State) -> None:
    """As any later process needs it."""
    begun.put_turn(turn())
    begun.open_thread(Thread(thread_id="b-1", job_id="job_1", agent="b"))
    begun.post("job_1", Message(seq=99, from_thread=LEAD, to_thread="a-1", text="look\x00"))
    begun.post("job_1", Message(seq=99, from_thread="a-1", to_thread=LEAD, text="seen"))
    found = begun.job("job_")
    assert [(one.thread_id, one.status, len(one.turns)) for one in found.threads] == [
        ("a-1", "running", 1),
        ("b-1", "idle", 0),
    ]
    assert [(one.seq, one.text) for one in found.messages] == [(0, "look\x00"), (1, "seen")]
    assert begun.jobs(base_id="base") == [found]
    assert begun.job_request("job_1") == "{}"


def test_beginning_a_job_again_finds_it_as_it_stands(begun: State) -> None:
    """A re-run goes on."""
    begun.save_job(begun.job("job_1").model_copy(update={"status": "running"}))
    assert begun.begin_job(JOB, base_id="base", request="other").status == "running"
    assert begun.job_request("job_1") == "{}"


def test_an_ended_turn_stays_as_it_ended(begun: State) -> None:
    """A worker that woke up late cannot write over it."""
    begun.put_turn(turn(status="running"))
    begun.put_turn(turn(status="ended", ending="succeeded", report="first"))
    begun.put_turn(turn(status="ended", ending="failed", report="late"))
    begun.put_turn(turn(status="running"))
    assert (begun.turn("job_1", "a-1", 0).ending, begun.turn("job_1", "a-1", 0).report) == (
        "succeeded",
        "first",
    )


def test_archiving_twice_keeps_the_first_time(begun: State) -> None:
    """And a thread that is opened again stays archived."""
    begun.archive_thread("job_1", "a-1")
    first = begun.job("job_1").threads[0]
    begun.archive_thread("job_1", "a-1")
    begun.open_thread(Thread(thread_id="a-1", job_id="job_1", agent="a"))
    assert begun.job("job_1").threads == (first,)
    assert first.status == "archived"


def test_a_stop_can_be_asked_for_and_taken_back(begun: State) -> None:
    """From any process."""
    assert begun.job_stop("job_1") == ""
    assert begun.stop_job("job_1", "enough") == "job_1"
    assert begun.job_stop("job_1") == "enough"
    begun.stop_job("job_1", "")
    assert begun.job_stop("job_1") == ""


def test_messages_of_many_threads_get_gapless_positions(begun: State) -> None:
    """Specialists report at the same time."""

    def say(name: str) -> None:
        for number in range(10):
            begun.post("job_1", Message(seq=0, from_thread=name, to_thread=LEAD, text=str(number)))

    speakers = [threading.Thread(target=say, args=(f"t{number}",)) for number in range(4)]
    for one in speakers:
        one.start()
    for one in speakers:
        one.join()
    found = begun.job("job_1").messages
    assert [one.seq for one in found] == list(range(40))
    assert [one.text for one in found if one.from_thread == "t0"] == [str(number) for number in range(10)]


@pytest.mark.parametrize("name", ["", "job_2"])
def test_an_unknown_job_is_said(begun: State, name: str) -> None:
    """With how to find the right one."""
    with pytest.raises(NotFoundError, match="agentflows threads"):
        begun.job(name)
    with pytest.raises(NotFoundError):
        begun.turn("job_1", "a-1", 7)
