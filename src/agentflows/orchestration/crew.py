"""The threads of one job: who works, who waits, and what came back.

What decides about a turn is recorded before anything is done about it, so that a process that dies anywhere is
simply started again: ended turns stay ended, queued ones are queued, and those that ran go on.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

from agentflows.agent import AgentDefinition
from agentflows.errors import AgentflowsError, UsageError
from agentflows.orchestration.files import conflicts
from agentflows.orchestration.roster import Entries, Key, Roster, is_over, key_of, now
from agentflows.team import LEAD, Message, Orchestration, SubTask, Team, Thread, ThreadTurn

Work = Callable[[ThreadTurn], ThreadTurn]
"""Carries out one turn and gives it back ended. What the specialist did wrong is in it, never raised."""
_LOOK_SECONDS = 0.5
"""How often a wait looks whether the job was stopped from outside."""


class Book(Protocol):
    """Where a job is recorded. What a call was given is on disk when it returns: all of it, or nothing."""

    def record(
        self,
        job_id: str,
        *,
        opened: Sequence[Thread] = (),
        turns: Sequence[ThreadTurn] = (),
        messages: Sequence[Message] = (),
        archived: Sequence[str] = (),
    ) -> Sequence[Message]:
        """Record what is new in a job.

        Args:
            job_id: which.
            opened: new threads, without turns; one that is there stays.
            turns: as they are now; one that is recorded as ended stays as it is.
            messages: what was said, in order.
            archived: threads that gave their places back.

        Returns:
            The messages, with the positions they were given.
        """
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
        self._roster = Roster(job, team)
        self._began_after: dict[Key, int] = {}
        self._ending: dict[Key, ThreadTurn] = {}
        """Turns whose end is being recorded: what they changed is in the workspace already."""
        self._context = contextvars.copy_context()
        # One order at a time is worked out and recorded, without holding up the turns at work.
        self._ordering = threading.RLock()
        self._changed = threading.Condition()
        self._running: dict[str, Future[None]] = {}
        self._stopped = ""
        self._fault: BaseException | None = None
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
            return tuple(self._roster.threads.values())

    @property
    def turns(self) -> tuple[ThreadTurn, ...]:
        """All turns of all threads."""
        return tuple(turn for thread in self.threads for turn in thread.turns)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What went between the lead and its specialists, in order."""
        with self._changed:
            return tuple(self._roster.messages)

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
            return self._roster.under_way == 0

    @property
    def room(self) -> int:
        """How many more threads may be opened."""
        with self._changed:
            return self._roster.room

    @property
    def present(self) -> tuple[Thread, ...]:
        """The threads that are not archived: never more than may exist at once."""
        with self._changed:
            return tuple(self._roster.present)

    def thread(self, thread_id: str) -> Thread:
        """One thread.

        Raises:
            NotFoundError: there is none of that id; the message lists those there are.
        """
        with self._changed:
            return self._roster.thread(thread_id)

    def turn_of(self, subtask_id: str) -> ThreadTurn | None:
        """The turn that carries out a sub-task, if it was begun."""
        with self._changed:
            return self._roster.turn_of(subtask_id)

    # -- what can be done --------------------------------------------------------------------------

    def resume(self) -> None:
        """Put to work what an earlier process left queued or running."""
        for turn in self.turns:
            if not is_over(turn):
                self._begin_next(turn.thread_id)

    def send(self, order: SubTask, *, thread_id: str = "") -> ThreadTurn:
        """Give work to a new thread of `order.agent`, or to an existing one, which then keeps its context.

        Returns at once. The same sub-task sent again is the turn it was the first time.

        Raises:
            NotFoundError: there is no such agent or thread.
            UsageError: as many threads exist as may, the thread is archived, or the job was stopped.
        """
        return self.send_all([(order, thread_id)])[0]

    def send_all(self, orders: Sequence[tuple[SubTask, str]]) -> list[ThreadTurn]:
        """The same for several orders, each with the thread it goes to or "": all of them are given, or none.

        Raises:
            NotFoundError, UsageError: as `send`, for one of them.
        """
        with self._ordering:
            with self._changed:
                turns, entries = self._roster.ordered(orders)
                if entries.turns and self.stopped:
                    msg = f"The job was stopped ({self.stopped}); nothing more is begun."
                    raise UsageError(msg)
            self._record(entries)
        for turn in entries.turns:
            self._begin_next(turn.thread_id)
        return turns

    def skip(self, order: SubTask, why: str) -> ThreadTurn:
        """Record that a sub-task was not begun, and why. It takes no place among the threads."""
        with self._ordering:
            with self._changed:
                turn, entries = self._roster.skipped(order, why)
            self._record(entries)
        return turn

    def archive(self, *thread_ids: str) -> None:
        """Give threads' places back; their record stays. Doing it again changes nothing.

        Raises:
            NotFoundError: there is no such thread.
            UsageError: one is at work.
        """
        with self._ordering:
            with self._changed:
                going = [thread for name in thread_ids if (thread := self._idle(name)).status != "archived"]
            if going:
                names = [thread.thread_id for thread in going]
                self._book.record(self._job_id, archived=names)
                with self._changed:
                    self._roster.archive(names)

    def _idle(self, thread_id: str) -> Thread:
        thread = self._roster.thread(thread_id)
        if not all(map(is_over, thread.turns)):
            msg = f"The thread {thread_id} is at work and cannot be archived. Wait for its report first."
            raise UsageError(msg)
        return thread

    def wait(
        self, *, seconds: float | None = None, known: Iterable[Key] = (), past: int = 0
    ) -> list[ThreadTurn]:
        """Turns that ended, in that order; waits until there is one.

        Args:
            seconds: how long at most; None waits as long as it takes.
            known: turns to leave out, by thread and number.
            past: how many of the first to end to leave out.

        Returns:
            Nothing when the time is over, the job was stopped, or nothing is under way.

        Raises:
            AgentflowsError: the end of a turn could not be recorded.
        """
        seen = set(known)
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while True:
                self._check()
                ended = [self._roster.turn(key) for key in self._roster.ended[past:] if key not in seen]
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
        """Wait until nothing is queued or under way, or until what runs has ended after a stop.

        Raises:
            AgentflowsError: the end of a turn could not be recorded.
        """
        with self._changed:
            while self._running or not (self.is_idle or self.stopped):
                self._changed.wait(_LOOK_SECONDS)
            self._check()

    def reports(self, key: str, *, seconds: float | None = None) -> list[ThreadTurn]:
        """Reports the lead did not have yet; each is handed over once, to the call with this `key`.

        The same call made again after a crash gets the same reports.
        """
        again = {(m.from_thread, m.turn) for m in self.messages if m.key == key and m.to_thread == LEAD}
        if key and again:
            return [turn for turn in self.turns if key_of(turn) in again]
        ended = self.wait(seconds=seconds, known=self._roster.told)
        with self._ordering:
            with self._changed:
                ended = [turn for turn in ended if key_of(turn) not in self._roster.told]
                told = [
                    self._roster.message(turn.thread_id, LEAD, turn, turn.report or turn.detail, key)
                    for turn in ended
                ]
            self._record(Entries(messages=told))
            with self._changed:
                self._roster.told.update(map(key_of, ended))
        return ended

    @property
    def has_news(self) -> bool:
        """Whether a turn ended whose report the lead does not have."""
        with self._changed:
            return any(key not in self._roster.told for key in self._roster.ended)

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

    def _record(self, entries: Entries) -> None:
        """Record what is new, and know it. Whoever calls holds `_ordering`, so that positions are in order."""
        if entries.opened or entries.turns or entries.messages:
            entries.messages = list(
                self._book.record(
                    self._job_id, opened=entries.opened, turns=entries.turns, messages=entries.messages
                )
            )
            with self._changed:
                self._roster.take(entries)

    def _begin_next(self, thread_id: str) -> None:
        """Start the first waiting turn of a thread, unless one is under way."""
        with self._changed:
            if self.stopped or thread_id in self._running:
                return
            waiting = next(
                (turn for turn in self._roster.threads[thread_id].turns if not is_over(turn)), None
            )
            if waiting is not None:
                context = self._context.copy()
                self._running[thread_id] = self._pool.submit(context.run, self._carry_out, waiting)

    def _carry_out(self, turn: ThreadTurn) -> None:
        try:
            ended = self._recorded(self._ended(self._began(turn)))
        except BaseException as error:  # noqa: BLE001 - whoever waits for the job is told
            with self._changed:
                self._fault = self._fault or error
                self._stopped = self._stopped or str(error) or type(error).__name__
                del self._running[turn.thread_id]
                self._changed.notify_all()
            return
        with self._changed:
            self._ending.pop(key_of(turn), None)
            self._roster.keep(ended)
            del self._running[turn.thread_id]
            self._changed.notify_all()
        self._begin_next(turn.thread_id)

    def _check(self) -> None:
        """Raise what came between a turn and its record."""
        if self._fault is not None:
            raise self._fault

    def _began(self, turn: ThreadTurn) -> ThreadTurn:
        began = turn.model_copy(update={"status": "running", "started_at": turn.started_at or now()})
        with self._changed:
            if turn.started_at is None:
                self._began_after[key_of(turn)] = len(self._roster.ended)
        self._book.record(self._job_id, turns=[began])
        with self._changed:
            self._roster.keep(began)
        return began

    def _ended(self, began: ThreadTurn) -> ThreadTurn:
        """The turn as its work left it: ended, or, once the job was stopped, as it was."""
        try:
            ended = began if self.stopped else self._work(began)
            if ended.status != "ended" and not self.stopped:
                ended = _failed(began, ended.detail or "it was interrupted, and nobody asked for it")
        except AgentflowsError as error:
            ended = _failed(began, str(error))
        except Exception as error:  # noqa: BLE001 - one thread's fault is that thread's ending, in its record
            ended = _failed(began, f"{type(error).__name__}: {error}")
        return ended

    def _recorded(self, turn: ThreadTurn) -> ThreadTurn:
        """The turn with whom it met, on disk if it ended. Of two that end at once one at least sees the other."""
        if turn.status != "ended":
            return turn
        with self._changed:
            # Only what ended since it began can have met it; a turn of an earlier process has all to look at.
            since = self._began_after.get(key_of(turn), 0)
            others = [self._roster.turn(key) for key in self._roster.ended[since:]]
            turn = conflicts(turn, [*others, *self._ending.values()])
            self._ending[key_of(turn)] = turn
        self._book.record(self._job_id, turns=[turn])
        return turn


def _failed(turn: ThreadTurn, why: str) -> ThreadTurn:
    return turn.model_copy(
        update={"status": "ended", "ending": "failed", "end": "failed", "detail": why, "ended_at": now()}
    )
