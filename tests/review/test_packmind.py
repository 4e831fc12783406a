"""Flags beside a real project's memory and sessions: the planted contradiction is asked about, answered, and all else stays."""

from pathlib import Path

import pytest

from agentflows import lineage, review
from agentflows.change import DreamReport
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import Home
from agentflows.ingesting import ingest_files
from agentflows.memory import MemoryEdit
from agentflows.readers import discover

pytestmark = pytest.mark.real_data

OLD = "- The integration suite waits 30 seconds for the database container."
NEW = "- The integration suite waits 45 seconds for the database container."
OTHER = "- The unit suite waits 30 seconds for the queue container."


def dream(home: Home) -> DreamReport:
    return dream_over(home, DreamRequest(store="team", engine="rules"))


def test_a_contradiction_in_a_real_memory_is_answered_and_the_rest_stays_byte_for_byte(
    home: Home, real_data: Path
):
    """One flag on the two lines that cannot both be true; after the answer the same sessions have nothing more to say."""
    folder = real_data / "claude-code-packmind"
    ingest_files(home, discover(folder / "sessions"))
    memory = (folder / "memory" / "CLAUDE.2026-02-09.md").read_text("utf-8")
    text = f"{memory.rstrip()}\n\n## Waiting\n\n{OLD}\n{NEW}\n{OTHER}\n"
    store = home.state.create_store("team", actor=home.actor("ada"))
    edit = MemoryEdit(path="/CLAUDE.md", content=text, expected_sha256=None)
    home.state.commit(store.store_id, [edit], base_version=0, actor=home.actor("ada"))
    report = dream(home)
    [flag] = [change for change in report.changes if change.op == "flag"]
    assert flag.before == f"{OLD}\n\n{NEW}"
    review.approve(
        home.state,
        report.dream.dream_id,
        reviewer="ada",
        only=[flag.change_id],
        resolve={flag.change_id: "keep-second"},
    )
    assert home.state.files("team")["/CLAUDE.md"] == text.replace(f"{OLD}\n", "")
    ages = lineage.Ages(lineage.Records(home.state, home.state.get_store("team")))
    assert ages.of(ages.named(OLD)).replaced_by == NEW
    review.approve(home.state, dream(home).dream.dream_id, reviewer="ada")
    assert [change.op for change in dream(home).changes if change.status != "refused"] == []
