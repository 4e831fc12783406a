"""Success: how sessions ended over time, and the rate under each version of a memory with its interval."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import sqrt

from agentflows.pictures.axes import Label, Line, Scale, dates, levels, percent, placed
from agentflows.pictures.canvas import SMALL, TITLE_SIZE, Canvas, across, bars, down
from agentflows.pictures.lettering import width
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Era, Point, Success

_WIDE, _HIGH = 760, 340
_LEFT, _PLOT, _RIGHT = 16, 62, 744
_TOP, _BOTTOM = 92, 268
_LOOK: dict[str, tuple[Role, str]] = {
    "worse": ("orange", "▼ worse"),
    "better": ("green", "▲ better"),
    "": ("blue", ""),
}
_MOST_DOTS = 200


def success_picture(found: Success, *, is_inline: bool = False) -> str:
    """Draw success over time: dots for stretches of time, a level for each version with its 95 % interval around it."""
    return draw(found).svg(is_inline=is_inline)


def draw(found: Success) -> Canvas:
    """The picture before it is text."""
    canvas = Canvas(_WIDE, _HIGH + (16 if found.note else 0), title=found.title, told=_told(found))
    canvas.text(_LEFT, 26, found.title, size=TITLE_SIZE, is_bold=True, room=_RIGHT - _LEFT)
    ends = _ends(found)
    if ends is None:
        canvas.text(
            _LEFT,
            45,
            "no session that says how it ended and when it started",
            role="quiet",
            room=_RIGHT - _LEFT,
        )
    else:
        told = "share of sessions that ended well · band: 95 % interval of all sessions under a version · dot: some days"
        canvas.text(_LEFT, 45, told, role="quiet", room=_RIGHT - _LEFT)
    scale = Scale(1.0, 0.25, _TOP, _BOTTOM)
    levels(canvas, scale, _PLOT, _RIGHT, percent)
    if ends is not None:
        line = Line(*ends, _PLOT, _RIGHT)
        _draw_eras(canvas, found.eras, line, scale)
        _draw_points(canvas, found.points, line, scale)
        _name_eras(canvas, found.eras, line)
        dates(canvas, line, _BOTTOM, finest="day")
    if found.note:
        canvas.text(_LEFT, _HIGH + 4, found.note, role="quiet", room=_RIGHT - _LEFT)
    return canvas


def _ends(found: Success) -> tuple[datetime, datetime] | None:
    moments = [point.start for point in found.points] + [point.end for point in found.points]
    if not moments:
        return None
    moments += [era.start for era in found.eras if era.start and era.rate.sessions]
    first, last = min(moments), max(moments)
    return (first, last) if last > first else (first, first + timedelta(days=1))


def _span(era: Era, line: Line) -> tuple[float, float]:
    return line.x(era.start or line.first), line.x(era.end or line.last)


def _draw_eras(canvas: Canvas, eras: Sequence[Era], line: Line, scale: Scale) -> None:
    for era in eras:
        role = _LOOK[era.verdict][0]
        left, right = _span(era, line)
        if era.start is not None:
            canvas.line(down(left, _TOP - 2, _BOTTOM), "quiet" if not era.verdict else role, dash="2 3")
        if not era.rate.sessions:
            continue
        high, low = scale.y(era.rate.high), scale.y(era.rate.low)
        wide = max(2.0, right - left)
        canvas.path(bars([(left, high, wide, max(1.0, low - high))]), role, opacity=0.16, tip=_era_told(era))
        canvas.line(across(left, left + wide, scale.y(era.rate.value)), role, wide=2.5)


def _draw_points(canvas: Canvas, points: Sequence[Point], line: Line, scale: Scale) -> None:
    most = max((point.rate.sessions for point in points), default=1) or 1
    shown = points[:: max(1, -(-len(points) // _MOST_DOTS))]
    for point in shown:
        x = line.x(point.start + (point.end - point.start) / 2)
        radius = 1.8 + 3.2 * sqrt(point.rate.sessions / most)
        told = f"{point.start:%Y-%m-%d}: {point.rate.successes:,} of {point.rate.sessions:,} ({percent(point.rate.value)})"
        canvas.dot(x, scale.y(point.rate.value), radius, "quiet", tip=told)


def _name_eras(canvas: Canvas, eras: Sequence[Era], line: Line) -> None:
    """Two lines above: what it is and how it went; below, its rate where there is room."""
    looks: dict[str, Role] = {}
    labels: list[Label] = []
    for place, era in enumerate(eras):
        left, right = _span(era, line)
        role, told = _LOOK[era.verdict]
        text = f"{era.label} {told}".strip() + (", undone" if era.is_undone else "")
        looks[text] = "quiet" if not era.verdict else role
        labels.append(Label((left + right) / 2, text, 2 * bool(era.verdict) + (place == len(eras) - 1)))
        rate = f"{percent(era.rate.value)} of {era.rate.sessions:,}"
        if era.rate.sessions and width(rate, SMALL, is_bold=True) < right - left - 4:
            canvas.text((left + right) / 2, _BOTTOM + 50, rate, role=role, anchor="middle", is_bold=True)
    for label in placed(labels, _PLOT, _RIGHT):
        canvas.text(label.x, _TOP - 10, label.text, role=looks[label.text], anchor="middle")


def _era_told(era: Era) -> str:
    rate = era.rate
    verdict = f", {era.verdict}" if era.verdict else ""
    undone = ", undone since" if era.is_undone else ""
    return (
        f"{era.label}: {rate.successes:,} of {rate.sessions:,} sessions ended well ({percent(rate.value)}, 95 % interval "
        f"{percent(rate.low)} to {percent(rate.high)}){verdict}{undone}"
    )


def _told(found: Success) -> str:
    if not found.points:
        return "No session that counts."
    told = [_era_told(era) for era in found.eras if era.rate.sessions]
    left = len(told) - 20
    return (
        ". ".join([*told[-20:], *([f"{left} earlier versions are not told here"] if left > 0 else [])]) + "."
    )
