"""The threads of one job as they are known here: what there is, what is under way, and what a new order comes to.

In memory and without a lock; `Crew` keeps it in step with the record. What is asked at every change of state does not
grow with the job.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agentflows.errors import NotFoundError, UsageError
from agentflows.team import LEAD, Message, Orchestration, SubTask, Team, Thread, ThreadTurn

Key = tuple[str, int]
"""A turn: thread and number."""


@dataclass(slots=True)
class Entries:
    """What is to be recorded together."""

    opened: list[Thread] = field(default_factory=list[Thread])
    turns: list[ThreadTurn] = field(default_factory=list[ThreadTurn])
    messages: list[Message] = field(default_factory=list[Message])
    """Their positions are given when they are recorded."""


class Roster:
    """The threads, turns and messages of a job, but for the lead's own turns.

    Args:
        job: as it is recorded; with threads and turns when it goes on after a crash.
        team: the specialists and the limits.
    """

    def __init__(self, job: Orchestration, team: Team) -> None:
        self._job_id, self._team = job.job_id, team
        self._agents = {agent.name: agent for agent in team.specialists}
        self.threads = {thread.thread_id: thread for thread in job.threads if thread.thread_id != LEAD}
        self.messages = list(job.messages)
        self.told = {(one.from_thread, one.turn) for one in job.messages if one.to_thread == LEAD}
        self._said = {one.key for one in job.messages if one.from_thread == LEAD}
        turns = [turn for thread in self.threads.values() for turn in thread.turns]
        self._by_task = {turn.order.subtask_id: key_of(turn) for turn in turns}
        self.under_way = sum(not is_over(turn) for turn in turns)
        self.ended = [key_of(turn) for turn in sorted(turns, key=_order_of_end) if turn.status == "ended"]
        self._here = {name: None for name, thread in self.threads.items() if thread.status != "archived"}
        self._opened = Counter(thread.agent for thread in self.threads.values())
        # Opened by a process that died before it recorded the order: the next order of that agent takes it.
        self._empty = [thread for thread in self.threads.values() if not thread.turns]

    # -- what there is -----------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many more threads may be opened."""
        return self._team.limits.max_threads - len(self._here)

    @property
    def present(self) -> list[Thread]:
        """Those that are not archived."""
        return [self.threads[name] for name in self._here]

    def turn(self, key: Key) -> ThreadTurn:
        """One turn."""
        return self.threads[key[0]].turns[key[1]]

    def turn_of(self, subtask_id: str) -> ThreadTurn | None:
        """The turn that carries out a sub-task, if there is one."""
        key = self._by_task.get(subtask_id)
        return self.turn(key) if key is not None else None

    def thread(self, thread_id: str) -> Thread:
        """One thread.

        Raises:
            NotFoundError: there is none of that id; the message lists those there are.
        """
        if thread_id not in self.threads:
            msg = f"There is no thread {thread_id!r}. There are: {', '.join(self.threads) or 'none'}."
            raise NotFoundError(msg)
        return self.threads[thread_id]

    # -- what orders come to -----------------------------------------------------------------------

    def ordered(self, orders: Sequence[tuple[SubTask, str]]) -> tuple[list[ThreadTurn], Entries]:
        """The turns of these orders, each for a new thread of its agent or for the thread named, and what of it is new.

        Nothing is changed by asking.

        Raises:
            NotFoundError: there is no such agent or thread.
            UsageError: as many threads exist as may, or the thread is archived or another agent's.
        """
        draft, turns = _Draft(self.room, Counter(self._opened), list(self._empty)), list[ThreadTurn]()
        for order, thread_id in orders:
            turn = self.turn_of(order.subtask_id) or draft.turns.get(order.subtask_id)
            if turn is None:
                thread = self._live(thread_id, order, draft) if thread_id else self._free(order.agent, draft)
                turn = self._new(order, thread, draft)
            if order.subtask_id not in self._said and order.subtask_id not in draft.turns:
                draft.entries.messages.append(self._order(turn))
            draft.turns[order.subtask_id] = turn
            turns.append(turn)
        return turns, draft.entries

    def skipped(self, order: SubTask, why: str) -> tuple[ThreadTurn, Entries]:
        """The turn of an order that is not begun. It takes no place among the threads."""
        if (known := self.turn_of(order.subtask_id)) is not None:
            return known, Entries()
        draft = _Draft(self.room, Counter(self._opened), list(self._empty))
        thread = self._free(order.agent, draft, archived=True)
        turn = self._new(order, thread, draft).model_copy(update={"status": "skipped", "detail": why})
        draft.entries.turns = [turn]
        return turn, draft.entries

    def _free(self, agent: str, draft: "_Draft", *, archived: bool = False) -> Thread:
        """A thread for a first turn: one that was opened for nothing, or a new one."""
        if agent not in self._agents:
            msg = f"There is no agent {agent!r} in the team. There are: {', '.join(self._agents)}."
            raise NotFoundError(msg)
        for found in draft.empty:
            if found.agent == agent and (found.status == "archived") == archived:
                draft.empty.remove(found)
                return found
        if not archived and draft.room <= 0:
            most = self._team.limits.max_threads
            msg = (
                f"{most - draft.room} threads exist, and max_threads is {most}, idle ones included. "
                "Archive one whose work is done, send a follow-up to an idle one, or raise the limit."
            )
            raise UsageError(msg)
        draft.opened[agent] += 1
        draft.room -= not archived
        thread = Thread(
            thread_id=f"{agent}-{draft.opened[agent]}",
            job_id=self._job_id,
            agent=agent,
            status="archived" if archived else "idle",
            created_at=now(),
        )
        draft.entries.opened.append(thread)
        return thread

    def _live(self, thread_id: str, order: SubTask, draft: "_Draft") -> Thread:
        thread = draft.threads.get(thread_id) or self.thread(thread_id)
        if thread.status == "archived":
            msg = f"The thread {thread_id} is archived and takes no more work. Open a new one for {thread.agent}."
            raise UsageError(msg)
        if order.agent and order.agent != thread.agent:
            msg = f"The thread {thread_id} belongs to {thread.agent}, not to {order.agent}. Name one of the two."
            raise UsageError(msg)
        return thread

    def _new(self, order: SubTask, thread: Thread, draft: "_Draft") -> ThreadTurn:
        turn = ThreadTurn(
            job_id=self._job_id, thread_id=thread.thread_id, number=len(thread.turns), order=order
        )
        draft.threads[thread.thread_id] = thread.model_copy(update={"turns": (*thread.turns, turn)})
        draft.entries.turns.append(turn)
        return turn

    def _order(self, turn: ThreadTurn) -> Message:
        order = turn.order
        return self.message(LEAD, turn.thread_id, turn, order.task, order.subtask_id)

    def message(self, source: str, target: str, turn: ThreadTurn, text: str, key: str) -> Message:
        """A message about a turn, at whatever position it will have."""
        return Message(
            seq=len(self.messages), from_thread=source, to_thread=target, turn=turn.number, key=key, text=text, at=now()
        )  # fmt: skip

    # -- what was recorded -------------------------------------------------------------------------

    def take(self, entries: Entries) -> None:
        """Bring it up to what was recorded."""
        for thread in entries.opened:
            self.threads[thread.thread_id] = thread
            self._opened[thread.agent] += 1
            if thread.status != "archived":
                self._here[thread.thread_id] = None
        for turn in entries.turns:
            self.keep(turn)
        for message in entries.messages:
            self.messages.append(message)
            if message.from_thread == LEAD:
                self._said.add(message.key)

    def keep(self, turn: ThreadTurn) -> None:
        """A turn as it is now."""
        thread = self.threads[turn.thread_id]
        was_over = turn.number >= len(thread.turns) or is_over(thread.turns[turn.number])
        self.under_way += was_over - is_over(turn)
        self._by_task[turn.order.subtask_id] = key_of(turn)
        if turn.status == "ended":
            self.ended.append(key_of(turn))
        self._empty = [one for one in self._empty if one.thread_id != turn.thread_id]
        turns = (*thread.turns[: turn.number], turn, *thread.turns[turn.number + 1 :])
        busy = any(not is_over(one) for one in turns)
        status = thread.status if thread.status == "archived" else ("running" if busy else "idle")
        self.threads[turn.thread_id] = thread.model_copy(update={"turns": turns, "status": status})

    def archive(self, thread_ids: Iterable[str]) -> None:
        """Their places are free."""
        for thread_id in thread_ids:
            self.threads[thread_id] = self.threads[thread_id].model_copy(
                update={"status": "archived", "archived_at": now()}
            )
            del self._here[thread_id]


@dataclass(slots=True)
class _Draft:
    """What several orders would come to, on top of what there is."""

    room: int
    opened: Counter[str]
    empty: list[Thread]
    threads: dict[str, Thread] = field(default_factory=dict[str, Thread])
    """Those that got turns."""
    turns: dict[str, ThreadTurn] = field(default_factory=dict[str, ThreadTurn])
    """By sub-task."""
    entries: Entries = field(default_factory=Entries)


def key_of(turn: ThreadTurn) -> Key:
    """Which turn it is."""
    return turn.thread_id, turn.number


def is_over(turn: ThreadTurn) -> bool:
    """Whether nothing of it is left to do."""
    return turn.status in {"ended", "skipped"}


def now() -> datetime:
    """In UTC, as all times of a job."""
    return datetime.now(UTC).replace(tzinfo=None)


def _order_of_end(turn: ThreadTurn) -> tuple[bool, float]:
    return turn.ended_at is None, turn.ended_at.timestamp() if turn.ended_at else 0.0
