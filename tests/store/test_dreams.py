"""Dreams: kept whole, brought up to date, and never undoing what a person decided."""

from datetime import timedelta

import pytest

from agentflows.change import Ledger, LedgerLine, Refusal
from agentflows.errors import NotFoundError, UsageError
from agentflows.store import State
from tests.store.conftest import Clock
from tests.store.samples import ADA, NOTES, change, dreamt, edit, put, report, supersede, team

NEW = NOTES.replace("8080", "9090")


def commit(state: State, content: str, *change_ids: str) -> None:
    ids = [state.decide(name, "approved", reviewer="ada").decision_id for name in change_ids]
    edits = [edit(state, "team", "/notes.md", content)]
    state.commit("team", edits, base_version=None, actor=ADA, dream_id="drm_1", decisions=ids)


def test_a_report_comes_back_as_it_was(state: State):
    """What artifacts, Markdown and --json are rendered from, weeks later."""
    store = team(state)
    kept = report(store, [supersede(), change(after="- x", risks=("single_support",))]).model_copy(
        update={
            "ledger": Ledger(lines=(LedgerLine(entry_id="e", path="/notes.md", fate="kept"),)),
            "refusals": (Refusal(gate="support", reason="one session", claim="c"),),
            "refused": {"support": 3},
            "notes": ("rules cannot judge tone",),
        }
    )
    state.save_dream(kept)
    assert state.dream("drm_1") == kept
    assert state.dreams() == [kept.dream]
    with pytest.raises(NotFoundError, match="drm_2"):
        state.dream("drm_2")


def test_dreams_and_changes_are_found_by_store_and_status(state: State):
    """`review list` asks for what waits; the newest dream comes last."""
    store = team(state)
    other = state.create_store("other", actor=ADA)
    state.save_dream(report(store, [change(after="- b", dream_id="drm_2")], dream_id="drm_2", day=2))
    state.save_dream(report(store, [change(after="- a"), change("flag", status="refused")], day=1))
    state.save_dream(report(other, [], dream_id="drm_3", day=3, status="failed"))
    assert [dream.dream_id for dream in state.dreams()] == ["drm_1", "drm_2", "drm_3"]
    assert [dream.dream_id for dream in state.dreams(store="other")] == ["drm_3"]
    assert [dream.dream_id for dream in state.dreams(status="completed", store="team")] == ["drm_1", "drm_2"]
    assert [one.status for one in state.changes(store="team")] == ["replaced", "refused", "held"]
    assert [one.after for one in state.changes(status="held")] == ["- b"]
    assert state.changes(dream_id="drm_3") == []


def test_a_running_dream_is_saved_again_when_it_ends(state: State):
    """The first save says that it runs; the last one has the changes."""
    store = team(state)
    state.save_dream(report(store, [], status="running"))
    assert state.dreams(status="running")
    state.save_dream(report(store, [supersede()]))
    assert state.dreams(status="running") == []
    assert len(state.dream("drm_1").changes) == 1


def test_saving_a_dream_again_undoes_no_decision(state: State):
    """A flow that is run again after a crash saves its report once more."""
    first, second, third = supersede(), change(after="- x"), change(after="- y")
    store = dreamt(state, first, second, third)
    commit(state, NEW, first.change_id)
    state.decide(second.change_id, "rejected", reviewer="ada", reason="no")
    state.save_dream(report(store, [first, second]))
    assert [one.status for one in state.changes()] == ["committed", "rejected", "replaced"]
    state.save_dream(report(store, [first, second, third]))
    assert [one.status for one in state.changes()] == ["committed", "rejected", "replaced"]


def test_a_newer_dreams_change_takes_the_place_of_an_older_ones(state: State):
    """A reviewer sees one proposal of one idea, the newest."""
    store = team(state)
    old, new = supersede(), supersede("- The port is 9091", dream_id="drm_2")
    state.save_dream(report(store, [old]))
    state.save_dream(report(store, [new], dream_id="drm_2", day=2))
    assert [(one.change_id, one.status) for one in state.changes()] == [
        (old.change_id, "replaced"),
        (new.change_id, "held"),
    ]
    assert "drm_2" in state.changes()[0].status_reason
    state.save_dream(report(store, [old]))
    assert [one.status for one in state.changes()] == ["replaced", "held"]


