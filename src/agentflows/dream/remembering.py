"""Remembering: where a session was shown what stood in the memory, whatever the file was called and wherever it lay.

A memory is published into any folder and mounted under any name, so no path tells. Its lines do: they stand in what
tools print and in system prompts as they stood in the store.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from agentflows.session import Session, Span, Turn

_SHOWN_BY = frozenset({"tool_result", "system"})
_TAIL = 16
"""Characters at the end of a line by which it is looked up."""
_LEAST = 12
"""Characters of a line's own words below which anything might say the same."""
_END = re.compile(r"\\n|\n")
_CLOSING = " \t\r\"'}]"
"""What may stand behind a line's words where they are the value of a field."""
_BULLET = " \t-*+>"
_LEADING = re.compile(r"[\s\d→:|+>*\-\"'{}\[\]]*|\S{1,300}?[:-]\d+[:-][\s*+>-]*|.{0,80}\":\s*\"[\s*+>-]*")
"""What may stand before them: numbers, the file a search found them in, the name of a field."""


class Remembered:
    """Lines that stood in a memory.

    Args:
        lines: each with the time from which a session can have read it there; None is always.
    """

    def __init__(self, lines: Mapping[str, datetime | None]) -> None:
        self._since: dict[str, datetime | None] = {}
        self._lengths: dict[str, set[int]] = {}
        for line, since in lines.items():
            words = line.lstrip(_BULLET).rstrip(_CLOSING)
            if len(words) >= _LEAST and not words.startswith("#"):
                self._since[words] = since
                self._lengths.setdefault(words[-_TAIL:], set()).add(len(words))

    def marked(self, session: Session) -> Session:
        """The session with all that it was shown of the memory marked as recalled."""
        if not self._since:
            return session
        end = session.ended_at
        turns = (
            self._marked(turn, turn.at or end) if turn.kind in _SHOWN_BY else turn for turn in session.turns
        )
        return session.model_copy(update={"turns": tuple(turns)})

    def _marked(self, turn: Turn, at: datetime | None) -> Turn:
        found = [
            (start, end)
            for start, end in _lines(turn.text)
            if (words := turn.text[start:end].rstrip(_CLOSING))[-_TAIL:] in self._lengths
            and self._holds(words, at)
        ]
        if not found:
            return turn
        spans = [*turn.spans, *(Span(start, end, "recalled") for start, end in _joined(found))]
        return replace(turn, spans=tuple(sorted(spans, key=lambda span: span.start)))

    def _holds(self, shown: str, at: datetime | None) -> bool:
        """Whether a line that was shown then is one of the memory's, whatever stands before it."""
        for start in (len(shown) - length for length in self._lengths[shown[-_TAIL:]]):
            if start >= 0 and (words := shown[start:]) in self._since:
                since = self._since[words]
                was_there = at is None or since is None or since <= at
                if was_there and _LEADING.fullmatch(shown, 0, start):
                    return True
        return False


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each line, also of a text inside JSON."""
    start = 0
    for found in _END.finditer(text):
        yield start, found.start()
        start = found.end()
    yield start, len(text)


def _joined(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring lines as one stretch: a sentence may go over two."""
    joined = stretches[:1]
    for start, end in stretches[1:]:
        if start - joined[-1][1] <= len("\\n"):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
