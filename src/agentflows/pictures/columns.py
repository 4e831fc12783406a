"""Columns: upright bars side by side, one for each dream or version; of too many, one for each day, week or month."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from agentflows.pictures import calendar
from agentflows.pictures.axes import Scale
from agentflows.pictures.calendar import Unit
from agentflows.pictures.canvas import SMALL, Canvas, bars
from agentflows.pictures.lettering import width
from agentflows.pictures.theme import Role

MOST = 48
"""Columns side by side."""
_WIDEST = 34.0

Item = TypeVar("Item")


class Columns(NamedTuple):
    """Where columns stand, and what stands below them."""

    left: float
    right: float
    labels: Sequence[tuple[str, str]]
    """Below each column: one line, and a second one said where it differs from the column before."""
    unit: Unit | None
    """What one column stands for; None for one item each."""

    @property
    def pitch(self) -> float:
        """From one column to the next."""
        return min(72.0, (self.right - self.left) / max(1, len(self.labels)))

    @property
    def wide(self) -> float:
        """Of a column."""
        return min(_WIDEST, max(1.0, 0.76 * self.pitch))

    def middle(self, place: int) -> float:
        """Of the column at a place."""
        return self.left + self.pitch * (place + 0.5)

    def draw(
        self, canvas: Canvas, scale: Scale, values: Sequence[float], role: Role, below: Sequence[float] = ()
    ) -> None:
        """Fill one bar for each value, on top of `below`."""
        floors = below or [0.0] * len(values)
        canvas.path(
            bars(
                [
                    (
                        self.middle(place) - self.wide / 2,
                        scale.y(floor + value),
                        self.wide,
                        max(0.6, scale.y(floor) - scale.y(floor + value)),
                    )
                    for place, (value, floor) in enumerate(zip(values, floors, strict=True))
                    if value > 0
                ]
            ),
            role,
        )

    def write_labels(self, canvas: Canvas, y: float) -> None:
        """As many labels as fit, from the last to the first, so that the newest has one."""
        free = canvas.wide - 2.0
        shown: list[int] = []
        for place in reversed(range(len(self.labels))):
            half = width(self.labels[place][0], SMALL) / 2
            x = self.middle(place)
            if x + half <= free and x - half >= 0:
                shown.append(place)
                free = x - half - 8
        said, free = "", 0.0
        for place in sorted(shown):
            short, long = self.labels[place]
            x = self.middle(place)
            canvas.text(x, y + 15, short, role="quiet", anchor="middle")
            half = width(long, SMALL) / 2
            if long and long != said and x - half >= free and x + half <= canvas.wide:
                canvas.text(x, y + 29, long, role="quiet", anchor="middle")
                said, free = long, x + half + 8


def grouped(
    items: Sequence[Item], when: Callable[[Item], datetime], total: Callable[[Sequence[Item]], Item]
) -> tuple[list[Item], Unit | None, list[datetime]]:
    """The items themselves where they fit; else by day, week, month or year, empty ones too, with when each began."""
    ordered = sorted(items, key=when)
    if len(ordered) <= MOST:
        return ordered, None, [when(item) for item in ordered]
    unit = calendar.fitting(when(ordered[0]), when(ordered[-1]), MOST, finest="day")
    starts = calendar.starts(when(ordered[0]), when(ordered[-1]), unit)[-MOST:]
    groups: dict[datetime, list[Item]] = {start: [] for start in starts}
    for item in ordered:
        start = max(starts[0], calendar.floor(when(item), unit))
        groups[start].append(item)
    return [total(group) for group in groups.values()], unit, starts


def date_labels(starts: Sequence[datetime], unit: Unit | None) -> list[tuple[str, str]]:
    """What stands below columns that are dates."""
    return [calendar.tick(start, unit or "day") for start in starts]
