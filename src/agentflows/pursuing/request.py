"""What is asked of one outcome, checked before anything costs."""

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agentflows.agent import AgentDefinition
from agentflows.change import Budget
from agentflows.memory import tree_sha256
from agentflows.outcome import Calls
from agentflows.rubric import Rubric

MAX_REVISIONS = 20
"""Hosted limit of `max_iterations`."""
MAX_TASK = 100_000
"""Characters of a task."""

ANSWER = "@answer"
"""Among the deliverables: the last words of the agent, for one that answers instead of leaving files."""
ANSWER_FILE = "answer.md"
"""Where they then stand in the workspace, to be graded as any file. A run that did not finish gave no answer."""


class Grading(BaseModel):
    """How the grader works."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        default="", title="Model", description="Empty: AGENTFLOWS_JUDGE_MODEL, else AGENTFLOWS_MODEL"
    )
    panel: int = Field(
        default=1,
        ge=1,
        le=9,
        title="Graders",
        description="More than one: each criterion goes by strict majority",
    )
    calls: Calls = Field(
        default="all",
        title="Calls",
        description="all: one call for all criteria; each: one call per criterion",
    )
    max_tokens: int = Field(
        default=50_000, ge=1_000, title="Tokens in one call", description="Of the deliverables, at most"
    )


class Limits(BaseModel):
    """Ceilings of one outcome, nested: what writer and grader spend counts for the whole too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Budget = Field(default=Budget(), title="Outcome", description="Writer and grader together")
    writer: Budget = Field(default=Budget(), title="Writer")
    grader: Budget = Field(default=Budget(), title="Grader")

    def over(self, earlier: "Limits") -> "Limits":
        """The earlier ceilings with these in their place; one that is None here stays as it was."""
        return Limits(
            outcome=self.outcome.over(earlier.outcome),
            writer=self.writer.over(earlier.writer),
            grader=self.grader.over(earlier.grader),
        )

    @property
    def has_money_cap(self) -> bool:
        """Whether any of them is in dollars."""
        return any(one.dollars is not None for one in (self.outcome, self.writer, self.grader))


class OutcomeRequest(BaseModel):
    """What is asked of one outcome."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = Field(min_length=1, max_length=MAX_TASK)
    """The task."""
    rubric: Rubric
    agent: AgentDefinition
    workspace: Path
    """The folder the agent works in, resolved."""
    deliverables: tuple[str, ...] = ()
    """Globs of what is graded, `@answer` for the agent's last words (`answer.md`); () is every file created or changed."""
    max_iterations: int = Field(default=3, ge=0, le=MAX_REVISIONS)
    """Revision passes."""
    limits: Limits = Limits()
    within: dict[str, Budget] = {}
    """Budgets of whoever delegated the task, by level: what it spends counts for them too."""
    grading: Grading = Grading()
    memory: str = ""
    """The memory store shown to the agent; "" is the agent's own."""
    memory_files: dict[str, str] | None = None
    """A memory that stands in no store: path → Markdown, shown instead of any store; None shows a store."""
    is_archived: bool = True
    """Whether its runs join the archive, where dreams learn from them."""
    key: str = ""
    """The caller's own word, to tell two outcomes apart that are alike in all else."""
    context: str = ""
    """The writer's own state from earlier work, to go on from; see `Job.state`."""
    place: str = ""
    """What tells the workspace apart where its path does not: a turn's copy lies elsewhere on each machine."""
    depot: str = ""
    """The job through whose depot its versions travel between machines; "" keeps them in the home alone."""
    project: str = ""
    """What the work is about, for the archive; "" is the workspace's path."""
    parent_id: str = ""
    """The session the attempts count with as one; "" is the first attempt's."""

    @field_validator("description")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            msg = "the task is empty: say what is to be done"
            raise ValueError(msg)
        return value

    @field_validator("rubric")
    @classmethod
    def _can_be_met(cls, value: Rubric) -> Rubric:
        if not value.criteria:
            msg = "the rubric has no criteria, so nothing would be graded: write each one as a list item"
            raise ValueError(msg)
        return value

    @property
    def base_id(self) -> str:
        """What re-runs of the same command share. Limits may differ: raising one goes on."""
        parts = [
            self.description,
            _said(self.rubric.model_dump(mode="json", exclude={"source"})),
            self._agent,
            self.place or str(self.workspace),
            list(self.deliverables),
            self.memory,
            self.key,
            *([tree_sha256(self.memory_files)] if self.memory_files is not None else []),
            *([] if self.is_archived else ["not archived"]),
        ]
        return hashlib.sha256(_said(parts).encode()).hexdigest()

    @property
    def _agent(self) -> str:
        """What tells the agent apart. Where the workspace has no path of its own, the agent's files have none either."""
        named = self.agent.sha256 if self.place else ""
        return named or _said(self.agent.model_dump(mode="json", exclude={"source"}))

    @property
    def has_money_cap(self) -> bool:
        """Whether any budget it spends from is in dollars."""
        return self.limits.has_money_cap or any(one.dollars is not None for one in self.within.values())

    @property
    def store(self) -> str:
        """The memory store to show; "" is none."""
        return "" if self.memory_files is not None else self.memory or self.agent.memory


def _said(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
