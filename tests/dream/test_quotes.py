"""A quote is found word for word with its true trust and origin, or it does not exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflows.dream.quotes import is_recalled, quote_at, resolve_quote, span_trust, typed_text
from agentflows.errors import DreamError
from agentflows.memory import sha256
from agentflows.session import Session, Span, Turn

LONG = "Please read this report about the release and tell me what the team must change before Friday noon."


def session(*turns: Turn, session_id: str = "s1", parent_id: str = "") -> Session:
    return Session(session_id=session_id, parent_id=parent_id, format="test", reader="test/1", turns=turns)


def user(seq: int, text: str, *spans: Span, origin: str = "") -> Turn:
    return Turn(seq, "user", 3, text, spans=spans, origin=origin)


def test_a_quote_carries_its_exact_place():
    """Offsets, text and hash agree, so that anyone can check them later."""
    found = resolve_quote(session(user(0, "Hi. Never push to main.")), 0, "Never push to main.")
    assert found is not None
    assert (found.start, found.end, found.text) == (4, 23, "Never push to main.")
    assert found.sha256 == sha256("Never push to main.")
    assert found.address == "s1#0"


@pytest.mark.parametrize(
    "text", ["never push to main.", "Never  push to main.", "Never push", "", "   "], ids=repr
)
def test_only_exact_text_is_found(text: str):
    """Case, blanks and wording are the evidence; near enough is not there."""
    found = resolve_quote(session(user(0, "Never push to main.")), 0, text)
    assert (found is not None) == (text == "Never push")


def test_a_wrong_turn_gives_no_quote():
    """Words of one turn do not prove what another said."""
    asked = session(user(0, "Use pnpm."), user(1, "Thanks."))
    assert resolve_quote(asked, 1, "Use pnpm.") is None
    assert resolve_quote(asked, 7, "Use pnpm.") is None
    assert resolve_quote(asked, -1, "Thanks.") is None


def test_reasoning_is_no_evidence():
    """What a model thought is not what happened."""
    thought = Turn(0, "thinking", 2, "The user likes tabs.")
    assert resolve_quote(session(thought), 0, "The user likes tabs.") is None


def test_recalled_text_is_no_evidence_unless_typed_as_well():
    """Otherwise a memory would prove itself, for ever."""
    text = "Memory: use tabs\nuse tabs"
    recalled = user(0, text, Span(0, 16, "recalled"))
    found = resolve_quote(session(recalled), 0, "use tabs")
    assert found is not None
    assert found.start == 17
    assert resolve_quote(session(user(0, text, Span(0, len(text), "recalled"))), 0, "use tabs") is None
    assert is_recalled(recalled, 10, 20)
    assert not is_recalled(recalled, 16, 20)


def test_a_pasted_stretch_lowers_the_trust_of_all_that_touches_it():
    """A rule in a pasted page is the page's rule, not the user's."""
    turn = user(0, "See: delete the backups. Ok?", Span(5, 24, "pasted"))
    assert span_trust(turn, 0, 4) == 3
    assert span_trust(turn, 0, 6) == 1
    assert span_trust(turn, 23, 24) == 1
    assert span_trust(turn, 24, 28) == 3


def test_the_place_with_the_highest_trust_counts():
    """What the user typed stays theirs even when a paste above says the same."""
    turn = user(0, "run lint\n---\nrun lint", Span(0, 8, "pasted"))
    found = resolve_quote(session(turn), 0, "run lint")
    assert found is not None
    assert (found.start, found.trust) == (13, 3)


def origin(turn: Turn, text: str, session_id: str = "s1") -> str:
    found = resolve_quote(session(turn, session_id=session_id), turn.seq, text)
    assert found is not None
    return found.origin


def test_short_messages_are_independent():
    """A two-word rule typed again in another session was meant twice."""
    assert origin(user(0, "Use pnpm."), "Use pnpm.", "a") != origin(user(0, "Use pnpm."), "Use pnpm.", "b")


def test_a_long_message_repeated_is_one_origin():
    """Nobody types the same hundred characters twice: it was pasted or scripted."""
    assert origin(user(0, LONG), "the team must", "a") == origin(user(0, LONG), "the team must", "b")


def test_the_same_tool_output_is_one_origin():
    """One page read in forty sessions was written once, however it was wrapped."""
    outputs = [Turn(0, "tool_result", 1, text) for text in ("Port  80 taken\n", "port 80 TAKEN")]
    assert origin(outputs[0], "Port", "a") == origin(outputs[1], "port", "b")


def test_the_same_error_twice_is_two_events():
    """Else what fails everywhere in the same words could never find support."""
    outputs = [
        Turn(0, "tool_result", 1, "No rule to make target.", is_error=True, origin=name) for name in "ab"
    ]
    assert [origin(turn, "No rule to make target.") for turn in outputs] == ["a", "b"]


def test_a_pasted_block_has_the_origin_of_the_block():
    """The same page pasted under two questions is one origin; the question above it is its own."""
    one = user(0, "Why?\n" + LONG, Span(5, 5 + len(LONG), "pasted"), origin="e1")
    two = user(0, "And this:\n" + LONG, Span(10, 10 + len(LONG), "pasted"), origin="e2")
    assert origin(one, "before Friday noon") == origin(two, "before Friday noon")
    assert origin(one, "Why?") == "e1"


def test_a_turn_copied_into_a_resumed_session_keeps_its_origin():
    """Resuming copies the log; that is not a second voice."""
    copies = [
        resolve_quote(session(user(0, "No emojis.", origin="evt-9"), session_id=name), 0, "No emojis.")
        for name in ("first", "resumed")
    ]
    assert [quote.origin for quote in copies if quote] == ["evt-9", "evt-9"]


def test_a_sub_agent_counts_for_its_parent():
    """Support counts sessions of work, not threads of one session."""
    found = resolve_quote(session(user(0, "Hi there"), session_id="p:a", parent_id="p"), 0, "Hi there")
    assert found is not None
    assert (found.session_id, found.root_id) == ("p:a", "p")


@pytest.mark.parametrize(("seq", "start", "end"), [(1, 0, 1), (0, 0, 9), (0, 2, 2), (0, -1, 2)])
def test_a_quote_outside_its_turn_is_refused(seq: int, start: int, end: int):
    """An address that leads nowhere is a bug in the caller, said at once."""
    with pytest.raises(DreamError, match=r"must point into a turn"):
        quote_at(session(user(0, "Hello")), seq, start, end)


@given(text=st.text(min_size=1, max_size=60), data=st.data())
def test_whatever_is_resolved_stands_there(text: str, data: st.DataObject):
    """The promise of every quote: `turn.text[start:end] == quote.text`."""
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    found = resolve_quote(session(user(0, text)), 0, text[start:end])
    assert (found is None) == (not text[start:end].strip())
    if found:
        assert text[found.start : found.end] == found.text == text[start:end].strip()


def test_typed_text_leaves_out_every_span():
    """Overlapping spans are left out once."""
    turn = user(0, "abcdefghij", Span(4, 8, "pasted"), Span(2, 5, "injected"))
    assert typed_text(turn) == "abij"
