"""Forgetting: what rests on one session alone goes, word for word back to what others stand for."""

import random
from pathlib import Path

import pytest

from agentflows import review
from agentflows.errors import ConflictError, NotFoundError, UsageError
from agentflows.home import Home, open_home
from agentflows.lineage import Forgotten, forget, plan_forget
from agentflows.memory import parse_entries
from agentflows.session import Session, SourceRead, Turn
from agentflows.store import Forgetful
from tests.lineage.conftest import NOTES, Desk, change, pattern, quote


def forgotten(desk: Desk, name: str, *, keep_archive: bool = False) -> Forgotten:
    home = desk.home
    return forget(desk.state, home.archive, name, actor=home.actor("bea"), keep_archive=keep_archive)


def fates(result: Forgotten) -> list[tuple[str, str]]:
    return [(entry.action, entry.text) for store in result.stores for entry in store.entries]


# -- what an entry rested on ---------------------------------------------------------------------------


def test_what_rested_on_it_alone_goes_and_the_rest_stands(desk: Desk):
    """The heading that the dream made goes with its last entry; people's words are as they were."""
    desk.hold("s1", "s2")
    both = change("add", "s1", "s2", after="- Both", path="/both.md")
    desk.approve(1, change("add", "s1", after="- One", heading="Learned"), both)
    result = forgotten(desk, "s1")
    assert fates(result) == [("kept", "- Both"), ("removed", "- One")]
    assert desk.texts() == [entry.text for entry in parse_entries("/notes.md", NOTES)]
    assert {row.session_id for row in desk.state.evidence("team")} == {"s2"}
    assert (result.stores[0].version, result.stores[0].made_version) == (2, 3)
    assert result.archive_removed == 1


def test_an_address_beside_it_is_in_no_ones_way(desk: Desk, tmp_path: Path):
    """To forget brings nothing, so what a person wrote in the same file stops nothing."""
    file = tmp_path / "notes.md"
    file.write_text(NOTES + "- Ask ada@corp.example.org\n")
    desk.state.import_folder("team", file, actor=desk.home.actor("ada"))
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    assert fates(forgotten(desk, "s1")) == [("removed", "- One")]
    assert "- Ask ada@corp.example.org" in desk.texts()


def test_an_address_that_stood_there_may_stand_there_again(desk: Desk, tmp_path: Path):
    """What a session took out of a memory comes back when the session is forgotten, whatever a scan says of it."""
    file, line = tmp_path / "notes.md", "- Ask ada@corp.example.org"
    file.write_text(f"{NOTES}{line}\n")
    desk.state.import_folder("team", file, actor=desk.home.actor("ada"))
    desk.hold("s1")
    name = desk.entry_id(line)
    desk.approve(1, change("supersede", "s1", entry_ids=(name,), before=line, after="- Ask Bob"))
    assert line not in desk.texts()
    assert fates(forgotten(desk, "s1")) == [("restored", "- Ask Bob")]
    assert line in desk.texts()


