"""Forgetting and pins as the database keeps them, on SQLite and on PostgreSQL."""

import pytest
from sqlalchemy import text

from agentflows.errors import ConflictError, NotApprovedError
from agentflows.memory import parse_entries, sha256
from agentflows.store import Forgetful, OpenFate, State, evidence_of
from agentflows.store.database import Database
from tests.store.samples import ADA, NOTES, change, dreamt, edit, put, quote, supersede, team

PORT = next(entry for entry in parse_entries("/notes.md", NOTES) if "8080" in entry.text)


def test_edits_evidence_changes_and_answers_go_together(state: State):
    """And a restated entry rests on what its old words rested on, less what is forgotten."""
    waiting = change(after="- a", quotes=(quote("s1"), quote("s2")))
    dreamt(state, waiting)
    state.add_evidence("team", evidence_of(change(after="- b"), PORT.text, path="/notes.md"))
    state.cache({"obs:1": '{"session_id":"s1"}', "obs:2": '{"session_id":"s2_%"}'})
    store = state.get_store("team")
    wanted = Forgetful(
        store.store_id,
        store.version,
        (edit(state, "team", "/notes.md", NOTES.replace("8080", "9090")),),
        {("/notes.md", sha256(PORT.text)): sha256("- The port is 9090")},
    )
    [after] = state.forget(
        "s1",
        [wanted],
        waiting=[OpenFate(waiting, waiting.sha256, "too little is left")],
        cache_keys=state.cache_keys(['"session_id":"s1"']),
        actor=ADA,
    )
    assert after.version == store.version + 1
    assert {row.session_id for row in state.evidence("team", sha256("- The port is 9090"))} == {"s2"}
    assert state.evidence("team", session_id="s1") == []
    assert [one.status for one in state.changes()] == ["expired"]
    assert set(state.cached(["obs:1", "obs:2"])) == {"obs:2"}
    assert list(state.forgotten("team")) == ["s1"]
    assert state.verify("team") == after.version + 1


def test_a_change_that_was_decided_meanwhile_stops_all_of_it(state: State):
    """What was worked out no longer holds; nothing is half forgotten."""
    waiting = change(after="- a")
    store = dreamt(state, waiting)
    state.decide(waiting.change_id, "rejected", reviewer="ada", reason="no")
    wanted = Forgetful(store.store_id, store.version, (edit(state, "team", "/notes.md", None),))
    with pytest.raises(ConflictError, match="Nothing was forgotten"):
        state.forget("s1", [wanted], waiting=[OpenFate(waiting, waiting.sha256, "gone")], actor=ADA)
    assert state.files("team") == {"/notes.md": NOTES}
    assert state.forgotten("team") == {}


def test_no_commit_of_a_dream_touches_a_pinned_entry(state: State):
    """Checked where the decision is used; a person's own commit is free to."""
    one = supersede()
    dreamt(state, one)
    decision = state.decide(one.change_id, "approved", reviewer="ada")
    state.pin("team", PORT, actor=ADA)
    new = edit(state, "team", "/notes.md", NOTES.replace("8080", "9090"))
    with pytest.raises(NotApprovedError, match="is pinned"):
        state.commit(
            "team", [new], base_version=1, actor=ADA, dream_id="drm_1", decisions=[decision.decision_id]
        )
    assert put(state, "team", {"/notes.md": NOTES.replace("8080", "9090")}).version == 2


def test_a_database_of_layout_1_gets_its_pins(url: str):
    """The step makes the table and leaves all else."""
    with State(url) as state:
        store = team(state)
    database = Database(url)
    with database.write() as session:
        session.connection().execute(text("DROP TABLE pin"))
        session.connection().execute(text("UPDATE schema_version SET version = 1"))
    database.close()
    with State(url) as state:
        assert state.get_store("team") == store
        assert state.pin("team", PORT, actor=ADA) == state.pins("team")[0]
