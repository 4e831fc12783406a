"""The archive: all sessions as a lake of Parquet files, with DuckDB to question them.

Layout of the folder: `turns/`, `sessions/`, `steps/`, `texts/`, `raw/` and `quarantine/` hold one Parquet file
per part; `manifest/` holds one file per batch and decides what exists; `removed/` names what must stay out.
"""

from agentflows.archive.answers import (
    AddReport,
    ArchiveStats,
    CompactReport,
    Hit,
    OverTime,
    PatternQuery,
    RebuildReport,
    Recurrence,
    Selection,
    Table,
)
from agentflows.archive.archive import Archive
from agentflows.archive.listing import SessionPage
from agentflows.archive.signals import Signal, Witnesses

__all__ = [
    "AddReport",
    "Archive",
    "ArchiveStats",
    "CompactReport",
    "Hit",
    "OverTime",
    "PatternQuery",
    "RebuildReport",
    "Recurrence",
    "Selection",
    "SessionPage",
    "Signal",
    "Table",
    "Witnesses",
]
