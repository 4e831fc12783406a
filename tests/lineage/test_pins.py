"""Pins: what only a person may touch, no dream touches, and no approval given before."""

import sqlite3
from pathlib import Path

import pytest

from agentflows import review
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import NotApprovedError, NotFoundError, UsageError
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.lineage import find_entry, find_pin
from agentflows.memory import MemoryEdit, sha256
from agentflows.readers import discover
from agentflows.store import State, pinned_ids
from tests.conftest import EXAMPLES
from tests.lineage.conftest import NOTES, Desk, change

PORT, NEW = "- The port is 8080", "- The port is 9090"


def pin(desk: Desk, text: str) -> str:
    """Pin an entry; returns its id."""
    entry = find_entry(desk.state.files("team"), text)
    desk.state.pin("team", entry, actor=desk.home.actor("ada"), reason="agreed with ops")
    return entry.entry_id


def pinned(desk: Desk) -> frozenset[str]:
    return pinned_ids(desk.state.pins("team"), desk.state.files("team"))


def test_a_pin_survives_edits_elsewhere_and_lapses_with_its_entry(desk: Desk):
    """It names the text, not the place in the file."""
    name = pin(desk, PORT)
    desk.write({"/notes.md": "Before.\n\n" + NOTES})
    assert pinned(desk) == {name}
    desk.write({"/notes.md": NOTES.replace("8080", "1")})
    assert pinned(desk) == frozenset()
    assert [item.text for item in desk.state.pins("team")] == [PORT]
    desk.write({"/notes.md": NOTES})
    assert pinned(desk) == {name}


def test_pinning_is_on_record_and_done_once(desk: Desk):
    """Who, when, why; and again changes nothing."""
    pin(desk, PORT)
    first = desk.state.pins("team")
    pin(desk, PORT)
    assert desk.state.pins("team") == first
    assert (first[0].pinned_by, first[0].reason) == (desk.home.actor("ada").name, "agreed with ops")
    assert desk.state.unpin("team", first[0].path, first[0].entry_sha256, actor=desk.home.actor("ada"))
    assert not desk.state.unpin("team", first[0].path, first[0].entry_sha256, actor=desk.home.actor("ada"))
    assert [entry.action for entry in desk.state.audit("team", limit=2)] == ["unpin", "pin"]


def test_only_what_stands_can_be_pinned(desk: Desk):
    """A pin on words that were changed meanwhile would guard nothing."""
    entry = find_entry(desk.state.files("team"), PORT)
    desk.write({"/notes.md": NOTES.replace("8080", "1")})
    with pytest.raises(NotFoundError, match="does not stand"):
        desk.state.pin("team", entry, actor=desk.home.actor("ada"))


def test_a_copy_is_pinned_where_its_original_is(desk: Desk):
    """`output=create_new` must be no way around a pin."""
    pin(desk, PORT)
    desk.state.copy_store("team", "copy", actor=desk.home.actor("ada"))
    assert [item.text for item in desk.state.pins("copy")] == [PORT]


def test_an_approval_of_what_touches_a_pinned_entry_waits(desk: Desk):
    """The rest of the dream is committed; unpinned, it can be approved after all."""
    desk.hold("s1")
    touching = change("supersede", "s1", entry_ids=(desk.entry_id(PORT),), before=PORT, after=NEW)
    dream_id = desk.dream(1, touching, change("add", "s1", after="- One"))
    pin(desk, PORT)
    result = review.approve(desk.state, dream_id, reviewer="ada")
    assert "memory unpin" in result.refused[touching.change_id]
    assert (len(result.committed), result.still_held) == (1, 1)
    assert desk.texts()[-1] == "- One"
    [item] = desk.state.pins("team")
    desk.state.unpin("team", item.path, item.entry_sha256, actor=desk.home.actor("ada"))
    assert review.approve(desk.state, dream_id, reviewer="ada").committed == (touching.change_id,)
    assert NEW in desk.texts()


def test_a_pin_set_between_approval_and_commit_wins(desk: Desk):
    """It is looked at inside the commit's transaction."""
    desk.hold("s1")
    touching = change("supersede", "s1", entry_ids=(desk.entry_id(PORT),), before=PORT, after=NEW)
    dream_id = desk.dream(1, touching)
    decision = desk.state.decide(touching.change_id, "approved", reviewer="ada")
    pin(desk, PORT)
    edit = MemoryEdit(path="/notes.md", content=NOTES.replace("8080", "9090"), expected_sha256=sha256(NOTES))
    with pytest.raises(NotApprovedError, match="is pinned"):
        desk.state.commit(
            "team",
            [edit],
            base_version=1,
            actor=desk.home.actor("ada"),
            dream_id=dream_id,
            decisions=[decision.decision_id],
        )
    assert desk.state.files("team") == {"/notes.md": NOTES}
    assert desk.state.decisions(dream_id)[0].used_at is None


def test_a_dream_puts_what_speaks_against_a_pinned_entry_to_a_person(tmp_path: Path):
    """With its quotes, as a flag; what rests on the store's own words alone is refused. Another dream than unpinned."""
    with open_home(tmp_path / "home") as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("team", actor=home.actor("ada"))
        home.state.import_folder("team", EXAMPLES / "memory", actor=home.actor("ada"))
        free = dream_over(home, DreamRequest(engine="rules"))
        touching = [one for one in free.changes if one.op in {"supersede", "narrow", "merge", "retire"}]
        names = {name for one in touching for name in one.entry_ids}
        for name in names:
            entry = find_entry(home.state.files("team"), name)
            home.state.pin("team", entry, actor=home.actor("ada"))
        bound = dream_over(home, DreamRequest(engine="rules"))
        assert bound.dream.dream_id != free.dream.dream_id
        assert not [one for one in bound.changes if one.op not in {"add", "reinforce", "flag"}]
        flags = [
            one for one in bound.changes if one.op == "flag" and set(one.entry_ids) & names and one.quotes
        ]
        assert len(flags) == sum(one.op in {"supersede", "narrow"} for one in touching) > 0
        assert all("pinned" in one.reason and "It would say" in one.reason for one in flags)
        assert bound.refused["pinned"] == sum(one.op in {"merge", "retire"} for one in touching) > 0


def test_a_pin_is_found_by_its_id_or_its_words(desk: Desk):
    """Also when the entry was edited since."""
    name = pin(desk, PORT)
    pin(desk, "- Times are UTC")
    pins = desk.state.pins("team")
    assert find_pin(pins, name) == find_pin(pins, "8080") == find_pin(pins, f"{name}.2")
    with pytest.raises(UsageError, match="fits 2 pins"):
        find_pin(pins, "t")
    with pytest.raises(NotFoundError, match=r"Pinned are: /notes\.md#"):
        find_pin(pins, "nothing")
    with pytest.raises(NotFoundError, match="none"):
        find_pin([], "nothing")


def test_a_database_from_before_pins_gets_them(desk: Desk, tmp_path: Path):
    """Upgrading the package is all a user does."""
    desk.home.close()
    path = tmp_path / "home" / "state.db"
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TABLE pin")
        raw.execute("UPDATE schema_version SET version = 1")
    with State(f"sqlite:///{path}") as state:
        entry = find_entry(state.files("team"), PORT)
        state.pin("team", entry, actor=desk.home.actor("ada"))
        assert [item.text for item in state.pins("team")] == [PORT]
