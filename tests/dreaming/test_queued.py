"""A dream answers for the entries that are due: what its sessions do not settle is put to a person, once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentflows import lineage, review
from agentflows.change import Change, DreamReport
from agentflows.dreaming import DreamRequest, DreamRun, dream_over
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES

CENTS = "1099d6ef-3d9f-49f5-bf5e-414b3c60d8ba"
"""One of two sessions of the example in which a user asked for integer cents."""


@pytest.fixture
def harbor(tmp_path: Path) -> Iterator[Home]:
    """The example project, with what a dream proposed approved."""
    with open_home(tmp_path / "harbor") as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("example", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
        review.approve(home.state, dream(home).dream.dream_id, reviewer="ada")
        yield home


def dream(home: Home, **options: Any) -> DreamReport:
    return dream_over(home, DreamRequest.model_validate({"store": "example", "engine": "rules"} | options))


def asked(report: DreamReport, words: str) -> list[Change]:
    return [change for change in report.changes if change.op == "flag" and words in (change.before or "")]


def test_an_entry_that_lost_evidence_is_asked_about_until_a_person_looked(harbor: Home):
    """The dream cannot say whether it still holds; a person can, and is not asked again."""
    harbor.archive.remove([CENTS])
    report = dream(harbor)
    [flag] = asked(report, "integer cents")
    assert "It is due to be looked at again" in flag.reason
    assert f"{CENTS} is not in the archive as it was quoted" in flag.reason
    review.approve(harbor.state, report.dream.dream_id, reviewer="ada", only=[flag.change_id])
    assert asked(dream(harbor, support=1), "integer cents") == []


def test_the_answer_to_what_is_due_may_be_that_it_goes(harbor: Home):
    """Retired by a person, with the reason on record; never by age alone."""
    harbor.archive.remove([CENTS])
    report = dream(harbor)
    [flag] = asked(report, "integer cents")
    review.approve(
        harbor.state,
        report.dream.dream_id,
        reviewer="ada",
        only=[flag.change_id],
        resolve={flag.change_id: "drop"},
    )
    assert not any("integer cents" in text for text in harbor.state.files("example").values())


def test_nothing_due_asks_nothing(harbor: Home):
    """The second dream over the same sessions has nothing to say but the flags that still wait."""
    store = harbor.state.get_store("example")
    assert lineage.queue(lineage.Records(harbor.state, store), harbor.archive) == []
    assert not [change for change in dream(harbor).changes if "due to be looked at" in change.reason]


def test_a_memory_imported_after_old_logs_is_not_said_to_be_the_older(home: Home, tmp_path: Path):
    """Which of the two was later nobody knows: whoever reviews it must not be told, nor a day be written down."""
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(_said(f"2025-0{month}-03T10:00:00Z") for month in (1, 2)))
    (tmp_path / "CLAUDE.md").write_text("# Notes\n\n- The staging API listens on port 9443.\n")
    ingest_files(home, [log])
    home.state.create_store("team", actor=home.actor())
    home.state.import_folder("team", tmp_path / "CLAUDE.md", actor=home.actor())
    (change,) = dream_over(home, DreamRequest(store="team", engine="rules")).changes
    assert (
        change.after
        == "- The staging API listens on port 8080. (before: The staging API listens on port 9443)"
    )
    assert "later" not in change.reason
    assert (
        "last on 2025-02-03; when the entry was written is not known (in the store since 20" in change.reason
    )


def _said(at: str) -> str:
    turns = [
        {"role": "user", "content": "The staging API listens on port 8080.", "timestamp": at},
        {"role": "assistant", "content": "Ok.", "timestamp": at},
    ]
    return json.dumps({"id": at, "messages": turns})


def test_a_dream_with_no_new_session_asks_about_what_has_lapsed_since(home: Home, tmp_path: Path):
    """The day decides, too: else the report of the day before would be given for ever."""
    now = datetime.now(UTC).replace(tzinfo=None)
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"id": "a", "messages": [{"role": "user", "content": "Hello there."}]}))
    ends = f"{now + timedelta(days=5):%Y-%m-%d}"
    (tmp_path / "notes.md").write_text(
        f"# Notes\n\n- Deploys are frozen until {ends} by order of operations.\n"
    )
    ingest_files(home, [log])
    home.state.create_store("team", actor=home.actor())
    home.state.import_folder("team", tmp_path / "notes.md", actor=home.actor())
    request = DreamRequest(store="team", engine="rules")
    first = dream_over(home, request)
    assert first.changes == ()
    same = DreamRun.start(home, request, now=now + timedelta(days=5))
    assert same.earlier is not None, "on its last day it still holds"
    run = DreamRun.start(home, request, now=now + timedelta(days=6))
    assert run.dream.dream_id != first.dream.dream_id
    run.propose()
    (flag,) = run.changes
    assert f"it held until {ends}" in flag.reason
    run.release()
