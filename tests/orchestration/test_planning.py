"""Plans: order, skipping, more sub-tasks than threads, and a live run written down as a plan."""

import pytest

from agentflows.errors import UsageError
from agentflows.orchestration import Desk, carry_out, plan_of
from agentflows.team import ThreadTurn
from tests.orchestration.crews import Pages, crew, does, job, plan, task, team


def test_a_sub_task_begins_after_all_it_needs() -> None:
    """Whatever the order in the file."""
    log: list[str] = []
    with crew(team("a"), does(log=log)) as workers:
        carry_out(
            plan(task("end", "left", "right"), task("left", "start"), task("right", "start"), task("start")),
            workers,
        )
    assert (log[0], log[-1], sorted(log[1:-1])) == ("start", "end", ["left", "right"])


@pytest.mark.parametrize("ending", ["failed", "empty"])
def test_what_needs_a_broken_sub_task_is_skipped_and_says_why(ending: str) -> None:
    """And what needs that in turn; a partial result is worked with."""

    def how(turn: ThreadTurn) -> str:
        return {"broken": ending, "half": "partial"}.get(turn.order.subtask_id, "succeeded")

    with crew(team("a"), does(how)) as workers:
        carry_out(
            plan(
                task("broken"),
                task("next", "broken"),
                task("after", "next"),
                task("half"),
                task("more", "half"),
            ),
            workers,
        )
        turns = {turn.order.subtask_id: turn for turn in workers.turns}
    assert turns["next"].detail == f"it needs broken, which ended {ending}"
    assert turns["after"].detail == "it needs next, which was skipped"
    assert (turns["next"].status, turns["after"].status, turns["more"].ending) == (
        "skipped",
        "skipped",
        "succeeded",
    )


def test_a_plan_may_have_more_sub_tasks_than_there_may_be_threads() -> None:
    """A thread that nobody follows gives its place back."""
    with crew(team("a", max_threads=2), does()) as workers:
        carry_out(plan(*(task(str(number)) for number in range(9))), workers)
        assert [turn.ending for turn in workers.turns] == ["succeeded"] * 9


def test_a_plan_whose_threads_wait_for_each_other_ends_and_says_why() -> None:
    """The only place is kept for a follow-up that needs what has no place: without a way out it would wait for ever."""
    work = plan(task("1"), task("2", agent="b"), task("3", "2", follows="1"))
    with crew(team("a", "b", max_threads=1), does()) as workers:
        carry_out(work, workers)
    turns = {turn.order.subtask_id: turn for turn in workers.turns}
    assert [turns[name].status for name in "123"] == ["ended", "skipped", "skipped"]
    assert "a-1 must stay for follow-ups. Raise max_threads" in turns["2"].detail
    assert turns["3"].detail == "it needs 2, which was skipped"


def test_a_sub_task_that_follows_goes_on_in_the_same_thread() -> None:
    """Its context is kept for it."""
    with crew(team("a", max_threads=1), does()) as workers:
        carry_out(plan(task("draft"), task("revise", follows="draft")), workers)
        assert [(turn.thread_id, turn.number) for turn in workers.turns] == [("a-1", 0), ("a-1", 1)]


def test_a_plan_that_was_half_done_is_finished_without_repeating_anything() -> None:
    """After any crash."""
    pages, log = Pages(), list[str]()
    work = plan(task("1"), task("2", "1"), task("3", "2"))
    with crew(team("a"), does(log=log), pages=pages) as workers:
        carry_out(plan(task("1")), workers)
    with crew(team("a"), does(log=log), pages=pages, of=pages.job()) as workers:
        carry_out(work, workers)
    assert log == ["1", "2", "3"]


def test_a_live_run_is_a_plan_with_what_the_lead_knew_as_needs() -> None:
    """So that it can be edited and run again without a model."""
    pages = Pages()
    with crew(team("a", "b"), does(), pages=pages) as workers:
        desk = Desk(workers)
        desk.send_to_agent("c1", "a", "look")
        desk.wait("c2")
        desk.send_to_agent("c3", "b", "write", outputs=["report.md"])
        desk.send_to_agent("c4", "a-1", "look again")
        desk.wait("c5")
        desk.wait("c6")
    saved = plan_of(pages.job(mode="live"))
    assert [(one.subtask_id, one.agent, one.needs, one.follows) for one in saved.subtasks] == [
        ("a-1", "a", (), ""),
        ("b-1", "b", ("a-1",), ""),
        ("a-1-2", "a", (), "a-1"),
    ]
    log: list[str] = []
    with crew(team("a", "b"), does(log=log)) as workers:
        carry_out(saved, workers)
    assert log[0] == "a-1"
    assert sorted(log[1:]) == ["a-1-2", "b-1"]


def test_a_live_run_that_delegated_nothing_is_no_plan() -> None:
    """There is nothing to write down."""
    with pytest.raises(UsageError, match="delegated nothing"):
        plan_of(job(mode="live"))
