"""Axes: which ticks a scale has, how they read, and where labels go so that none touches another."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from agentflows.pictures import calendar
from agentflows.pictures.calendar import Unit
from agentflows.pictures.canvas import SMALL, Canvas, across, down
from agentflows.pictures.lettering import width
from agentflows.pictures.theme import Role

GAP = 8.0
"""Between two labels at least."""


class Scale(NamedTuple):
    """From a value to a height: 0 at `bottom`, `top_value` at `top`."""

    top_value: float
    step: float
    top: float
    bottom: float

    def y(self, value: float) -> float:
        """Where a value stands."""
        return self.bottom - (self.bottom - self.top) * value / self.top_value

    @property
    def ticks(self) -> list[float]:
        """0 to the top."""
        return [number * self.step for number in range(round(self.top_value / self.step) + 1)]


def scale(largest: float, top: float, bottom: float, *, most: int = 4, is_whole: bool = False) -> Scale:
    """A scale from 0 that holds `largest`, with at most so many steps of 1, 2 or 5 times a power of ten."""
    largest = largest if largest > 0 and math.isfinite(largest) else 1.0
    power = 10.0 ** math.floor(math.log10(largest / most))
    step = next(
        factor * power for factor in (1, 2, 5, 10, 20) if factor * power * most >= largest * (1 - 1e-9)
    )
    step = max(1.0, step) if is_whole else step
    return Scale(step * math.ceil(largest / step - 1e-9), step, top, bottom)


def levels(canvas: Canvas, found: Scale, left: float, right: float, told: Callable[[float], str]) -> None:
    """Draw the ticks of a scale as level lines with their values at the left."""
    for value in found.ticks:
        y = found.y(value)
        canvas.line(across(left, right, y), "grid")
        canvas.text(left - 6, y + 0.35 * SMALL, told(value), role="quiet", anchor="end")


def plain(value: float) -> str:
    """`1,250`, `12k`, `3.4M`: a count on an axis."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / min(size, 1e9 if letter == 'B' else 1e6 if letter == 'M' else 1e3):.3g}{letter}"
    return f"{value:,.4g}" if value < 1e3 else f"{value:,.0f}"


def dollars(value: float) -> str:
    """`$0.05`, `$12`, `$1,250`."""
    if value == 0:
        return "$0"
    if value < 0.01:
        return f"${value:.2g}"
    return f"${value:,.2f}" if value < 10 else f"${value:,.0f}"


def percent(value: float) -> str:
    """`62 %`."""
    return f"{100 * value:.0f} %"


class Line(NamedTuple):
    """From a moment to a place on a level line."""

    first: datetime
    last: datetime
    left: float
    right: float

    def x(self, moment: datetime) -> float:
        """Where a moment stands, within the ends."""
        span = (self.last - self.first) / timedelta(seconds=1)
        share = (moment - self.first) / timedelta(seconds=1) / span if span > 0 else 0.5
        return self.left + (self.right - self.left) * min(1.0, max(0.0, share))


def dates(canvas: Canvas, line: Line, y: float, *, finest: Unit, is_column: bool = False) -> None:
    """Write times below a line: as many as fit, at the beginnings of hours, days, weeks, months or years.

    `is_column` puts the time of a whole `finest` unit below its middle.
    """
    unit, every = _rhythm(line, finest)
    said, free, free_below = "", line.left - 30, 0.0
    for moment in calendar.starts(line.first, line.last, unit)[::every]:
        short, long = calendar.tick(moment, unit)
        x, half = line.x(moment), width(short, SMALL) / 2
        if is_column and unit == finest:
            x = (x + line.x(calendar.after(moment, unit))) / 2
        if moment < line.first or x - half < free or x + half > canvas.wide:
            continue
        canvas.line(down(x, y, y + 4), "grey")
        canvas.text(x, y + 16, short, role="quiet", anchor="middle")
        free = x + half + GAP
        half = width(long, SMALL) / 2
        if long and long != said and x - half >= max(0.0, free_below) and x + half <= canvas.wide:
            canvas.text(x, y + 30, long, role="quiet", anchor="middle")
            said, free_below = long, x + half + GAP


_EVERY: dict[Unit, tuple[int, ...]] = {"hour": (1, 3, 6, 12), "day": (1, 2), "week": (1, 2)}


def _rhythm(line: Line, finest: Unit) -> tuple[Unit, int]:
    """Which unit the ticks stand at, and every how many of it."""
    room = max(2, int((line.right - line.left) / 62))
    for unit in calendar.UNITS[calendar.UNITS.index(finest) :]:
        count = len(calendar.starts(line.first, line.last, unit, most=20 * room))
        for every in _EVERY.get(unit, (1,)):
            if count <= room * every:
                return unit, every
    years = len(calendar.starts(line.first, line.last, "year"))
    return "year", max(1, -(-years // room))


class Label(NamedTuple):
    """A text that would like to stand at `x`."""

    x: float
    text: str
    weight: int
    """The higher, the sooner it gets its place."""
    role: Role = "quiet"


def placed(
    labels: Sequence[Label], left: float, right: float, *, size: float = SMALL, is_bold: bool = False
) -> list[Label]:
    """Those labels that fit side by side between two ends, moved inwards where needed; the weightiest first."""
    taken: list[tuple[float, float]] = []
    kept: list[Label] = []
    for label in sorted(labels, key=lambda one: (-one.weight, one.x, one.text)):
        half = width(label.text, size, is_bold=is_bold) / 2
        x = min(max(label.x, left + half), right - half)
        if 2 * half > right - left or any(x - half < end and start < x + half for start, end in taken):
            continue
        taken.append((x - half - GAP, x + half + GAP))
        kept.append(label._replace(x=x))
    return sorted(kept)
