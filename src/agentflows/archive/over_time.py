"""Over time: how often what a pattern finds came up, by when its sessions started, counted over every one of them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from agentflows.archive.answers import OverTime, PatternQuery, Recurrence
from agentflows.archive.engine import Connection

_HOURS = timedelta(hours=62)
"""Sessions of a longer time are counted by the day."""

_SHOWN = """
CREATE TEMP TABLE shown AS
SELECT kind, key, min(label) AS label, root_id FROM ({moments}) GROUP BY kind, key, root_id
"""
_STARTED = "SELECT root_id, started_at FROM roots"
_SPAN = "SELECT min(started_at), max(started_at) FROM temp.started"
_ALL = "SELECT date_trunc(?, started_at) AS start, count(*) FROM temp.started GROUP BY ALL ORDER BY start"
_TOP = """
CREATE TEMP TABLE top AS
SELECT kind, key, min(label) AS label, count(*) AS sessions,
       row_number() OVER (ORDER BY count(*) DESC, kind, key) AS place
FROM temp.shown GROUP BY kind, key HAVING count(*) >= ? QUALIFY place <= ?
"""
_NAMED = "SELECT place, kind, label, sessions FROM temp.top ORDER BY place"
_THINGS = "SELECT count(*) FROM (SELECT DISTINCT kind, key FROM temp.shown)"
_COUNTED = """
SELECT coalesce(top.place, 0), date_trunc(?, roots.started_at), count(DISTINCT root_id)
FROM temp.shown LEFT JOIN temp.top USING (kind, key) JOIN temp.started roots USING (root_id)
GROUP BY ALL ORDER BY ALL
"""
Scoped = Callable[[str], str]
"""Narrows a query over the views to the sessions that count."""


def read_over_time(
    cursor: Connection, scoped: Scoped, pattern: PatternQuery, *, top: int, at_least: int
) -> OverTime:
    """See `Archive.over_time`."""
    cursor.execute(_SHOWN.format(moments=scoped(pattern.moments)))
    cursor.execute(f"CREATE TEMP TABLE started AS {scoped(_STARTED)}")
    first, last = cursor.execute(_SPAN).fetchall()[0]
    unit: Literal["hour", "day"] = "hour" if first is not None and last - first <= _HOURS else "day"
    cursor.execute(_TOP, [at_least, top])
    named = cursor.execute(_NAMED).fetchall()
    at: dict[int, dict[datetime, int]] = {}
    totals: dict[int, int] = {}
    for place, start, sessions in cursor.execute(_COUNTED, [unit]).fetchall():
        totals[place] = totals.get(place, 0) + sessions
        if start is not None:
            at.setdefault(place, {})[start] = sessions
    everything = dict(cursor.execute(_ALL, [unit]).fetchall())
    others = cursor.execute(_THINGS).fetchall()[0][0] - len(named)
    return OverTime(
        pattern=pattern.name,
        title=pattern.title,
        unit=unit,
        top=tuple(
            Recurrence(kind=kind, label=label, sessions=sessions, at=at.get(place, {}))
            for place, kind, label, sessions in named
        ),
        others=others,
        rest=Recurrence(kind="", label="", sessions=totals[0], at=at.get(0, {})) if others else None,
        undated=everything.pop(None, 0),
        all_sessions=everything,
    )
