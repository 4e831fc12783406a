"""A job whose turns are carried out by processes that have a home of their own and share no folder with its leader."""

from pathlib import Path
from typing import Any

from agentflows.agent import AgentDefinition
from agentflows.orchestrating import carry_out_turn
from agentflows.team import Orchestration, Plan, SubTask, TeamLimits, ThreadTurn, make_team
from agentflows.testing import FakeRequest, Reply
from tests.orchestrating.machines import Machines, OtherWork

REPLIES = 3
"""Of a turn, undisturbed: it writes a page, adds to it, and reports."""


def machines(folder: Path, staging: str, endpoint: str) -> Machines:
    """Machines over one database and one staging folder."""
    return Machines(folder, staging, {"ANTHROPIC_BASE_URL": endpoint, "ANTHROPIC_API_KEY": "fake-key"})


def plan(names: list[str]) -> Plan:
    """A page for each name, one after the other in one workspace, each in a thread of its own."""
    tasks = [
        SubTask(
            subtask_id=name,
            agent="writer",
            task=f"Write {name}",
            outputs=(f"{name}.md",),
            needs=tuple(names[max(0, number - 1) : number]),
        )
        for number, name in enumerate(names)
    ]
    return Plan(subtasks=tuple(tasks))


def lead(site: Machines, names: list[str], work: OtherWork | None = None) -> Orchestration:
    """Lead the job in this process."""
    writer = AgentDefinition(name="writer", prompt="You write pages.", tools=("write", "edit"))
    team = make_team("pages", None, [writer], TeamLimits(max_threads=200))
    workspace = site.folder / "workspace"
    workspace.mkdir(exist_ok=True)
    return site.lead(team, plan(names), workspace, work=work)


def lead_alone(folder: Path, staging: str, endpoint: str, names: list[str]) -> None:
    """Lead the job in a process of its own, the workers' homes in it too."""
    lead(machines(folder, staging, endpoint), names)


def carry(folder: Path, staging: str, endpoint: str, machine: str, place: tuple[str, str, int]) -> None:
    """Carry out one turn on the machine of that name."""
    with machines(folder, staging, endpoint).home(machine) as home:
        carry_out_turn(home, *place)


def name(request: FakeRequest) -> str:
    """Which page a request is about."""
    return str(request.body["messages"][0]["content"][0]["text"]).split()[-1]


def answer(request: FakeRequest) -> Any:
    """What the endpoint says depends on the question alone."""
    page = f"{name(request)}.md"
    number = sum(message["role"] == "assistant" for message in request.body["messages"])
    return [
        Reply.tool_use("write", {"path": page, "content": "first"}),
        Reply.tool_use("edit", {"path": page, "old": "first", "new": "first, second"}),
        f"wrote {page}",
    ][number]


def place(turn: ThreadTurn) -> tuple[str, str, int]:
    """The identity of a turn."""
    return turn.job_id, turn.thread_id, turn.number
