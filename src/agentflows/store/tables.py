# pyright: reportAssignmentType=false, reportIncompatibleVariableOverride=false
# SQLModel types `__tablename__` as a `declared_attr` and takes a plain string.
"""The tables of the state database. Rows stay in this package; words cross its border.

Times are UTC and naive. JSON is stored as text, so that what was sealed is what is read.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from agentflows.store.rows import Moment, Row, Sealed, Utf8

SCHEMA_VERSION = 5
"""Raise it with every change to a table, and add the step to `MIGRATIONS` in `schema.py`."""


class SchemaRow(Row, table=True):
    """One row: which layout the database has."""

    __tablename__ = "schema_version"
    schema_id: int = Field(default=1, primary_key=True)
    version: int
    created_at: datetime = Field(sa_type=Moment)


class StoreRow(Sealed, table=True):
    """A memory store and its head."""

    __tablename__ = "store"
    __table_args__ = (
        Index(
            "store_live_name",
            "name",
            unique=True,
            sqlite_where=text("archived_at IS NULL"),
            postgresql_where=text("archived_at IS NULL"),
        ),
    )
    store_id: str = Field(primary_key=True)
    name: str
    description: str
    created_at: datetime = Field(sa_type=Moment)
    updated_at: datetime = Field(sa_type=Moment)
    archived_at: datetime | None = Field(default=None, sa_type=Moment)
    version: int = 0
    tree_sha256: str
    chain_sha256: str
    copied_from: str = ""
    """The store it is a copy of, so that what was approved for that one may be committed here."""


class CommitRow(Sealed, table=True):
    """One version of a store: a link of its hash chain. Immutable."""

    __tablename__ = "store_version"
    __table_args__ = (ForeignKeyConstraint(["store_id"], ["store.store_id"]),)
    store_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    tree_sha256: str
    previous_chain: str
    chain_sha256: str
    actor_kind: str
    actor_name: str
    message: str
    dream_id: str = Field(index=True)
    decisions: str
    created_at: datetime = Field(sa_type=Moment)


class ContentRow(Row, table=True):
    """A memory's content, once per sha256, which is its own seal."""

    __tablename__ = "content"
    sha256: str = Field(primary_key=True)
    text: str = Field(sa_type=Utf8)


class MemoryRow(Sealed, table=True):
    """A memory as it is now."""

    __tablename__ = "memory"
    __table_args__ = (
        UniqueConstraint("store_id", "path"),
        ForeignKeyConstraint(["store_id"], ["store.store_id"]),
        ForeignKeyConstraint(["content_sha256"], ["content.sha256"]),
    )
    memory_id: str = Field(primary_key=True)
    store_id: str
    path: str
    content_sha256: str
    memory_version_id: str
    created_at: datetime = Field(sa_type=Moment)
    updated_at: datetime = Field(sa_type=Moment)


class MemoryVersionRow(Sealed, table=True):
    """One change to one memory. Immutable, but for redaction."""

    __tablename__ = "memory_version"
    __table_args__ = (
        UniqueConstraint("memory_id", "store_version"),
        ForeignKeyConstraint(
            ["store_id", "store_version"], ["store_version.store_id", "store_version.version"]
        ),
        ForeignKeyConstraint(["content_sha256"], ["content.sha256"]),
        Index("memory_version_place", "store_id", "store_version"),
    )
    memory_version_id: str = Field(primary_key=True)
    memory_id: str
    store_id: str
    store_version: int
    path: str
    operation: str
    content_sha256: str | None = None
    actor_kind: str
    actor_name: str
    created_at: datetime = Field(sa_type=Moment)
    dream_id: str = Field(index=True)
    message: str
    commitment: str
    """What the hash chain holds of this row: an HMAC under `record_key`, which redaction destroys, so that
    nobody can test guesses of what was redacted."""
    record_key: str
    redacted_at: datetime | None = Field(default=None, sa_type=Moment)
    redacted_by: str = ""


class AuditRow(Sealed, table=True):
    """Who did what. Written in the same transaction as the deed."""

    __tablename__ = "audit"
    audit_id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=Moment, index=True)
    actor_kind: str
    actor_name: str
    action: str
    store_id: str = Field(index=True)
    store_version: int | None = None
    dream_id: str = ""
    detail: str = ""
    request_key: str | None = Field(default=None, unique=True)
    """Identity of a dream's commit: the same one is made once."""


class DreamRow(Sealed, table=True):
    """A dream: what lists of dreams are made from."""

    __tablename__ = "dream"
    dream_id: str = Field(primary_key=True)
    store_id: str = Field(index=True)
    target_id: str
    """The store its approved changes go to: the output store once there is one."""
    status: str = Field(index=True)
    base_version: int
    base_sha256: str
    created_at: datetime = Field(sa_type=Moment, index=True)
    change_ids: str
    dream: str


