"""Growth: how many entries a memory holds, and what each of its versions added and took away."""

from collections.abc import Sequence

from agentflows.pictures.axes import Label, levels, placed, plain, scale
from agentflows.pictures.canvas import SMALL, Canvas, across
from agentflows.pictures.columns import Columns, date_labels, grouped
from agentflows.pictures.frame import LOOKS, RIGHT, framed, legend, nothing
from agentflows.pictures.words import Grown, Growth

_PLOT, _HIGH = 62, 350
_HELD, _CHANGED = (94, 184), (232, 302)


def growth_picture(found: Growth, *, is_inline: bool = False) -> str:
    """Draw the entries that each version holds, and below what it added and removed."""
    return draw(found).svg(is_inline=is_inline)


def draw(found: Growth) -> Canvas:
    """The picture before it is text."""
    if not found.versions:
        return nothing(found.title, "no version that says anything yet")
    groups, unit, starts = grouped(found.versions, lambda one: one.at)
    labels = date_labels(starts, unit)
    if unit is None:
        named = [f"v{one.version}" for one in found.versions]
        labels = [(name, f"{day} {year}") for name, (day, year) in zip(named, labels, strict=True)]
    canvas = framed(found.title, _summary(found), _HIGH, told=_told(found), note=found.note)
    columns = Columns(_PLOT, RIGHT, labels)
    held = _held_on(groups)
    entries = scale(max(held), *_HELD, most=3, is_whole=True)
    legend(canvas, _HELD[0] - 16, "entries held", ())
    levels(canvas, entries, _PLOT, RIGHT, plain)
    columns.draw(canvas, entries, held, "blue")
    legend(
        canvas,
        _CHANGED[0] - 16,
        f"entries per {unit or 'version'}",
        (("added", "green"), ("removed", "orange")),
    )
    _draw_changes(canvas, columns, groups)
    _mark_worse(canvas, columns, groups)
    columns.write_labels(canvas, _CHANGED[1] + 2)
    return canvas


def _draw_changes(canvas: Canvas, columns: Columns, groups: Sequence[Sequence[Grown]]) -> None:
    """What came above a middle line, what went below it, on one scale."""
    added = [float(sum(one.added for one in group)) for group in groups]
    removed = [float(sum(one.removed for one in group)) for group in groups]
    middle = sum(_CHANGED) / 2
    up = scale(max(*added, *removed), _CHANGED[0], middle, most=1, is_whole=True)
    for y, told in ((up.top, "+"), (middle, ""), (2 * middle - up.top, "−")):
        canvas.line(across(_PLOT, RIGHT, y), "grid")
        canvas.text(
            _PLOT - 6,
            y + 0.35 * SMALL,
            f"{told}{plain(up.top_value) if told else '0'}",
            role="quiet",
            anchor="end",
        )
    columns.draw(canvas, up, added, "green")
    columns.draw(canvas, up._replace(top=2 * middle - up.top), removed, "orange")


def _mark_worse(canvas: Canvas, columns: Columns, groups: Sequence[Sequence[Grown]]) -> None:
    role, sign = LOOKS["worse"]
    worse = [
        Label(columns.middle(place), sign, 1, role)
        for place, group in enumerate(groups)
        if any(one.verdict == "worse" for one in group)
    ]
    for label in placed(worse, _PLOT, RIGHT):
        canvas.text(
            label.x,
            _HELD[0] - 4,
            label.text,
            role=label.role,
            anchor="middle",
            tip="sessions went worse after it",
        )


def _held_on(groups: Sequence[Sequence[Grown]]) -> list[float]:
    """Entries at the end of each column: where nothing was committed, what stood before."""
    held: list[float] = []
    for group in groups:
        before = held[-1] if held else 0.0
        held.append(float(group[-1].entries) if group else before)
    return held


def _summary(found: Growth) -> str:
    last = found.versions[-1]
    added, removed = sum(one.added for one in found.versions), sum(one.removed for one in found.versions)
    entries = f"{last.entries:,} {'entry' if last.entries == 1 else 'entries'}"
    size = f"{last.bytes / 1024:,.1f} KiB" if last.bytes >= 1024 else f"{last.bytes:,} bytes"
    return (
        f"version {last.version:,}: {entries}, {size} · "
        f"since the first, {added:,} added and {removed:,} removed"
    )


def _told(found: Growth) -> str:
    worse = [f"version {one.version}" for one in found.versions if one.verdict == "worse"]
    told = f" Sessions went worse after {', '.join(worse[:10])}." if worse else ""
    return f"{_summary(found)}.{told}"
