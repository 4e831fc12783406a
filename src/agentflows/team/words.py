"""Teams: a lead and its specialists, the threads they work in, and the plan of a job.

The names, states and limits are those of the hosted multi-agent sessions. Depth is 1: a specialist has no
specialists. A `Thread` is one specialist's lasting context: a follow-up goes on in it.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from agentflows.agent import AgentDefinition, AgentLimits
from agentflows.budget import is_refusal
from agentflows.evaluation import Deliverable, RunEnd
from agentflows.form import may_be_empty
from agentflows.session import Usage

MAX_SPECIALISTS = 20
"""Hosted limit; a setting here."""
MAX_THREADS = 25
"""Threads that exist at once, idle ones included, until they are archived. Hosted limit; a setting here."""
LEAD = "lead"
"""The thread of the lead: exempt from `MAX_THREADS`, as hosted."""

ThreadStatus = Literal["running", "idle", "terminated", "archived"]
"""`idle` keeps its context and its place among the threads; `archived` gives the place back."""

Ending = Literal["succeeded", "partial", "empty", "failed"]
"""What a turn came to, decided by code.

* `succeeded`: it finished, all promised outputs exist, and its rubric (if any) is satisfied
* `partial`: some of that; `empty`: it finished and left neither outputs nor words; `failed`: it did not finish and left nothing
"""

JobStatus = Literal["pending", "running", "succeeded", "partial", "failed", "interrupted", "stopped"]
"""`stopped`: by the kill switch or a cap of the job; everything made until then is kept."""

ChangeKind = Literal["created", "modified", "deleted"]

JobDollars = Annotated[
    float | None,
    Field(
        gt=0,
        title="Dollars",
        description="Spent on the whole job at most, at list price",
        json_schema_extra=may_be_empty,
    ),
]
JobTokens = Annotated[
    int | None,
    Field(ge=1, title="Tokens", description="Spent on the whole job at most", json_schema_extra=may_be_empty),
]
_EACH_THREAD = "Spent on each specialist's thread at most, follow-ups and gradings included"
ThreadDollars = Annotated[
    float | None,
    Field(gt=0, title="Dollars per thread", description=_EACH_THREAD, json_schema_extra=may_be_empty),
]
ThreadTokens = Annotated[
    int | None,
    Field(ge=1, title="Tokens per thread", description=_EACH_THREAD, json_schema_extra=may_be_empty),
]


class TeamLimits(BaseModel):
    """Caps of one job. They nest: a thread can take no more than its job has left."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_dollars: JobDollars = None
    max_tokens: JobTokens = None
    max_seconds: float = Field(
        default=7200, gt=0, title="Seconds", description="How long the job may take; a re-run goes on"
    )
    max_thread_dollars: ThreadDollars = None
    max_thread_tokens: ThreadTokens = None
    at_once: int = Field(
        default=8, ge=1, le=1000, title="Turns at once", description="How many work at the same time"
    )
    max_threads: int = Field(
        default=MAX_THREADS,
        ge=1,
        le=1000,
        title="Threads",
        description="How many may exist at once, idle ones included, until they are archived",
    )
    max_specialists: int = Field(
        default=MAX_SPECIALISTS, ge=1, le=1000, title="Specialists", description="How many a team may have"
    )


class TeamCaps(BaseModel):
    """What one job changes in the limits of its team; what is left empty stays as the team has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_dollars: JobDollars = None
    max_tokens: JobTokens = None
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        title="Seconds",
        description="How long the job may take; a re-run goes on",
        json_schema_extra=may_be_empty,
    )
    at_once: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        title="Turns at once",
        description="How many work at the same time",
        json_schema_extra=may_be_empty,
    )

    max_thread_dollars: ThreadDollars = None
    max_thread_tokens: ThreadTokens = None
    max_threads: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        title="Threads",
        description="How many may exist at once, idle ones included, until they are archived",
        json_schema_extra=may_be_empty,
    )

    def over(self, limits: TeamLimits) -> TeamLimits:
        """The team's limits with these in their place."""
        return limits.model_copy(update=self.model_dump(exclude_none=True))


class Team(BaseModel):
    """A lead and its specialists."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    lead: AgentDefinition | None = None
    """None: the team can only carry out a plan."""
    specialists: tuple[AgentDefinition, ...]
    limits: TeamLimits = TeamLimits()
    source: str = ""
    """The folder it came from."""
    sha256: str = ""
    """Of the lead's, the specialists' and the limits' definitions."""


