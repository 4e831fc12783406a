"""A workspace, writers that are functions, and an endpoint that plays writer and grader."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows.agent import AgentDefinition
from agentflows.evaluation import Outcome
from agentflows.home import Home, open_home
from agentflows.pursuing import pursue
from agentflows.testing import FakeMessagesAPI

Pursue = Callable[..., Outcome]

RUBRIC = """# Notes

- **there**: There are notes.
  check: exists notes.md
- **rain**: They name rain.
  check: regex notes.md `(?i)rain`
"""

WRITER = '''
"""What writers of these tests do: one function each."""
from pathlib import Path

def better(task, feedback, workspace, memory):
    (Path(workspace) / "notes.md").write_text("Sun and rain.\\n" if feedback else "Sun.\\n")
    return "revised" if feedback else "drafted"

def worse(task, feedback, workspace, memory):
    folder = Path(workspace)
    count = len(list(folder.glob("draft*"))) if feedback else 0
    (folder / f"draft{count}.tmp").write_text(str(count))
    (folder / "notes.md").write_text("Rain.\\n") if not feedback else (folder / "notes.md").unlink(missing_ok=True)

def same(task, feedback, workspace, memory):
    (Path(workspace) / "notes.md").write_text("Sun.\\n")

def nothing(task, feedback, workspace, memory):
    return "I could not."

def broken(task, feedback, workspace, memory):
    raise ValueError("no ink")

def remembers(task, feedback, workspace, memory):
    (Path(workspace) / "notes.md").write_text("rain " + "|".join(sorted(memory.values())))

def counts(task, feedback, workspace, memory):
    place = Path(workspace).parent / "ran.txt"
    place.write_text((place.read_text() if place.exists() else "") + "x")
    return better(task, feedback, workspace, memory)
'''


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with one file of the user's."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "mine.txt").write_text("the user's own")
    return folder


@pytest.fixture
def agent(tmp_path: Path) -> Callable[[str], AgentDefinition]:
    """A writer that is a function of `WRITER`."""
    (tmp_path / "writers.py").write_text(WRITER)

    def make(function: str) -> AgentDefinition:
        return AgentDefinition(
            name=function,
            prompt="You write.",
            runner="python",
            function=f"writers:{function}",
            source=str(tmp_path / "agent.md"),
            sha256=function,
        )

    return make


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    """An endpoint."""
    with FakeMessagesAPI() as api:
        yield api


@pytest.fixture
def judged_home(tmp_path: Path, fake: FakeMessagesAPI) -> Iterator[Home]:
    """A home whose model is the fake."""
    with open_home(tmp_path / "home", ANTHROPIC_BASE_URL=fake.url, ANTHROPIC_API_KEY=fake.api_key) as opened:
        yield opened


@pytest.fixture
def run(home: Home, workspace: Path, agent: Callable[[str], AgentDefinition]) -> Pursue:
    """Pursues the notes with the writer named."""

    def start(function: str, rubric: str = RUBRIC, **options: Any) -> Outcome:
        given: dict[str, Any] = {"home": home, "workspace": workspace, "agent": agent(function), **options}
        return pursue("Write notes about the weather", rubric=rubric, **given)

    return start


def verdicts(**met: tuple[str, str] | str) -> dict[str, Any]:
    """A grader's reply: for each criterion a (path, quote) that shows it met, or why it is not."""
    return {
        "reads": [],
        "applies_reason": "it applies",
        "applies": True,
        "criteria": [
            {
                "criterion": name,
                "reason": f"looked for {name}",
                "quotes": [] if isinstance(found, str) else [{"path": found[0], "text": found[1]}],
                "verdict": "unmet" if isinstance(found, str) else "met",
                "needed": found if isinstance(found, str) else "",
            }
            for name, found in met.items()
        ],
    }
