"""Outcomes: a task, attempts at it, and the gradings that say whether it is done.

The names and the life cycle are those of the hosted `user.define_outcome`; what that leaves open is decided here:

* `max_iterations` counts revisions: evaluation 0 grades the first draft, evaluation n grades revision n, so that
  nothing is returned ungraded. Default 3, ceiling 20, 0 is allowed. Evaluations and revisions are both recorded.
* The verdict is computed by code from the criteria; a grader that crashed or cannot be read is `grader_error`,
  never a score.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agentflows.budget import is_refusal
from agentflows.rubric import Judging
from agentflows.session import Usage

Met = Literal["met", "unmet", "cannot_tell"]
"""What a grading says of one criterion. `cannot_tell` counts as not met and names the evidence that is missing."""

EvaluationResult = Literal["satisfied", "needs_revision", "failed", "grader_error"]
"""What one grading says. `failed`: the rubric does not apply to the deliverables, which no revision mends."""

OutcomeResult = Literal[
    "pending", "running", "evaluating", "waiting",
    "satisfied", "max_iterations_reached", "failed", "interrupted", "grader_error", "stopped",
]  # fmt: skip
"""Where an outcome stands: the hosted API's words, and three of ours.

* `pending` → `running` (producing or revising) ⇄ `evaluating`; `waiting`: for a person's verdict on a `human` criterion
* final: `satisfied`, `max_iterations_reached`, `failed`, `interrupted`, `grader_error`, and `stopped` (nothing
  changed, the same gaps came back, the budget ended or the writer failed: `stop_reason` says which)
"""

StopReason = Literal["", "no_change", "repeated_gaps", "budget", "writer_error", "no_deliverables"]

RunEnd = Literal["finished", "cap_reached", "truncated", "refused", "failed", "interrupted"]
"""How an agent's run ended. Only `finished` is success; what it left behind is graded in the other cases too.

* `cap_reached`: turns, tokens, money or time of its own limits; `truncated`: the model's own output or context limit
"""


class Deliverable(BaseModel):
    """One file as it was frozen for grading."""

    model_config = ConfigDict(frozen=True)

    path: str
    """Relative to the workspace, with `/`."""
    sha256: str
    size_bytes: int


class Evidence(BaseModel):
    """Words of a deliverable that show a criterion met or unmet, found there by code."""

    model_config = ConfigDict(frozen=True)

    path: str
    start_line: int
    """1-based; 0 for the output of a check."""
    text: str


class CriterionResult(BaseModel):
    """What one grading says of one criterion."""

    model_config = ConfigDict(frozen=True)

    criterion_id: str
    met: Met
    judging: Judging
    reason: str
    """One or two sentences; for a check, its exit code and what it printed last."""
    evidence: tuple[Evidence, ...] = ()
    needed: str = ""
    """With `cannot_tell`: what evidence would decide it. With `unmet`: what is to be changed."""
    refused: int = 0
    """Quotes the grader gave that stand nowhere in the deliverables. A verdict resting on none that stands is
    `cannot_tell`."""
    votes: tuple[Met, ...] = ()
    """Of a panel; empty for one grader."""
    seconds: float = 0


class Evaluation(BaseModel):
    """One grading of one version of the deliverables."""

    model_config = ConfigDict(frozen=True)

    outcome_id: str
    iteration: int
    """0 grades the first draft, n grades revision n."""
    result: EvaluationResult
    score: float
    """Weighted share of criteria met, 0 to 1; 0 and meaningless with `grader_error`."""
    criteria: tuple[CriterionResult, ...] = ()
    regressions: tuple[str, ...] = ()
    """Criteria that were met in an earlier evaluation and are not any more."""
    explanation: str = ""
    """The feedback the writer gets, criterion by criterion."""
    manifest_sha256: str = ""
    """Of the deliverables it graded: their paths and hashes."""
    error: str = ""
    """With `grader_error`: what went wrong."""
    usage: Usage = Usage()
    dollars: float = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


class HumanVerdict(BaseModel):
    """A person's word on one `human` criterion, bound to the very files it was said about."""

    model_config = ConfigDict(frozen=True)

    outcome_id: str
    iteration: int
    criterion_id: str
    met: Literal["met", "unmet"]
    reason: str = ""
    reviewer: str
    decided_at: datetime
    manifest_sha256: str


class Attempt(BaseModel):
    """One run of the writer: the draft (iteration 0) or a revision."""

    model_config = ConfigDict(frozen=True)

    outcome_id: str
    iteration: int
    end: RunEnd
    detail: str = ""
    """Why it did not finish."""
    session_id: str = ""
    """The transcript in the archive."""
    text: str = ""
    """The agent's last words."""
    deliverables: tuple[Deliverable, ...] = ()
    manifest_sha256: str = ""
    usage: Usage = Usage()
    dollars: float = 0
    tool_calls: int = 0
    tool_errors: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Outcome(BaseModel):
    """A task that is finished when its rubric says so."""

    model_config = ConfigDict(frozen=True)

    outcome_id: str
    """`outc_…`: a hash of task, rubric, agent, workspace and the caller's own key, so that a re-run goes on."""
    description: str
    """The task."""
    rubric_sha256: str
    agent: str
    agent_sha256: str = ""
    """Of the agent's definition: a changed agent is another outcome."""
    workspace: str
    max_iterations: int = Field(default=3, ge=0, le=20)
    result: OutcomeResult = "pending"
    stop_reason: StopReason = ""
    explanation: str = ""
    """The latest verdict in words."""
    attempts: tuple[Attempt, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    best_iteration: int | None = None
    """The version to keep: most required criteria met, then highest score, then the latest."""
    memory_store: str = ""
    memory_version: int | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def revisions(self) -> int:
        """Revision passes made so far."""
        return max(0, len(self.attempts) - 1)

    @property
    def is_at_budget(self) -> bool:
        """Whether a budget ended it: its own, its writer's or its grader's."""
        is_cut_short = bool(self.attempts) and is_refusal(self.attempts[-1].detail)
        return self.stop_reason == "budget" or (is_cut_short and self.result != "satisfied")

    @property
    def usage(self) -> Usage:
        """Tokens of all attempts and evaluations."""
        return sum((step.usage for step in (*self.attempts, *self.evaluations)), start=Usage())

    @property
    def dollars(self) -> float:
        """At list price."""
        return sum(step.dollars for step in (*self.attempts, *self.evaluations))
