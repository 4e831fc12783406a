"""Spending: what dreams, outcomes and jobs cost, in dollars and in tokens, and how much of what they sent came from a cache."""

from collections.abc import Sequence

from agentflows.pictures import calendar
from agentflows.pictures.axes import Scale, dollars, levels, percent, plain, scale
from agentflows.pictures.canvas import Canvas, bars
from agentflows.pictures.columns import Columns, date_labels, grouped
from agentflows.pictures.frame import RIGHT, framed, legend, nothing
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Spending, Spent, SpentOn

_PLOT, _HIGH = 66, 372
_DOLLARS, _TOKENS = (94, 172), (222, 330)
_KINDS: dict[SpentOn, tuple[Role, str, str]] = {
    "dream": ("green", "dream", "dreams"),
    "outcome": ("grey", "outcome", "outcomes"),
    "job": ("orange", "job of a team", "jobs of teams"),
}
"""Each kind with its colour and its words. Outcomes are striped too, and jobs slit: nothing is said by colour alone."""
_PARTS: tuple[tuple[str, Role], ...] = (
    ("input from the cache", "sky"),
    ("input", "blue"),
    ("input written to the cache", "purple"),
    ("output", "amber"),
)
_STRIPE, _SLIT = 4.0, 0.3
"""From one stripe to the next, and how much of a bar the slit takes."""

_Box = tuple[float, float, float, float]


def cost_picture(found: Spending, *, is_inline: bool = False) -> str:
    """Draw what each run (or day) cost: dollars above, by kind of run; tokens below, by kind of token."""
    return draw(found).svg(is_inline=is_inline)


def draw(found: Spending) -> Canvas:
    """The picture before it is text."""
    if not found.spent:
        return nothing(found.title, "no dream, outcome or job yet")
    if not any(one.tokens or one.dollars for one in found.spent):
        return nothing(found.title, f"{_counted(found)} without a model: nothing was spent")
    groups, unit, starts = grouped(
        found.spent, lambda one: one.at, finest="day" if found.each == "day" else None
    )
    kinds: list[SpentOn] = [kind for kind in _KINDS if any(one.kind == kind for one in found.spent)]
    each = unit or (_KINDS[kinds[0]][1] if len(kinds) == 1 else "run")
    canvas = framed(found.title, _summary(found), _HIGH, told=_told(found), note=found.note)
    columns = Columns(_PLOT, RIGHT, date_labels(starts, unit))
    _draw_dollars(canvas, columns, groups, kinds, f"dollars per {each}")
    parts = [_parts(group) for group in groups]
    tokens = scale(max(map(sum, parts)), *_TOKENS, is_whole=True)
    legend(canvas, _TOKENS[0] - 16, f"tokens per {each}", _PARTS)
    levels(canvas, tokens, _PLOT, RIGHT, plain)
    columns.stack(canvas, tokens, parts, [role for _, role in _PARTS])
    columns.write_labels(canvas, _TOKENS[1])
    return canvas


def _draw_dollars(
    canvas: Canvas,
    columns: Columns,
    groups: Sequence[Sequence[Spent]],
    kinds: Sequence[SpentOn],
    what: str,
) -> None:
    paid = [[sum(one.dollars for one in group if one.kind == kind) for kind in kinds] for group in groups]
    money = scale(max(map(sum, paid)), *_DOLLARS, most=3)
    looks: list[tuple[str, Role]] = [(_KINDS[kind][2], _KINDS[kind][0]) for kind in kinds]
    swatches = legend(canvas, _DOLLARS[0] - 16, what, looks if len(kinds) > 1 else ())
    levels(canvas, money, _PLOT, RIGHT, dollars)
    columns.stack(canvas, money, paid, [role for _, role in looks])
    for place, kind in enumerate(kinds):
        _mark(canvas, kind, [*_boxes(columns, money, paid, place), *swatches[place : place + 1]])


def _boxes(columns: Columns, money: Scale, paid: Sequence[Sequence[float]], kind: int) -> list[_Box]:
    """Where the bars of one kind stand."""
    return [
        (columns.middle(place) - columns.wide / 2, money.y(sum(values[: kind + 1])), columns.wide, high)
        for place, values in enumerate(paid)
        if (high := money.y(0) - money.y(values[kind])) > 0
    ]


def _mark(canvas: Canvas, kind: SpentOn, boxes: Sequence[_Box]) -> None:
    """What tells a kind without its colour."""
    if kind == "outcome":
        stripes = [
            (left, top + _STRIPE * number, wide, 1.2)
            for left, top, wide, high in boxes
            for number in range(1, int(high / _STRIPE) + (high % _STRIPE > 1.2))
        ]
        canvas.path(bars(stripes), "ground")
    elif kind == "job":
        slits = [
            (left + wide * (1 - _SLIT) / 2, top + 1.2, wide * _SLIT, high - 2.4)
            for left, top, wide, high in boxes
        ]
        canvas.path(bars(slits), "ground")


def _parts(spent: Sequence[Spent]) -> list[float]:
    """Tokens of each kind, in the order of `_PARTS`."""
    kinds = [(one.cached_tokens, one.input_tokens, one.written_tokens, one.output_tokens) for one in spent]
    return [float(sum(kind)) for kind in zip(*kinds, strict=True)] or [0.0] * len(_PARTS)


def _counted(found: Spending) -> str:
    """`3 dreams, 1 outcome and 2 jobs of teams`."""
    told: list[str] = []
    for kind, (_, one, many) in _KINDS.items():
        count = sum(spent.kind == kind for spent in found.spent)
        told += [f"{count:,} {one if count == 1 else many}"] if count else []
    return " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))


def _summary(found: Spending) -> str:
    cached, fresh, written, _ = _parts(found.spent)
    sent = cached + fresh + written
    share = f", {percent(cached / sent)} of the input from the cache" if sent else ""
    paid = dollars(sum(one.dollars for one in found.spent))
    return (
        f"{_counted(found)}, {paid} at list price, {sum(one.tokens for one in found.spent):,} tokens{share}"
    )


def _told(found: Spending) -> str:
    dearest = max(found.spent, key=lambda one: (one.dollars, one.tokens, one.at))
    named = f" ({dearest.label})" if dearest.label else ""
    day = calendar.named(calendar.floor(dearest.at, "day"), "day")
    return f"{_summary(found)}. Dearest: {day}{named}, {dollars(dearest.dollars)}, {dearest.tokens:,} tokens."
