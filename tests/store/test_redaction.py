"""Redaction: what was a mistake to write leaves the history, and the history still holds."""

import pytest

from agentflows.errors import ConflictError, NotFoundError
from agentflows.store import State
from tests.store.samples import ADA, NOTES, put, team


def test_what_stands_now_is_not_redacted(state: State):
    """First write what it shall say; then take the old text out."""
    team(state)
    version = state.versions("team")[0]
    with pytest.raises(ConflictError, match="Commit a new content"):
        state.redact(version.memory_version_id, actor=ADA, reason="x")
    with pytest.raises(NotFoundError, match="memver_none"):
        state.redact("memver_none", actor=ADA, reason="x")


def test_a_redacted_version_is_gone_from_the_history_and_the_chain_holds(state: State):
    """Who, when and that it was so stays on record; what it said does not."""
    team(state)
    old = state.versions("team")[0]
    put(state, "team", {"/notes.md": "new"})
    state.redact(old.memory_version_id, actor=ADA, reason="a name")
    found = state.versions("team")[-1]
    assert (found.content, found.path, found.created_by) == (None, "", ADA)
    assert state.verify("team") == 3
    assert state.files("team") == {"/notes.md": "new"}
    assert state.audit("team", limit=1)[0].action == "redact"


def test_content_that_another_version_holds_stays_there(state: State):
    """One version is redacted, not every copy of its text."""
    team(state)
    old = state.versions("team")[0]
    state.copy_store("team", "copy", actor=ADA)
    put(state, "team", {"/notes.md": "new"})
    state.redact(old.memory_version_id, actor=ADA, reason="x")
    assert state.files("copy") == {"/notes.md": NOTES}
    assert state.verify("copy") == 2
