"""An outcome that takes ten model calls and is never satisfied: what its processes do, and what its endpoint answers."""

from pathlib import Path
from typing import Any

from agentflows.agent import AgentDefinition
from agentflows.pursuing import pursue
from agentflows.testing import FakeRequest, Reply

RUBRIC = """# Notes

- **there**: There are notes.
  check: exists notes.md
- **sun**: The notes name sun.
- **rain**: The notes name rain.
"""
SUN = "There was sun all day."
CALLS = 10
"""Undisturbed: four of the writer and one of the grader, twice."""


def work(folder: Path) -> None:
    """Pursue it to its end."""
    agent = AgentDefinition(name="writer", prompt="You write.", tools=("read", "write"), sha256="1")
    workspace = folder / "workspace"
    workspace.mkdir(parents=True, exist_ok=True)
    pursue(
        "Write notes", rubric=RUBRIC, agent=agent, workspace=workspace, home=folder / "home", max_iterations=1
    )


def answer(request: FakeRequest) -> Any:
    """What the endpoint says depends on the question alone, so that it may be asked in any order."""
    if "You are an independent grader" in request.text:
        return _verdict("more.md" not in request.text)
    messages: list[dict[str, Any]] = request.body["messages"]
    replies = [one for one in messages if one["role"] == "assistant"]
    is_revision = "An independent grader has read" in request.text
    written = (
        {"path": "more.md", "content": "It is late."} if is_revision else {"path": "notes.md", "content": SUN}
    )
    steps = [
        Reply.tool_use("read", {"path": "notes.md"}),
        Reply.tool_use("write", written),
        Reply.tool_use("read", {"path": "notes.md"}),
        Reply.text("Revised." if is_revision else "Drafted."),
    ]
    return steps[len(replies) % len(steps)]


def _verdict(is_sunny: bool) -> dict[str, Any]:  # noqa: FBT001 - private
    quotes = [{"path": "notes.md", "text": SUN}] if is_sunny else []
    found: dict[str, tuple[str, list[dict[str, str]]]] = {
        "sun": ("met" if is_sunny else "unmet", quotes),
        "rain": ("unmet", []),
    }
    return {
        "reads": [],
        "applies_reason": "it applies",
        "applies": True,
        "criteria": [
            {"criterion": name, "reason": "looked", "quotes": said, "verdict": verdict, "needed": ""}
            for name, (verdict, said) in found.items()
        ],
    }
