"""A reviewer's form is carried out whole or not at all, once, also when it comes late, twice or after others."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows import review
from agentflows.change import Change
from agentflows.errors import ConflictError, StoreError, UsageError
from agentflows.memory import parse_entries
from agentflows.review import Answers, Carried, Seen, carry_out, sheet, what_was_done
from agentflows.store import State
from agentflows.store.failpoints import VARIABLE
from tests.store.conftest import Clock
from tests.store.samples import ADA, NOTES, change, dreamt, entry_id, put, supersede

MAKE = "- Tests run with make"
FRIDAY = "- Deploys go out on Fridays"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def state(url: str, clock: Clock) -> Iterator[State]:
    """1 replaces the port, 2 and 3 add, 4 asks which of two entries holds."""
    with State(url, now=clock) as opened:
        flag = change(
            "flag",
            before=f"{MAKE}\n\n{FRIDAY}",
            entry_ids=(entry_id(NOTES, MAKE), entry_id(NOTES, FRIDAY)),
        )
        dreamt(opened, supersede(), change(after="- Second"), change(after="- Third"), flag)
        yield opened


def seen(state: State, *, shown: tuple[int, ...] = (1, 2, 3, 4)) -> Seen:
    return Seen.of(sheet(state.dream("drm_1")).waiting, shown)


def said(**words: Any) -> Answers:
    return Answers.read({"reviewer": "ada", **words})


def carry(state: State, form: Seen | None = None, **words: Any) -> Carried:
    return carry_out(state, "drm_1", said(**words), form or seen(state))


def statuses(state: State) -> list[str]:
    return [one.status for one in state.dream("drm_1").changes]


def notes(state: State) -> str:
    return state.files("team")["/notes.md"]


def test_some_are_approved_some_rejected_and_the_rest_stays_held(state: State):
    """One form decides on many; who and why is on record for each."""
    done = carry(state, approve="1", reject="3", reason="one-off")
    assert (done.committed, done.rejected, done.still_held) == ((1,), (3,), (2, 4))
    assert statuses(state) == ["committed", "held", "rejected", "held"]
    assert "9090" in notes(state)
    assert {(one.verdict, one.reviewer, one.reason) for one in state.decisions("drm_1")} == {
        ("approved", "ada", "one-off"),
        ("rejected", "ada", "one-off"),
    }


def test_approving_all_leaves_the_flags_and_what_is_rejected(state: State):
    """A flag asks a question, and approving everything answers none."""
    done = carry(state, decision="approve all", reject="2", reason="no")
    assert (done.committed, done.rejected, done.still_held) == ((1, 3), (2,), (4,))


def test_rejecting_all_rejects_the_flags_too_but_not_what_is_approved(state: State):
    """Whoever says all has seen them."""
    done = carry(state, decision="reject all", approve="2", reason="no")
    assert (done.committed, done.rejected, done.still_held) == ((2,), (1, 3, 4), ())


def test_a_flag_is_answered_in_the_form(state: State):
    """Its answer is committed like any change."""
    done = carry(state, flag_4="keep-second")
    assert done.committed == (4,)
    assert FRIDAY in notes(state)
    assert MAKE not in notes(state)


def test_a_text_of_ones_own_is_committed_in_place_of_the_dreams(state: State):
    """For a flag it takes the place of the entries it is about."""
    done = carry(
        state,
        edits=[{"number": 2, "text": "- Second, better"}, {"number": 4, "text": "- Tests run on Fridays"}],
    )
    assert done.committed == (2, 4)
    assert "- Second, better" in notes(state)
    assert "- Tests run on Fridays" in notes(state)
    assert MAKE not in notes(state)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"approve": "1, 9"}, "'9' is no change of this dream"),
    ({"approve": "1, some"}, "'some' names no change"),
    ({"approve": "1", "reject": "1", "reason": "x"}, "both approved and rejected"),
    ({"approve": "1", "reject": "2"}, "needs a reason"),
    ({"approve": "1", "reject": "2", "reason": "  "}, "needs a reason"),
    ({"decision": "leave all", "approve": "1"}, "leaves all as it is and yet decides on 1"),
    ({"approve": "1", "edits": [{"number": 9, "text": "x"}]}, "9 is edited or answered and is no change"),
    ({"approve": "1", "flag_4": "edit"}, "needs the text"),
    ({"approve": "1", "flag_2": "drop"}, "not a flag"),
    ({"approve": "1", "reviewer": "  "}, "Your name is missing"),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_a_wrong_form_says_what_is_wrong_and_decides_nothing(
    state: State, words: dict[str, Any], message: str
):
    """Not even the part of it that could be done: the reviewer corrects it and sends it again."""
    with pytest.raises(UsageError, match=message):
        carry(state, **words)
    assert statuses(state) == ["held"] * 4
    assert notes(state) == NOTES


def test_what_breaks_an_invariant_is_refused_whole(state: State):
    """A secret in the reviewer's own text reaches no memory."""
    answers = said(edits=[{"number": 2, "text": "- the key"}], approve="1")
    with pytest.raises(StoreError, match="Nothing was written"):
        carry_out(state, "drm_1", answers, seen(state), scan=lambda text: "a key" if "key" in text else "")
    assert notes(state) == NOTES