def test_an_older_dream_saved_late_does_not_displace_a_newer_one(state: State):
    """Dreams may end in another order than they began."""
    store = team(state)
    state.save_dream(
        report(store, [supersede("- The port is 9091", dream_id="drm_2")], dream_id="drm_2", day=2)
    )
    state.save_dream(report(store, [supersede()]))
    assert [(one.dream_id, one.status) for one in state.changes()] == [
        ("drm_1", "replaced"),
        ("drm_2", "held"),
    ]


def test_dreams_over_different_stores_do_not_meet(state: State):
    """The same idea may be right for one store and wrong for another."""
    dreamt(state, supersede())
    other = state.create_store("other", actor=ADA)
    state.save_dream(report(other, [supersede(dream_id="drm_2")], dream_id="drm_2", day=2))
    assert {one.status for one in state.changes()} == {"held"}


def test_rejections_are_remembered_with_their_reason(state: State):
    """A later dream is shown them by what the idea was, not by its wording."""
    one, two = supersede(), change(after="- x", pattern_key="other|")
    dreamt(state, one, two)
    state.decide(one.change_id, "rejected", reviewer="ada", reason="the port is set by the platform")
    again = supersede("- It listens on 9090", dream_id="drm_9")
    assert state.rejections("team") == {again.memo_key: "the port is set by the platform"}
    state.copy_store("team", "copy", actor=ADA)
    assert state.rejections("copy") == state.rejections("team")


def test_what_a_restore_undid_is_not_wanted(state: State):
    """Else the next nightly dream would bring back what a person took out."""
    one = supersede()
    dreamt(state, one)
    commit(state, NEW, one.change_id)
    assert state.undone("team") == {}
    state.restore("team", 1, actor=ADA)
    assert state.undone("team") == {one.memo_key: "undone: version 1 was restored as version 3"}
    assert state.rejections("team") == {}
    state.restore("team", 2, actor=ADA)
    assert state.undone("team") == {}


def test_status_moves_only_where_no_decision_is_needed(state: State, clock: Clock):
    """Approved, rejected and committed are said by `decide` and `commit` alone."""
    one, two = supersede(status="proposed"), change(after="- x")
    dreamt(state, one, two)
    state.set_status([one.change_id], "held", "a canary was near")
    assert state.changes()[0].status_reason == "a canary was near"
    clock.forward(days=29)
    state.set_status([two.change_id], "expired", "its base moved")
    for status in ("approved", "rejected", "committed"):
        with pytest.raises(UsageError, match="Only `"):
            state.set_status([one.change_id], status, "")
    commit(state, NEW, one.change_id)
    with pytest.raises(UsageError, match="'committed', which is final"):
        state.set_status([one.change_id], "held", "")
    state.set_status([one.change_id], "committed", "already")
    with pytest.raises(NotFoundError, match="chg_none"):
        state.set_status(["chg_none"], "held", "")


def test_how_long_a_change_is_held_can_be_chosen(state: State, clock: Clock):
    """A team that reviews monthly needs more than a month."""
    store = team(state)
    state.save_dream(report(store, [supersede()]), held_for=timedelta(days=90))
    clock.forward(days=89)
    assert state.expire_changes() == []
    clock.forward(days=1)
    assert state.expire_changes() == [supersede().change_id]


def test_a_dream_needs_its_store(state: State):
    """A report about nothing can be found by nobody."""
    store = team(state)
    with pytest.raises(NotFoundError):
        state.save_dream(report(store.model_copy(update={"store_id": "memstore_none"}), []))
    assert put(state, "team", {}).version == 1


def test_a_dream_into_a_copy_and_one_into_the_store_replace_nothing_of_each_other(state: State):
    """What waits for the copy is another text than what waits for the original: both are to be decided."""
    store = team(state)
    copy = state.copy_store("team", "team-copy", actor=ADA)
    first, second, third = supersede(), supersede(dream_id="drm_2"), supersede(dream_id="drm_3")
    state.save_dream(report(store, [first], output="create_new", output_store_id=copy.store_id))
    state.save_dream(report(store, [second], dream_id="drm_2", day=2))
    assert [one.status for one in state.changes()] == ["held", "held"]
    state.save_dream(report(copy, [third], dream_id="drm_3", day=3))
    assert [one.status for one in state.changes()] == ["replaced", "held", "held"]
    assert state.outputs() == {"drm_1": "team-copy", "drm_2": "team", "drm_3": "team-copy"}