class SubTask(BaseModel):
    """One piece of delegated work: one turn of one thread."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subtask_id: str
    """Its name in the plan; for a live lead the id of its tool call, so that a repeated call finds its own turn."""
    agent: str
    task: str
    """All the specialist is told: paths, constraints, the form of its report."""
    needs: tuple[str, ...] = ()
    """Sub-tasks that must have ended first. One that ended `failed` or `empty` skips those that need it."""
    outputs: tuple[str, ...] = ()
    """Promised files: paths or globs in the workspace."""
    rubric: str = ""
    """Markdown, or the path of a rubric file: the turn then is an outcome loop."""
    max_iterations: int = Field(default=3, ge=0, le=20)
    follows: str = ""
    """An earlier sub-task whose thread this goes on in, with its context."""
    limits: AgentLimits | None = None
    line: int = 0
    """1-based line of the plan file it starts on."""


class Plan(BaseModel):
    """Sub-tasks with their dependencies: a readable file that a person or a lead wrote. It needs no model to lead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    task: str = ""
    """The whole job, for the record."""
    subtasks: tuple[SubTask, ...]
    source: str = ""
    sha256: str = ""


class FileChange(BaseModel):
    """What a turn did to a file of the workspace."""

    model_config = ConfigDict(frozen=True)

    path: str
    kind: ChangeKind
    before_sha256: str = ""
    after_sha256: str = ""
    size_bytes: int = 0
    conflict_with: tuple[str, ...] = ()
    """Threads whose turns ran at the same time and changed the same file."""
    is_kept_aside: bool = False
    """The workspace holds another version, and this one is kept beside it (`.agentflows-conflicts/<thread>/`)."""


class Message(BaseModel):
    """What one thread told another."""

    model_config = ConfigDict(frozen=True)

    seq: int
    """Position among the job's messages, from 0, gapless."""
    from_thread: str
    to_thread: str
    turn: int = 0
    """The turn of the specialist's thread that it begins or reports."""
    key: str = ""
    """The lead's tool call that sent or fetched it, so that a call made again after a crash gets the same."""
    text: str
    at: datetime | None = None


class ThreadTurn(BaseModel):
    """One turn of a thread: a task run with an explicit identity."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    thread_id: str
    number: int
    """From 0. `(job_id, thread_id, number)` is the identity: a finished turn is never run again."""
    order: SubTask
    """What it was told to do and what it promised: a plan's sub-task, or one made of the lead's message."""
    status: Literal["queued", "running", "ended", "skipped"] = "queued"
    ending: Ending | None = None
    end: RunEnd | None = None
    detail: str = ""
    report: str = ""
    """The specialist's last words: what the lead gets."""
    session_id: str = ""
    """The transcript in the archive."""
    outcome_id: str = ""
    """With a rubric: the outcome it was pursued as."""
    outputs: tuple[Deliverable, ...] = ()
    missing: tuple[str, ...] = ()
    """Promised outputs that do not exist."""
    changes: tuple[FileChange, ...] = ()
    usage: Usage = Usage()
    dollars: float = 0
    tool_calls: int = 0
    tool_errors: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Thread(BaseModel):
    """One specialist's lasting context."""

    model_config = ConfigDict(frozen=True)

    thread_id: str
    job_id: str
    agent: str
    status: ThreadStatus = "idle"
    turns: tuple[ThreadTurn, ...] = ()
    created_at: datetime | None = None
    archived_at: datetime | None = None


class Orchestration(BaseModel):
    """One job of a team, whole: what `agentflows threads` shows, live and afterwards."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    """`job_…`: a hash of task or plan, team, workspace and the caller's own key, so that a re-run goes on."""
    title: str
    task: str
    team: str
    team_sha256: str = ""
    workspace: str
    mode: Literal["live", "plan"]
    dispatch: Literal["tasks", "deployment"] = "tasks"
    status: JobStatus = "pending"
    detail: str = ""
    plan: Plan | None = None
    threads: tuple[Thread, ...] = ()
    messages: tuple[Message, ...] = ()
    result: str = ""
    """The lead's last words; with a plan, a line per sub-task."""
    created_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def turns(self) -> tuple[ThreadTurn, ...]:
        """All turns of all threads."""
        return tuple(turn for thread in self.threads for turn in thread.turns)

    def is_at_budget(self, before: Self) -> bool:
        """Whether a cap in money or tokens (the job's, a thread's, an agent's) ended it, or a turn that ended since `before`."""
        known = {(turn.thread_id, turn.number) for turn in before.turns if turn.status == "ended"}
        new = [turn for turn in self.turns if (turn.thread_id, turn.number) not in known]
        return is_refusal(self.detail) or any(
            turn.ending != "succeeded" and is_refusal(turn.detail) for turn in new
        )

    @property
    def usage(self) -> Usage:
        """Tokens of all turns."""
        return sum((turn.usage for turn in self.turns), start=Usage())

    @property
    def dollars(self) -> float:
        """At list price."""
        return sum(turn.dollars for turn in self.turns)
