"""What a live lead may do: five tools over its crew, each answering in text a model reads well."""

from collections.abc import Sequence

from agentflows.orchestration.crew import Crew
from agentflows.team import FileChange, SubTask, Thread, ThreadTurn

LONGEST_WAIT = 600.0
"""Seconds one `wait` may take; the lead can wait again."""
_REPORT = 12_000
"""Characters of a report that reach the lead; the whole of it is in the thread."""


class Desk:
    """The lead's tools. `call_id` is the id of the tool call: the same call again has no second effect."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def list_agents(self) -> str:
        """The specialists, and the threads there are."""
        agents = [f"- {agent.name}: {agent.description}" for agent in self._crew.agents]
        return "\n".join(["Agents:", *agents, "", self.overview()])

    def send_to_agent(
        self,
        call_id: str,
        to: str,
        task: str,
        *,
        outputs: Sequence[str] = (),
        rubric: str = "",
    ) -> str:
        """Give a task to an agent (a new thread) or to an existing thread (it keeps its context). Returns at once.

        Raises:
            NotFoundError, UsageError: as `Crew.send`.
        """
        threads = {thread.thread_id: thread for thread in self._crew.threads}
        follow = threads.get(to)
        order = SubTask(
            subtask_id=call_id,
            agent=follow.agent if follow else to,
            task=task,
            outputs=tuple(outputs),
            rubric=rubric,
        )
        turn = self._crew.send(order, thread_id=to if follow else "")
        return f"Sent to thread {turn.thread_id}, turn {turn.number}. Its report comes later: wait for it.\n\n{self.overview()}"

    def wait(self, call_id: str, seconds: float = LONGEST_WAIT) -> str:
        """The reports that came in, as soon as there is one."""
        ended = self._crew.reports(call_id, seconds=min(max(seconds, 0.0), LONGEST_WAIT))
        if ended:
            return "\n\n".join([*map(report, ended), self.overview()])
        if self._crew.stopped:
            return f"The job was stopped: {self._crew.stopped}.\n\n{self.overview()}"
        if self._crew.is_idle:
            return f"Nothing is under way and every report was delivered.\n\n{self.overview()}"
        return f"No report yet.\n\n{self.overview()}"

    def read_thread(self, thread_id: str) -> str:
        """All a thread was told and reported.

        Raises:
            NotFoundError: there is no such thread.
        """
        thread = self._crew.thread(thread_id)
        told = [
            f"## Turn {turn.number}\n\nTask:\n{turn.order.task}\n\n{report(turn, most=None)}"
            for turn in thread.turns
        ]
        return "\n\n".join([f"# {thread.thread_id} ({thread.agent}, {thread.status})", *told])

    def archive_thread(self, thread_id: str) -> str:
        """Give a thread's place back.

        Raises:
            NotFoundError, UsageError: as `Crew.archive`.
        """
        self._crew.archive(thread_id)
        return f"{thread_id} is archived.\n\n{self.overview()}"

    def overview(self) -> str:
        """Every thread with its state: what the lead must not forget, rebuilt from the record each time."""
        lines = [_line(thread) for thread in self._crew.threads if thread.status != "archived"]
        archived = sum(thread.status == "archived" for thread in self._crew.threads)
        if archived:
            lines.append(f"({archived} archived)")
        return "\n".join(["Threads:", *(lines or ["none"])])


def report(turn: ThreadTurn, *, most: int | None = _REPORT) -> str:
    """One turn's report: what it came to by what exists, what it left, and up to `most` characters of its own words."""
    head = f"[report from {turn.thread_id}, turn {turn.number}: {turn.ending or turn.status}]"
    lines = [head]
    if turn.detail:
        lines.append(f"Why: {turn.detail}")
    if turn.outputs:
        lines.append("Outputs: " + ", ".join(item.path for item in turn.outputs))
    if turn.missing:
        lines.append("Promised and missing: " + ", ".join(turn.missing))
    lines += [
        _conflict(change, turn) for change in turn.changes if change.conflict_with or change.is_kept_aside
    ]
    words = turn.report.strip()
    if most is not None and len(words) > most:
        words = f"{words[:most]}\n[{len(words) - most:,} characters more: read_thread {turn.thread_id}]"
    return "\n".join([*lines, "", words or "(no words)"])


def _conflict(change: FileChange, turn: ThreadTurn) -> str:
    others = f" with {', '.join(change.conflict_with)}" if change.conflict_with else ""
    aside = (
        f"; this version is in .agentflows-conflicts/{turn.thread_id}/{turn.number}/"
        if change.is_kept_aside
        else ""
    )
    return f"Conflict on {change.path}{others}{aside}"


def _line(thread: Thread) -> str:
    last = thread.turns[-1] if thread.turns else None
    state = f"turn {last.number} {last.ending or last.status}" if last else "no turn yet"
    return f"- {thread.thread_id} ({thread.agent}): {thread.status}, {state}"
