"""Patterns over time: each session once, in the hour or day in which it started, and none lost."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from agentflows.archive import Archive
from agentflows.errors import NotFoundError
from tests.archive.builders import START, Event, plausible, session, source


def failing(text: str) -> Event:
    """One step that fails."""
    return ("call", "Bash", {"command": "make test"}, text, True)


COUNTED = [pattern.name for pattern in Archive.patterns() if pattern.moments]
_SAME_ROWS = {
    "error_signatures": ("tool", "head", "err_sig"),
    "error_fixes": ("tool", "head", "err_sig", "change", "fix_head"),
    "repeated_requests": ("request",),
    "tool_sequences": ("sequence",),
    "tool_usage": ("tool", "head"),
    "failed_checks": ("project", "name"),
    "facts_over_time": ("kind", "subject", "project", "value"),
}
"""Patterns with a row for each thing that comes up, and what tells their rows apart."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """One archive of plausible sessions for all that only ask."""
    with Archive(tmp_path_factory.mktemp("filled") / "archive") as opened:
        opened.add(source(plausible(number)) for number in range(150))
        yield opened


def test_a_session_counts_once_for_each_error_on_the_day_it_started(archive: Archive):
    """However often it failed, however long it took, and with its sub-agents."""
    days = [START + timedelta(days=number) for number in (0, 0, 3, 70)]
    archive.add(
        source(
            session(
                f"s{number}",
                failing("No rule to make target"),
                failing("No rule to make target"),
                started_at=day,
            )
        )
        for number, day in enumerate(days)
    )
    archive.add(
        [source(session("s0:sub", failing("No rule to make target"), parent_id="s0", started_at=days[3]))]
    )
    archive.add([source(session("calm", ("user", "hello"), started_at=days[2]))])
    undated = session("undated", failing("No rule to make target"))
    undated = undated.model_copy(update={"started_at": None})
    archive.add([source(undated)])
    found = archive.over_time("error_signatures")
    assert found.unit == "day"
    assert [(one.kind, one.label, one.sessions) for one in found.top] == [
        ("error", "make test: No rule to make target", 5)
    ]
    midnight = START.replace(hour=0)
    on = {(moment - midnight).days: count for moment, count in found.top[0].at.items()}
    assert on == {0: 2, 3: 1, 70: 1}
    assert {(moment - midnight).days: count for moment, count in found.all_sessions.items()} == {
        0: 2,
        3: 2,
        70: 1,
    }
    assert (found.undated, found.others, found.rest) == (1, 0, None)


def test_what_is_not_shown_is_counted_together_and_no_session_twice(archive: Archive):
    """A session with three of the others is one session with others."""
    archive.add(source(session(f"a{number}", failing("the main failure"))) for number in range(3))
    archive.add(
        [source(session("b", failing("first alpha"), failing("second beta"), failing("third gamma")))]
    )
    archive.add([source(session("c", failing("first alpha")))])
    found = archive.over_time("error_signatures", top=1)
    assert [one.sessions for one in found.top] == [3]
    assert found.others == 3
    assert found.rest is not None
    assert found.rest.sessions == sum(found.rest.at.values()) == 2
    only = archive.over_time("error_signatures", at_least=3)
    assert (len(only.top), only.others) == (1, 3)


def test_a_short_time_is_counted_by_the_hour(archive: Archive):
    """One day of work is not one bar."""
    archive.add(
        source(session(f"s{hour}", failing("x y"), started_at=START + timedelta(hours=hour)))
        for hour in (0, 5)
    )
    found = archive.over_time("error_signatures")
    assert found.unit == "hour"
    assert [moment.hour for moment in found.all_sessions] == [9, 14]


@pytest.mark.parametrize("name", COUNTED)
def test_the_counts_are_those_of_the_pattern(filled: Archive, name: str):
    """A picture and a table that disagree would both be worthless."""
    found = filled.over_time(name, top=10_000)
    assert (found.others, found.rest) == (0, None)
    assert all(sum(one.at.values()) <= one.sessions for one in found.top)
    rows = filled.pattern(name)
    if name in _SAME_ROWS:
        assert [one.sessions for one in found.top] == sorted((row["sessions"] for row in rows), reverse=True)
        assert len({tuple(row[column] for column in _SAME_ROWS[name]) for row in rows}) == len(rows)
    some = filled.over_time(name, top=2)
    assert (some.top, some.others) == (found.top[:2], max(0, len(found.top) - 2))
    assert (some.rest is None) is (some.others == 0)


def test_labels_tell_things_apart(filled: Archive):
    """Two rows of one name would be a riddle."""
    for name in COUNTED:
        labels = [one.label for one in filled.over_time(name, top=1_000).top]
        assert len(labels) == len(set(labels)), name


def test_a_selection_narrows_what_is_counted(filled: Archive):
    """A dream's picture is of the sessions it was asked to read."""
    chosen = [f"session-{number:05d}" for number in range(10)]
    for name in COUNTED:
        found = filled.over_time(name, session_ids=chosen)
        assert sum(found.all_sessions.values()) + found.undated <= 10
        assert all(one.sessions <= 10 for one in found.top)
        assert filled.over_time(name, session_ids=[]).top == ()


def test_an_empty_archive_has_nothing_over_time(archive: Archive):
    """A fresh installation."""
    for name in COUNTED:
        found = archive.over_time(name)
        assert (found.top, found.rest, found.all_sessions, found.undated) == ((), None, {}, 0)


def test_a_pattern_of_no_moments_names_those_that_have(archive: Archive):
    """Costs do not come up; they add up."""
    with pytest.raises(
        NotFoundError, match=r"'session_costs' counts nothing that comes up over time.*error_signatures"
    ):
        archive.over_time("session_costs")
    with pytest.raises(NotFoundError, match="There is no pattern 'x'"):
        archive.over_time("x")
