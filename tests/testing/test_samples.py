"""Sessions to test with."""

from agentflows.session import Turn
from agentflows.testing import sample_session, sample_sessions


def test_a_session_is_made_of_the_turns_given():
    """Trust follows from the place; turns are numbered without gaps."""
    own = Turn(seq=99, kind="tool_result", trust=1, text="boom", tool="Bash", is_error=True)
    session = sample_session("s", ("user", "Run it."), own, ("agent", "It failed."), verdict="failure")
    assert [(turn.seq, turn.kind, turn.trust) for turn in session.turns] == [
        (0, "user", 3),
        (1, "tool_result", 1),
        (2, "agent", 2),
    ]
    assert session.turns[1].is_error
    assert session.outcome
    assert session.outcome.verdict == "failure"


def test_a_session_of_nothing_has_something_to_say():
    """For tests that do not care what."""
    assert len(sample_session().turns) == 2


def test_the_same_seed_gives_the_same_sessions():
    """A failing test can be run again."""
    assert sample_sessions(20, seed=3) == sample_sessions(20, seed=3)
    assert sample_sessions(20, seed=3) != sample_sessions(20, seed=4)
    assert len({session.session_id for session in sample_sessions(50)}) == 50


def test_made_up_sessions_hold_something_to_learn():
    """An error that recurs with its fix, a preference in the user's words, outcomes that differ."""
    sessions = sample_sessions(40)
    errors = [session for session in sessions if any(turn.is_error for turn in session.turns)]
    preferences = [turn for session in sessions for turn in session.turns[1:] if turn.kind == "user"]
    assert len(errors) >= 10
    assert len(preferences) >= 4
    assert {session.outcome.verdict for session in sessions if session.outcome} == {"success", "failure"}