class ReportRow(Sealed, table=True):
    """All that a dream's report says, but for its changes."""

    __tablename__ = "report"
    __table_args__ = (ForeignKeyConstraint(["dream_id"], ["dream.dream_id"]),)
    dream_id: str = Field(primary_key=True)
    report: str


class ChangeRow(Sealed, table=True):
    """One proposed change and what became of it."""

    __tablename__ = "change"
    __table_args__ = (ForeignKeyConstraint(["dream_id"], ["dream.dream_id"]),)
    change_id: str = Field(primary_key=True)
    dream_id: str = Field(index=True)
    store_id: str = Field(index=True)
    position: int
    op: str
    path: str
    memo_key: str = Field(index=True)
    sha256: str
    status: str = Field(index=True)
    status_reason: str
    expires_at: datetime | None = Field(default=None, sa_type=Moment)
    """For a held change: until when it may be decided."""
    body: str
    """The change as it would be committed: with the reviewer's text where there is one."""
    proposed: str
    """The change as the dream proposed it."""
    committed_store: str = ""
    committed_version: int | None = None
    undone_version: int | None = None
    """The store version in which a restore undid it."""


class DecisionRow(Sealed, table=True):
    """A person's (or an opted-in policy's) word on one change."""

    __tablename__ = "decision"
    __table_args__ = (ForeignKeyConstraint(["change_id"], ["change.change_id"]),)
    decision_id: str = Field(primary_key=True)
    change_id: str = Field(index=True)
    dream_id: str = Field(index=True)
    store_id: str
    """The store it may be committed to."""
    change_sha256: str
    base_version: int
    base_sha256: str
    verdict: str
    edited_after: str | None = None
    reviewer: str
    reason: str
    decided_at: datetime = Field(sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment)
    used_at: datetime | None = Field(default=None, sa_type=Moment)
    renewed_by: str = ""
    """The decision that took its place after it ran out or its base moved."""


class EvidenceRow(Sealed, table=True):
    """One quote that one entry of a store rests on."""

    __tablename__ = "evidence"
    __table_args__ = (
        ForeignKeyConstraint(["store_id"], ["store.store_id"]),
        Index("evidence_place", "store_id", "path", "entry_sha256"),
    )
    evidence_id: str = Field(primary_key=True)
    store_id: str
    path: str
    entry_sha256: str
    session_id: str = Field(index=True)
    seq: int
    start: int
    end: int
    quote_sha256: str
    root_id: str = Field(index=True)
    origin: str
    trust: int
    at: datetime | None = Field(default=None, sa_type=Moment)
    pattern_key: str
    change_id: str
    dream_id: str


class PinRow(Sealed, table=True):
    """An entry that no dream and no forgetting may touch. It is named by its place and text, not by position."""

    __tablename__ = "pin"
    __table_args__ = (ForeignKeyConstraint(["store_id"], ["store.store_id"]),)
    pin_id: str = Field(primary_key=True)
    store_id: str = Field(index=True)
    path: str
    entry_sha256: str
    text: str = Field(sa_type=Utf8)
    actor_kind: str
    actor_name: str
    reason: str
    pinned_at: datetime = Field(sa_type=Moment)


class OutcomeRow(Sealed, table=True):
    """An outcome: where it stands. Its attempts and evaluations have rows of their own."""

    __tablename__ = "outcome"
    outcome_id: str = Field(primary_key=True)
    base_id: str = Field(index=True)
    """What re-runs of the same command share, whatever the workspace held when they began."""
    result: str = Field(index=True)
    created_at: datetime = Field(sa_type=Moment, index=True)
    updated_at: datetime = Field(sa_type=Moment)
    request: str
    """All that is needed to go on: rubric, agent, workspace, limits."""
    outcome: str
    stop_asked: str = ""
    """Why it is to end as soon as it can; "" when nobody asked."""


class AttemptRow(Sealed, table=True):
    """One attempt that came to its end."""

    __tablename__ = "attempt"
    __table_args__ = (ForeignKeyConstraint(["outcome_id"], ["outcome.outcome_id"]),)
    outcome_id: str = Field(primary_key=True)
    iteration: int = Field(primary_key=True)
    attempt: str


class EvaluationRow(Sealed, table=True):
    """One grading that came to its end."""

    __tablename__ = "evaluation"
    __table_args__ = (ForeignKeyConstraint(["outcome_id"], ["outcome.outcome_id"]),)
    outcome_id: str = Field(primary_key=True)
    iteration: int = Field(primary_key=True)
    evaluation: str


class HumanVerdictRow(Sealed, table=True):
    """A person's word on one criterion, about one version of the deliverables. A later word takes its place."""

    __tablename__ = "human_verdict"
    __table_args__ = (ForeignKeyConstraint(["outcome_id"], ["outcome.outcome_id"]),)
    outcome_id: str = Field(primary_key=True)
    manifest_sha256: str = Field(primary_key=True)
    criterion_id: str = Field(primary_key=True)
    verdict: str


