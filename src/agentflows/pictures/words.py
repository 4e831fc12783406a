"""What pictures are drawn from: plain counts with their times. Whoever has them needs no archive and no database."""

from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

Verdict = Literal["", "better", "worse"]
"""What became of sessions after a version of a memory; empty where nothing can be said."""


class Count(NamedTuple):
    """So many sessions that started in one hour or day."""

    at: datetime
    sessions: int


class Mark(BaseModel):
    """Something that happened at one moment, drawn as a line through the picture: a version of a memory."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    label: str
    """Short, such as `v3`."""
    verdict: Verdict = ""


class Row(BaseModel):
    """One thing that recurs: an error, a correction, a workflow."""

    model_config = ConfigDict(frozen=True)

    label: str
    group: str = ""
    """Rows of one group that follow one another stand below its name."""
    sessions: int
    """Distinct sessions with it, those without a start time included."""
    counts: tuple[Count, ...] = ()
    """Those that say when they started, by the hour or day; empty stretches may be left out."""
    is_rest: bool = False
    """Whether it stands for all that is not shown by itself."""


class Recurring(BaseModel):
    """How often things recurred over time."""

    model_config = ConfigDict(frozen=True)

    title: str
    rows: tuple[Row, ...] = ()
    all_sessions: tuple[Count, ...] = ()
    """All sessions that were asked, by when they started: what each row is a part of."""
    undated: int = 0
    """Sessions that do not say when they started."""
    marks: tuple[Mark, ...] = ()
    note: str = ""


class Rate(BaseModel):
    """A success rate with its 95 % interval, in shares of 1."""

    model_config = ConfigDict(frozen=True)

    successes: int
    sessions: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share of successes; 0 of no session."""
        return self.successes / self.sessions if self.sessions else 0.0


class Point(BaseModel):
    """How the sessions of one stretch of time ended."""

    model_config = ConfigDict(frozen=True)

    start: datetime
    end: datetime
    rate: Rate


class Era(BaseModel):
    """The time that one version of a memory stood (or several that no session tells apart), and its success rate."""

    model_config = ConfigDict(frozen=True)

    label: str
    """`v3`, `v4–6`, or `before`."""
    start: datetime | None
    """None for what was before the first version."""
    end: datetime | None
    """None for what stands."""
    rate: Rate
    verdict: Verdict = ""
    is_undone: bool = False
    """Whether a later version took it back."""


class Success(BaseModel):
    """How sessions ended over time, and before and after each version of a memory."""

    model_config = ConfigDict(frozen=True)

    title: str
    eras: tuple[Era, ...] = ()
    points: tuple[Point, ...] = ()
    note: str = ""


SpentOn = Literal["dream", "outcome", "job"]
"""What money goes to: reading sessions, one agent's work until its rubric is satisfied, a team's job."""


class Spent(BaseModel):
    """What one dream, outcome or job spent."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    label: str = ""
    """Who spent it: its id."""
    kind: SpentOn = "dream"
    dollars: float = 0.0
    input_tokens: int = 0
    """Sent and neither read from a cache nor written to one."""
    cached_tokens: int = 0
    """Sent and read from a cache, at a fraction of the price."""
    written_tokens: int = 0
    """Sent and written to a cache."""
    output_tokens: int = 0
    calls: int = 0

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input_tokens + self.cached_tokens + self.written_tokens + self.output_tokens


class Spending(BaseModel):
    """What dreams, outcomes and jobs cost."""

    model_config = ConfigDict(frozen=True)

    title: str
    each: Literal["run", "day"] = "run"
    """What one bar stands for: one dream, outcome or job; or a day of them."""
    spent: tuple[Spent, ...] = ()
    """By time."""
    note: str = ""


class Grown(BaseModel):
    """What one version of a memory holds, and what it changed."""

    model_config = ConfigDict(frozen=True)

    version: int
    at: datetime
    by: str = ""
    entries: int = 0
    """Entries of the whole store."""
    bytes: int = 0
    added: int = 0
    """Entries that the version before did not have."""
    removed: int = 0
    """Entries of the version before that it does not have."""
    verdict: Verdict = ""


class Growth(BaseModel):
    """How a memory grew and shrank, version by version."""

    model_config = ConfigDict(frozen=True)

    title: str
    versions: tuple[Grown, ...] = ()
    note: str = ""


class Covered(BaseModel):
    """What became of the sessions that one dream was asked to read."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    label: str = ""
    read: int = 0
    known: int = 0
    """Read by an earlier dream and not paid again."""
    unread: int = 0
    """Left for a later dream."""
    failed: int = 0
    archived: int = 0
    """Sessions in the archive at the time."""


class Coverage(BaseModel):
    """Which sessions dreams read."""

    model_config = ConfigDict(frozen=True)

    title: str
    dreams: tuple[Covered, ...] = ()
    note: str = ""
