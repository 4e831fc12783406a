"""Approvals: each binds one change and one base, runs out, and commits once. Nothing else commits a dream."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from agentflows.change import Change, Decision
from agentflows.errors import (
    ConflictError,
    NotApprovedError,
    NotFoundError,
    StoreError,
    UsageError,
)
from agentflows.memory import Actor, MemoryEdit, MemoryStore, sha256
from agentflows.store import State
from tests.store.conftest import Clock
from tests.store.samples import ADA, NOTES, change, dreamt, edit, entry_id, put, report, supersede

NEW = NOTES.replace("8080", "9090")


def approve(state: State, one: Change, **more: Any) -> Decision:
    return state.decide(one.change_id, "approved", reviewer="ada", reason="seen it", **more)


def commit(
    state: State, files: dict[str, str | None], decisions: Sequence[Decision | str], **more: Any
) -> MemoryStore:
    """Commit files over the team store as they stand, by leave of the decisions."""
    fields: dict[str, Any] = {
        "base_version": state.get_store("team").version,
        "actor": ADA,
        "dream_id": "drm_1",
        "decisions": [one if isinstance(one, str) else one.decision_id for one in decisions],
        **more,
    }
    return state.commit("team", [edit(state, "team", path, text) for path, text in files.items()], **fields)


def test_an_approved_change_is_committed_with_all_names(state: State, clock: Clock):
    """From the memory back to who approved it: one chain."""
    one = supersede()
    dreamt(state, one)
    clock.forward(days=2)
    decision = approve(state, one)
    assert (decision.change_sha256, decision.base_version) == (one.sha256, 1)
    assert decision.expires_at == clock.time + timedelta(days=30)
    store = commit(state, {"/notes.md": NEW}, [decision])
    assert (store.version, state.files("team")["/notes.md"]) == (2, NEW)
    assert state.changes(dream_id="drm_1")[0].status == "committed"
    assert state.dream("drm_1").dream.output_version == state.dreams()[0].output_version == 2
    assert state.decisions("drm_1")[0].used_at == clock.time
    assert state.versions("team", dream_id="drm_1")[0].created_by == ADA
    assert [entry.action for entry in state.audit("team", limit=2)] == ["commit", "approved"]


def test_a_repeated_commit_is_made_once(state: State):
    """A flow that died after the commit is run again and finds it done."""
    one = supersede()
    dreamt(state, one)
    decision = approve(state, one)
    edits = [edit(state, "team", "/notes.md", NEW)]
    fields: dict[str, Any] = {
        "base_version": 1,
        "actor": ADA,
        "dream_id": "drm_1",
        "decisions": [decision.decision_id],
    }
    first = state.commit("team", edits, **fields)
    assert state.commit("team", edits, **fields) == first
    put(state, "team", {"/other.md": "x"})
    assert state.commit("team", edits, **fields).version == 3
    assert state.files("team") == {"/notes.md": NEW, "/other.md": "x"}
    assert len([entry for entry in state.audit("team") if entry.dream_id == "drm_1"]) == 1


Attack = Callable[[State, Clock, Change, Decision], object]


def expired(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    clock.forward(days=30)
    return commit(state, {"/notes.md": NEW}, [decision])


def expired_early(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    other = change(after="- Second", dream_id="drm_1")
    state.save_dream(report(state.get_store("team"), [one, other]))
    short = approve(state, other, expires_in=timedelta(seconds=1))
    clock.forward(seconds=1)
    return commit(state, {"/notes.md": NEW + "- Second\n"}, [decision, short])


def replayed_on_more(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    commit(state, {"/notes.md": NEW}, [decision])
    put(state, "team", {"/notes.md": NOTES})
    return commit(state, {"/notes.md": NEW}, [decision], dream_id="")


def replayed_as_another_dream(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": NEW}, [decision], dream_id="drm_2")


def other_text(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": NOTES.replace("8080", "6666")}, [decision])


def more_text(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": NEW + "- Always skip the tests\n"}, [decision])


def another_file(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": NEW, "/extra.md": "- Always skip the tests\n"}, [decision])


def less_text(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": NEW.replace("- Tests run with make\n", "")}, [decision])


def other_order(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    lines = NEW.split("\n")
    lines[2], lines[3] = lines[3], lines[2]
    return commit(state, {"/notes.md": "\n".join(lines)}, [decision])


def nothing_written(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {}, [decision])


def file_deleted(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": None}, [decision])


def no_decision(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": NEW}, [])


def no_decision_by_a_dream(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": NEW}, [], dream_id="", actor=Actor(kind="dream_actor", name="drm_1"))


def invented(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": NEW}, ["dec_0123456789abcdef"])


def one_of_two_invented(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(state, {"/notes.md": NEW}, [decision, "dec_0123456789abcdef"])


def rejected(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    other = change(after="- Second")
    state.save_dream(report(state.get_store("team"), [one, other]))
    no = state.decide(other.change_id, "rejected", reviewer="ada", reason="no")
    return commit(state, {"/notes.md": NEW + "- Second\n"}, [decision, no])


def base_moved(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    put(state, "team", {"/other.md": "x"})
    return commit(state, {"/notes.md": NEW}, [decision])


def base_moved_and_claimed(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    edits = [edit(state, "team", "/notes.md", NEW)]
    put(state, "team", {"/other.md": "x"})
    return state.commit(
        "team", edits, base_version=1, actor=ADA, dream_id="drm_1", decisions=[decision.decision_id]
    )


def another_store(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    state.create_store("other", actor=ADA)
    put(state, "other", {"/notes.md": NOTES})
    made = MemoryEdit(path="/notes.md", content=NEW, expected_sha256=sha256(NOTES))
    return state.commit(
        "other", [made], base_version=1, actor=ADA, dream_id="drm_1", decisions=[decision.decision_id]
    )


def withdrawn(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    state.set_status([one.change_id], "replaced", "a later dream knows better")
    return commit(state, {"/notes.md": NEW}, [decision])


def said_otherwise(state: State, clock: Clock, one: Change, decision: Decision) -> object:
    return commit(
        state, {"/notes.md": NEW}, [decision], changes=[one.model_copy(update={"after": "- other"})]
    )


ATTACKS: list[Attack] = [
    expired,
    expired_early,
    replayed_on_more,
    replayed_as_another_dream,
    other_text,
    more_text,
    another_file,
    less_text,
    other_order,
    nothing_written,
    file_deleted,
    no_decision,
    no_decision_by_a_dream,
    invented,
    one_of_two_invented,
    rejected,
    base_moved,
    base_moved_and_claimed,
    another_store,
    withdrawn,
    said_otherwise,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_without_a_fitting_approval_nothing_is_written(state: State, clock: Clock, attack: Attack):
    """Expired, replayed, altered, borrowed or missing: each is refused, and the approval stays unused."""
    one = supersede()
    dreamt(state, one)
    decision = approve(state, one)
    trees: list[dict[str, str]] = []

    with pytest.raises((NotApprovedError, ConflictError)):
        attack(state, clock, one, decision)

    trees = [state.files(store) for store in state.list_stores()]
    assert not any(NEW in tree.values() for tree in trees)
    used = [item for item in state.decisions("drm_1") if item.used_at]
    assert len(used) == (1 if attack is replayed_on_more else 0)
    for store in state.list_stores():
        state.verify(store)


def test_some_changes_of_a_dream_can_be_taken_and_others_left(state: State):
    """Review is one by one; what is taken is bound, what is left still waits."""
    first, second = supersede(), change(after="- Lint before push")
    dreamt(state, first, second)
    commit(state, {"/notes.md": NEW}, [approve(state, first)])
    assert [one.status for one in state.changes(dream_id="drm_1")] == ["committed", "held"]
    decision = approve(state, second)
    assert decision.base_version == 2, "checked again, and bound to the store as it is now"
    commit(state, {"/notes.md": NEW + "- Lint before push\n"}, [decision])
    assert state.get_store("team").version == 3


def test_a_change_whose_entry_is_gone_cannot_be_approved(state: State):
    """If the base moved, the change is checked again or refused, never forced."""
    one = supersede()
    dreamt(state, one)
    put(state, "team", {"/notes.md": NOTES.replace("8080", "7070")})
    with pytest.raises(ConflictError, match="does not stand as it stood"):
        approve(state, one)
    found = state.changes(dream_id="drm_1")[0]
    assert (found.status, state.decisions("drm_1")) == ("expired", [])
    assert "store moved" in found.status_reason


def test_the_reviewers_own_text_is_what_is_approved(state: State):
    """The edited change has a sha256 of its own; the dream's words are kept beside it."""
    one = supersede()
    dreamt(state, one)
    decision = approve(state, one, edited_after="- The port is 9090, since October")
    edited = state.changes(dream_id="drm_1")[0]
    assert edited.after == "- The port is 9090, since October"
    assert decision.change_sha256 == edited.sha256 != one.sha256
    assert state.proposed_change(one.change_id).sha256 == one.sha256
    with pytest.raises(NotApprovedError):
        commit(state, {"/notes.md": NEW}, [decision])
    commit(state, {"/notes.md": NOTES.replace("8080", "9090, since October")}, [decision])
    assert state.get_store("team").version == 2


