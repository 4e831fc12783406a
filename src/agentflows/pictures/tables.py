"""Tables: the numbers of a picture, for who cannot see it and who wants to know exactly."""

from typing import NamedTuple

from agentflows.pictures.lettering import clean
from agentflows.pictures.words import Coverage, Growth, Recurring, Row, Spending, Success

Cell = str | int | float
MOST = 1_000
"""Rows of one table; the newest."""


class Table(NamedTuple):
    """Rows with the names of their columns."""

    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]

    @staticmethod
    def told(cell: Cell) -> str:
        """A cell as text."""
        if isinstance(cell, str):
            return cell
        return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.4g}"


def table_of(found: Recurring | Success | Spending | Growth | Coverage) -> Table:
    """The numbers that a picture is drawn from."""
    match found:
        case Recurring():
            return _recurring(found)
        case Success():
            return _success(found)
        case Spending():
            return _spending(found)
        case Growth():
            return _growth(found)
        case Coverage():
            return _coverage(found)


def _recurring(found: Recurring) -> Table:
    columns = ("what", "sessions", "first", "last")
    return Table(columns, [(_label(row), row.sessions, *_ends(row)) for row in found.rows[:MOST]])


def _label(row: Row) -> str:
    return " · ".join(filter(None, [clean(row.group), clean(row.label)]))


def _ends(row: Row) -> tuple[str, str]:
    days = sorted(count.at for count in row.counts)
    return (f"{days[0]:%Y-%m-%d}", f"{days[-1]:%Y-%m-%d}") if days else ("", "")


def _success(found: Success) -> Table:
    columns = ("version", "from", "until", "ended well", "sessions", "rate", "95 % interval", "verdict")
    rows: list[tuple[Cell, ...]] = [
        (
            clean(era.label),
            f"{era.start:%Y-%m-%d %H:%M}" if era.start else "",
            f"{era.end:%Y-%m-%d %H:%M}" if era.end else "",
            era.rate.successes,
            era.rate.sessions,
            f"{100 * era.rate.value:.0f} %" if era.rate.sessions else "",
            f"{100 * era.rate.low:.0f}–{100 * era.rate.high:.0f} %" if era.rate.sessions else "",
            era.verdict + (", undone" if era.is_undone else ""),
        )
        for era in found.eras[-MOST:]
    ]
    return Table(columns, rows)


def _spending(found: Spending) -> Table:
    columns = ("when", "kind", "id", "dollars", "input", "from the cache", "to the cache", "output", "calls")
    rows: list[tuple[Cell, ...]] = [
        (
            f"{one.at:%Y-%m-%d %H:%M}",
            one.kind,
            clean(one.label),
            one.dollars,
            one.input_tokens,
            one.cached_tokens,
            one.written_tokens,
            one.output_tokens,
            one.calls,
        )
        for one in found.spent[-MOST:]
    ]
    return Table(columns, rows)


def _growth(found: Growth) -> Table:
    columns = ("version", "when", "by", "entries", "bytes", "added", "removed", "verdict")
    rows: list[tuple[Cell, ...]] = [
        (
            one.version,
            f"{one.at:%Y-%m-%d %H:%M}",
            clean(one.by),
            one.entries,
            one.bytes,
            one.added,
            one.removed,
            one.verdict,
        )
        for one in found.versions[-MOST:]
    ]
    return Table(columns, rows)


def _coverage(found: Coverage) -> Table:
    columns = ("when", "dream", "read", "known", "failed", "unread", "archived")
    rows: list[tuple[Cell, ...]] = [
        (
            f"{one.at:%Y-%m-%d %H:%M}",
            clean(one.label),
            one.read,
            one.known,
            one.failed,
            one.unread,
            one.archived,
        )
        for one in found.dreams[-MOST:]
    ]
    return Table(columns, rows)
