"""Endings that mean something."""

from datetime import datetime, timedelta

import pytest

from agentflows.evaluation import OutcomeResult, RunEnd
from agentflows.orchestration import (
    FileState,
    changes_between,
    conflicts,
    ending_of,
    job_status,
    name_of,
    promised,
)
from agentflows.team import Ending, FileChange, SubTask, ThreadTurn


@pytest.mark.parametrize(
    ("end", "report", "promises", "missing", "changed", "outcome", "ending"),
    [
        ("finished", "done", 0, 0, 0, None, "succeeded"),
        ("finished", "", 0, 0, 0, None, "empty"),
        ("finished", "", 0, 0, 1, None, "succeeded"),
        ("finished", "done", 2, 0, 2, None, "succeeded"),
        ("finished", "done", 2, 1, 1, None, "partial"),
        ("finished", "I wrote them all", 2, 2, 0, None, "empty"),
        ("finished", "done", 1, 0, 1, "satisfied", "succeeded"),
        ("finished", "done", 1, 0, 1, "max_iterations_reached", "partial"),
        ("cap_reached", "so far", 1, 0, 1, None, "partial"),
        ("cap_reached", "so far", 1, 1, 0, None, "failed"),
        ("failed", "", 0, 0, 0, None, "failed"),
        ("failed", "", 0, 0, 3, None, "partial"),
        ("refused", "I will not", 0, 0, 0, None, "failed"),
        ("truncated", "cut", 0, 0, 0, None, "failed"),
    ],
)
def test_a_turn_ends_as_what_exists_says(  # noqa: PLR0917 - the columns of the table
    end: RunEnd,
    report: str,
    promises: int,
    missing: int,
    changed: int,
    outcome: OutcomeResult | None,
    ending: Ending,
) -> None:
    """Not as its last words say."""
    found = ending_of(
        end, report=report, promised=promises, missing=missing, changed=changed, outcome=outcome
    )
    assert found == ending


def turn(thread: str, number: int, ending: Ending | None, **fields: object) -> ThreadTurn:
    """An ended turn."""
    order = SubTask(subtask_id=f"{thread}/{number}", agent=thread, task="…")
    made = {
        "job_id": "j",
        "thread_id": thread,
        "number": number,
        "order": order,
        "status": "ended",
        "ending": ending,
    }
    return ThreadTurn.model_validate(made | fields)


def test_a_job_is_judged_by_the_last_turn_of_every_thread() -> None:
    """A follow-up may mend what went wrong before."""
    mended = [turn("a", 0, "failed"), turn("a", 1, "succeeded")]
    assert job_status(mended) == "succeeded"
    assert job_status([*mended, turn("b", 0, "partial")]) == "partial"
    assert job_status([turn("a", 0, "failed"), turn("b", 0, "empty")]) == "failed"
    assert job_status([turn("a", 0, "succeeded"), turn("b", 0, None, status="skipped")]) == "partial"
    assert job_status(mended, lead_ending="failed") == "partial"
    assert job_status(mended, stopped="budget") == "stopped"
    assert job_status([]) == "failed"


def test_changes_say_what_was_created_modified_and_deleted() -> None:
    """By content, not by time."""
    one, two = FileState("1", 1), FileState("2", 2)
    found = changes_between({"kept": one, "gone": one, "old": one}, {"kept": one, "old": two, "new": two})
    assert [(change.path, change.kind) for change in found] == [
        ("gone", "deleted"), ("new", "created"), ("old", "modified"),
    ]  # fmt: skip


def test_promised_outputs_are_paths_and_globs() -> None:
    """What names no file is missing."""
    files = {"a/report.md": FileState("1", 1), "b.txt": FileState("2", 2)}
    found, missing = promised(["a/*.md", "./b.txt", "c.txt"], files)
    assert ([item.path for item in found], missing) == (["a/report.md", "b.txt"], ("c.txt",))


def test_a_file_changed_by_two_turns_at_once_is_a_conflict_and_one_after_the_other_is_not() -> None:
    """Overlap in time is what loses updates."""
    start = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC, as all our times
    times = {"started_at": start, "ended_at": start + timedelta(seconds=10)}
    later = {"started_at": start + timedelta(seconds=10), "ended_at": start + timedelta(seconds=20)}

    def left(
        thread: str, before: str, after: str, when: dict[str, datetime], *, aside: bool = False
    ) -> ThreadTurn:
        change = FileChange(
            path="x", kind="modified", before_sha256=before, after_sha256=after, is_kept_aside=aside
        )
        return turn(thread, 0, "succeeded", changes=(change,), **when)

    def met(other: ThreadTurn) -> tuple[str, ...]:
        return conflicts(left("a", "0", "1", times), [other]).changes[0].conflict_with

    assert met(left("b", "0", "2", times)) == ("b",)
    assert met(left("b", "0", "2", later)) == ()
    assert met(left("b", "0", "1", times)) == ()  # both left the same
    assert met(left("b", "3", "0", times)) == ()  # this one began from what the other left
    assert met(left("b", "0", "2", times, aside=True)) == ()  # the workspace never held it


def test_a_turn_is_called_as_its_plan_has_it_and_else_by_its_number() -> None:
    """Of what a lead sent the log and the graph had the id of its call; its words are none of Prefect's business."""
    order = SubTask(subtask_id="0.toolu_1#1.0", agent="a", task="Look into everything")
    turn = ThreadTurn(job_id="job_x", thread_id="a-1", number=2, order=order)
    assert (name_of(turn, is_planned=True), name_of(turn, is_planned=False)) == ("0.toolu_1#1.0", "turn 2")
