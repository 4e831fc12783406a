"""The threads of one job: who works, who waits, and what came back.

What decides about a turn is recorded before anything is done about it, so that a process that dies anywhere is
simply started again: ended turns stay ended, queued ones are queued, and those that ran go on.
"""

import contextvars
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from agentflows.agent import AgentDefinition
from agentflows.errors import AgentflowsError, NotFoundError, UsageError
from agentflows.orchestration.files import conflicts
from agentflows.team import LEAD, Message, Orchestration, SubTask, Team, Thread, ThreadTurn

Work = Callable[[ThreadTurn], ThreadTurn]
"""Carries out one turn and gives it back ended. What the specialist did wrong is in it, never raised."""
_LOOK_SECONDS = 0.5
"""How often a wait looks whether the job was stopped from outside."""


class Book(Protocol):
    """Where a job is recorded. Every call is on disk when it returns."""

    def open_thread(self, thread: Thread) -> None:
        """Record a new thread, without turns."""
        ...

    def archive_thread(self, job_id: str, thread_id: str) -> None:
        """Record that a thread gave its place back."""
        ...

    def put_turn(self, turn: ThreadTurn) -> None:
        """Record a turn as it is now; an ended one stays as it is."""
        ...

    def post(self, job_id: str, message: Message) -> Message:
        """Record a message; its position is given here."""
        ...


