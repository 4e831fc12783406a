"""Leads and specialists that follow a script, on one fake endpoint: what each says depends on its own conversation alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agentflows.agent import AgentDefinition, AgentLimits
from agentflows.team import Team, TeamLimits, make_team
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply

LEAD = "You are the lead of this play."
Step = Reply | str | Callable[[FakeRequest], Reply | str]


def lead(**limits: Any) -> AgentDefinition:
    """The lead, with no tools but those of a lead."""
    return AgentDefinition(name="boss", prompt=LEAD, tools=(), limits=AgentLimits(**limits))


def member(name: str, **fields: Any) -> AgentDefinition:
    """A specialist whose prompt names it."""
    given = {"description": f"Does {name}.", "prompt": prompt(name), "tools": ("read", "write")}
    return AgentDefinition.model_validate({"name": name, **given, **fields})


def prompt(name: str) -> str:
    """What tells a specialist's requests from all others."""
    return f"You are the specialist {name}."


def team(*names: str, lead_limits: dict[str, Any] | None = None, **limits: Any) -> Team:
    """A lead with these specialists."""
    members = [member(name) for name in names]
    return make_team("play", lead(**(lead_limits or {})), members, TeamLimits(**limits))


def script(fake: FakeMessagesAPI, who: str, *steps: Step) -> None:
    """Let the one whose prompt is `who` take these steps: its n-th reply is the n-th of them."""

    def answer(request: FakeRequest) -> Reply | str:
        step = steps[replies(request)]
        return step(request) if callable(step) else step

    fake.when(who, answer)


def says(fake: FakeMessagesAPI, *names: str) -> None:
    """Let each of these specialists answer every task with one sentence that repeats it."""
    for name in names:
        fake.when(prompt(name), lambda request: f"done: {request.last_text}")


def replies(request: FakeRequest) -> int:
    """How often the one that asks was answered before."""
    return sum(message["role"] == "assistant" for message in request.body["messages"])


def results(request: FakeRequest) -> list[str]:
    """What the tools of the last reply gave back."""
    return [text for text, _ in told(request)]


def told(request: FakeRequest) -> list[tuple[str, bool]]:
    """The same, each with whether it is an error."""
    content = request.body["messages"][-1]["content"]
    return [
        (block["content"], bool(block.get("is_error"))) for block in content if block["type"] == "tool_result"
    ]


def calls(*each: Reply) -> Reply:
    """Several calls of tools in one reply."""
    return replace(each[0], content=tuple(block for one in each for block in one.content))


def send(to: str, task: str, **fields: Any) -> Reply:
    """Work for an agent or a thread."""
    return Reply.tool_use("send_to_agent", {"to": to, "task": task, **fields})


def wait(seconds: float = 60) -> Reply:
    """A wait."""
    return Reply.tool_use("wait", {"seconds": seconds})


def write(path: str, content: str) -> Reply:
    """A file."""
    return Reply.tool_use("write", {"path": path, "content": content})


def asked_by(fake: FakeMessagesAPI, who: str) -> list[FakeRequest]:
    """The requests of the one whose prompt this is, in order."""
    return [request for request in fake.requests if who in json.dumps(request.body["system"])]
