"""Columns: upright bars side by side, one for each dream or version; of too many, one for each day, week or month."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from agentflows.pictures import calendar
from agentflows.pictures.axes import GAP, Scale
from agentflows.pictures.calendar import Unit
from agentflows.pictures.canvas import SMALL, Canvas, bars
from agentflows.pictures.lettering import width
from agentflows.pictures.theme import Role

MOST = 48
"""Columns side by side."""
_WIDEST, _PITCH = 34.0, 84.0

Item = TypeVar("Item")


class Columns(NamedTuple):
    """Where columns stand, and what stands below them."""

    left: float
    right: float
    labels: Sequence[tuple[str, str]]
    """Below each column: one line, and a second one said where it differs from the column before."""

    @property
    def pitch(self) -> float:
        """From one column to the next."""
        return min(_PITCH, (self.right - self.left) / max(1, len(self.labels)))

    @property
    def wide(self) -> float:
        """Of a column."""
        return min(_WIDEST, max(1.0, 0.76 * self.pitch))

    def middle(self, place: int) -> float:
        """Of the column at a place."""
        return self.left + self.pitch * (place + 0.5)

    def draw(self, canvas: Canvas, scale: Scale, values: Sequence[float], role: Role) -> None:
        """Fill one bar for each value."""
        self.stack(canvas, scale, [[value] for value in values], [role])

    def stack(
        self, canvas: Canvas, scale: Scale, parts: Sequence[Sequence[float]], roles: Sequence[Role]
    ) -> None:
        """Fill one bar for each column, its parts upon one another; a scale with its top below its bottom hangs them."""
        sign = 1 if scale.top <= scale.bottom else -1
        for kind, role in enumerate(roles):
            boxes: list[tuple[float, float, float, float]] = []
            for place, values in enumerate(parts):
                if values[kind] > 0:
                    floor = scale.y(sum(values[:kind]))
                    high = max(0.7, sign * (floor - scale.y(sum(values[: kind + 1]))))
                    top = floor - high if sign > 0 else floor
                    boxes.append((self.middle(place) - self.wide / 2, top, self.wide, high))
            canvas.path(bars(boxes), role)

    def write_labels(self, canvas: Canvas, y: float) -> None:
        """As many labels as fit, every second or third and so on, from the newest back."""
        widest = max(width(short, SMALL) for short, _ in self.labels)
        every = max(1, -(-int(widest + GAP) // max(1, int(self.pitch))))
        said, free = "", 0.0
        for place in sorted(range(len(self.labels) - 1, -1, -every)):
            short, long = self.labels[place]
            x, half = self.middle(place), width(short, SMALL) / 2
            if x + half > canvas.wide:
                continue
            canvas.text(x, y + 15, short, role="quiet", anchor="middle")
            half = width(long, SMALL) / 2
            if long and long != said and x - half >= free and x + half <= canvas.wide:
                canvas.text(x, y + 29, long, role="quiet", anchor="middle")
                said, free = long, x + half + GAP


def grouped(
    items: Sequence[Item], when: Callable[[Item], datetime], *, finest: Unit | None = None
) -> tuple[list[Sequence[Item]], Unit | None, list[datetime]]:
    """Items one by one where they fit, else by day, week, month or year with empty ones between, and when each began.

    `finest` groups them in any case. Of more years than fit, all that came before is counted in the first.
    """
    ordered = sorted(items, key=when)
    if finest is None and len(ordered) <= MOST:
        return [[item] for item in ordered], None, [when(item) for item in ordered]
    unit = calendar.fitting(when(ordered[0]), when(ordered[-1]), MOST, finest=finest or "day")
    starts = calendar.starts(when(ordered[0]), when(ordered[-1]), unit)[-MOST:]
    groups: dict[datetime, list[Item]] = {start: [] for start in starts}
    for item in ordered:
        groups[max(starts[0], calendar.floor(when(item), unit))].append(item)
    return list(groups.values()), unit, starts


def date_labels(starts: Sequence[datetime], unit: Unit | None) -> list[tuple[str, str]]:
    """What stands below columns that are dates."""
    return [calendar.tick(start, unit or "day") for start in starts]