def test_the_same_form_carried_out_again_changes_nothing(state: State):
    """A run that was killed after the commit does it all once more."""
    form, words = seen(state), {"approve": "1", "reject": "3", "reason": "no"}
    carry(state, form, **words)
    again = carry(state, form, **words)
    assert (again.committed, again.rejected, again.store_version) == ((), (), None)
    assert again.overtaken.keys() == {1, 3}
    assert "committed already by ada" in again.overtaken[1]
    assert state.get_store("team").version == 2
    assert len(state.decisions("drm_1")) == 2


@pytest.mark.parametrize("point", ["review.decided.1", "review.decided", "commit.moved"])
def test_a_form_goes_on_where_it_was_killed(state: State, point: str, monkeypatch: pytest.MonkeyPatch):
    """Also with a text of the reviewer's own and an answered flag, which stand as decided by then."""
    form = seen(state)
    words: dict[str, Any] = {
        "approve": "1",
        "reject": "3",
        "reason": "no",
        "edits": [{"number": 2, "text": "- Mine"}],
        "flag_4": "keep-first",
    }
    monkeypatch.setenv(VARIABLE, f"{point}:raise")
    with pytest.raises(StoreError, match="failpoint"):
        carry(state, form, **words)
    monkeypatch.delenv(VARIABLE)
    assert notes(state) == NOTES
    done = carry(state, form, **words)
    assert (done.committed, done.rejected) == ((1, 2, 4), (3,))
    assert notes(state) == f"# Notes\n\n{MAKE}\n- The port is 9090\n\n- Mine\n"


def test_what_was_decided_on_the_command_line_meanwhile_is_told_and_left_alone(state: State):
    """The form is hours old: what bob said stands, and the rest of the form is carried out."""
    form = seen(state)
    review.approve(state, "drm_1", reviewer="bob", only=["1"])
    review.reject(state, "drm_1", reviewer="bob", only=["2"], reason="no")
    done = carry(state, form, decision="approve all")
    assert done.committed == (3,)
    assert "committed already by bob" in done.overtaken[1]
    assert "rejected already by bob" in done.overtaken[2]
    assert [one.reviewer for one in state.decisions("drm_1") if one.verdict == "rejected"] == ["bob"]
    assert any(line.startswith("2 was rejected already by bob") for line in what_was_done(done))


def test_a_base_that_moved_is_checked_again_change_by_change(state: State):
    """What still fits is committed on top; what is about an entry that is gone is refused and says so."""
    form = seen(state)
    put(state, "team", {"/notes.md": NOTES.replace("- The port is 8080\n", "- Another line\n")})
    done = carry(state, form, approve="1, 2")
    assert done.committed == (2,)
    assert "no longer stands as it was" in done.refused[1]
    assert "- Another line" in notes(state)
    assert "- Second" in notes(state)


