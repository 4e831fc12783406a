"""Recurring: how often each error, correction or workflow came up over time, one strip of bars for each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agentflows.pictures import calendar
from agentflows.pictures.axes import Label, Line, dates, placed
from agentflows.pictures.calendar import Unit
from agentflows.pictures.canvas import TITLE_SIZE, Canvas, across, bars, down
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Count, Mark, Recurring, Row

_WIDE = 760
_LEFT, _PLOT, _PLOT_END, _TOTAL, _RIGHT = 16, 268, 610, 680, 744
_HEAD, _ROW, _BAR, _FOOT = 92, 30, 22, 44
_COLUMNS = 62
"""At most so many stretches of time: two months of days, fourteen months of weeks, five years of months."""
_STRAY = 0.01
"""Of the sessions may lie far outside the time of all others, as clocks that were never set make them, and are not drawn."""
_VERDICTS: dict[str, tuple[Role, str]] = {
    "worse": ("orange", "▼ "),
    "better": ("green", "▲ "),
    "": ("quiet", ""),
}


@dataclass(frozen=True)
class _Time:
    """The columns of a picture."""

    unit: Unit
    starts: Sequence[datetime]
    end: datetime
    strays: int

    def in_columns(self, counts: Sequence[Count]) -> list[int]:
        """Sessions in each column."""
        found: Counter[datetime] = Counter()
        for at, sessions in counts:
            found[calendar.floor(at, self.unit)] += sessions
        return [found[start] for start in self.starts]


def recurring_picture(found: Recurring, *, is_inline: bool = False) -> str:
    """Draw how often things recurred.

    Each strip is as high as its own busiest stretch, which its last number says: it shows when, the numbers how often.
    """
    return draw(found).svg(is_inline=is_inline)


def draw(found: Recurring) -> Canvas:
    """The picture before it is text."""
    time = _time(found)
    rows = [*found.rows] or []
    high = _HEAD + _ROW * (len(rows) + 1) + _FOOT + (16 if found.note else 0)
    canvas = Canvas(_WIDE, high, title=found.title, told=_told(found, time))
    canvas.text(_LEFT, 26, found.title, size=TITLE_SIZE, is_bold=True, room=_RIGHT - _LEFT)
    canvas.text(_LEFT, 45, _subtitle(found, time), role="quiet", room=_RIGHT - _LEFT)
    bottom = _HEAD + _ROW * (len(rows) + 1)
    if time is not None:
        line = Line(time.starts[0], time.end, _PLOT, _PLOT_END)
        _draw_marks(canvas, found.marks, line, bottom)
        dates(canvas, line, bottom, finest=time.unit)
    canvas.text(_TOTAL, _HEAD - 8, "sessions", role="quiet", anchor="end")
    if time is not None:
        canvas.text(_RIGHT, _HEAD - 8, f"most/{time.unit}", role="quiet", anchor="end")
    everything = Row(label="all sessions", sessions=_total(found), counts=found.all_sessions)
    for place, row in enumerate([everything, *rows]):
        role: Role = "grey" if row is everything or row.is_rest else "blue"
        _draw_row(canvas, row, time, _HEAD + _ROW * place, role)
    if found.note:
        canvas.text(_LEFT, high - 10, found.note, role="quiet", room=_RIGHT - _LEFT)
    return canvas


def _draw_row(canvas: Canvas, row: Row, time: _Time | None, top: float, role: Role) -> None:
    middle = top + 0.66 * _ROW
    label_role: Role = "quiet" if role == "grey" else "ink"
    said = canvas.text(_LEFT, middle, row.kind, role="quiet", room=90) + 6 if row.kind else 0
    canvas.text(
        _LEFT + said, middle, row.label, role=label_role, room=_PLOT - _LEFT - said - 12, tip=row.label
    )
    canvas.text(_TOTAL, middle, f"{row.sessions:,}", role=label_role, anchor="end", is_bold=role == "blue")
    bottom = top + _ROW - 3
    canvas.line(across(_PLOT, _PLOT_END, bottom), "grid")
    if time is None:
        return
    counts = time.in_columns(row.counts)
    most = max(counts, default=0)
    canvas.text(_RIGHT, middle, f"{most:,}" if most else "–", role="quiet", anchor="end")
    if not most:
        return
    line = Line(time.starts[0], time.end, _PLOT, _PLOT_END)
    edges = [line.x(start) for start in time.starts] + [float(_PLOT_END)]
    gap = 1.0 if len(time.starts) <= _COLUMNS else 0.0
    canvas.path(
        bars(
            [
                (left, bottom - high, max(0.8, min(28.0, right - left - gap)), high)
                for left, right, count in zip(edges, edges[1:], counts, strict=False)
                if (high := max(1.5, _BAR * count / most) if count else 0.0)
            ]
        ),
        role,
        tip=f"{row.label}: {_busiest(counts, time)}",
    )


def _draw_marks(canvas: Canvas, marks: Sequence[Mark], line: Line, bottom: float) -> None:
    seen = [mark for mark in marks if line.first <= mark.at <= line.last]
    labels = [
        Label(
            line.x(mark.at),
            _VERDICTS[mark.verdict][1] + mark.label,
            bool(mark.verdict) * 2 + (mark is seen[-1]),
        )
        for mark in seen
    ]
    roles: dict[str, Role] = {
        _VERDICTS[mark.verdict][1] + mark.label: _VERDICTS[mark.verdict][0] for mark in seen
    }
    for mark in seen:
        canvas.line(down(line.x(mark.at), _HEAD - 2, bottom), _VERDICTS[mark.verdict][0], dash="2 3")
    for label in placed(labels, line.left - 20, line.right + 20):
        canvas.text(label.x, _HEAD - 8, label.text, role=roles[label.text], anchor="middle")


def _total(found: Recurring) -> int:
    return sum(count.sessions for count in found.all_sessions) + found.undated


def _time(found: Recurring) -> _Time | None:
    """The columns, without the few sessions that lie far from all others; None where nothing has a date."""
    counts = sorted(found.all_sessions or [count for row in found.rows for count in row.counts])
    if not counts:
        return None
    finest = calendar.finest_of(count.at for count in counts)
    first, last, strays = _span(counts)
    unit = calendar.fitting(first, last, _COLUMNS, finest=finest)
    starts = calendar.starts(first, last, unit)[-_COLUMNS:]
    return _Time(unit, starts, calendar.after(starts[-1], unit), strays)


def _span(counts: Sequence[Count]) -> tuple[datetime, datetime, int]:
    """The first and last that is drawn, and how many sessions lie outside."""
    total = sum(count.sessions for count in counts)
    kept = list(counts)
    strays = 0
    for place in (0, -1):
        edge, left = list(kept), int(_STRAY * total) - strays
        while len(edge) > 1 and edge[place].sessions <= left:
            left -= edge.pop(place).sessions
        whole, inner = kept[-1].at - kept[0].at, edge[-1].at - edge[0].at
        if whole > 10 * max(inner, timedelta(days=30)):
            strays += sum(count.sessions for count in kept) - sum(count.sessions for count in edge)
            kept = edge
    return kept[0].at, kept[-1].at, strays


def _subtitle(found: Recurring, time: _Time | None) -> str:
    if time is None:
        why = "no session says when it started" if _total(found) else "no session yet"
        return f"{_total(found):,} sessions · {why}"
    left_out = [f"{found.undated:,} without a date"] if found.undated else []
    left_out += [f"{time.strays:,} far from all others"] if time.strays else []
    left = f" · not drawn: {' and '.join(left_out)}" if left_out else ""
    return f"sessions per {time.unit} in which it came up, {_period(time)}{left}"


def _period(time: _Time) -> str:
    first = calendar.named(time.starts[0], "day" if time.unit == "week" else time.unit)
    last = calendar.named(time.end - timedelta(hours=1), "day" if time.unit == "week" else time.unit)
    return first if first == last else f"{first} to {last}"


def _busiest(counts: Sequence[int], time: _Time) -> str:
    most = max(counts)
    return f"most in {calendar.named(time.starts[counts.index(most)], time.unit)} ({most:,})"


def _told(found: Recurring, time: _Time | None) -> str:
    if not found.rows:
        return "Nothing recurred."
    parts = [_subtitle(found, time) + "."]
    for row in found.rows[:5]:
        counts = time.in_columns(row.counts) if time else []
        when = f", {_busiest(counts, time)}" if time and any(counts) else ""
        parts.append(f"{row.label[:80]}: {row.sessions:,} sessions{when}.")
    return " ".join(parts)
