"""A workspace, an endpoint, a home whose model it is, and jobs over them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows.home import Home, open_home
from agentflows.orchestrating import orchestrate
from agentflows.team import Orchestration, Team
from agentflows.testing import FakeMessagesAPI

Do = Callable[..., Orchestration]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with one file of the user's."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "mine.txt").write_text("the user's own\n")
    return folder


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    """An endpoint."""
    with FakeMessagesAPI() as api:
        yield api


@pytest.fixture
def judged(tmp_path: Path, fake: FakeMessagesAPI) -> Iterator[Home]:
    """A home whose model is the fake."""
    with open_home(tmp_path / "home", ANTHROPIC_BASE_URL=fake.url, ANTHROPIC_API_KEY=fake.api_key) as opened:
        yield opened


@pytest.fixture
def do(judged: Home, workspace: Path) -> Do:
    """Has a team do a job, led live unless there is a plan."""

    def start(team: Team, task: str = "Do it all", **options: Any) -> Orchestration:
        return orchestrate(task, team=team, workspace=workspace, home=judged, **options)

    return start
