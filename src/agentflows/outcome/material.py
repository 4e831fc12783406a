"""What the grader is shown of the deliverables: as data, within a bound, with all that is left out named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentflows.evaluation import Deliverable
from agentflows.marks import mark, one_line, reveal
from agentflows.outcome.frozen import Frozen

CHARS_PER_TOKEN = 3
"""Fewer than most texts have, so that a bound in tokens holds for code and for other languages too."""
MAX_LISTED = 400
"""Files named; of more, only the number is said."""
_PATH_CHARS = 300
_LEAST_SHARE = 400
"""Characters under which showing a part of a file says less than its name does."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A stretch of one file, 1-based, both ends included."""

    path: str
    first: int
    last: int


def material(frozen: Frozen, *, max_tokens: int, asked: Sequence[Lines] = ()) -> str:
    """All deliverables for the grader: whole where they fit, else their beginning and end.

    `asked` are the lines it wanted to see beside; they take up to half of the bound.
    """
    room = max_tokens * CHARS_PER_TOKEN
    extra = _asked(frozen, asked, room // 2)
    listed = frozen.deliverables[:MAX_LISTED]
    texts = {item.path: _shown(frozen, item) for item in listed}
    shares = _shares({path: len(text) for path, text in texts.items() if text is not None}, room - len(extra))
    total = len(frozen.deliverables)
    parts = [
        _file(number, total, item, texts[item.path], shares.get(item.path, 0))
        for number, item in enumerate(listed, 1)
    ]
    if total > len(listed):
        parts.append(mark(f"{total - len(listed):,} more files are neither shown nor named"))
    return "\n".join([*parts, *([extra] if extra else [])]) or mark("no files were left behind")


def _shown(frozen: Frozen, item: Deliverable) -> str | None:
    text = frozen.text(item.path)
    return None if text is None else reveal(text)


def _shares(sizes: Mapping[str, int], room: int) -> dict[str, int]:
    """Characters for each file: small files whole, the rest of the room in equal parts."""
    shares: dict[str, int] = {}
    for left, (path, size) in enumerate(sorted(sizes.items(), key=lambda one: (one[1], one[0]))):
        share = max(0, room) // (len(sizes) - left)
        shares[path] = min(size, share)
        room -= shares[path]
    return shares


def _file(number: int, total: int, item: Deliverable, text: str | None, share: int) -> str:
    name = one_line(item.path, _PATH_CHARS)
    head = f"file {number} of {total}: {name} · {item.size_bytes:,} bytes"
    if text is None:
        return mark(f"{head} · not text, so not shown")
    lines = text.split("\n")
    if len(text) <= share:
        return f"{mark(f'{head} · {len(lines):,} lines, all shown')}\n{text}\n{mark(f'end of {name}')}"
    if share < _LEAST_SHARE:
        return mark(f"{head} · {len(lines):,} lines, none shown: ask for lines with `reads`")
    return "\n".join(
        [mark(f"{head} · {len(lines):,} lines, shown in part"), _cut(lines, share), mark(f"end of {name}")]
    )


def _cut(lines: Sequence[str], share: int) -> str:
    """The first two thirds and the last third of the share, in whole lines where one line is not longer."""
    head, tail = _take(lines, share * 2 // 3), _take(lines[::-1], share // 3)
    first, last = len(head), len(lines) - len(tail)
    if first >= last:  # single lines longer than the share
        body = "\n".join(lines)
        gone = len(body) - share
        cut = mark(f"… {gone:,} characters left out …")
        return f"{body[: share * 2 // 3]}{cut}{body[len(body) - share // 3 :]}"
    gone = mark(f"… lines {first + 1:,} to {last:,} left out: ask for them with `reads` …")
    return "\n".join([*head, gone, *tail[::-1]])


def _take(lines: Sequence[str], room: int) -> list[str]:
    taken: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        taken.append(line)
    return taken


def _asked(frozen: Frozen, asked: Sequence[Lines], room: int) -> str:
    parts: list[str] = []
    for one in asked:
        name, text = one_line(one.path, _PATH_CHARS), frozen.text(one.path)
        if text is None:
            parts.append(mark(f"{name} was asked for: there is no such text file among the deliverables"))
            continue
        lines = reveal(text).split("\n")
        chosen = _take(lines[max(0, one.first - 1) : one.last], room)
        last = max(one.first, 1) + len(chosen) - 1
        cut = (
            f", of {one.last - one.first + 1:,} asked for"
            if one.first + len(chosen) <= min(one.last, len(lines))
            else ""
        )
        parts += [mark(f"{name}, lines {one.first:,} to {last:,}, as asked for{cut}"), *chosen]
        room -= sum(len(line) + 1 for line in chosen)
    return "\n".join(parts)
