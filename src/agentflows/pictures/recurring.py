"""Recurring: how often each error, correction or workflow came up over time, one strip of bars for each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agentflows.pictures import calendar
from agentflows.pictures.axes import Label, Line, dates, placed
from agentflows.pictures.calendar import Unit
from agentflows.pictures.canvas import SMALL, Canvas, across, bars, down
from agentflows.pictures.frame import LEFT, LOOKS, RIGHT, framed, nothing, weightiest
from agentflows.pictures.lettering import clean, wrap
from agentflows.pictures.theme import Role
from agentflows.pictures.words import Count, Mark, Recurring, Row

_PLOT, _PLOT_END, _TOTAL = 292, 640, 700
_HEAD, _ROW, _GROUP, _BAR, _FOOT = 88, 34, 26, 24, 42
_LINE = 13.0
_COLUMNS = 62
"""At most so many stretches of time: two months of days, fourteen months of weeks, five years of months."""
_STRAY = 0.01
"""Of the sessions may lie far outside the time of all others, as clocks that were never set make them; they are not drawn."""
_FAR = 10
"""Times as long as all others took, from them: so far away is a stray."""


@dataclass(frozen=True)
class _Time:
    """The columns of a picture."""

    unit: Unit
    starts: Sequence[datetime]
    end: datetime
    strays: int

    @property
    def line(self) -> Line:
        """Where they stand."""
        return Line(self.starts[0], self.end, _PLOT, _PLOT_END)

    def count(self, counts: Sequence[Count]) -> list[int]:
        """Sessions in each column."""
        found: Counter[datetime] = Counter()
        for at, sessions in counts:
            found[calendar.floor(at, self.unit)] += sessions
        return [found[start] for start in self.starts]


def recurring_picture(found: Recurring, *, is_inline: bool = False) -> str:
    """Draw how often things recurred.

    Each strip is as high as its own busiest stretch, whose sessions its last number counts: the strip shows when, the
    numbers show how often.
    """
    return draw(found).svg(is_inline=is_inline)


def draw(found: Recurring) -> Canvas:
    """The picture before it is text."""
    time = _time(found)
    total = sum(count.sessions for count in found.all_sessions) + found.undated
    if not found.rows:
        why = f"nothing came up in {total:,} sessions" if total else "there is no session yet"
        return nothing(found.title, why)
    everything = Row(label="All sessions", sessions=total, counts=found.all_sessions)
    places = _places(found.rows)
    bottom = places[-1] + _ROW
    canvas = framed(
        found.title,
        _subtitle(found, time, total),
        bottom + (_FOOT if time else 12),
        told=_told(found, time, total),
        note=found.note,
    )
    canvas.text(_TOTAL, _HEAD - 9, "sessions", role="quiet", anchor="end")
    if time is not None:
        canvas.text(RIGHT, _HEAD - 9, "peak", role="quiet", anchor="end")
        _draw_marks(canvas, found.marks, time.line, bottom)
        dates(canvas, time.line, bottom, finest=time.unit, is_column=True)
    _draw_row(canvas, everything, time, _HEAD, everything)
    group = ""
    for row, top in zip(found.rows, places, strict=True):
        if row.group != group:
            canvas.text(LEFT, top - 7, row.group, role="quiet", is_bold=True, room=_PLOT - LEFT - 14)
            group = row.group
        _draw_row(canvas, row, time, top, everything)
    return canvas


def _places(rows: Sequence[Row]) -> list[float]:
    """The top of each row; a new group has its name above."""
    tops: list[float] = []
    top, group = float(_HEAD + _ROW), ""
    for row in rows:
        top += _GROUP if row.group != group else 0
        group = row.group
        tops.append(top)
        top += _ROW
    return tops


def _draw_row(canvas: Canvas, row: Row, time: _Time | None, top: float, everything: Row) -> None:
    is_plain = row.is_rest or row is everything
    bottom = top + _ROW - 4
    role: Role = "quiet" if is_plain else "ink"
    lines = wrap(clean(row.label), _PLOT - LEFT - 16, SMALL)
    first = bottom - 3 - (_LINE if len(lines) > 1 else 0)
    for place, text in enumerate(lines):
        canvas.text(LEFT, first + place * _LINE, text, role=role, tip="" if place else row.label)
    canvas.text(_TOTAL, bottom - 3, f"{row.sessions:,}", role=role, anchor="end", is_bold=not is_plain)
    canvas.line(across(_PLOT, _PLOT_END, bottom), "grid")
    if time is None:  # how many, where nothing says when
        share = (_PLOT_END - _PLOT) * row.sessions / max(1, everything.sessions)
        canvas.path(bars([(_PLOT, bottom - 14, share, 14)]), "grey" if is_plain else "blue", tip=row.label)
        return
    counts = time.count(row.counts)
    most = max(counts)
    if not most:
        return
    canvas.text(RIGHT, bottom - 3, f"{most:,}", role="quiet", anchor="end")
    canvas.path(
        bars(_strip(counts, time, bottom)),
        "grey" if is_plain else "blue",
        tip=f"{row.label}: {row.sessions:,} sessions, {_busiest(counts, time)}",
    )


def _strip(counts: Sequence[int], time: _Time, bottom: float) -> list[tuple[float, float, float, float]]:
    """The bars of one row, the highest as high as a bar may be."""
    most = max(counts)
    edges = [time.line.x(start) for start in time.starts] + [float(_PLOT_END)]
    found: list[tuple[float, float, float, float]] = []
    for place, count in enumerate(counts):
        if count:
            high = max(1.5, _BAR * count / most)
            wide = min(26.0, edges[place + 1] - edges[place] - 1)
            middle = (edges[place] + edges[place + 1]) / 2
            found.append((middle - wide / 2, bottom - high, max(0.8, wide), high))
    return found


def _draw_marks(canvas: Canvas, marks: Sequence[Mark], line: Line, bottom: float) -> None:
    seen = weightiest([mark for mark in marks if line.first <= mark.at <= line.last])
    labels: list[Label] = []
    for place, mark in enumerate(seen):
        role, sign = LOOKS[mark.verdict]
        canvas.line(down(line.x(mark.at), _HEAD - 4, bottom), role, dash="2 3", opacity=0.8)
        weight = 2 * bool(mark.verdict) + (place == len(seen) - 1)
        labels.append(Label(line.x(mark.at), f"{sign} {clean(mark.label)}".strip(), weight, role))
    for label in placed(labels, line.left - 20, line.right + 4):
        canvas.text(label.x, _HEAD - 9, label.text, role=label.role, anchor="middle")


def _time(found: Recurring) -> _Time | None:
    """The columns, without the few sessions that lie far from all others; None where nothing has a date."""
    counts = sorted(found.all_sessions or [count for row in found.rows for count in row.counts])
    if not counts:
        return None
    finest = calendar.finest_of(count.at for count in counts)
    first, last, strays = _span(counts)
    unit = calendar.fitting(first, last, _COLUMNS, finest=finest)
    starts = calendar.starts(first, last, unit)
    strays += sum(count.sessions for count in counts if first <= count.at < starts[-_COLUMNS:][0])
    return _Time(unit, starts[-_COLUMNS:], calendar.after(starts[-1], unit), strays)


def _span(counts: Sequence[Count]) -> tuple[datetime, datetime, int]:
    """The first and the last that is drawn, and how many sessions lie outside: at most a hundredth of all."""
    allowed = _STRAY * sum(count.sessions for count in counts) / 2
    first, last = (_inner(side, allowed) for side in (counts, counts[::-1]))
    reach = _FAR * max(abs(last - first), timedelta(days=30))
    kept = [count for count in counts if first - count.at <= reach and count.at - last <= reach]
    return (
        kept[0].at,
        kept[-1].at,
        sum(count.sessions for count in counts) - sum(count.sessions for count in kept),
    )


def _inner(counts: Sequence[Count], allowed: float) -> datetime:
    """The first moment with more than so many sessions up to it."""
    seen = 0
    for count in counts:
        seen += count.sessions
        if seen > allowed:
            return count.at
    return counts[-1].at


def _subtitle(found: Recurring, time: _Time | None, total: int) -> str:
    if time is None:
        return f"{total:,} sessions; none says when it started, so the bars are all of them"
    missing = [f"{found.undated:,} without a date"] if found.undated else []
    missing += [f"{time.strays:,} far from all others"] if time.strays else []
    left_out = f" · not drawn: {' and '.join(missing)}" if missing else ""
    return f"sessions per {time.unit}, {_period(time)}; each strip to its own peak{left_out}"


def _period(time: _Time) -> str:
    unit: Unit = "day" if time.unit == "week" else time.unit
    first, last = (
        calendar.named(calendar.floor(one, unit), unit)
        for one in (time.starts[0], time.end - timedelta(hours=1))
    )
    return first if first == last else f"{first} to {last}"


def _busiest(counts: Sequence[int], time: _Time) -> str:
    most = max(counts)
    return f"most in {calendar.named(time.starts[counts.index(most)], time.unit)} ({most:,})"


def _told(found: Recurring, time: _Time | None, total: int) -> str:
    parts = [f"{_subtitle(found, time, total)}."]
    for row in found.rows[:5]:
        counts = time.count(row.counts) if time else []
        when = f", {_busiest(counts, time)}" if time and any(counts) else ""
        parts.append(f"{row.label[:80]}: {row.sessions:,} sessions{when}.")
    return " ".join(parts)
