"""Excerpts: part of one turn's text, word for word, with every cut marked."""

import re
from collections.abc import Iterator

from agentflows.dream.marks import mark, reveal
from agentflows.session import Turn
from agentflows.signature import error_line

_TELLING = (
    "command",
    "file_path",
    "notebook_path",
    "path",
    "url",
    "query",
    "pattern",
    "skill",
    "description",
)
"""The fields of a call's input that say what it does, best first."""
_PASTE_HEAD = 120
"""Characters of a paste that are shown: enough to see what it is."""
_CONTEXT = 60
"""Characters a cut may be moved by to fall between lines or words."""


def excerpt(turn: Turn, limit: int, note: str = "") -> str:
    """Up to `limit` characters of the turn's own text, more or less, with marks for what is missing.

    Recalled and injected stretches are left out, pastes are cut to their beginning. A call is cut to what
    it does. Of a result, the start, the end and the line that `note` or the error points at are kept.
    """
    if turn.kind == "tool_call" and not turn.spans:
        return _call(turn.text, limit)
    parts: list[str] = []
    room = limit
    for start, end, kind in _stretches(turn):
        if kind:
            parts.append(_lesser(turn.text[start:end], kind))
            continue
        parts.append(_cut(turn.text[start:end], max(room, 40), _focus(turn, start, end, note)))
        room -= end - start
    return "".join(parts).strip()


def _stretches(turn: Turn) -> Iterator[tuple[int, int, str]]:
    """The turn from start to end: stretches of its own ("") and the lesser ones by kind.

    What the harness puts into a failed result is mostly the failure itself, so it is shown as such.
    """
    at = 0
    spans = [span for span in turn.spans if not (turn.is_error and span.kind == "injected")]
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if at < span.start:
            yield at, span.start, ""
        if at < span.end:
            yield max(at, span.start), span.end, span.kind
        at = max(at, span.end)
    if at < len(turn.text):
        yield at, len(turn.text), ""


def _lesser(text: str, kind: str) -> str:
    """What is shown of a stretch that counts for less than its turn."""
    if kind != "pasted":
        name = "recalled memory" if kind == "recalled" else "added by the harness"
        return mark(f"{name}, {len(text):,} chars left out")
    head = text[: _word_end(text, _PASTE_HEAD)]
    rest = len(text) - len(head)
    tail = mark(f"{rest:,} more pasted chars left out") if rest else mark("end of paste")
    return f"{mark('pasted, t1:')}{reveal(head)}{tail}"


def _call(text: str, limit: int) -> str:
    """The one field of a call's input that says what it does, as it stands in the JSON."""
    for name in _TELLING:
        found = re.search(rf'"{name}"\s*:\s*"((?:[^"\\]|\\.)*)"', text)
        if found and found.group(1).strip():
            return _cut(found.group(1), limit, (0, 0))
    return _cut(text, limit, (0, 0))


def _focus(turn: Turn, start: int, end: int, note: str) -> tuple[int, int]:
    """Where in `[start, end)` the point is, relative to `start`: the note's own words, else the error."""
    text = turn.text[start:end]
    at = text.find(note.strip()) if note.strip() else -1
    if at >= 0:
        return at, at + len(note.strip())
    return error_line(text) if turn.kind == "tool_result" else (0, 0)


def _cut(text: str, limit: int, focus: tuple[int, int]) -> str:
    """Start, end and the lines around `focus`, `limit` characters in all, the rest marked as left out."""
    if len(text) <= limit + _CONTEXT:
        return reveal(text)
    keep = [(0, limit * 2 // 3), (len(text) - limit // 3, len(text))]
    if focus[1] > keep[0][1] and focus[0] < keep[1][0]:
        half = limit // 2
        around = max(0, half - (focus[1] - focus[0])) // 2
        keep = [
            (0, limit // 4),
            (max(0, focus[0] - around), min(len(text), focus[0] + half + around)),
            (len(text) - limit // 4, len(text)),
        ]
    return _join(text, [_tidy(text, start, end) for start, end in keep])


def _tidy(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch grown to whole words, or lines where one begins or ends nearby."""
    if start > 0:
        line = text.rfind("\n", max(0, start - _CONTEXT), start)
        blank = text.rfind(" ", max(0, start - _CONTEXT), start)
        start = max(line, blank if line < 0 else -1) + 1 or start
    return start, _word_end(text, end)


def _word_end(text: str, end: int) -> int:
    """The end of the line or else the word at `end`, where one is near."""
    if end >= len(text):
        return len(text)
    near = text[end : end + _CONTEXT]
    for stop in ("\n", " "):
        at = near.find(stop)
        if at >= 0:
            return end + at
    return end


def _join(text: str, keep: list[tuple[int, int]]) -> str:
    """The kept stretches in order, each gap marked with its length."""
    parts: list[str] = []
    at = 0
    for start, end in sorted(keep):
        if start > at:
            parts.append(mark(f"… {start - at:,} chars left out …"))
        parts.append(reveal(text[max(start, at) : max(end, at)]))
        at = max(at, end)
    return "".join(parts)