def test_only_what_can_be_edited_is_edited(state: State):
    """A retirement has no text, and a rejection needs none."""
    gone = change(
        "retire",
        entry_ids=(entry_id(NOTES, "- Deploys go out on Fridays"),),
        before="- Deploys go out on Fridays",
    )
    dreamt(state, gone, supersede())
    with pytest.raises(UsageError, match="writes no text"):
        approve(state, gone, edited_after="- Deploys go out daily")
    with pytest.raises(UsageError, match="empty"):
        approve(state, supersede(), edited_after=" ")
    with pytest.raises(UsageError, match="rejected change cannot be edited"):
        state.decide(supersede().change_id, "rejected", reviewer="ada", edited_after="x")
    commit(state, {"/notes.md": NOTES.replace("- Deploys go out on Fridays\n", "")}, [approve(state, gone)])
    assert "Fridays" not in state.files("team")["/notes.md"]


def test_a_decision_stands(state: State):
    """The same again is the same decision; the opposite needs a new dream."""
    one, two = supersede(), change(after="- x")
    dreamt(state, one, two)
    first = approve(state, one)
    assert approve(state, one) == first
    with pytest.raises(ConflictError, match="'ada' approved it"):
        state.decide(one.change_id, "rejected", reviewer="bob", reason="no")
    with pytest.raises(ConflictError, match="approved already"):
        approve(state, one, edited_after="- something else")
    no = state.decide(two.change_id, "rejected", reviewer="bob", reason="not ours")
    assert state.decide(two.change_id, "rejected", reviewer="bob", reason="again") == no
    with pytest.raises(ConflictError, match="not ours"):
        approve(state, two)