class RunnerStateRow(Sealed, table=True):
    """How far one job of a runner is, in the runner's own words: a killed run goes on from there."""

    __tablename__ = "runner_state"
    job_id: str = Field(primary_key=True)
    state: str = Field(sa_type=Utf8)
    updated_at: datetime = Field(sa_type=Moment)


class JobRow(Sealed, table=True):
    """A job of a team: where it stands. Its threads, turns and messages have rows of their own."""

    __tablename__ = "job"
    job_id: str = Field(primary_key=True)
    base_id: str = Field(index=True)
    """What re-runs of the same command share."""
    status: str = Field(index=True)
    created_at: datetime = Field(sa_type=Moment, index=True)
    updated_at: datetime = Field(sa_type=Moment)
    request: str = Field(sa_type=Utf8)
    """All that is needed to go on: team, plan, workspace, limits."""
    job: str = Field(sa_type=Utf8)
    stop_asked: str = ""
    """Why it is to end as soon as it can; "" when nobody asked."""


class ThreadRow(Sealed, table=True):
    """One thread of a job, without its turns."""

    __tablename__ = "thread"
    __table_args__ = (ForeignKeyConstraint(["job_id"], ["job.job_id"]),)
    job_id: str = Field(primary_key=True)
    thread_id: str = Field(primary_key=True)
    position: int
    thread: str


class TurnRow(Sealed, table=True):
    """One turn of a thread. An ended one stays as it is."""

    __tablename__ = "thread_turn"
    __table_args__ = (ForeignKeyConstraint(["job_id", "thread_id"], ["thread.job_id", "thread.thread_id"]),)
    job_id: str = Field(primary_key=True)
    thread_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    status: str = Field(index=True)
    turn: str = Field(sa_type=Utf8)


class MessageRow(Sealed, table=True):
    """What one thread told another."""

    __tablename__ = "message"
    __table_args__ = (ForeignKeyConstraint(["job_id"], ["job.job_id"]),)
    job_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    message: str = Field(sa_type=Utf8)


class CacheRow(Row, table=True):
    """An answer that was paid for once. Not sealed: a damaged one is no error, it is paid for again."""

    __tablename__ = "cache"
    key: str = Field(primary_key=True)
    value: str
    sha256: str
    created_at: datetime = Field(sa_type=Moment)


class BudgetRow(Row, table=True):
    """One level of nested budgets. Money in billionths of a dollar, so that sums are exact."""

    __tablename__ = "budget"
    level: str = Field(primary_key=True)
    ceiling_tokens: int | None = Field(default=None, sa_type=BigInteger)
    ceiling_nano: int | None = Field(default=None, sa_type=BigInteger)
    spent_tokens: int = Field(default=0, sa_type=BigInteger)
    spent_nano: int = Field(default=0, sa_type=BigInteger)
    reserved_tokens: int = Field(default=0, sa_type=BigInteger)
    reserved_nano: int = Field(default=0, sa_type=BigInteger)
    calls: int = 0
    input_tokens: int = Field(default=0, sa_type=BigInteger)
    output_tokens: int = Field(default=0, sa_type=BigInteger)
    cache_read_tokens: int = Field(default=0, sa_type=BigInteger)
    cache_write_tokens: int = Field(default=0, sa_type=BigInteger)


class ReservationRow(Row, table=True):
    """What was set aside for one call."""

    __tablename__ = "reservation"
    reservation_id: str = Field(primary_key=True)
    levels: str
    tokens: int = Field(sa_type=BigInteger)
    nano: int = Field(sa_type=BigInteger)
    purpose: str
    state: str
    """`open`, `settled` or `refunded`. One that stays open is of unknown outcome: spent."""
    at: datetime = Field(sa_type=Moment)


class CallRow(Row, table=True):
    """One model call that was made."""

    __tablename__ = "call"
    call_id: str = Field(primary_key=True)
    at: datetime = Field(sa_type=Moment, index=True)
    model: str
    prompt_sha256: str
    purpose: str = Field(index=True)
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    lost_tokens: int
    nano: int = Field(sa_type=BigInteger)
    priced: bool
    outcome: str
    stop_reason: str
    seconds: float
    attempts: int
    request_id: str


class LeaseRow(Row, table=True):
    """Who works on something now. Times are the database's, in seconds since 1970."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    owner: str
    token: int
    heartbeat: float
    expires: float


class BatchRow(Row, table=True):
    """A batch of questions for a model."""

    __tablename__ = "batch"
    batch_id: str = Field(primary_key=True)
    dream_id: str = Field(index=True)
    model: str
    handle: str
    """"" until the endpoint has taken it."""
    asked: str
    status: str = Field(index=True)
    """`submitting`, `open`, `collected`, `refused` or `lost`."""
    created_at: datetime = Field(sa_type=Moment)
