"""Spending: what dreams cost, in dollars and in tokens, and how much of what they sent came from a cache."""

from collections.abc import Sequence

from agentflows.pictures import calendar
from agentflows.pictures.axes import dollars, levels, percent, plain, scale
from agentflows.pictures.canvas import Canvas
from agentflows.pictures.columns import Columns, date_labels, grouped
from agentflows.pictures.frame import RIGHT, framed, legend, nothing
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Spending, Spent

_PLOT, _HIGH = 66, 372
_DOLLARS, _TOKENS = (94, 172), (222, 330)
_PARTS: tuple[tuple[str, Role], ...] = (
    ("input from the cache", "sky"),
    ("input", "blue"),
    ("input written to the cache", "purple"),
    ("output", "amber"),
)


def cost_picture(found: Spending, *, is_inline: bool = False) -> str:
    """Draw what each dream (or day) cost: dollars above, tokens by kind below."""
    return draw(found).svg(is_inline=is_inline)


def draw(found: Spending) -> Canvas:
    """The picture before it is text."""
    if not found.spent:
        return nothing(found.title, "no dream yet")
    if not any(one.tokens or one.dollars for one in found.spent):
        return nothing(found.title, f"{_counted(found)} without a model: nothing was spent")
    groups, unit, starts = grouped(
        found.spent, lambda one: one.at, finest="day" if found.each == "day" else None
    )
    each = unit or "dream"
    canvas = framed(found.title, _summary(found), _HIGH, told=_told(found), note=found.note)
    columns = Columns(_PLOT, RIGHT, date_labels(starts, unit))
    paid = [sum(one.dollars for one in group) for group in groups]
    money = scale(max(paid), *_DOLLARS, most=3)
    legend(canvas, _DOLLARS[0] - 16, f"dollars per {each}", ())
    levels(canvas, money, _PLOT, RIGHT, dollars)
    columns.draw(canvas, money, paid, "green")
    parts = [_parts(group) for group in groups]
    tokens = scale(max(map(sum, parts)), *_TOKENS, is_whole=True)
    legend(canvas, _TOKENS[0] - 16, f"tokens per {each}", _PARTS)
    levels(canvas, tokens, _PLOT, RIGHT, plain)
    columns.stack(canvas, tokens, parts, [role for _, role in _PARTS])
    columns.write_labels(canvas, _TOKENS[1])
    return canvas


def _parts(spent: Sequence[Spent]) -> list[float]:
    """Tokens of each kind, in the order of `_PARTS`."""
    kinds = [(one.cached_tokens, one.input_tokens, one.written_tokens, one.output_tokens) for one in spent]
    return [float(sum(kind)) for kind in zip(*kinds, strict=True)] or [0.0] * len(_PARTS)


def _counted(found: Spending) -> str:
    return f"{len(found.spent):,} dream{'' if len(found.spent) == 1 else 's'}"


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