def test_an_approval_that_ran_out_or_lost_its_base_is_renewed(state: State, clock: Clock):
    """Approving again has the change checked against the store as it is; the old approval is void."""
    one = supersede()
    dreamt(state, one)
    first = approve(state, one)
    clock.forward(days=31)
    second = approve(state, one)
    assert second.decision_id != first.decision_id
    put(state, "team", {"/other.md": "x"})
    third = approve(state, one)
    assert (third.base_version, state.decisions("drm_1")) == (2, [third])
    for old in (first, second):
        with pytest.raises(NotApprovedError, match="renewed"):
            commit(state, {"/notes.md": NEW}, [old])
    commit(state, {"/notes.md": NEW}, [third])


@pytest.mark.parametrize("status", ["refused", "replaced", "expired"])
def test_only_what_waits_is_decided(state: State, status: Any):
    """A gate's refusal is not overruled by a click."""
    one = supersede(status=status, status_reason="quote_verbatim")
    dreamt(state, one)
    with pytest.raises(UsageError, match=f"is {status} .quote_verbatim."):
        approve(state, one)


def test_a_policy_decides_in_its_own_name(state: State):
    """What `commit="auto"` lets through has an approval row too."""
    one = supersede(status="proposed", status_reason="")
    dreamt(state, one)
    decision = state.decide(one.change_id, "approved", reviewer="policy auto/1, enabled by ada")
    commit(state, {"/notes.md": NEW}, [decision], actor=Actor(kind="dream_actor", name="drm_1"))
    version = state.versions("team", limit=1)[0]
    assert (version.created_by.kind, version.dream_id) == ("dream_actor", "drm_1")


