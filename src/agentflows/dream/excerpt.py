"""Excerpts: part of one turn's text, word for word, with every cut marked."""

import re
from collections.abc import Callable, Iterator, Sequence

from agentflows.dream.focus import Failure, failures
from agentflows.dream.marks import mark, reveal
from agentflows.session import Turn

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
_SIDE = 200
"""Characters of the start and of the end that are enough where the point lies between them."""
_SHARE = 180
"""Characters for each of several points: a line and what stands around it."""

Failing = Callable[[str], Sequence[Failure]]
"""Finds what failed in a text, the most telling first."""


def excerpt(turn: Turn, limit: int, note: str = "", *, failing: Failing = failures) -> str:
    """Up to `limit` characters of the turn's own text, more or less, with marks for what is missing.

    Recalled and injected stretches are left out, pastes are cut to their beginning. A call is cut to what
    it does. Of a result, the start, the end, what `note` points at and the lines that say what failed are
    kept, as many distinct ones as `limit` has room for; `failing` finds them.
    """
    if turn.kind == "tool_call" and not turn.spans:
        return _call(turn.text, limit)
    parts: list[str] = []
    room = limit
    for start, end, kind in _stretches(turn):
        if kind:
            parts.append(_lesser(turn.text[start:end], kind))
            continue
        finds = failing if turn.kind == "tool_result" else None
        parts.append(_own(turn.text[start:end], max(room, 40), note, finds))
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
            return _cut(found.group(1), limit, [])
    return _cut(text, limit, [])


def _own(text: str, limit: int, note: str, failing: Failing | None) -> str:
    """A stretch of the turn's own, cut around the note's words and, where something can fail, what failed."""
    if len(text) <= limit + _CONTEXT:
        return reveal(text)
    named = note.strip()
    at = text.find(named) if named else -1
    points = [(at, at + len(named))] if at >= 0 else []
    if failing:
        points += [(failure.start, failure.end) for failure in failing(text)]
    return _cut(text, limit, points)


def _cut(text: str, limit: int, points: Sequence[tuple[int, int]]) -> str:
    """Start, end and the lines around the first points, `limit` characters in all, the rest marked as left out."""
    if len(text) <= limit + _CONTEXT:
        return reveal(text)
    keep = [(0, limit * 2 // 3), (len(text) - limit // 3, len(text))]
    hidden = [point for point in points if not _within(point, keep)]
    if hidden:
        side = min(limit // 4, _SIDE)
        keep = [(0, side), (len(text) - side, len(text))]
        keep += _around(text, points, keep, limit - 2 * side)
    return _join(text, [_tidy(text, start, end) for start, end in keep])


def _around(
    text: str, points: Sequence[tuple[int, int]], kept: Sequence[tuple[int, int]], room: int
) -> list[tuple[int, int]]:
    """Stretches around the points that `kept` does not show, best first, `room` characters in all."""
    hidden = [point for point in points if not _within(point, kept)]
    number = max(1, min(len(hidden), room // _SHARE))
    share = room // number
    stretches: list[tuple[int, int]] = []
    for start, end in hidden:
        if len(stretches) < number and not _within((start, end), stretches):
            spare = max(0, share - (end - start)) // 2
            stretches.append((max(0, start - spare), min(len(text), start + share - spare)))
    return stretches


def _within(point: tuple[int, int], stretches: Sequence[tuple[int, int]]) -> bool:
    return any(start <= point[0] and point[1] <= end for start, end in stretches)


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