class Crew:
    """The specialists of one job at work. Safe to call from several threads. Use it as a context manager.

    Args:
        job: the job as it is recorded; with threads and turns when it goes on after a crash.
        team: the specialists and the limits.
        book: where everything is recorded.
        work: what carries out one turn. Called in a thread of its own with the caller's context variables.
        stop: asked often; a text is the reason to begin nothing more.
    """

    def __init__(
        self, job: Orchestration, team: Team, book: Book, work: Work, *, stop: Callable[[], str] = lambda: ""
    ) -> None:
        self._job_id, self._team, self._book, self._work, self._ask_stop = job.job_id, team, book, work, stop
        self._agents = {agent.name: agent for agent in team.specialists}
        self._threads = {thread.thread_id: thread for thread in job.threads if thread.thread_id != LEAD}
        self._messages = list(job.messages)
        self._told = {(m.from_thread, m.turn) for m in job.messages if m.to_thread == LEAD}
        turns = [turn for thread in self._threads.values() for turn in thread.turns]
        # What is asked under the lock at every change of state must not grow with the job.
        self._by_task = {turn.order.subtask_id: _key(turn) for turn in turns}
        self._under_way = sum(not _is_over(turn) for turn in turns)
        self._ended = [_key(turn) for turn in sorted(turns, key=_order_of_end) if turn.status == "ended"]
        self._here = {name: None for name, thread in self._threads.items() if thread.status != "archived"}
        self._opened = Counter(thread.agent for thread in self._threads.values())
        # Opened by a process that died before it recorded the order: the next order of that agent takes it.
        self._empty = [thread for thread in self._threads.values() if not thread.turns]
        self._began_after: dict[tuple[str, int], int] = {}
        self._context = contextvars.copy_context()
        self._changed = threading.Condition()
        self._running: dict[str, Future[None]] = {}
        self._stopped = ""
        self._pool = ThreadPoolExecutor(team.limits.at_once, thread_name_prefix="thread-turn")

    # -- what there is -----------------------------------------------------------------------------

    @property
    def agents(self) -> Sequence[AgentDefinition]:
        """The specialists, in the team's order."""
        return self._team.specialists

    @property
    def threads(self) -> tuple[Thread, ...]:
        """All of them, archived ones too, in the order they were opened."""
        with self._changed:
            return tuple(self._threads.values())

    @property
    def turns(self) -> tuple[ThreadTurn, ...]:
        """All turns of all threads."""
        return tuple(turn for thread in self.threads for turn in thread.turns)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What went between the lead and its specialists, in order."""
        with self._changed:
            return tuple(self._messages)

    @property
    def stopped(self) -> str:
        """Why nothing more is begun; "" while the job goes on."""
        with self._changed:
            self._stopped = self._stopped or self._ask_stop()
            return self._stopped

    @property
    def is_idle(self) -> bool:
        """Whether no turn is queued or under way."""
        with self._changed:
            return self._under_way == 0

    @property
    def has_room(self) -> bool:
        """Whether another thread may be opened."""
        with self._changed:
            return len(self._here) < self._team.limits.max_threads

    @property
    def present(self) -> tuple[Thread, ...]:
        """The threads that are not archived: never more than may exist at once."""
        with self._changed:
            return tuple(self._threads[name] for name in self._here)

    def thread(self, thread_id: str) -> Thread:
        """One thread.

        Raises:
            NotFoundError: there is none of that id; the message lists those there are.
        """
        with self._changed:
            if thread_id not in self._threads:
                msg = f"There is no thread {thread_id!r}. There are: {', '.join(self._threads) or 'none'}."
                raise NotFoundError(msg)
            return self._threads[thread_id]

    def turn_of(self, subtask_id: str) -> ThreadTurn | None:
        """The turn that carries out a sub-task, if it was begun."""
        with self._changed:
            key = self._by_task.get(subtask_id)
            return self._turn(key) if key is not None else None

    # -- what can be done --------------------------------------------------------------------------

    def resume(self) -> None:
        """Put to work what an earlier process left queued or running."""
        for turn in self.turns:
            if turn.status in {"queued", "running"}:
                self._begin_next(turn.thread_id)

    def send(self, order: SubTask, *, thread_id: str = "") -> ThreadTurn:
        """Give work to a new thread of `order.agent`, or to an existing one, which then keeps its context.

        Returns at once. The same sub-task sent again is the turn it was the first time.

        Raises:
            NotFoundError: there is no such agent or thread.
            UsageError: as many threads exist as may, the thread is archived, or the job was stopped.
        """
        with self._changed:
            known = self.turn_of(order.subtask_id)
            if known is not None:
                self._say_sent(known)
                return known
            if self.stopped:
                msg = f"The job was stopped ({self._stopped}); nothing more is begun."
                raise UsageError(msg)
            thread = self._live(thread_id, order) if thread_id else self._open(order)
            turn = ThreadTurn(
                job_id=self._job_id, thread_id=thread.thread_id, number=len(thread.turns), order=order
            )
            self._book.put_turn(turn)
            self._keep(turn)
            self._say_sent(turn)
        self._begin_next(thread.thread_id)
        return turn

    def skip(self, order: SubTask, why: str) -> ThreadTurn:
        """Record that a sub-task was not begun, and why. It takes no place among the threads."""
        with self._changed:
            known = self.turn_of(order.subtask_id)
            if known is not None:
                return known
            thread = self._open(order, archived=True)
            turn = ThreadTurn(
                job_id=self._job_id,
                thread_id=thread.thread_id,
                number=0,
                order=order,
                status="skipped",
                detail=why,
            )
            self._book.put_turn(turn)
            self._keep(turn)
            return turn

    def archive(self, thread_id: str) -> None:
        """Give a thread's place back; its record stays. Doing it again changes nothing.

        Raises:
            NotFoundError: there is no such thread.
            UsageError: it is at work.
        """
        with self._changed:
            thread = self.thread(thread_id)
            if any(turn.status in {"queued", "running"} for turn in thread.turns):
                msg = f"The thread {thread_id} is at work and cannot be archived. Wait for its report first."
                raise UsageError(msg)
            if thread.status != "archived":
                self._book.archive_thread(self._job_id, thread_id)
                self._threads[thread_id] = thread.model_copy(
                    update={"status": "archived", "archived_at": datetime.now(UTC).replace(tzinfo=None)}
                )
                del self._here[thread_id]

    def wait(
        self, *, seconds: float | None = None, known: Iterable[tuple[str, int]] = (), past: int = 0
    ) -> list[ThreadTurn]:
        """Turns that ended, in that order; waits until there is one.

        Args:
            seconds: how long at most; None waits as long as it takes.
            known: turns to leave out, by thread and number.
            past: how many of the first to end to leave out.

        Returns:
            Nothing when the time is over, the job was stopped, or nothing is under way.
        """
        seen = set(known)
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while True:
                ended = [self._turn(key) for key in self._ended[past:] if key not in seen]
                left = None if deadline is None else deadline - time.monotonic()
                if (
                    ended
                    or self.is_idle
                    or (self.stopped and not self._running)
                    or (left is not None and left <= 0)
                ):
                    return ended
                self._changed.wait(_LOOK_SECONDS if left is None else min(left, _LOOK_SECONDS))

    def settle(self) -> None:
        """Wait until nothing is queued or under way, or until what runs has ended after a stop."""
        with self._changed:
            while self._running or not (self.is_idle or self.stopped):
                self._changed.wait(_LOOK_SECONDS)

    def reports(self, key: str, *, seconds: float | None = None) -> list[ThreadTurn]:
        """Reports the lead did not have yet; each is handed over once, to the call with this `key`.

        The same call made again after a crash gets the same reports.
        """
        again = {(m.from_thread, m.turn) for m in self.messages if m.key == key and m.to_thread == LEAD}
        if key and again:
            return [turn for turn in self.turns if (turn.thread_id, turn.number) in again]
        ended = self.wait(seconds=seconds, known=self._told)
        with self._changed:
            for turn in ended:
                self._told.add((turn.thread_id, turn.number))
                self._post(turn.thread_id, LEAD, turn, turn.report or turn.detail, key)
        return ended

    @property
    def has_news(self) -> bool:
        """Whether a turn ended whose report the lead does not have."""
        with self._changed:
            return any(key not in self._told for key in self._ended)

    # -- the ends ------------------------------------------------------------------------------------

    def stop(self, why: str) -> None:
        """Begin nothing more; what runs is told by its own `stop`."""
        with self._changed:
            self._stopped = self._stopped or why
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what runs. After an error nothing queued is begun; it stays queued for the next process."""
        if error is not None:
            self.stop(f"{type(error).__name__}")
        self._pool.shutdown(wait=True, cancel_futures=True)

    # -- inside --------------------------------------------------------------------------------------

    def _open(self, order: SubTask, *, archived: bool = False) -> Thread:
        if order.agent not in self._agents:
            msg = f"There is no agent {order.agent!r} in the team. There are: {', '.join(self._agents)}."
            raise NotFoundError(msg)
        for found in self._empty:
            if found.agent == order.agent and (found.status == "archived") == archived:
                self._empty.remove(found)
                return found
        if not archived and not self.has_room:
            msg = (
                f"{len(self._here)} threads exist, and max_threads is {self._team.limits.max_threads}, idle ones included. "
                "Archive one whose work is done, send a follow-up to an idle one, or raise the limit."
            )
            raise UsageError(msg)
        self._opened[order.agent] += 1
        thread = Thread(
            thread_id=f"{order.agent}-{self._opened[order.agent]}",
            job_id=self._job_id,
            agent=order.agent,
            status="archived" if archived else "idle",
            created_at=datetime.now(UTC).replace(tzinfo=None),
        )
        self._book.open_thread(thread)
        self._threads[thread.thread_id] = thread
        if not archived:
            self._here[thread.thread_id] = None
        return thread

    def _live(self, thread_id: str, order: SubTask) -> Thread:
        thread = self.thread(thread_id)
        if thread.status == "archived":
            msg = f"The thread {thread_id} is archived and takes no more work. Open a new one for {thread.agent}."
            raise UsageError(msg)
        if order.agent and order.agent != thread.agent:
            msg = f"The thread {thread_id} belongs to {thread.agent}, not to {order.agent}. Name one of the two."
            raise UsageError(msg)
        return thread

    def _begin_next(self, thread_id: str) -> None:
        """Start the first waiting turn of a thread, unless one is under way."""
        with self._changed:
            if self.stopped or thread_id in self._running:
                return
            waiting = [
                turn for turn in self._threads[thread_id].turns if turn.status in {"queued", "running"}
            ]
            if waiting:
                context = self._context.copy()
                self._running[thread_id] = self._pool.submit(context.run, self._carry_out, waiting[0])

    def _carry_out(self, turn: ThreadTurn) -> None:
        began = self._began(turn)
        try:
            ended = began if self.stopped else self._work(began)
            if ended.status != "ended" and not self.stopped:
                ended = _failed(began, ended.detail or "it was interrupted, and nobody asked for it")
        except AgentflowsError as error:
            ended = _failed(began, str(error))
        except Exception as error:  # noqa: BLE001 - one thread's fault is that thread's ending, in its record
            ended = _failed(began, f"{type(error).__name__}: {error}")
        with self._changed:
            if ended.status == "ended":
                # Only what ended since it began can have met it; a turn of an earlier process has all to look at.
                since = self._began_after.get(_key(turn), 0)
                ended = conflicts(ended, [self._turn(key) for key in self._ended[since:]])
                self._book.put_turn(ended)
            self._keep(ended)
            del self._running[turn.thread_id]
            self._changed.notify_all()
        self._begin_next(turn.thread_id)

    def _began(self, turn: ThreadTurn) -> ThreadTurn:
        began = turn.model_copy(
            update={
                "status": "running",
                "started_at": turn.started_at or datetime.now(UTC).replace(tzinfo=None),
            }
        )
        with self._changed:
            if turn.started_at is None:
                self._began_after[_key(turn)] = len(self._ended)
            self._book.put_turn(began)
            self._keep(began)
        return began

    def _turn(self, key: tuple[str, int]) -> ThreadTurn:
        return self._threads[key[0]].turns[key[1]]

    def _keep(self, turn: ThreadTurn) -> None:
        self._count(turn)
        thread = self._threads[turn.thread_id]
        turns = (*thread.turns[: turn.number], turn, *thread.turns[turn.number + 1 :])
        busy = any(one.status in {"queued", "running"} for one in turns)
        status = thread.status if thread.status == "archived" else ("running" if busy else "idle")
        self._threads[turn.thread_id] = thread.model_copy(update={"turns": turns, "status": status})

    def _count(self, turn: ThreadTurn) -> None:
        known = turn.number < len(self._threads[turn.thread_id].turns)
        was_over = not known or _is_over(self._turn(_key(turn)))
        self._under_way += was_over - _is_over(turn)
        self._by_task[turn.order.subtask_id] = _key(turn)
        if turn.status == "ended":
            self._ended.append(_key(turn))

    def _say_sent(self, turn: ThreadTurn) -> None:
        """Record the order as a message, unless a process that died did."""
        key = turn.order.subtask_id
        if not any(m.key == key and m.from_thread == LEAD for m in self._messages):
            self._post(LEAD, turn.thread_id, turn, turn.order.task, key)

    def _post(self, source: str, target: str, turn: ThreadTurn, text: str, key: str) -> None:
        message = Message(
            seq=len(self._messages), from_thread=source, to_thread=target, turn=turn.number, key=key, text=text,
            at=datetime.now(UTC).replace(tzinfo=None),
        )  # fmt: skip
        self._messages.append(self._book.post(self._job_id, message))


def _key(turn: ThreadTurn) -> tuple[str, int]:
    return turn.thread_id, turn.number


def _is_over(turn: ThreadTurn) -> bool:
    return turn.status in {"ended", "skipped"}


def _order_of_end(turn: ThreadTurn) -> tuple[bool, float]:
    return turn.ended_at is None, turn.ended_at.timestamp() if turn.ended_at else 0.0


def _failed(turn: ThreadTurn, why: str) -> ThreadTurn:
    return turn.model_copy(
        update={
            "status": "ended",
            "ending": "failed",
            "end": "failed",
            "detail": why,
            "ended_at": datetime.now(UTC).replace(tzinfo=None),
        }
    )
