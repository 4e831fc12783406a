"""Evidence: from an entry to the words that prove it, and from a session to all that rests on it."""

from agentflows.change import Change
from agentflows.memory import sha256
from agentflows.store import Evidence, State, evidence_of
from tests.store.samples import ADA, NOTES, change, dreamt, edit, entry_id, put, quote, supersede

PORT = "- The port is 8080"
NEW = "- The port is 9090"


def commit(state: State, content: str, *changes: Change) -> None:
    """Approve and commit, as a review does."""
    ids = [state.decide(one.change_id, "approved", reviewer="ada").decision_id for one in changes]
    edits = [edit(state, "team", "/notes.md", content)]
    state.commit(
        "team",
        edits,
        base_version=None,
        actor=ADA,
        dream_id=changes[0].dream_id,
        decisions=ids,
        changes=changes,
    )


def test_a_committed_entry_rests_on_its_quotes(state: State):
    """`memory why`: session, turn, place, trust, origin and time of each."""
    one = supersede(pattern_key="fact|port|is|")
    dreamt(state, one)
    commit(state, NOTES.replace("8080", "9090"), one)
    rows = state.evidence("team", "/notes.md")
    assert rows == state.evidence("team", sha256(NEW)) == state.evidence("team") == evidence_of(one, NEW)
    assert rows[0] == Evidence(
        path="/notes.md",
        entry_sha256=sha256(NEW),
        session_id="s1",
        seq=3,
        start=0,
        end=14,
        quote_sha256=sha256("Use port 9090."),
        root_id="s1",
        origin="s1:3",
        trust=3,
        at=quote().at,
        pattern_key="fact|port|is|",
        change_id=one.change_id,
        dream_id="drm_1",
    )


def test_an_entry_laid_out_by_the_committer_is_found(state: State):
    """The marker in front is layout; the evidence is of the entry as it stands in the file."""
    one = change(after="Lint before push", heading="Habits")
    dreamt(state, one)
    commit(state, NOTES + "\n## Habits\n\n- Lint before push\n", one)
    assert {row.entry_sha256 for row in state.evidence("team")} == {sha256("- Lint before push")}


def test_the_reviewers_text_rests_on_the_same_quotes(state: State):
    """An edit by a person does not cut the chain."""
    one = supersede()
    dreamt(state, one)
    decision = state.decide(one.change_id, "approved", reviewer="ada", edited_after="- Port: 9090")
    edits = [edit(state, "team", "/notes.md", NOTES.replace("The port is 8080", "Port: 9090"))]
    state.commit("team", edits, base_version=1, actor=ADA, dream_id="drm_1", decisions=[decision.decision_id])
    assert len(state.evidence("team", sha256("- Port: 9090"))) == 2


def test_what_is_recorded_twice_is_there_once(state: State):
    """The same dream twice is an empty diff."""
    one = change("reinforce", entry_ids=(entry_id(NOTES, PORT),), before=PORT)
    dreamt(state, one)
    rows = evidence_of(one, PORT)
    assert state.add_evidence("team", rows) == 2
    assert state.add_evidence("team", rows) == 0
    commit(state, NOTES, one)
    assert state.evidence("team") == rows
    assert state.evidence_keys("team") == {("fact|port|is|", "s1"), ("fact|port|is|", "s2")}


def test_only_entries_that_stand_count_as_known(state: State):
    """After a restore the same sessions may teach it again."""
    one = supersede()
    dreamt(state, one)
    commit(state, NOTES.replace("8080", "9090"), one)
    assert len(state.evidence_keys("team")) == 2
    state.restore("team", 1, actor=ADA)
    assert state.evidence_keys("team") == set()
    assert len(state.evidence("team", sha256(NEW))) == 2, "the history stays"
    state.restore("team", 2, actor=ADA)
    assert len(state.evidence_keys("team")) == 2


def test_all_that_rests_on_one_session_is_one_question(state: State):
    """`memory forget SESSION`; a sub-agent's quotes count for its parent."""
    one = change(after="- a", quotes=(quote("s1"), quote("s2:agent", root_id="s2", trust=1)))
    two = change(after="- b", quotes=(quote("s3"),))
    dreamt(state, one, two)
    commit(state, NOTES + "- a\n- b\n", one, two)
    assert {row.entry_sha256 for row in state.evidence("team", session_id="s2")} == {sha256("- a")}
    assert {row.entry_sha256 for row in state.evidence("team", session_id="s2:agent")} == {sha256("- a")}
    assert state.evidence("team", session_id="s9") == []
    assert state.evidence("team", "/other.md") == []


def test_a_narrowed_entry_keeps_what_it_rested_on(state: State):
    """It keeps what holds, so it keeps the proof; a superseded one does not."""
    first = change("reinforce", entry_ids=(entry_id(NOTES, PORT),), before=PORT, quotes=(quote("s0"),))
    narrow = change(
        "narrow",
        entry_ids=(entry_id(NOTES, PORT),),
        before=PORT,
        after=f"{PORT}, except in CI",
        quotes=(quote("s5"),),
    )
    dreamt(state, first, narrow)
    commit(state, NOTES, first)
    commit(state, NOTES.replace(PORT, f"{PORT}, except in CI"), narrow)
    rows = state.evidence("team", sha256(f"{PORT}, except in CI"))
    assert {row.session_id for row in rows} == {"s0", "s5"}


def test_a_copy_rests_on_what_the_original_rests_on(state: State):
    """Else a dream over the copy would find everything new."""
    one = supersede()
    dreamt(state, one)
    commit(state, NOTES.replace("8080", "9090"), one)
    state.copy_store("team", "copy", actor=ADA)
    assert state.evidence("copy") == state.evidence("team")
    assert state.evidence_keys("copy") == state.evidence_keys("team")
    put(state, "copy", {"/notes.md": "- nothing left"})
    assert state.evidence_keys("copy") == set()
    assert len(state.evidence_keys("team")) == 2
