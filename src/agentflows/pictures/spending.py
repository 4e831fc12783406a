"""Spending: what dreams cost, in dollars and in tokens, and how much of what they sent came from a cache."""

from collections.abc import Sequence
from datetime import datetime

from agentflows.pictures import calendar
from agentflows.pictures.axes import dollars, levels, percent, plain, scale
from agentflows.pictures.canvas import TITLE_SIZE, Canvas, bars
from agentflows.pictures.columns import Columns, date_labels, grouped
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Spending, Spent

_WIDE, _HIGH = 760, 384
_LEFT, _PLOT, _RIGHT = 16, 70, 744
_DOLLARS, _TOKENS = (92, 172), (222, 330)
_PARTS: tuple[tuple[str, str, Role], ...] = (
    ("cached_tokens", "input from the cache", "sky"),
    ("input_tokens", "input", "blue"),
    ("written_tokens", "input written to the cache", "purple"),
    ("output_tokens", "output", "amber"),
)


def cost_picture(found: Spending, *, is_inline: bool = False) -> str:
    """Draw what each dream (or day) cost: dollars above, tokens by kind below."""
    return draw(found).svg(is_inline=is_inline)


def draw(found: Spending) -> Canvas:
    """The picture before it is text."""
    spent, unit, starts = grouped(found.spent, lambda one: one.at, _total)
    canvas = Canvas(_WIDE, _HIGH + (16 if found.note else 0), title=found.title, told=_told(found))
    canvas.text(_LEFT, 26, found.title, size=TITLE_SIZE, is_bold=True, room=_RIGHT - _LEFT)
    canvas.text(_LEFT, 45, _summary(found), role="quiet", room=_RIGHT - _LEFT)
    columns = Columns(_PLOT, _RIGHT, date_labels(starts, unit), unit)
    each = f"per {unit or found.each}"
    money = scale(max((one.dollars for one in spent), default=0), *_DOLLARS, most=3)
    canvas.text(_LEFT, _DOLLARS[0] - 16, f"dollars {each}", role="ink")
    levels(canvas, money, _PLOT, _RIGHT, dollars)
    columns.draw(canvas, money, [one.dollars for one in spent], "green")
    tokens = scale(max(map(_tokens, spent), default=0), *_TOKENS, is_whole=True)
    _legend(canvas, f"tokens {each}")
    levels(canvas, tokens, _PLOT, _RIGHT, plain)
    below = [0.0] * len(spent)
    for name, _, role in _PARTS:
        values = [float(getattr(one, name)) for one in spent]
        columns.draw(canvas, tokens, values, role, below)
        below = [floor + value for floor, value in zip(below, values, strict=True)]
    columns.write_labels(canvas, _TOKENS[1])
    if found.note:
        canvas.text(_LEFT, _HIGH + 4, found.note, role="quiet", room=_RIGHT - _LEFT)
    return canvas


def _legend(canvas: Canvas, title: str) -> None:
    y = _TOKENS[0] - 16
    x = _LEFT + canvas.text(_LEFT, y, title) + 24
    for _, told, role in _PARTS:
        canvas.path(bars([(x, y - 8, 9, 9)]), role)
        x += 14 + canvas.text(x + 14, y, told, role="quiet") + 16


def _tokens(one: Spent) -> int:
    return one.input_tokens + one.cached_tokens + one.written_tokens + one.output_tokens


def _total(spent: Sequence[Spent]) -> Spent:
    return Spent(
        at=spent[0].at if spent else datetime.min,  # noqa: DTZ901 - an empty stretch has no time of its own
        dollars=sum(one.dollars for one in spent),
        calls=sum(one.calls for one in spent),
        input_tokens=sum(one.input_tokens for one in spent),
        cached_tokens=sum(one.cached_tokens for one in spent),
        written_tokens=sum(one.written_tokens for one in spent),
        output_tokens=sum(one.output_tokens for one in spent),
    )


def _summary(found: Spending) -> str:
    if not found.spent:
        return "no dream yet"
    total = _total(found.spent)
    count = f"{len(found.spent):,} {found.each}{'' if len(found.spent) == 1 else 's'}"
    if not _tokens(total):
        return (
            f"{count}, without a model: free" if not total.dollars else f"{count}, {dollars(total.dollars)}"
        )
    sent = _tokens(total) - total.output_tokens
    share = f", {percent(total.cached_tokens / sent)} of the input from the cache" if sent else ""
    return f"{count}, {dollars(total.dollars)} at list price, {_tokens(total):,} tokens{share}"


def _told(found: Spending) -> str:
    told = [_summary(found) + "."]
    if found.spent:
        dearest = max(found.spent, key=lambda one: (one.dollars, _tokens(one), one.at))
        named = f" ({dearest.label})" if dearest.label else ""
        told.append(
            f"Dearest: {calendar.named(calendar.floor(dearest.at, 'day'), 'day')}{named}, {dollars(dearest.dollars)}, {_tokens(dearest):,} tokens."
        )
    return " ".join(told)
