"""Crews over a record in memory, for the tests of one folder."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from agentflows.agent import AgentDefinition
from agentflows.orchestration import Crew, Work
from agentflows.team import Message, Orchestration, Plan, SubTask, Team, TeamLimits, Thread, ThreadTurn


def team(*names: str, **limits: int) -> Team:
    """A team of these specialists."""
    agents = tuple(AgentDefinition(name=name, description=f"Does {name}.", prompt="…") for name in names)
    return Team(name="team", specialists=agents, limits=TeamLimits(**limits))


def job(**fields: object) -> Orchestration:
    """A job as it is before anything was begun."""
    made = {
        "job_id": "job_1",
        "title": "Job",
        "task": "All",
        "team": "team",
        "workspace": "/ws",
        "mode": "plan",
    }
    return Orchestration.model_validate(made | fields)


class Pages:
    """A `Book` that keeps everything, and can be opened again as the job it holds."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.threads: dict[str, Thread] = {}
        self.messages: list[Message] = []

    def record(
        self,
        job_id: str,
        *,
        opened: Sequence[Thread] = (),
        turns: Sequence[ThreadTurn] = (),
        messages: Sequence[Message] = (),
        archived: Sequence[str] = (),
    ) -> Sequence[Message]:
        with self.lock:
            self.threads |= {thread.thread_id: thread for thread in opened}
            for turn in turns:
                thread = self.threads[turn.thread_id]
                kept = (*thread.turns[: turn.number], turn, *thread.turns[turn.number + 1 :])
                self.threads[turn.thread_id] = thread.model_copy(update={"turns": kept})
            for name in archived:
                self.threads[name] = self.threads[name].model_copy(update={"status": "archived"})
            self.messages += messages
        return messages

    def job(self, **fields: object) -> Orchestration:
        """The job as a later process finds it."""
        return job(threads=tuple(self.threads.values()), messages=tuple(self.messages), **fields)


def does(ending: Callable[[ThreadTurn], str] = lambda _: "succeeded", log: list[str] | None = None) -> Work:
    """Work that ends as told and reports its task."""

    def work(turn: ThreadTurn) -> ThreadTurn:
        if log is not None:
            log.append(turn.order.subtask_id)
        return ThreadTurn.model_validate(
            turn.model_dump()
            | {
                "status": "ended",
                "ending": ending(turn),
                "end": "finished",
                "report": f"did {turn.order.task}",
                "ended_at": datetime.now(UTC).replace(tzinfo=None),
            }
        )

    return work


def crew(members: Team, work: Work, *, pages: Pages | None = None, of: Orchestration | None = None) -> Crew:
    """A crew over new or given pages."""
    return Crew(of or job(), members, pages or Pages(), work)


def plan(*tasks: SubTask) -> Plan:
    """A plan of these."""
    return Plan(subtasks=tasks)


def task(name: str, *needs: str, agent: str = "a", follows: str = "") -> SubTask:
    """A sub-task."""
    return SubTask(subtask_id=name, agent=agent, task=f"task {name}", needs=needs, follows=follows)