def test_a_dry_run_writes_nothing(desk: Desk):
    """It shows what would be done, and no more."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    before = (
        desk.state.files("team"),
        desk.state.evidence("team"),
        desk.state.audit(),
        desk.home.archive.stats(),
    )
    shown = plan_forget(desk.state, desk.home.archive, "s1")
    assert fates(shown) == [("removed", "- One")]
    assert not shown.is_done
    after = (
        desk.state.files("team"),
        desk.state.evidence("team"),
        desk.state.audit(),
        desk.home.archive.stats(),
    )
    assert after == before


def test_sessions_that_are_counted_but_not_quoted_keep_an_entry(desk: Desk):
    """A change quotes five sessions at most: the others it counted stand for it as well."""
    desk.hold("s1", "s2", "s3")
    three = pattern("s1", "s2", "s3", quoted=1)
    desk.approve(1, change("add", "s1", after="- Three", support=3, pattern_id="pat_1"), patterns=[three])
    result = forgotten(desk, "s1")
    assert fates(result) == [("kept", "- Three")]
    assert "none of which is quoted" in result.stores[0].entries[0].reason
    assert fates(forgotten(desk, "s3")) == [("kept", "- Three")]
    assert fates(forgotten(desk, "s2")) == [("removed", "- Three")]


def test_a_note_on_support_is_counted_anew(desk: Desk):
    """Where code wrote it, code writes it again, and the entry goes on resting on what is left."""
    desk.hold("s1", "s2", "s3")
    says = "- X is so. (said in 3 sessions, last on 2026-10-01)"
    one = change("add", "s1", "s2", "s3", after=says, pattern_id="pat_1")
    desk.approve(1, one, patterns=[pattern("s1", "s2", "s3")])
    forgotten(desk, "s2")
    assert desk.texts()[-1] == "- X is so. (said in 2 sessions, last on 2026-10-01)"
    forgotten(desk, "s1")
    assert desk.texts()[-1] == "- X is so. (said in 1 session, last on 2026-10-01)"
    assert fates(forgotten(desk, "s3"))[0][0] == "removed"
    assert desk.state.files("team")["/notes.md"] == NOTES


def test_a_note_on_copies_is_counted_anew(desk: Desk):
    """Forks of one session are counted with the source they share."""
    desk.hold("s1", "s2", "s3")
    one = change(
        "add", "s1", "s2", "s3", after="- X is so. (said in 3 sessions from 1 source)", pattern_id="pat_1"
    )
    desk.approve(1, one, patterns=[pattern("s1", "s2", "s3").model_copy(update={"origins": 1})])
    forgotten(desk, "s2")
    assert desk.texts()[-1] == "- X is so. (said in 2 sessions from 1 source)"


def test_an_entry_people_wrote_stays_whatever_reinforced_it(desk: Desk):
    """It loses a proof, not its place."""
    desk.hold("s1")
    own = "- Tests run with make"
    desk.approve(1, change("reinforce", "s1", entry_ids=(desk.entry_id(own),), before=own))
    assert fates(forgotten(desk, "s1")) == [("kept", own)]
    assert desk.state.files("team")["/notes.md"] == NOTES
    assert desk.state.evidence("team") == []


def test_reinforcement_by_another_session_keeps_an_entry(desk: Desk):
    """Whoever said it first, the other stands for it too."""
    desk.hold("s1", "s2")
    desk.approve(1, change("add", "s1", after="- One"))
    desk.approve(2, change("reinforce", "s2", entry_ids=(desk.entry_id("- One"),), before="- One"))
    assert fates(forgotten(desk, "s1")) == [("kept", "- One")]
    assert fates(forgotten(desk, "s2")) == [("removed", "- One")]


def test_words_a_person_wrote_anew_are_theirs(desk: Desk):
    """The dream's went with the session; the same words by hand rest on nobody's session."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    forgotten(desk, "s1", keep_archive=True)
    desk.write({"/notes.md": NOTES + "- One\n"})
    assert fates(forgotten(desk, "s1")) == []
    assert "- One" in desk.texts()


# -- what a dream reworded -----------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["supersede", "narrow"])
def test_reworded_on_its_word_alone_goes_back_byte_for_byte(desk: Desk, op: str):
    """The earlier text, in its place."""
    desk.hold("s1")
    old = "- The port is 8080"
    new = change(
        "supersede" if op == "supersede" else "narrow",
        "s1",
        entry_ids=(desk.entry_id(old),),
        before=old,
        after="- The port is 8080, on Fridays 9090",
    )
    desk.approve(1, new)
    assert fates(forgotten(desk, "s1")) == [("restored", "- The port is 8080, on Fridays 9090")]
    assert desk.state.files("team")["/notes.md"] == NOTES


