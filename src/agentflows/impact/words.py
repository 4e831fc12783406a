"""What impact is told in: sessions that count, steps of a memory, and what came of each."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentflows.impact.rates import Difference, Rate

Verdict = Literal["better", "worse", "no_difference", "too_few"]
"""What the 95 % interval of the difference says.

* `better`: it lies above 0; `worse`: it lies below 0
* `no_difference`: it holds 0. Something smaller than the interval is wide may still be there
* `too_few`: fewer sessions than `MINIMUM` on a side, or no task was worked on both before and after
"""


class Ended(BaseModel):
    """One root session whose source says how it ended."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    started_at: datetime
    stratum: str
    """What it is compared within: its format, agent and task; without a task, its project."""
    is_success: bool
    recalled: bool | None = None
    """Whether its log shows something recalled from memory; None before the first version, and where no log shows it."""


class Version(BaseModel):
    """One version of a store that changed what its memories say."""

    model_config = ConfigDict(frozen=True)

    version: int
    at: datetime
    by: str
    message: str = ""


class Stratum(BaseModel):
    """One kind of task on both sides."""

    model_config = ConfigDict(frozen=True)

    name: str
    before: Rate
    after: Rate


class Step(BaseModel):
    """A version, or several with no session that ended between them, and how sessions went before and after."""

    model_config = ConfigDict(frozen=True)

    first_version: int
    version: int
    """The last of them: what the sessions after it ran with."""
    at: datetime
    """When the first was committed: sessions before it had none of them."""
    settled_at: datetime
    """When the last was committed: sessions from then on had all of them."""
    until: datetime | None
    """When the next step began; None for what stands."""
    by: str
    before: Rate
    after: Rate
    recalled: int = 0
    """Sessions after it whose log shows something recalled from memory."""
    unmarked: int = 0
    """Sessions after it that show nothing recalled, in a format that shows it. They count as all others do."""
    crude: Difference | None
    """As if all tasks were one (Newcombe). A change in the mix of tasks shows in it."""
    difference: Difference | None
    """Within tasks: after minus before, in shares of 1."""
    method: Literal["", "newcombe", "mantel_haenszel"] = ""
    """`newcombe` where one stratum has both sides, `mantel_haenszel` where several have."""
    strata: tuple[Stratum, ...] = ()
    """Those with sessions on both sides, by name."""
    left_out: int = 0
    """Sessions of strata that only one side has: they say nothing about the difference."""
    verdict: Verdict
    why: str
    """The verdict in words, with its numbers."""
    undone_by: int | None = None
    """The later version that made the store again what it was before this step; None where none did."""

    @property
    def restore_to(self) -> int:
        """The version that undoes it."""
        return self.first_version - 1


class Bucket(BaseModel):
    """How the sessions of one stretch of time went."""

    model_config = ConfigDict(frozen=True)

    start: datetime
    end: datetime
    rate: Rate


class Impact(BaseModel):
    """How the sessions of a store went, version by version."""

    model_config = ConfigDict(frozen=True)

    store: str
    store_id: str
    store_version: int
    measured_at: datetime
    who: str
    """Which sessions count, in words."""
    sessions: int
    """Root sessions that count."""
    unlabelled: int = 0
    """Root sessions in scope whose source does not say how they ended."""
    undated: int = 0
    """Labelled ones without a start time: they are neither before nor after."""
    unmarked: int = 0
    """Those that count, ran after the first version and show no recalled memory, in a format that shows it."""
    minimum: int
    steps: tuple[Step, ...] = ()
    buckets: tuple[Bucket, ...] = ()

    @property
    def worse(self) -> tuple[Step, ...]:
        """The steps after which sessions went worse."""
        return tuple(step for step in self.steps if step.verdict == "worse")

    @property
    def to_undo(self) -> tuple[Step, ...]:
        """Those of `worse` that no later version has undone."""
        return tuple(step for step in self.worse if step.undone_by is None)
