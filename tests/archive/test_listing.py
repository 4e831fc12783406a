"""A page of sessions is some of those that match, the newest first, however many there are."""

from datetime import datetime, timedelta

import pytest

from agentflows.archive import Archive, Selection
from agentflows.session import Session, SourceRead, Turn

START = datetime(2026, 3, 1, 9)  # noqa: DTZ001


@pytest.fixture
def listed(archive: Archive) -> Archive:
    """Twelve sessions of two projects, an hour apart; one without a time."""
    sessions = tuple(
        Session(
            session_id=f"s{number:02}",
            format="messages" if number % 3 else "chat",
            reader="test/1",
            project="/red" if number % 2 else "/blue",
            title=f"Title Number {number}",
            task="orders" if number < 4 else "",
            started_at=START + timedelta(hours=number) if number else None,
            turns=(Turn(seq=0, kind="user", trust=3, text="hello"),),
        )
        for number in range(12)
    )
    archive.add([SourceRead(file="f", sha256="x", format="test", lines=12, accepted=12, sessions=sessions)])
    return archive


def names(archive: Archive, where: Selection | None = None, **options: str | int) -> list[str]:
    return [one.session_id for one in archive.page(where, **options).sessions]  # pyright: ignore[reportArgumentType]


def test_pages_follow_each_other_from_the_newest_on(listed: Archive):
    """Every session once; what has no time comes last."""
    pages = [names(listed, offset=offset, limit=5) for offset in (0, 5, 10, 15)]
    assert [len(page) for page in pages] == [5, 5, 2, 0]
    assert [name for page in pages for name in page] == [f"s{number:02}" for number in range(11, -1, -1)]
    assert listed.page(limit=1).total == 12


def test_words_are_looked_for_in_title_task_project_and_id(listed: Archive):
    """All of them, in any case, with what SQL means by no character of them."""
    assert names(listed, text="title NUMBER 11") == ["s11"]
    assert names(listed, text="orders red") == ["s03", "s01"]
    assert names(listed, text="s07") == ["s07"]
    assert names(listed, text="% _ ' \\") == []
    assert listed.page(text="orders").total == 4


def test_filters_narrow_each_other(listed: Archive):
    """Project, format and time, each bound as a value."""
    where = Selection(project="/red", since=START + timedelta(hours=4))
    assert names(listed, where) == ["s11", "s09", "s07", "s05"]
    assert names(listed, where, format="chat") == ["s09"]
    assert names(listed, Selection(project="' OR true --")) == []


def test_what_there_is_to_choose_from_is_counted(listed: Archive, tmp_path: object):
    """And an archive that holds nothing offers nothing."""
    facets = listed.facets()
    assert facets["project"] == {"/blue": 6, "/red": 6}
    assert facets["format"] == {"messages": 8, "chat": 4}
    assert facets["verdict"] == {"unknown": 12}
    del tmp_path


def test_an_archive_that_does_not_exist_has_an_empty_page(archive: Archive):
    """Looking makes nothing."""
    assert archive.page().sessions == []
    assert archive.page(text="x", format="y").total == 0
    assert archive.facets()["project"] == {}


def test_a_page_of_a_pattern_goes_on_where_the_last_one_ended(listed: Archive):
    """The order of a pattern's rows is its own."""
    rows = listed.pattern("session_costs")
    assert (
        listed.pattern("session_costs", limit=5) + listed.pattern("session_costs", limit=20, offset=5) == rows
    )