def test_a_merge_of_two_entries_of_which_one_is_peoples_gives_theirs_back(desk: Desk):
    """What people wrote must not go with what a session added to it."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- Times are stored in UTC"))
    both = ("- Times are UTC", "- Times are stored in UTC")
    ids = tuple(desk.entry_id(text) for text in both)
    desk.approve(
        2, change("merge", entry_ids=ids, before="\n\n".join(both), after="- Times are stored in UTC always")
    )
    result = forgotten(desk, "s1")
    assert [action for action, _ in fates(result)] == ["restored", "returned", "removed"]
    assert desk.state.files("team")["/notes.md"] == NOTES


def test_rewordings_unravel_one_after_the_other(desk: Desk):
    """First s2's exception, then s1's new value, then the store says what people wrote."""
    desk.hold("s1", "s2")
    old, new = "- The port is 8080", "- The port is 9090"
    desk.approve(1, change("supersede", "s1", entry_ids=(desk.entry_id(old),), before=old, after=new))
    narrowed = f"{new}\n  Except on Fridays"
    desk.approve(2, change("narrow", "s2", entry_ids=(desk.entry_id(new),), before=new, after=narrowed))
    first = forgotten(desk, "s1")
    assert fates(first) == [("left", narrowed)], "its base has nobody, its exception has: a person must look"
    assert desk.texts()[2] == narrowed
    assert [action for action, _ in fates(forgotten(desk, "s2"))] == ["restored", "restored"]
    assert desk.state.files("team")["/notes.md"] == NOTES


def test_what_was_retired_on_its_word_alone_stands_again(desk: Desk):
    """After its old neighbour, with what stood between the two."""
    desk.hold("s1")
    old = "- The port is 8080"
    desk.approve(1, change("retire", "s1", entry_ids=(desk.entry_id(old),), before=old))
    assert old not in desk.texts()
    assert fates(forgotten(desk, "s1")) == [("returned", old)]
    assert desk.state.files("team")["/notes.md"] == NOTES


def test_what_has_no_sure_place_is_left_to_a_person(desk: Desk):
    """Its neighbours were rewritten meanwhile; code does not guess."""
    desk.hold("s1")
    old = "- The port is 8080"
    desk.approve(1, change("retire", "s1", entry_ids=(desk.entry_id(old),), before=old))
    desk.write({"/notes.md": "# Other\n\nAll is new.\n"})
    result = forgotten(desk, "s1")
    assert fates(result) == [("left", old)]
    assert result.for_a_person == 1
    assert desk.texts() == ["# Other", "All is new."]


# -- who is spared -------------------------------------------------------------------------------------


def test_a_pinned_entry_is_left_and_said(desk: Desk):
    """Only a person takes it out; the evidence goes all the same."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    entry = next(
        one
        for one in parse_entries("/notes.md", desk.state.files("team")["/notes.md"])
        if one.text == "- One"
    )
    desk.state.pin("team", entry, actor=desk.home.actor("ada"))
    result = forgotten(desk, "s1")
    assert fates(result) == [("left", "- One")]
    assert "- One" in desk.texts()
    assert desk.state.evidence("team") == []


