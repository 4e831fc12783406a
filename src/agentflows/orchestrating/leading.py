"""One turn of a live lead: the `messages` runner with five tools over its crew."""

from collections.abc import Callable
from typing import Any

from pydantic import Field

from agentflows.agent import AgentDefinition, Transcript
from agentflows.claude import Tool
from agentflows.errors import UsageError
from agentflows.home import Home
from agentflows.orchestrating.halting import Halt
from agentflows.orchestrating.request import JobRequest
from agentflows.orchestrating.rubrics import led_rubric
from agentflows.orchestrating.turning import run_agent
from agentflows.orchestration import Crew, Desk
from agentflows.prompts import render
from agentflows.recording import record_run
from agentflows.runners.inputs import Input, checked, schema
from agentflows.team import ThreadTurn, fault_of


class _Nothing(Input):
    """Of `list_agents`."""


class _Send(Input):
    """Of `send_to_agent`."""

    to: str = Field(
        description="An agent's name, for a new thread; or a thread's id, which then keeps its context."
    )
    task: str = Field(
        min_length=1,
        description="All it is told: it sees nothing of this conversation. Give paths, constraints and the form of its report.",
    )
    outputs: list[str] = Field(
        default=[],
        description="Files it must leave in the workspace: paths or globs. Their existence decides.",
    )
    rubric: str = Field(
        default="",
        description="Optional: criteria as a Markdown list (`- …`). The work is graded and revised until it meets them.",
    )


class _Wait(Input):
    """Of `wait`."""

    seconds: float = Field(default=600, ge=0, le=600, description="How long at most.")


class _Named(Input):
    """Of `read_thread` and `archive_thread`."""

    thread_id: str


def lead_turn(
    home: Home, request: JobRequest, turn: ThreadTurn, news: str, crew: Crew, *, stop: Callable[[], str]
) -> Transcript:
    """Run the lead's turn, or take what a killed process left of it.

    Raises:
        UsageError: the lead is no `messages` agent: only those can be given tools.
    """
    lead = request.team.lead
    if lead is None or lead.runner != "messages":
        msg = (
            f"The lead of the team {request.team.name} needs `runner: messages`, so that it can be given the tools to lead "
            "with. Change lead.md, or write a plan."
        )
        raise UsageError(msg)
    agent = _as_lead(lead, request)
    desk = Desk(crew)
    transcript = run_agent(
        home,
        request,
        turn,
        agent,
        halt=Halt(stop),
        workspace=request.workspace,
        task=news or f"{request.task}\n\n{desk.list_agents()}",
        extra=lead_tools(desk, turn.number, request),
    )
    if transcript.end != "interrupted":
        record_run(home, transcript)
    return transcript


def _as_lead(agent: AgentDefinition, request: JobRequest) -> AgentDefinition:
    """The agent with what a lead must know, and with time and patience to wait for others.

    It waits inside its own run, with the same call again and again: its time is the job's, and repeating a call is
    bounded by its replies alone.
    """
    limits = agent.limits.model_copy(
        update={
            "max_seconds": max(agent.limits.max_seconds, request.team.limits.max_seconds),
            "max_repeats": agent.limits.max_turns + 1,
        }
    )
    return agent.model_copy(
        update={"prompt": f"{agent.prompt}\n\n{render('orchestrate_lead').strip()}", "limits": limits}
    )


def lead_tools(desk: Desk, number: int, request: JobRequest) -> list[Tool]:
    """The lead's tools, as the model is told them. `number` is the lead's turn, since calls are told apart within one."""

    def send(call: str, given: dict[str, Any]) -> str:
        asked = checked(_Send, given)
        if not asked.task.strip():
            msg = "The task is empty, and it is all that the specialist is told. Write what to do."
            raise UsageError(msg)
        if fault := fault_of(asked.outputs):
            raise UsageError(fault)
        rubric = led_rubric(request, asked.rubric)
        return desk.send_to_agent(
            f"{number}.{call}", asked.to, asked.task, outputs=asked.outputs, rubric=rubric
        )

    return [
        _tool(
            "list_agents",
            "The specialists, and the threads there are.",
            _Nothing,
            lambda _, given: (checked(_Nothing, given), desk.list_agents())[1],
        ),
        _tool(
            "send_to_agent",
            "Give work to a specialist. Returns at once; the report comes later. Several may work at the same time.",
            _Send,
            send,
        ),
        _tool(
            "wait",
            "Wait until a report comes in, and get all that did.",
            _Wait,
            lambda call, given: desk.wait(f"{number}.{call}", checked(_Wait, given).seconds),
        ),
        _tool(
            "read_thread",
            "All that a thread was told and reported, in full.",
            _Named,
            lambda _, given: desk.read_thread(checked(_Named, given).thread_id),
        ),
        _tool(
            "archive_thread",
            "Give an idle thread's place back, when as many exist as may. It takes no more work then.",
            _Named,
            lambda _, given: desk.archive_thread(checked(_Named, given).thread_id),
        ),
    ]


def _tool(name: str, description: str, shape: type[Input], act: Callable[[str, dict[str, Any]], str]) -> Tool:
    def without_id(given: dict[str, Any]) -> str:
        return act("", given)

    return Tool(name, description, schema(shape), without_id, act)
