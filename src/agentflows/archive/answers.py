"""What the archive is asked with, and what it answers."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentflows.session import Verdict


class AddReport(BaseModel):
    """What one `Archive.add` did. `accepted + quarantined == lines`, over the files that were new."""

    model_config = ConfigDict(frozen=True)

    files: int = 0
    """Sources given, new or not."""
    unchanged_files: int = 0
    """Sources whose very bytes were archived before, by the same reader: skipped whole."""
    added: int = 0
    """Sessions not seen before."""
    grown: int = 0
    """Sessions whose archived turns are a prefix of the new ones, or that gained an outcome: replaced."""
    unchanged: int = 0
    """Sessions that say what the archive already holds, or less (an older copy): nothing written."""
    changed: int = 0
    """Sessions whose earlier turns differ from what is archived. Both are kept, the archived version
    stays the one that is read, and the session is flagged."""
    changed_sessions: tuple[str, ...] = ()
    reread: int = 0
    """Sessions archived before by an older version of the same reader: replaced."""
    removed: int = 0
    """Sessions that were removed from the archive earlier and therefore stay out."""
    lines: int = 0
    accepted: int = 0
    quarantined: int = 0
    turns: int = 0
    """Turns written."""
    redactions: dict[str, int] = {}

    def __add__(self, other: "AddReport") -> "AddReport":
        """The report of both, as if they had been one."""
        counts = {
            name: getattr(self, name) + getattr(other, name)
            for name in type(self).model_fields
            if name != "redactions"
        }
        kinds = sorted(self.redactions.keys() | other.redactions.keys())
        redactions = {kind: self.redactions.get(kind, 0) + other.redactions.get(kind, 0) for kind in kinds}
        return AddReport(**counts, redactions=redactions)


class Selection(BaseModel):
    """Which sessions are meant. What is left out does not restrict; all that is given must hold."""

    model_config = ConfigDict(frozen=True)

    session_ids: tuple[str, ...] | None = None
    since: datetime | None = None
    """Started at this time (UTC) or later. Sessions without a start time do not match."""
    until: datetime | None = None
    """Started before this time (UTC)."""
    agent: str | None = None
    project: str | None = None
    verdict: Verdict | None = None
    task: str | None = None
    query: str | None = None
    """A SQL predicate over the view `sessions`, such as `tool_calls > 20 AND title LIKE '%deploy%'`."""
    limit: int | None = None
    """The newest so many of those that match."""


class Table(BaseModel):
    """The answer to a SQL query."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool = False
    """Whether there were more rows than the limit."""


class Hit(BaseModel):
    """One turn that contains what was searched for."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    seq: int
    kind: str
    """`user`, `agent`, `error`, or the turn's own kind for tool traffic."""
    trust: int
    at: datetime | None
    project: str
    snippet: str
    """The words around the first match, on one line."""

    @property
    def address(self) -> str:
        """`session_id#seq`."""
        return f"{self.session_id}#{self.seq}"


class ArchiveStats(BaseModel):
    """What the archive holds."""

    model_config = ConfigDict(frozen=True)

    sessions: int
    root_sessions: int
    """Sessions with their sub-agents counted as one."""
    turns: int
    steps: int
    sources: int
    formats: dict[str, int]
    """Sessions by native format."""
    projects: dict[str, int]
    verdicts: dict[str, int]
    first_at: datetime | None
    last_at: datetime | None
    quarantined: int
    lines: int = 0
    """Non-blank lines of all sources: those accepted and those quarantined."""
    changed: int
    """Sessions that are flagged because a later copy of them said something else."""
    redactions: dict[str, int]
    bytes: int
    """On disk, manifests included."""
    parts: int
    """Sets of Parquet files; many small ones are a reason to compact."""


class CompactReport(BaseModel):
    """What one compaction did."""

    model_config = ConfigDict(frozen=True)

    parts_before: int
    parts_after: int
    bytes_before: int
    bytes_after: int
    orphans: int
    """Files without a manifest that were deleted: what a killed process left behind."""


class RebuildReport(BaseModel):
    """What reading the raw lines again gave, session by session."""

    model_config = ConfigDict(frozen=True)

    sources: int
    same: int
    """Sessions whose every field came out as it was."""
    different: int
    """Sessions that a newer reader reads differently: replaced."""
    kept: int
    """Sessions that the raw lines no longer give; their archived rows were kept."""
    new: int
    """Sessions that only the newer reader finds."""


class PatternQuery(BaseModel):
    """A named question about many sessions, with the SQL that answers it."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Also a DuckDB view, `pattern_<name>`, and a macro, `pattern_<name>_of([session ids])`."""
    title: str
    description: str
    columns: dict[str, str]
    """Meaning of each column, in order."""
    sql: str
    """Over the views `sessions`, `roots`, `steps`, `texts` and `checks`."""
    moments: str = Field(default="", exclude=True, repr=False)
    """Over the same views: kind, key, label and root_id of each time it came up, for `Archive.over_time`; rows of one
    kind and key are one thing. "" for a pattern that is nothing that comes up."""


class Recurrence(BaseModel):
    """One thing that came up in sessions, and when these started."""

    model_config = ConfigDict(frozen=True)

    kind: str
    label: str
    sessions: int
    """Distinct root sessions with it, those without a start time included."""
    at: dict[datetime, int]
    """Of those with one, how many started in each hour or day; both ends of a day are UTC's."""


class OverTime(BaseModel):
    """How often the things that a pattern query finds came up over time, over every session asked."""

    model_config = ConfigDict(frozen=True)

    pattern: str
    title: str
    unit: Literal["hour", "day"]
    top: tuple[Recurrence, ...]
    """Those in most sessions, most first."""
    others: int
    """How many more things there are."""
    rest: Recurrence | None
    """Distinct root sessions with at least one of the others; None where there is none."""
    all_sessions: dict[datetime, int]
    """Root sessions by when they started, whether anything came up or not."""
    undated: int
    """Root sessions that do not say when they started."""