def test_every_store_forgets_at_once_and_an_archived_one_is_listed(desk: Desk):
    """A copy rests on what its original rests on."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    actor = desk.home.actor("ada")
    desk.state.copy_store("team", "copy", actor=actor)
    old = desk.state.copy_store("team", "old", actor=actor)
    desk.state.archive_store("old", actor=actor)
    result = forgotten(desk, "s1")
    assert sorted((store.store_name, store.entries[0].action) for store in result.stores) == [
        ("copy", "removed"),
        ("old", "left"),
        ("team", "removed"),
    ]
    assert desk.state.files("team") == desk.state.files("copy") == {"/notes.md": NOTES}
    assert desk.state.evidence(old.store_id) == []


def test_sub_agents_go_with_their_session(desk: Desk):
    """They count as one, so they are forgotten as one, and not by themselves."""
    desk.hold("s1")
    desk.hold("s1:agent", parent="s1")
    one = change("add", "s1", after="- One").model_copy(update={"quotes": (quote("s1:agent", root="s1"),)})
    desk.approve(1, one)
    with pytest.raises(UsageError, match="Forget 's1'"):
        forgotten(desk, "s1:agent")
    result = forgotten(desk, "s1")
    assert (result.sub_agents, result.archive_removed) == (("s1:agent",), 2)
    assert fates(result) == [("removed", "- One")]


# -- changes that wait, and kept answers ---------------------------------------------------------------


def test_a_change_that_waits_is_counted_anew_or_expires(desk: Desk):
    """Nobody can approve what rests on a session that is gone; with enough others it goes on waiting."""
    desk.hold("s1", "s2", "s3")
    few, many = change("add", "s1", "s2", after="- Few"), change("add", "s1", "s2", "s3", after="- Many")
    counted = change("add", "s1", "s2", "s3", after="- 3 of 4 fail", pattern_id="pat_1")
    dream_id = desk.dream(1, few, many, counted, patterns=[pattern("s1", "s2", "s3", kind="outcome")])
    result = forgotten(desk, "s1")
    assert {(fate.change_id, fate.action) for fate in result.waiting} == {
        (few.change_id, "expired"),
        (many.change_id, "recounted"),
        (counted.change_id, "expired"),
    }
    by_id = {one.change_id: one for one in desk.state.dream(dream_id).changes}
    assert "rests on 1 session of 1 origin, and 2 are needed" in by_id[few.change_id].status_reason
    assert "dream again" in by_id[counted.change_id].status_reason
    left = by_id[many.change_id]
    assert (left.status, left.support, left.origins) == ("held", 2, 2)
    assert [item.session_id for item in left.quotes] == ["s2", "s3"]
    review.approve(desk.state, dream_id, reviewer="ada")
    assert {row.session_id for row in desk.state.evidence("team")} == {"s2", "s3"}
    assert [fate.action for fate in forgotten(desk, "s2").waiting] == []


def test_what_a_user_said_outright_may_wait_on_one_session(desk: Desk):
    """One session was support enough, and one is left."""
    desk.hold("s1", "s2")
    outright = pattern("s1", "s2", kind="preference", said_outright=True)
    desk.dream(1, change("add", "s1", "s2", after="- Please", pattern_id="pat_1"), patterns=[outright])
    result = forgotten(desk, "s1")
    assert [(fate.action, fate.support) for fate in result.waiting] == [("recounted", 1)]
    assert [fate.action for fate in forgotten(desk, "s1").waiting] == []
    assert [fate.action for fate in forgotten(desk, "s2").waiting] == ["expired"]


def test_kept_answers_about_it_go_and_others_stay(example: Path):
    """Else the next dream would learn from it out of the cache. A shared quote gives no other answer away."""
    with open_home(example) as home:
        mine, others = "1099d6ef-3d9f-49f5-bf5e-414b3c60d8ba", "6118ece9-9fd6-44f5-819a-899ce0e70d28"
        [reading] = home.state.cached(home.state.cache_keys([f'"session_id":"{mine}"'])).values()
        home.state.cache(
            {"ask:1": '{"quotes":["only here, \\"said\\" so"]}', "ask:2": '{"quotes":["elsewhere"]}'}
        )
        home.state.cache(
            {"obs:own": reading.replace("Always keep amounts in integer cents.", 'only here, \\"said\\" so')}
        )
        result = forget(home.state, home.archive, mine, actor=home.actor("bea"))
        assert result.cached == 3
        assert home.state.cache_keys([mine]) == []
        assert set(home.state.cached(["ask:1", "ask:2"])) == {"ask:2"}
        assert home.state.cache_keys([f'"session_id":"{others}"'])


# -- which session, and undoing ------------------------------------------------------------------------


def test_a_session_is_named_by_its_beginning(desk: Desk):
    """Ids are long; what fits several is asked back, what fits none is said."""
    desk.hold("abc-1", "abc-2", "b-1")
    assert plan_forget(desk.state, desk.home.archive, "b").session_id == "b-1"
    with pytest.raises(UsageError, match="begins 2 ids: abc-1, abc-2"):
        plan_forget(desk.state, desk.home.archive, "abc")
    with pytest.raises(NotFoundError, match="No session 'zzz'"):
        plan_forget(desk.state, desk.home.archive, "zzz")


def test_forgetting_can_be_undone_for_the_texts(desk: Desk):
    """`memory restore` brings the words back; what they rested on stays forgotten, and says so."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    forgotten(desk, "s1")
    desk.state.restore("team", 2, actor=desk.home.actor("ada"))
    assert "- One" in desk.texts()
    assert desk.state.evidence("team") == []
    assert fates(forgotten(desk, "s1")) == [], "forgotten is forgotten: a person brought it back"


