"""A workspace, jobs in it, and an endpoint that answers as it is told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentflows.agent import AgentDefinition, AgentLimits, Job, Transcript
from agentflows.change import Budget
from agentflows.home import Home, open_home
from agentflows.testing import FakeMessagesAPI, Reply

Run = Callable[..., Transcript]
MODEL = "claude-sonnet-5-5"


def writer(**changed: Any) -> AgentDefinition:
    """An agent with a prompt; limits by name."""
    limits = {name: changed.pop(name) for name in AgentLimits.model_fields if name in changed}
    given = {"name": "writer", "prompt": "You write.", **changed, "limits": AgentLimits(**limits)}
    return AgentDefinition.model_validate(given)


def calls(*each: Reply, stop_reason: str | None = "tool_use") -> Reply:
    """Several replies' blocks as one reply: parallel tool calls."""
    return replace(
        each[0], content=tuple(block for one in each for block in one.content), stop_reason=stop_reason
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def job(workspace: Path) -> Job:
    """The first attempt at a task."""
    return Job(job_id="outc_1/attempt/0", task="Write a.txt.", workspace=workspace)


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    """An endpoint."""
    with FakeMessagesAPI() as api:
        yield api


@pytest.fixture
def home(tmp_path: Path, fake: FakeMessagesAPI) -> Iterator[Home]:
    """A home whose model is the fake."""
    with open_home(
        tmp_path / "home", ANTHROPIC_BASE_URL=fake.url, ANTHROPIC_API_KEY=fake.api_key, model=MODEL
    ) as opened:
        yield opened


@pytest.fixture
def run(home: Home, job: Job) -> Run:
    """Runs an agent on the job; `budget` is the job's, `changed` the job's fields."""

    def start(
        agent: AgentDefinition | None = None, *, budget: Budget | None = None, **changed: Any
    ) -> Transcript:
        given = {name: changed.pop(name) for name in ("keep", "stop") if name in changed}
        chosen = agent or writer()
        runner = home.runner(chosen, home.purse("test", budget or Budget()))
        return runner.run(chosen, job.model_copy(update=changed), **given)

    return start