def test_a_change_that_expired_while_the_form_waited_is_told(state: State, clock: Clock):
    """Nothing is committed a month later as if it were new."""
    form = seen(state)
    clock.forward(days=31)
    done = carry(state, form, approve="all")
    assert done.committed == ()
    assert all("expired already" in how for how in done.overtaken.values())
    assert notes(state) == NOTES


def test_what_was_edited_since_the_form_was_shown_is_not_approved_unseen(
    state: State, monkeypatch: pytest.MonkeyPatch
):
    """Bob was killed between approving with a text of his own and the commit; ada has not seen that text."""
    form = seen(state)
    monkeypatch.setenv(VARIABLE, "review.decided:raise")
    with pytest.raises(StoreError, match="failpoint"):
        review.approve(state, "drm_1", reviewer="bob", only=["2"], edits={"2": "- Bob's own"})
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(UsageError, match="2 is not what this form showed"):
        carry(state, form, approve="1, 2")
    assert notes(state) == NOTES
    done = carry(state, seen(state), approve="1, 2")
    assert done.committed == (1, 2)


def test_a_pinned_entry_is_not_touched_and_its_change_stays_held(state: State):
    """The form says how it is unpinned."""
    port = next(one for one in parse_entries("/notes.md", NOTES) if "8080" in one.text)
    state.pin("team", port, actor=ADA)
    done = carry(state, approve="1, 2")
    assert (done.committed, done.still_held) == ((2,), (1, 3, 4))
    assert "memory unpin" in done.refused[1]


def test_of_two_forms_sent_at_once_each_change_is_committed_once(state: State, url: str, clock: Clock):
    """Two reviewers resume two runs of the same dream: one of them is told what the other did."""
    form = seen(state)
    found: dict[str, Carried] = {}

    def send(name: str, words: str) -> None:
        with State(url, now=clock) as mine:
            found[name] = carry_out(mine, "drm_1", said(reviewer=name, approve=words), form)

    senders = [threading.Thread(target=send, args=pair) for pair in (("ada", "1, 2"), ("bob", "2, 3"))]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    committed = [*found["ada"].committed, *found["bob"].committed]
    assert sorted(committed) == [1, 2, 3]
    assert notes(state).count("- Second") == 1
    late = next(one for one in found.values() if 2 not in one.committed)
    assert "committed already by" in late.overtaken[2]


def test_what_was_done_is_told_without_a_word_of_a_session(state: State):
    """These lines go into Prefect's log."""
    done = carry(state, approve="1", reject="3", reason="one-off")
    assert what_was_done(done) == [
        "Committed 1 as version 2 of the store.",
        "Rejected 3; later dreams do not propose them again.",
        "2 still held: 2, 4.",
    ]


def test_a_form_knows_each_change_by_its_hash(state: State):
    """What a reviewer saw is what the approval is about."""
    changes: dict[int, Change] = sheet(state.dream("drm_1")).waiting
    assert seen(state).waited == {number: one.sha256 for number, one in changes.items()}


def test_a_rejection_that_always_comes_too_late_does_not_hide_what_was_committed(
    url: str, clock: Clock, state: State
):
    """The form would say that nothing was decided, and its approvals were."""

    class Late(State):
        """One whose rejections always meet somebody else's."""

        def decide(self, change_id: str, verdict: Any, **words: Any) -> Any:
            if verdict == "rejected":
                message = "It was decided otherwise meanwhile."
                raise ConflictError(message)
            return super().decide(change_id, verdict, **words)

    with Late(url, now=clock) as late:
        carried = carry(late, approve="2", reject="3", reason="no")
    assert (carried.committed, carried.rejected, carried.still_held) == ((2,), (), (1, 3, 4))
    assert what_was_done(carried)[0] == "Committed 2 as version 2 of the store."
