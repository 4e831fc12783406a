"""A memory is known where it is shown, by its lines and not by the name of a file."""

from datetime import datetime, timedelta

import pytest

from agentflows.dream.remembering import Remembered
from agentflows.session import Session, Span, Turn, TurnKind

LINE = "- The nightly export writes to the bucket harbor-nightly. (said in 2 sessions)"
SINCE = datetime.fromisoformat("2026-03-01T12:00:00")
FILE = f"## Facts\n\n{LINE}\n- Deploys happen on Mondays only.\n"


def recalled(
    text: str, kind: TurnKind = "tool_result", at: datetime | None = None, since: datetime | None = SINCE
) -> list[str]:
    """What of a turn is marked as recalled from a memory that holds `FILE`."""
    session = Session(session_id="s", format="t", reader="t/1", turns=(Turn(0, kind, 1, text, at=at),))
    (turn,) = Remembered(dict.fromkeys(FILE.splitlines(), since)).marked(session).turns
    return [text[span.start : span.end] for span in turn.spans if span.kind == "recalled"]


@pytest.mark.parametrize(
    "shown",
    [
        LINE, f"     3→{LINE}\r", f"3\t{LINE}", f"team/learned.md:3:{LINE}", f"+{LINE}", LINE.removeprefix("- "),
        f'{{"type": "text", "text": "{LINE}"}}',
    ],
)  # fmt: skip
def test_a_line_of_a_memory_is_known_however_a_tool_shows_it(shown: str):
    """Readers number lines, searches name the file, protocols wrap them."""
    assert recalled(f"Found:\n{shown}\nDone.") == [shown]
    assert recalled(f"You know:\n{shown}", kind="system") == [shown]


def test_neighbouring_lines_are_one_stretch():
    """A sentence may go over two lines; what stands around them is nobody's memory."""
    assert recalled(f"$ cat x\n{FILE}$ ls\n") == [f"{LINE}\n- Deploys happen on Mondays only."]
    inside = '{"content":"' + FILE.replace("\n", "\\n") + '"}'
    assert recalled(inside) == [f"{LINE}\\n- Deploys happen on Mondays only."]


@pytest.mark.parametrize(
    "shown", ["The export writes to the bucket harbor-nightly.", f"We doubt that: {LINE}", "## Facts"]
)
def test_other_words_are_no_memory(shown: str):
    """What only resembles a line is the tool's own."""
    assert recalled(shown) == []


def test_what_a_user_says_is_never_marked():
    """Who types a line of the memory says it himself."""
    assert recalled(LINE, kind="user") == []


def test_a_line_cannot_have_been_read_before_it_was_written():
    """Else a dream over the same sessions would lose what its memory was learnt from."""
    assert recalled(LINE, at=SINCE - timedelta(hours=1)) == []
    assert recalled(LINE, at=SINCE + timedelta(hours=1)) == recalled(LINE) == [LINE]
    assert recalled(LINE, at=SINCE - timedelta(hours=1), since=None) == [LINE]


def test_what_was_marked_before_stays_marked():
    """A reader knows more of a file than its lines."""
    turn = Turn(0, "tool_result", 1, FILE, spans=(Span(0, len(FILE), "recalled"),))
    session = Session(session_id="s", format="t", reader="t/1", turns=(turn,))
    (marked,) = Remembered({LINE: None}).marked(session).turns
    assert Span(0, len(FILE), "recalled") in marked.spans
