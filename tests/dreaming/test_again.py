"""What a dream may say again, and what it may not: by hand meanwhile, by more sessions, after an undo."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows import review
from agentflows.change import Change, DreamReport
from agentflows.dreaming import DreamRequest, dream_over
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
