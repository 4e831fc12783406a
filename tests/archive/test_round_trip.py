"""Any session comes back exactly."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows.archive import Archive
from agentflows.session import Check, OutcomeLabel, Session, Span, Turn, Usage
from tests.archive.builders import source

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
TIME = st.none() | st.datetimes()
COUNT = st.integers(0, 10**12)
SPAN = st.builds(
    Span, st.integers(0, 99), st.integers(0, 99), st.sampled_from(["pasted", "recalled", "injected"])
)
KIND = st.sampled_from(["user", "agent", "thinking", "tool_call", "tool_result", "system", "summary"])
TURN = st.builds(
    Turn,
    seq=st.just(0),
    kind=KIND,
    trust=st.sampled_from([1, 2, 3]),
    text=TEXT | st.just('{"command": "cd /srv && bun test", "n": 1}'),
    at=TIME,
    thread=TEXT,
    tool=TEXT,
    tool_use_id=TEXT,
    is_error=st.booleans(),
    spans=st.lists(SPAN, max_size=3).map(tuple),
    origin=TEXT,
    model=TEXT,
    usage=st.none() | st.builds(Usage, COUNT, COUNT, COUNT, COUNT),
    line=st.integers(0, 10**6),
)
OUTCOME = st.none() | st.builds(
    OutcomeLabel,
    verdict=st.sampled_from(["success", "failure", "unknown"]),
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    source=TEXT,
    checks=st.lists(st.builds(Check, name=TEXT, passed=st.booleans(), detail=TEXT), max_size=3).map(tuple),
)


def numbered(turns: list[Turn]) -> tuple[Turn, ...]:
    """Turns with the gapless seq that readers give."""
    fields = [name for name in Turn.__slots__ if name != "seq"]
    return tuple(
        Turn(seq=seq, **{name: getattr(turn, name) for name in fields}) for seq, turn in enumerate(turns)
    )


SESSION = st.builds(
    Session,
    session_id=TEXT,
    format=TEXT,
    reader=TEXT,
    agent=TEXT,
    project=TEXT,
    task=TEXT,
    title=TEXT,
    parent_id=TEXT,
    started_at=TIME,
    ended_at=TIME,
    turns=st.lists(TURN, max_size=6).map(numbered),
    outcome=OUTCOME,
    meta=st.dictionaries(TEXT, TEXT, max_size=3),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(SESSION, min_size=1, max_size=4, unique_by=lambda item: item.session_id))
def test_any_session_comes_back_exactly(made: list[Session]):
    """All fields of all turns, whatever characters, times and numbers they hold."""
    with TemporaryDirectory() as folder, Archive(Path(folder) / "archive") as archive:
        archive.add([source(*made, file="log")])
        assert list(archive.sessions([item.session_id for item in made])) == made
        assert archive.verify() == []
