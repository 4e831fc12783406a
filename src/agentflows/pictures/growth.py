"""Growth: how many entries a memory holds, and what each of its versions added and took away."""

from collections.abc import Sequence
from datetime import datetime

from agentflows.pictures.axes import Label, levels, placed, plain, scale
from agentflows.pictures.canvas import SMALL, TITLE_SIZE, Canvas, across, bars
from agentflows.pictures.columns import Columns, date_labels, grouped
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Grown, Growth

_WIDE, _HIGH = 760, 356
_LEFT, _PLOT, _RIGHT = 16, 62, 744
_HELD, _CHANGED = (92, 182), (226, 302)


def growth_picture(found: Growth, *, is_inline: bool = False) -> str:
    """Draw the entries that each version holds, and below what it added and removed."""
    return draw(found).svg(is_inline=is_inline)


def draw(found: Growth) -> Canvas:
    """The picture before it is text."""
    versions, unit, starts = grouped(found.versions, lambda one: one.at, _last)
    canvas = Canvas(_WIDE, _HIGH + (16 if found.note else 0), title=found.title, told=_told(found))
    canvas.text(_LEFT, 26, found.title, size=TITLE_SIZE, is_bold=True, room=_RIGHT - _LEFT)
    canvas.text(_LEFT, 45, _summary(found), role="quiet", room=_RIGHT - _LEFT)
    held = _held_on(versions)
    labels = date_labels(starts, unit)
    if unit is None:
        labels = [
            (f"v{one.version}", f"{day} {year}") for one, (day, year) in zip(versions, labels, strict=True)
        ]
    columns = Columns(_PLOT, _RIGHT, labels, unit)
    entries = scale(max(held, default=0), *_HELD, most=3, is_whole=True)
    canvas.text(_LEFT, _HELD[0] - 16, "entries held")
    levels(canvas, entries, _PLOT, _RIGHT, plain)
    columns.draw(canvas, entries, [float(count) for count in held], "blue")
    _draw_changes(canvas, columns, versions)
    worse = [
        Label(columns.middle(place), "▼", 1) for place, one in enumerate(versions) if one.verdict == "worse"
    ]
    for label in placed(worse, _PLOT, _RIGHT):
        canvas.text(
            label.x,
            _HELD[0] - 4,
            label.text,
            role="orange",
            anchor="middle",
            tip="sessions went worse after it",
        )
    columns.write_labels(canvas, _CHANGED[1])
    if found.note:
        canvas.text(_LEFT, _HIGH + 4, found.note, role="quiet", room=_RIGHT - _LEFT)
    return canvas


def _draw_changes(canvas: Canvas, columns: Columns, versions: Sequence[Grown]) -> None:
    """What came above a middle line, what went below it, on one scale."""
    per = f"per {columns.unit}" if columns.unit else "per version"
    x = _LEFT + canvas.text(_LEFT, _CHANGED[0] - 16, f"entries {per}") + 24
    legend: tuple[tuple[str, Role], ...] = (("added", "green"), ("removed", "orange"))
    for told, role in legend:
        canvas.path(bars([(x, _CHANGED[0] - 24, 9, 9)]), role)
        x += 14 + canvas.text(x + 14, _CHANGED[0] - 16, told, role="quiet") + 16
    most = max((max(one.added, one.removed) for one in versions), default=0)
    middle = (_CHANGED[0] + _CHANGED[1]) / 2
    up = scale(most, _CHANGED[0], middle, most=2, is_whole=True)
    for value in up.ticks:
        for sign in (1, -1) if value else (1,):
            y = middle - sign * (middle - up.y(value))
            canvas.line(across(_PLOT, _RIGHT, y), "grid")
            if value in {0, up.top_value}:
                canvas.text(
                    _PLOT - 6,
                    y + 0.35 * SMALL,
                    f"{'+' if sign > 0 else '−'}{plain(value)}" if value else "0",
                    role="quiet",
                    anchor="end",
                )
    columns.draw(canvas, up, [float(one.added) for one in versions], "green")
    canvas.path(
        bars(
            [
                (
                    columns.middle(place) - columns.wide / 2,
                    middle,
                    columns.wide,
                    max(0.6, middle - up.y(one.removed)),
                )
                for place, one in enumerate(versions)
                if one.removed
            ]
        ),
        "orange",
    )


def _held_on(versions: Sequence[Grown]) -> list[int]:
    """Entries at the end of each column: where nothing was committed, what stood before."""
    held: list[int] = []
    for one in versions:
        held.append(one.entries if one.version else (held[-1] if held else 0))
    return held


def _last(versions: Sequence[Grown]) -> Grown:
    if not versions:
        return Grown(version=0, at=datetime.min)  # noqa: DTZ901 - an empty stretch has no time of its own
    worse = any(one.verdict == "worse" for one in versions)
    return versions[-1].model_copy(
        update={
            "added": sum(one.added for one in versions),
            "removed": sum(one.removed for one in versions),
            "verdict": "worse" if worse else "",
        }
    )


def _summary(found: Growth) -> str:
    if not found.versions:
        return "the store has no version yet"
    last = found.versions[-1]
    added, removed = sum(one.added for one in found.versions), sum(one.removed for one in found.versions)
    return (
        f"version {last.version:,}: {last.entries:,} entries, {last.bytes / 1024:,.1f} KiB · "
        f"since the first, {added:,} added and {removed:,} removed"
    )


def _told(found: Growth) -> str:
    worse = [f"version {one.version}" for one in found.versions if one.verdict == "worse"]
    told = f" Sessions went worse after {', '.join(worse[:10])}." if worse else ""
    return f"{_summary(found)}.{told}"
