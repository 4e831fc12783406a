"""Coverage: how many sessions each dream read, knew from an earlier one, left unread, or could not read."""

from agentflows.pictures.axes import levels, percent, plain, scale
from agentflows.pictures.canvas import Canvas
from agentflows.pictures.columns import Columns, date_labels, grouped
from agentflows.pictures.frame import RIGHT, framed, legend, nothing
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Coverage, Covered

_PLOT, _TOP, _BOTTOM, _HIGH = 62, 98, 232, 276
_PARTS: tuple[tuple[str, Role], ...] = (
    ("known from earlier", "sky"),
    ("read now", "blue"),
    ("left for later", "grey"),
    ("could not be read", "orange"),
)


def coverage_picture(found: Coverage, *, is_inline: bool = False) -> str:
    """Draw what became of the sessions that each dream was asked to read."""
    return draw(found).svg(is_inline=is_inline)


def draw(found: Coverage) -> Canvas:
    """The picture before it is text."""
    if not found.dreams:
        return nothing(found.title, "no dream yet")
    groups, unit, starts = grouped(found.dreams, lambda one: one.at)
    canvas = framed(found.title, _summary(found), _HIGH, told=f"{_summary(found)}.", note=found.note)
    what = f"sessions, last dream of each {unit}" if unit else "sessions per dream"
    legend(canvas, _TOP - 18, what, _PARTS)
    parts = [_parts(group[-1]) if group else [0.0] * len(_PARTS) for group in groups]
    sessions = scale(max(map(sum, parts)), _TOP, _BOTTOM, is_whole=True)
    levels(canvas, sessions, _PLOT, RIGHT, plain)
    columns = Columns(_PLOT, RIGHT, date_labels(starts, unit))
    columns.stack(canvas, sessions, parts, [role for _, role in _PARTS])
    columns.write_labels(canvas, _BOTTOM)
    return canvas


def _parts(one: Covered) -> list[float]:
    """Sessions of each kind, in the order of `_PARTS`."""
    return [float(count) for count in (one.known, one.read, one.unread, one.failed)]


def _summary(found: Coverage) -> str:
    last = found.dreams[-1]
    selected, read = round(sum(_parts(last))), last.known + last.read
    share = f" ({percent(read / selected)})" if selected else ""
    failed = f", {last.failed:,} could not be read" if last.failed else ""
    return f"last dream: {read:,} of {selected:,} selected sessions read{share}{failed}; {last.archived:,} in the archive"
