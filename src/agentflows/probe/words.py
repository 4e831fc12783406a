"""What a probe is."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from agentflows.agent import AgentDefinition
from agentflows.rubric import Rubric

MAX_REPEATS = 20
"""Runs of one probe with one memory."""


class Probe(BaseModel):
    """A task, who does it and what done looks like, to be run with one memory and with another."""

    model_config = ConfigDict(frozen=True)

    name: str
    task: str
    agent: AgentDefinition
    rubric: Rubric
    """Without questions to a person: a probe is run while nobody looks."""
    workspace: Path | None = None
    """The folder a run gets a copy of; None is an empty one."""
    deliverables: tuple[str, ...] = ()
    """Globs of what is graded; () is every file created or changed."""
    repeats: int = Field(default=1, ge=1, le=MAX_REPEATS)
    """Runs with each memory. They do not decide what one run comes to, and are no part of `sha256`."""
    source: str = ""
    sha256: str = ""
    """Of the task, the workspace's content and the code that its agent and its checks name beside their files."""