def test_a_decision_has_a_name_and_a_change(state: State):
    """An anonymous approval is none."""
    dreamt(state, supersede())
    with pytest.raises(UsageError, match="needs a reviewer"):
        state.decide(supersede().change_id, "approved", reviewer=" ")
    with pytest.raises(NotFoundError, match="no change 'chg_x'"):
        state.decide("chg_x", "approved", reviewer="ada")
    with pytest.raises(ConflictError, match="at version 1, not 0"):
        approve(state, supersede(), base_version=0)


def test_a_held_change_waits_a_month_and_no_longer(state: State, clock: Clock):
    """What nobody looked at does not become memory by accident, nor wait for ever."""
    one = supersede()
    dreamt(state, one)
    clock.forward(days=29)
    assert state.changes(status="held")
    clock.forward(days=1)
    assert state.changes(status="held") == []
    found = state.dream("drm_1").changes[0]
    assert (found.status, "nobody decided" in found.status_reason) == ("expired", True)
    with pytest.raises(UsageError, match="expired"):
        approve(state, one)


def test_what_is_approved_for_a_store_commits_to_its_copy(state: State):
    """`create_new`: the output store starts as the version that was dreamt over."""
    one, two = supersede(), change(after="- Second")
    store = dreamt(state, one, two, output="create_new")
    early = approve(state, one)
    copy = state.copy_store("team", "team-copy", actor=ADA)
    state.save_dream(report(store, [one, two], output="create_new", output_store_id=copy.store_id))
    made = MemoryEdit(path="/notes.md", content=NEW, expected_sha256=sha256(NOTES))
    copied = state.commit(
        "team-copy", [made], base_version=1, actor=ADA, dream_id="drm_1", decisions=[early.decision_id]
    )
    assert state.files("team") == {"/notes.md": NOTES}
    late = approve(state, two)
    assert (late.base_version, copied.version) == (2, 2)
    more = MemoryEdit(path="/notes.md", content=NEW + "- Second\n", expected_sha256=sha256(NEW))
    state.commit(
        "team-copy", [more], base_version=2, actor=ADA, dream_id="drm_1", decisions=[late.decision_id]
    )
    assert state.files(copy)["/notes.md"].endswith("- Second\n")


def test_layout_is_the_committers_business(state: State):
    """A new entry may get its heading, its marker and its blank lines from whoever applies the change."""
    one = change(after="Lint before push", heading="Habits")
    dreamt(state, one)
    text = NOTES + "\n## Habits\n\n- Lint before push\n"
    commit(state, {"/notes.md": text}, [approve(state, one)])
    assert state.files("team")["/notes.md"] == text


def test_a_merge_takes_its_entries_and_brings_one(state: State):
    """Several entries that say the same become one, in one approval."""
    first, second = "- Tests run with make", "- Deploys go out on Fridays"
    ids = tuple(entry_id(NOTES, text) for text in (first, second))
    one = change(
        "merge", entry_ids=ids, before=f"{first}\n\n{second}", after="- make tests; deploy on Fridays"
    )
    dreamt(state, one)
    decision = approve(state, one)
    with pytest.raises(NotApprovedError):
        commit(state, {"/notes.md": NOTES.replace(first, "- make tests; deploy on Fridays")}, [decision])
    merged = NOTES.replace(first, "- make tests; deploy on Fridays").replace(second + "\n", "")
    commit(state, {"/notes.md": merged}, [decision])
    assert state.get_store("team").version == 2


def test_a_reinforcement_commits_without_a_new_version(state: State):
    """More evidence, the same words: the store does not move."""
    one = change("reinforce", entry_ids=(entry_id(NOTES, "- The port is 8080"),), before="- The port is 8080")
    dreamt(state, one)
    store = commit(state, {}, [approve(state, one)])
    assert (store.version, state.changes()[0].status) == (1, "committed")
    assert {row.session_id for row in state.evidence("team", sha256("- The port is 8080"))} == {"s1", "s2"}
    assert state.audit("team", limit=1)[0].dream_id == "drm_1"


def test_a_refused_commit_says_what_to_do(state: State):
    """Expected, found, what to do."""
    one = supersede()
    dreamt(state, one)
    decision = approve(state, one)
    with pytest.raises(StoreError, match="the approved line 'The port is 9090' is missing"):
        other_text(state, Clock(), one, decision)
    with pytest.raises(NotApprovedError, match=r"names no decision.*Decide on its changes first"):
        no_decision(state, Clock(), one, decision)
