"""What a reviewer is shown before an approval is what the approval does, or it does nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentflows import lineage, review
from agentflows.change import Change, DreamReport
from agentflows.dream.resolving import Answer
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import ConflictError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.memory import MemoryEdit
from agentflows.readers import discover
from tests.conftest import EXAMPLES


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """The example project with a dream that waits."""
    with open_home(tmp_path / "home") as doors:
        ingest_files(doors, discover(EXAMPLES / "sessions"))
        doors.state.create_store("example", actor=doors.actor("tester"))
        doors.state.import_folder("example", EXAMPLES / "memory", actor=doors.actor("tester"))
        yield doors


def dream(home: Home) -> DreamReport:
    return dream_over(home, DreamRequest(store="example", engine="rules"))


def held(report: DreamReport) -> list[Change]:
    return [change for change in report.changes if change.status == "held" and change.op != "flag"]


def test_a_preview_is_what_the_approval_then_writes(home: Home):
    """Byte for byte, with the reviewer's own text and the answer to a flag in it; and looking decides nothing."""
    report = dream(home)
    flag = next(change for change in report.changes if change.op == "flag")
    own = next(change for change in held(report) if change.op == "add")
    only = [change.change_id for change in held(report)] + [flag.change_id]
    edits = {own.change_id: "- My own words."}
    answers: dict[str, Answer] = {flag.change_id: "keep-first"}
    plan = review.preview(home.state, report.dream.dream_id, only, edits=edits, resolve=answers)
    assert {change.status for change in home.state.changes(dream_id=report.dream.dream_id)} == {"held"}
    assert home.state.files("example") == plan.before
    review.approve(
        home.state,
        report.dream.dream_id,
        reviewer="ada",
        only=only,
        edits=edits,
        resolve=answers,
        base_version=plan.store.version,
    )
    assert home.state.files("example") == plan.after
    assert "- My own words." in plan.after[own.path]


def test_an_approval_of_what_was_seen_does_nothing_when_the_store_moved_since(home: Home):
    """Even where every change would still fit: the reviewer looked at something else."""
    report = dream(home)
    only = [held(report)[0].change_id]
    plan = review.preview(home.state, report.dream.dream_id, only)
    edit = MemoryEdit(path="/other.md", content="- Something else.\n", expected_sha256=None)
    home.state.commit(plan.store.store_id, [edit], base_version=1, actor=home.actor("bob"), message="by hand")
    with pytest.raises(ConflictError, match="at version 2, not 1"):
        review.approve(
            home.state, report.dream.dream_id, reviewer="ada", only=only, base_version=plan.store.version
        )
    assert not home.state.decisions(report.dream.dream_id)


def test_a_preview_says_what_would_not_be_written_and_settles_nothing(home: Home):
    """A pin and an entry that is gone: told before, and recorded only by the approval itself."""
    report = dream(home)
    narrow = next(change for change in held(report) if change.op == "narrow")
    supersede = next(change for change in held(report) if change.op == "supersede")
    pinned = lineage.find_entry(home.state.files("example"), narrow.entry_ids[0])
    home.state.pin("example", pinned, actor=home.actor("bob"))
    files = home.state.files("example")
    fresh = files["/CLAUDE.md"].replace(supersede.before or "", "- Something else.")
    store = home.state.get_store("example")
    edit = MemoryEdit(
        path="/CLAUDE.md",
        content=fresh,
        expected_sha256=next(
            m.content_sha256 for m in home.state.memories("example") if m.path == "/CLAUDE.md"
        ),
    )
    home.state.commit(
        store.store_id, [edit], base_version=store.version, actor=home.actor("bob"), message="by hand"
    )
    plan = review.preview(home.state, report.dream.dream_id, [narrow.change_id, supersede.change_id])
    assert not plan.changes
    assert not plan.touched
    assert "is pinned" in plan.pinned[narrow.change_id]
    assert "no longer stands" in plan.expired[supersede.change_id]
    now = {change.change_id: change.status for change in home.state.changes(dream_id=report.dream.dream_id)}
    assert now[narrow.change_id] == now[supersede.change_id] == "held"
