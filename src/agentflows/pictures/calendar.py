"""Calendar: hours, days, weeks, months and years, in the order in which a picture runs out of room."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

Unit = Literal["hour", "day", "week", "month", "quarter", "year"]
"""Weeks begin on Monday. Times are UTC."""

UNITS: tuple[Unit, ...] = ("hour", "day", "week", "month", "quarter", "year")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_LAST_YEAR = 9998
"""A later start has no end that a `datetime` can hold."""


def floor(moment: datetime, unit: Unit) -> datetime:
    """When the unit that holds a moment began."""
    moment = moment.replace(tzinfo=None, minute=0, second=0, microsecond=0)
    if unit == "hour":
        return moment
    day = moment.replace(hour=0)
    if unit == "week":
        return day - min(timedelta(days=day.weekday()), day - datetime.min)  # noqa: DTZ901 - nothing is before it
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return day.replace(day=1, month=1 + 3 * ((day.month - 1) // 3))
    return day.replace(day=1, month=1) if unit == "year" else day


def after(start: datetime, unit: Unit) -> datetime:
    """When the next unit begins; `start` is the beginning of one."""
    if unit in {"hour", "day", "week"}:
        return start + {"hour": timedelta(hours=1), "day": timedelta(days=1)}.get(unit, timedelta(days=7))
    months = {"month": 1, "quarter": 3}.get(unit, 12)
    whole = start.year * 12 + start.month - 1 + months
    return start.replace(year=whole // 12, month=whole % 12 + 1)


def starts(first: datetime, last: datetime, unit: Unit, *, most: int = 100_000) -> list[datetime]:
    """The beginnings of all units from the one with `first` to the one with `last`, or of the first `most`."""
    found = [floor(first, unit)]
    while (
        len(found) < most and found[-1].year <= _LAST_YEAR and (following := after(found[-1], unit)) <= last
    ):
        found.append(following)
    return found


def fitting(first: datetime, last: datetime, most: int, *, finest: Unit = "hour") -> Unit:
    """The finest unit of which at most `most` cover a span; years where none does."""
    for unit in UNITS[UNITS.index(finest) :]:
        if len(starts(first, last, unit, most=most + 1)) <= most:
            return unit
    return "year"


def finest_of(moments: Iterable[datetime]) -> Unit:
    """`day` where all moments are midnights, else `hour`: what counts by the day cannot be shown by the hour."""
    return "hour" if any(moment.hour for moment in moments) else "day"


def month_name(moment: datetime) -> str:
    """`Nov`, whatever the machine's language."""
    return _MONTHS[moment.month - 1]


def named(start: datetime, unit: Unit) -> str:
    """A unit in words: `3 Nov 2026`, `week of 3 Nov 2026`, `Nov 2026`, `Q4 2026`, `2026`."""
    day = f"{start.day} {month_name(start)} {start.year}"
    return {
        "hour": f"{day}, {start.hour:02}:00",
        "day": day,
        "week": f"week of {day}",
        "month": f"{month_name(start)} {start.year}",
        "quarter": f"Q{(start.month + 2) // 3} {start.year}",
        "year": str(start.year),
    }[unit]


def tick(start: datetime, unit: Unit) -> tuple[str, str]:
    """What stands below a tick, and what stands below that where it differs from the tick before."""
    year = str(start.year)
    if unit == "hour":
        return f"{start.hour:02}:00", f"{start.day} {month_name(start)} {year}"
    if unit in {"day", "week"}:
        return f"{start.day} {month_name(start)}", year
    if unit == "month":
        return month_name(start), year
    return (f"Q{(start.month + 2) // 3}", year) if unit == "quarter" else (year, "")
