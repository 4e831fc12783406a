"""What a dream may say again, and what it may not: by hand meanwhile, by more sessions, after an undo."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows import review
from agentflows.change import Change, DreamReport
from agentflows.dreaming import DreamRequest, DreamRun, dream_over
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES


@pytest.fixture
def harbor(tmp_path: Path) -> Iterator[Home]:
    """The example project's sessions and memory."""
    with open_home(tmp_path / "harbor") as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("example", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
        yield home


def dream(home: Home, **options: Any) -> DreamReport:
    return dream_over(home, DreamRequest.model_validate({"store": "example", "engine": "rules"} | options))


def adding(report: DreamReport, words: str) -> Change:
    """The add that says these words."""
    return next(change for change in report.changes if change.op == "add" and words in (change.after or ""))


def test_a_line_added_by_hand_meanwhile_is_not_written_again(harbor: Home, tmp_path: Path):
    """A person writes no count of sessions behind a rule; the same rule with one is the same rule."""
    report = dream(harbor)
    wanted = adding(report, "integer cents")
    assert "(said in 2 sessions" in (wanted.after or "")
    by_hand = (wanted.after or "").split(" (said in")[0]
    notes = tmp_path / "notes.md"
    notes.write_text(f"# Notes\n\n{by_hand}\n", "utf-8")
    harbor.state.import_folder("example", notes, actor=harbor.actor("somebody"))
    result = review.approve(harbor.state, report.dream.dream_id, reviewer="ada", only=[wanted.change_id])
    assert result.refused == {wanted.change_id: "the store says it already"}
    assert sum(text.count("integer cents") for text in harbor.state.files("example").values()) == 1


def test_sessions_beyond_the_quotes_are_known_once_and_news_when_new(harbor: Home, tmp_path: Path):
    """The changelog rule is seen in 14 sessions and shows five: again it is nothing, with one more it is news."""
    report = dream(harbor)
    widest = max(report.changes, key=lambda change: change.support)
    assert widest.support > len({quote.root_id for quote in widest.quotes})
    review.approve(harbor.state, report.dream.dream_id, reviewer="ada")
    assert [change.op for change in dream(harbor).changes if change.op != "flag"] == []
    kept = next(one for one in dream(harbor).patterns if one.pattern_id in widest.pattern_id.split("\n"))
    run = DreamRun.start(harbor, DreamRequest(store="example", engine="rules", support=1))
    run.patterns = [kept.model_copy(update={"sessions": tuple(sorted([*kept.sessions, "a-new-session"]))})]
    run.propose()
    assert [change.op for change in run.changes if change.pattern_id] == ["reinforce"]
    run.patterns = [kept]
    run.propose()
    assert [change for change in run.changes if change.pattern_id] == []


def test_what_a_restore_undid_is_told_as_undone(harbor: Home):
    """And evidence or flags, which wrote nothing, are not taken for unwanted."""
    before = harbor.state.get_store("example").version
    report = dream(harbor)
    review.approve(harbor.state, report.dream.dream_id, reviewer="ada")
    harbor.state.restore("example", before, actor=harbor.actor("ada"))
    again = dream(harbor)
    assert again.refused["undone_before"] > 0
    assert "rejected_before" not in again.refused


def test_the_first_error_is_the_one_that_is_seen(harbor: Home):
    """When the disk is full the dream fails, and so does writing down that it failed."""
    run = DreamRun.start(harbor, DreamRequest(store="example", engine="rules"))
    with sqlite3.connect(harbor.settings.home_path / "state.db") as database:
        database.execute("DROP TABLE report")
    first = ValueError("the first")
    run.fail(first)
    assert "could not be recorded either" in first.__notes__[0]
