"""What a job can take, before anything is begun: what is certain, and where nothing is.

Upper bounds are the agents' own limits, added up. Where one agent has none, the whole has none, and that is said.
Lower bounds are what no run can do without: one reply of each sub-task's model, which reads its prompt and its task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentflows.agent import AgentDefinition
from agentflows.errors import UnaffordableError
from agentflows.model import MILLION, Price
from agentflows.team import Plan, SubTask, Team

_MOST_BYTES_PER_TOKEN = 16
"""No tokenizer packs text closer on average; so many bytes are at least one token."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one plan under one team's limits. None is unbounded."""

    subtasks: int
    paid: int
    """Sub-tasks that need a model."""
    least_tokens: int
    """That it certainly takes, if every sub-task is begun."""
    least_dollars: float
    most_tokens: float | None
    most_dollars: float | None
    most_seconds: float
    """The job's own cap: nothing else bounds a job whose turns wait for each other."""

    @property
    def told(self) -> str:
        """In one line."""
        tokens = (
            f"up to {self.most_tokens:,.0f} tokens" if self.most_tokens is not None else "tokens unbounded"
        )
        dollars = f"up to ${self.most_dollars:,.2f}" if self.most_dollars is not None else "dollars unbounded"
        cost = f"{tokens}, {dollars}" if self.paid else "no model is needed"
        return (
            f"{self.subtasks} sub-tasks, {self.paid} that may cost: {cost}, up to {self.most_seconds:,.0f} s"
        )


def estimate(plan: Plan, team: Team, prices: Mapping[str, Price], *, model: str = "") -> Estimate:
    """What the plan can take.

    Args:
        plan: its sub-tasks; every agent is one of the team's.
        team: agents and limits.
        prices: list prices by model.
        model: of agents that name none.
    """
    agents = {agent.name: agent for agent in team.specialists}
    paid = [(task, agents[task.agent]) for task in plan.subtasks if agents[task.agent].runner != "python"]
    asked = [(task, agent) for task, agent in paid if agent.runner == "messages"]
    least = [_least_tokens(task, agent) for task, agent in asked]
    limits = team.limits
    return Estimate(
        subtasks=len(plan.subtasks),
        paid=len(paid),
        least_tokens=sum(least),
        least_dollars=sum(
            tokens * min(prices[name].input, prices[name].cache_read) / MILLION
            for tokens, (_, agent) in zip(least, asked, strict=True)
            if (name := agent.model or model) in prices
        ),
        most_tokens=_capped(
            limits.max_tokens, _total([_most(task, agent, "tokens") for task, agent in paid])
        ),
        most_dollars=_capped(
            limits.max_dollars, _total([_most(task, agent, "dollars") for task, agent in paid])
        ),
        most_seconds=limits.max_seconds,
    )


def check_estimate(found: Estimate, team: Team, where: str) -> None:
    """Refuse a plan that its caps certainly do not allow, before anything is spent.

    Raises:
        UnaffordableError: they do not; the message says what is needed at least.
    """
    limits = team.limits
    if limits.max_tokens is not None and found.least_tokens > limits.max_tokens:
        msg = (
            f"{where}: its {found.paid} sub-tasks read at least {found.least_tokens:,} tokens, and max_tokens is "
            f"{limits.max_tokens:,}. Raise the cap, or take sub-tasks out. Nothing was started."
        )
        raise UnaffordableError(msg)
    if limits.max_dollars is not None and found.least_dollars > limits.max_dollars:
        msg = (
            f"{where}: its {found.paid} sub-tasks cost at least ${found.least_dollars:,.4f} to read, and max_dollars is "
            f"${limits.max_dollars:,.4f}. Raise the cap, or take sub-tasks out. Nothing was started."
        )
        raise UnaffordableError(msg)


def _least_tokens(task: SubTask, agent: AgentDefinition) -> int:
    return 1 + len(f"{agent.prompt}{task.task}".encode(errors="replace")) // _MOST_BYTES_PER_TOKEN


def _most(task: SubTask, agent: AgentDefinition, unit: str) -> float | None:
    """Of one sub-task. A grader has no limit of its own, so graded work has none."""
    limits = task.limits or agent.limits
    limit = limits.max_tokens if unit == "tokens" else limits.max_dollars
    return None if task.rubric else limit


def _total(parts: Sequence[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _capped(cap: float | None, total: float | None) -> float | None:
    known = [one for one in (cap, total) if one is not None]
    return min(known) if known else None
