"""What is asked of one job, checked before anything costs."""

import hashlib
import json
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from agentflows.agent import AgentDefinition
from agentflows.errors import OrchestrationError, PlanError, UsageError
from agentflows.team import Plan, SubTask, Team, TeamCaps, check_plan

MAX_TASK = 100_000
"""Characters of a job's task."""

Files = Literal["staged", "shared"]
"""How turns that run at once share the workspace.

* `staged`: each turn works in a copy, taken when it begins. What it changed goes into the workspace when it ends, file
  by file, unless the file there changed meanwhile: then both versions are kept and the conflict is reported. Nothing a
  killed or failed turn did half reaches the others, and who changed what is exact.
* `shared`: every turn works in the workspace itself and sees at once what the others write.
"""


class JobRequest(BaseModel):
    """What is asked of one job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(default="", max_length=MAX_TASK)
    """What the lead is to do; with a plan it is only the record."""
    team: Team
    plan: Plan | None = None
    """None: the lead works live."""
    workspace: Path
    """The folder all share, resolved."""
    files: Files = "staged"
    dispatch: Literal["tasks", "deployment"] = "tasks"
    key: str = ""
    """The caller's own word, to tell two jobs apart that are alike in all else."""

    @property
    def base_id(self) -> str:
        """What re-runs of the same command share. Limits may differ: raising one goes on."""
        plan = (
            [task.model_dump(mode="json", exclude={"line"}) for task in self.plan.subtasks]
            if self.plan
            else []
        )
        parts = [self.task, self.team.sha256, plan, str(self.workspace), self.files, self.key]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def agent(self, order: SubTask) -> AgentDefinition:
        """The specialist of a sub-task, under the sub-task's own limits where it has some."""
        found = next(agent for agent in self.team.specialists if agent.name == order.agent)
        return found.model_copy(update={"limits": order.limits}) if order.limits else found

    def capped(self, limits: TeamCaps) -> Self:
        """The same job under these caps; what is empty in them stays as it is."""
        team = self.team.model_copy(update={"limits": limits.over(self.team.limits)})
        return self.model_copy(update={"team": team})

    def settled(self) -> Self:
        """The same with the whole paths of its files: it may go on in another folder, or in a worker of its own."""
        agents = tuple(
            agent.model_copy(update={"source": _whole(agent.source)}) for agent in self.team.specialists
        )
        team = self.team.model_copy(update={"specialists": agents, "source": _whole(self.team.source)})
        plan = self.plan
        if plan is not None:
            plan = plan.model_copy(update={"source": _whole(plan.source)})
        return self.model_copy(update={"team": team, "plan": plan})

    def check(self) -> None:
        """Refuse what cannot come to an end.

        Raises:
            UsageError: there is nothing to do, no lead, or the workspace is no folder.
            PlanError: the plan names an agent the team does not have.
        """
        if not self.workspace.is_dir():
            msg = f"The workspace {self.workspace} is no folder. Make it, or name another with --workspace."
            raise UsageError(msg)
        if self.plan is not None:
            check_plan(self.plan.subtasks, self.plan.source or "the plan")
            self._check_agents(self.plan)
        elif not self.task.strip():
            msg = "The task is empty: say what the team is to do, or give a plan."
            raise UsageError(msg)
        elif self.team.lead is None:
            msg = (
                f"The team {self.team.name} has no lead, and no plan was given. Add lead.md to its folder, or write a "
                "plan and give it with --plan."
            )
            raise UsageError(msg)

    def check_apart(self, home: Path) -> None:
        """Refuse a workspace that holds the home, or lies in it: each copy of it would hold the copies before.

        Raises:
            OrchestrationError: it is so.
        """
        if home == self.workspace or self.workspace in home.parents or home in self.workspace.parents:
            msg = (
                f"The workspace {self.workspace} and the home {home} lie in each other. "
                "Name a folder that holds only the work."
            )
            raise OrchestrationError(msg)

    def _check_agents(self, plan: Plan) -> None:
        known = [agent.name for agent in self.team.specialists]
        for task in plan.subtasks:
            if task.agent not in known:
                msg = (
                    f"{plan.source or 'the plan'}, line {task.line}: {task.subtask_id} is for {task.agent!r}, which is no "
                    f"agent of the team {self.team.name}. There are: {', '.join(known)}."
                )
                raise PlanError(msg)


def _whole(source: str) -> str:
    return str(Path(source).absolute()) if source else ""
