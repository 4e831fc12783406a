"""Why: from an entry to who let it in and the words that prove it, in their context."""

import pytest

from agentflows import review
from agentflows.errors import NotFoundError, UsageError
from agentflows.lineage import Records, Why, explain, find_entries, find_entry, forget
from tests.lineage.conftest import NOTES, Desk, change, pattern

PORT, NEW = "- The port is 8080", "- The port is 9090"


def why(desk: Desk, wanted: str) -> Why:
    records = Records(desk.state, desk.state.get_store("team"))
    [told] = explain(records, desk.home.archive, find_entries(records.files, wanted))
    return told


def test_the_chain_goes_from_the_entry_to_the_quote_in_its_context(desk: Desk):
    """Change, dream, who approved it when and why, pattern, counts, and the turns around the words."""
    desk.hold("s1", "s2")
    one = change("add", "s1", "s2", after="- One", pattern_id="pat_1", pattern_key="fact|x||")
    dream_id = desk.dream(1, one, patterns=[pattern("s1", "s2", "s3", quoted=2)])
    review.approve(desk.state, dream_id, reviewer="ada", reason="seen it myself")
    told = why(desk, "one")
    [link] = told.links
    assert (link.role, link.op, link.dream_id, link.engine) == ("made", "add", "drm_1", "rules/1")
    assert (link.decided_by, link.decided_why, link.was_edited) == ("ada", "seen it myself", False)
    assert (link.store_version, link.sessions, told.sessions, told.origins) == (2, 3, 3, 2)
    assert told.pattern_keys == ("fact|x||",)
    assert [item.address for item in told.quotes] == ["s1#1", "s2#1"]
    first = told.quotes[0]
    assert (first.text, first.trust, first.problem) == ("s1 says so.", 3, "")
    assert [turn.text for turn in first.context] == ["Please help.", "s1 says so.", "Thanks."]
    own = first.context[1]
    assert own.text[own.quote_start : own.quote_end] == first.text


def test_an_entry_that_people_wrote_names_them_and_their_version(desk: Desk):
    """Since when it stands without a break, whatever was written elsewhere in the memory."""
    desk.write({"/notes.md": NOTES + "- New\n"})
    desk.write({"/notes.md": "Before.\n\n" + NOTES + "- New\n"})
    told, newer = why(desk, PORT), why(desk, "- New")
    assert (told.links, told.quotes, told.sessions) == ((), (), 0)
    assert told.written is not None
    assert newer.written is not None
    assert (told.written.by.name, told.written.store_version) == ("ada", 1)
    assert newer.written.store_version == 2


def test_what_came_before_is_in_the_chain(desk: Desk):
    """A reworded entry names what made the words it came from, and what reinforced it."""
    desk.hold("s1", "s2", "s3")
    desk.approve(1, change("supersede", "s1", entry_ids=(desk.entry_id(PORT),), before=PORT, after=NEW))
    narrowed = f"{NEW}\n  Except on Fridays"
    desk.approve(2, change("narrow", "s2", entry_ids=(desk.entry_id(NEW),), before=NEW, after=narrowed))
    desk.approve(3, change("reinforce", "s3", entry_ids=(desk.entry_id(narrowed),), before=narrowed))
    told = why(desk, desk.entry_id(narrowed))
    assert [(link.role, link.op) for link in told.links] == [
        ("earlier", "supersede"),
        ("made", "narrow"),
        ("reinforced", "reinforce"),
    ]
    assert told.links[0].before == PORT
    assert {item.root_id for item in told.quotes} == {"s1", "s2", "s3"}


def test_a_reviewers_own_text_says_so(desk: Desk):
    """The proof is the same; the words are a person's."""
    desk.hold("s1")
    dream_id = desk.dream(1, change("add", "s1", after="- One"))
    review.approve(desk.state, dream_id, reviewer="ada", edits={"1": "- One, mostly"}, only=["1"])
    assert why(desk, "One, mostly").links[0].was_edited


def test_a_session_that_left_the_archive_is_said(desk: Desk):
    """The words are still known from the change; their context is not."""
    desk.hold("s1", "s2")
    desk.approve(1, change("add", "s1", "s2", after="- One"))
    desk.home.archive.remove(["s1"])
    first, second = why(desk, "- One").quotes
    assert (first.text, first.problem, first.context) == (
        "s1 says so.",
        "the session is no longer in the archive",
        (),
    )
    assert second.problem == ""


def test_words_that_are_not_at_their_address_are_not_shown(desk: Desk):
    """The archive may hold another reading by now: no turn is shown as proof of what it does not say."""
    desk.hold("s1")
    one = change("add", "s1", after="- One")
    moved = one.quotes[0].model_copy(update={"start": 3})
    desk.approve(1, one.model_copy(update={"quotes": (moved,)}))
    [item] = why(desk, "- One").quotes
    assert (item.problem, item.context) == ("the archive says something else at this address now", ())


def test_what_was_forgotten_is_named(desk: Desk):
    """An entry that rested on more says which of it is gone."""
    desk.hold("s1", "s2")
    desk.approve(1, change("add", "s1", "s2", after="- One"))
    forget(desk.state, desk.home.archive, "s1", actor=desk.home.actor("bea"))
    told = why(desk, "- One")
    assert (told.forgotten, told.sessions, [item.root_id for item in told.quotes]) == (("s1",), 1, ["s2"])


def test_a_copy_knows_what_its_original_rests_on(desk: Desk):
    """The chain leads through the original's dream."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    desk.state.copy_store("team", "copy", actor=desk.home.actor("ada"))
    records = Records(desk.state, desk.state.get_store("copy"))
    [told] = explain(records, desk.home.archive, find_entries(records.files, "- One"))
    assert [link.op for link in told.links] == ["add"]
    assert told.sessions == 1


@pytest.mark.parametrize("wanted", ["- The port is 8080", "the PORT  is 8080.", "8080", "port"])
def test_an_entry_is_found_by_its_words(wanted: str):
    """Case, blanks, marker and closing dot do not matter."""
    assert find_entry({"/notes.md": NOTES}, wanted).text == PORT


def test_an_entry_is_found_by_its_id_and_entries_by_their_path():
    """With or without the path in front of the id, and the slash in front of the path."""
    files = {"/notes.md": NOTES}
    entry = find_entry(files, PORT)
    assert find_entry(files, entry.entry_id) == find_entry(files, entry.entry_id.rpartition("#")[2]) == entry
    assert len(find_entries(files, "/notes.md")) == len(find_entries(files, "notes.md")) == 5


@pytest.mark.parametrize(
    ("wanted", "error", "says"),
    [
        ("utc", UsageError, r"fits 2 entries.*/notes.md#\w{10} \(- Times are UTC\)"),
        ("/notes.md#0123456789", NotFoundError, "memory why /notes.md"),
        ("nothing of the kind", NotFoundError, "Memories: /notes.md"),
        ("", NotFoundError, "no entry"),
        ("/notes.md", UsageError, "Name one by its id"),
    ],
)
def test_what_names_no_single_entry_is_asked_back(wanted: str, error: type[Exception], says: str):
    """With the ids to choose from."""
    with pytest.raises(error, match=says):
        find_entry({"/notes.md": NOTES}, wanted)
