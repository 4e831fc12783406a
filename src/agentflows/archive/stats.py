"""What the archive holds, in numbers."""

from collections import Counter

from agentflows.archive.answers import ArchiveStats
from agentflows.archive.engine import Connection
from agentflows.archive.files import Files
from agentflows.archive.manifest import FOLDER, Snapshot

_TOTALS = """
SELECT count(*), count(DISTINCT root_id), coalesce(sum(turns), 0)::BIGINT, coalesce(sum(tool_calls), 0)::BIGINT,
       min(started_at), max(coalesce(ended_at, started_at)), count(*) FILTER (changed)
FROM sessions
"""


def read_stats(cursor: Connection, snapshot: Snapshot, files: Files) -> ArchiveStats:
    """See `Archive.stats`."""
    totals = cursor.execute(_TOTALS).fetchall()[0]
    quarantined = cursor.execute("SELECT count(*) FROM quarantine").fetchall()[0][0]
    redactions: Counter[str] = Counter()
    for source, _ in snapshot.sources.values():
        redactions.update(source.redactions)
    size = sum(entry.bytes for part in snapshot.parts for entry in part.files.values())
    return ArchiveStats(
        sessions=totals[0],
        root_sessions=totals[1],
        turns=totals[2],
        steps=totals[3],
        sources=len(snapshot.sources),
        formats=_count(cursor, "format"),
        projects=_count(cursor, "project"),
        verdicts=_count(cursor, "verdict"),
        first_at=totals[4],
        last_at=totals[5],
        quarantined=quarantined,
        lines=sum(source.lines for source, _ in snapshot.sources.values()),
        changed=totals[6],
        redactions=dict(sorted(redactions.items())),
        bytes=size + sum(stat.size for stat in files.list(FOLDER).values()),
        parts=sum(bool(part.files) for part in snapshot.parts),
    )


def _count(cursor: Connection, column: str) -> dict[str, int]:
    rows = cursor.execute(f"SELECT {column}, count(*) FROM sessions GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    return dict(rows)
