"""Coverage: how many sessions each dream read, knew from an earlier one, left unread, or could not read."""

from collections.abc import Sequence
from datetime import datetime

from agentflows.pictures.axes import levels, percent, plain, scale
from agentflows.pictures.canvas import TITLE_SIZE, Canvas, bars
from agentflows.pictures.columns import Columns, date_labels, grouped
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Coverage, Covered

_WIDE, _HIGH = 760, 290
_LEFT, _PLOT, _RIGHT = 16, 62, 744
_TOP, _BOTTOM = 96, 236
_PARTS: tuple[tuple[str, str, Role], ...] = (
    ("known", "known from earlier", "sky"),
    ("read", "read now", "blue"),
    ("failed", "could not be read", "orange"),
    ("unread", "left for later", "grey"),
)


def coverage_picture(found: Coverage, *, is_inline: bool = False) -> str:
    """Draw what became of the sessions that each dream was asked to read."""
    return draw(found).svg(is_inline=is_inline)


def draw(found: Coverage) -> Canvas:
    """The picture before it is text."""
    dreams, unit, starts = grouped(found.dreams, lambda one: one.at, _newest)
    canvas = Canvas(_WIDE, _HIGH + (16 if found.note else 0), title=found.title, told=_summary(found) + ".")
    canvas.text(_LEFT, 26, found.title, size=TITLE_SIZE, is_bold=True, room=_RIGHT - _LEFT)
    canvas.text(_LEFT, 45, _summary(found), role="quiet", room=_RIGHT - _LEFT)
    x = (
        _LEFT
        + canvas.text(
            _LEFT,
            _TOP - 16,
            "sessions, by dream" if unit is None else f"sessions of the last dream of each {unit}",
        )
        + 24
    )
    for _, told, role in _PARTS:
        canvas.path(bars([(x, _TOP - 24, 9, 9)]), role)
        x += 14 + canvas.text(x + 14, _TOP - 16, told, role="quiet") + 14
    columns = Columns(_PLOT, _RIGHT, date_labels(starts, unit), unit)
    sessions = scale(max(map(_selected, dreams), default=0), _TOP, _BOTTOM, is_whole=True)
    levels(canvas, sessions, _PLOT, _RIGHT, plain)
    below = [0.0] * len(dreams)
    for name, _, role in _PARTS:
        values = [float(getattr(one, name)) for one in dreams]
        columns.draw(canvas, sessions, values, role, below)
        below = [floor + value for floor, value in zip(below, values, strict=True)]
    columns.write_labels(canvas, _BOTTOM)
    if found.note:
        canvas.text(_LEFT, _HIGH + 4, found.note, role="quiet", room=_RIGHT - _LEFT)
    return canvas


def _selected(one: Covered) -> int:
    return one.known + one.read + one.failed + one.unread


def _newest(dreams: Sequence[Covered]) -> Covered:
    return dreams[-1] if dreams else Covered(at=datetime.min)  # noqa: DTZ901 - an empty stretch has no time of its own


def _summary(found: Coverage) -> str:
    if not found.dreams:
        return "no dream yet"
    last = found.dreams[-1]
    selected, read = _selected(last), last.known + last.read
    share = f" ({percent(read / selected)})" if selected else ""
    failed = f", {last.failed:,} could not be read" if last.failed else ""
    return f"last dream: {read:,} of {selected:,} selected sessions read{share}{failed}; {last.archived:,} archived"
