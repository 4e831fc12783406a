"""Success: how sessions ended over time, and the rate under each version of a memory with its interval."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import sqrt

from agentflows.pictures.axes import Label, Line, Scale, dates, levels, percent, placed
from agentflows.pictures.canvas import SMALL, Canvas, across, bars, down
from agentflows.pictures.frame import LOOKS, RIGHT, framed, nothing, weightiest
from agentflows.pictures.lettering import clean, width
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Era, Point, Success

_PLOT, _TOP, _BOTTOM, _HIGH = 62, 92, 272, 334
_MOST_DOTS = 200
_TOLD = 12
"""Versions told in words; the newest ones."""


def success_picture(found: Success, *, is_inline: bool = False) -> str:
    """Draw success over time: dots for stretches of time, a level for each version with its 95 % interval around it."""
    return draw(found).svg(is_inline=is_inline)


def draw(found: Success) -> Canvas:
    """The picture before it is text."""
    ends = _ends(found)
    if ends is None:
        return nothing(found.title, "no session says both when it started and how it ended")
    days = (found.points[0].end - found.points[0].start).days
    dot = "day" if days == 1 else f"{days:,} days"
    subtitle = (
        f"sessions that ended well · level and band: all of a version, with the 95 % interval · dot: {dot}"
    )
    canvas = framed(found.title, subtitle, _HIGH, told=_told(found), note=found.note)
    scale = Scale(1.0, 0.25, _TOP, _BOTTOM)
    levels(canvas, scale, _PLOT, RIGHT, percent)
    line = Line(*ends, _PLOT, RIGHT)
    eras = weightiest(found.eras)
    for era in eras:
        _draw_era(canvas, era, line, scale)
    _draw_points(canvas, found.points, line, scale)
    _name_eras(canvas, eras, line)
    dates(canvas, line, _BOTTOM, finest="day")
    return canvas


def _ends(found: Success) -> tuple[datetime, datetime] | None:
    if not found.points:
        return None
    first, last = min(point.start for point in found.points), max(point.end for point in found.points)
    return first, max(last, first + timedelta(hours=1))


def _span(era: Era, line: Line) -> tuple[float, float]:
    return line.x(era.start or line.first), line.x(era.end or line.last)


def _colour(era: Era) -> Role:
    return LOOKS[era.verdict][0] if era.verdict else "blue"


def _draw_era(canvas: Canvas, era: Era, line: Line, scale: Scale) -> None:
    left, right = _span(era, line)
    if era.start is not None and line.first <= era.start <= line.last:
        canvas.line(down(left, _TOP - 4, _BOTTOM), LOOKS[era.verdict][0], dash="2 3")
    if not era.rate.sessions:
        return
    high, low = scale.y(era.rate.high), scale.y(era.rate.low)
    wide = max(2.0, right - left)
    canvas.path(
        bars([(left, high, wide, max(1.0, low - high))]), _colour(era), opacity=0.16, tip=_era_told(era)
    )
    canvas.line(across(left, left + wide, scale.y(era.rate.value)), _colour(era), wide=2.5)


def _draw_points(canvas: Canvas, points: Sequence[Point], line: Line, scale: Scale) -> None:
    most = max(point.rate.sessions for point in points) or 1
    for point in points[:: -(-len(points) // _MOST_DOTS)]:
        rate = point.rate
        canvas.dot(
            line.x(point.start + (point.end - point.start) / 2),
            scale.y(rate.value),
            1.8 + 3.2 * sqrt(rate.sessions / most),
            "quiet",
            tip=f"{point.start:%Y-%m-%d}: {rate.successes:,} of {rate.sessions:,} ({percent(rate.value)})",
        )


def _name_eras(canvas: Canvas, eras: Sequence[Era], line: Line) -> None:
    """Above, which versions and how they went; below, their rates. What has no room is left to the description."""
    above: list[Label] = []
    below: list[Label] = []
    for place, era in enumerate(eras):
        left, right = _span(era, line)
        role, sign = LOOKS[era.verdict]
        text = " ".join(filter(None, [clean(era.label), sign, era.verdict])) + (
            ", undone" if era.is_undone else ""
        )
        weight = 2 * bool(era.verdict) + (place == len(eras) - 1)
        above.append(Label((left + right) / 2, text, weight, role))
        rate = f"{percent(era.rate.value)} of {era.rate.sessions:,}"
        if era.rate.sessions and (era.verdict or width(rate, SMALL, is_bold=True) < right - left):
            below.append(Label((left + right) / 2, rate, weight, _colour(era)))
    for label in placed(above, _PLOT, RIGHT):
        canvas.text(label.x, _TOP - 11, label.text, role=label.role, anchor="middle")
    for label in placed(below, _PLOT, RIGHT, is_bold=True):
        canvas.text(label.x, _BOTTOM + 50, label.text, role=label.role, anchor="middle", is_bold=True)


def _era_told(era: Era) -> str:
    rate = era.rate
    verdict = f", {era.verdict}" if era.verdict else ""
    undone = ", undone since" if era.is_undone else ""
    return (
        f"{era.label}: {rate.successes:,} of {rate.sessions:,} sessions ended well ({percent(rate.value)}, "
        f"95 % interval {percent(rate.low)} to {percent(rate.high)}){verdict}{undone}"
    )


def _told(found: Success) -> str:
    told = [_era_told(era) for era in found.eras if era.rate.sessions]
    left = f"{len(told) - _TOLD} earlier ones are not told here. " if len(told) > _TOLD else ""
    return left + " ".join(f"{text}." for text in told[-_TOLD:])