def test_a_session_that_stayed_may_teach_again(desk: Desk):
    """With --keep-archive a later dream may rest on it, and it can be forgotten anew."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    forgotten(desk, "s1", keep_archive=True)
    later = desk.home.state
    dream_id = desk.dream(2, change("add", "s1", after="- Two"))
    report = later.dream(dream_id)
    moved = report.dream.model_copy(update={"created_at": report.dream.created_at.replace(year=2999)})
    later.save_dream(report.model_copy(update={"dream": moved}))
    review.approve(later, dream_id, reviewer="ada")
    assert fates(forgotten(desk, "s1")) == [("removed", "- Two")]


def test_a_store_that_moved_meanwhile_is_not_written(desk: Desk):
    """What was worked out for one version is not done to another: nothing of it is."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    store = desk.state.get_store("team")
    with pytest.raises(ConflictError, match="Nothing was forgotten"):
        desk.state.forget("s1", [Forgetful(store.store_id, 1)], actor=desk.home.actor("bea"))
    assert len(desk.state.evidence("team")) == 1


def test_it_is_on_record_who_forgot_what_and_why(desk: Desk):
    """The commit and the audit, in one transaction; the hash chain holds."""
    desk.hold("s1")
    desk.approve(1, change("add", "s1", after="- One"))
    forget(desk.state, desk.home.archive, "s1", actor=desk.home.actor("bea"), reason="she asked us to")
    [version, *_] = desk.state.versions("team")
    assert (version.created_by.name, version.message) == ("bea", "forget session s1: she asked us to")
    audit = desk.state.audit("team", limit=2)
    assert {entry.action for entry in audit} == {"commit", "forget"}
    assert {entry.actor_name for entry in audit} == {"bea"}
    assert desk.state.verify("team") == 4


# -- the whole example ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_forgetting_every_session_one_by_one_ends_with_what_people_wrote(example: Path, seed: int):
    """In any order: nothing that sessions taught is left, and people's entries stand as they stood.

    Two entries that a dream merged because they say the same, on no session's word, stay merged.
    """
    with open_home(example) as home:
        before = _texts(home, 1)
        sessions = [info.session_id for info in home.archive.info() if info.root_id == info.session_id]
        random.Random(seed).shuffle(sessions)
        for session_id in sessions:
            result = forget(home.state, home.archive, session_id, actor=home.actor("bea"))
            assert not result.for_a_person
        after = _texts(home)
        merged = {"- All times are stored in UTC and shown in the depot's own time zone."}
        assert [text for text in before if text not in merged] == after
        assert home.state.evidence("team") == []
        assert home.archive.stats().sessions == 0
        assert home.state.cache_keys(['"session_id"']) == []
        assert home.state.verify("team") == home.state.get_store("team").version + 1


def _texts(home: Home, version: int | None = None) -> list[str]:
    files = home.state.files("team", version)
    return [entry.text for path in sorted(files) for entry in parse_entries(path, files[path])]


def test_a_session_of_the_archive_that_taught_nothing_only_leaves_it(desk: Desk):
    """No store has to do with it: none gets a version or an audit."""
    turns = (Turn(seq=0, kind="user", trust=3, text="hello"),)
    session = Session(session_id="quiet", format="messages", reader="messages/1", turns=turns)
    desk.home.archive.add(
        [SourceRead(file="q", sha256="q", format="messages", lines=1, accepted=1, sessions=(session,))]
    )
    audit = desk.state.audit()
    result = forgotten(desk, "quiet")
    assert (result.stores, result.archive_removed) == ((), 1)
    assert desk.state.audit() == audit
