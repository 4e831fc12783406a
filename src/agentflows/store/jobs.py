"""Jobs of teams: every thread, every turn, every message, recorded before anything is done about it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import Select, bindparam
from sqlmodel import Session, col, func, select

from agentflows.errors import NotFoundError, UsageError
from agentflows.store.failpoints import failpoint
from agentflows.store.opened import Opened, plain
from agentflows.store.outcomes import put_runner_state
from agentflows.store.quick import find_row, put_row, table_of
from agentflows.store.tables import JobRow, MessageRow, RunnerStateRow, ThreadRow, TurnRow
from agentflows.team import LEAD, JobStatus, Message, Orchestration, Thread, ThreadTurn

_JOB, _THREAD, _TURN, _MESSAGE = map(table_of, (JobRow, ThreadRow, TurnRow, MessageRow))
_LOCKED = sqlalchemy.select(_JOB.c.job_id).where(_JOB.c.job_id == bindparam("job")).with_for_update()
_THREADS = sqlalchemy.select(func.count()).select_from(_THREAD).where(_THREAD.c.job_id == bindparam("job"))
_MESSAGES = sqlalchemy.select(func.count()).select_from(_MESSAGE).where(_MESSAGE.c.job_id == bindparam("job"))
_IS_OVER = _TURN.c.status.in_(("ended", "skipped"))


class Jobs(Opened):
    """The part of `State` that keeps orchestrations. Each call is one transaction."""

    def begin_job(self, job: Orchestration, *, base_id: str, request: str) -> Orchestration:
        """Keep a new job, or return the one of that id as it stands.

        `base_id` is what re-runs of the same command share; `request` all that is needed to go on with it.
        """
        with self._db.write() as session:
            if session.get(JobRow, job.job_id) is not None:
                return _word(session, _row(session, job.job_id))
            now = self._now()
            begun = job.model_copy(update={"created_at": now})
            session.add(
                JobRow(
                    job_id=job.job_id,
                    base_id=base_id,
                    status=job.status,
                    created_at=now,
                    updated_at=now,
                    request=request,
                    job=_bare(begun),
                )
            )
            return begun

    def save_job(self, job: Orchestration, runner_states: Mapping[str, str] | None = None) -> None:
        """Bring a job's own fields up to date; threads, turns and messages are kept by their own calls.

        Args:
            job: as it is now.
            runner_states: what to keep in the same transaction, by name; "" forgets it.

        Raises:
            NotFoundError: it was never begun.
        """
        with self._db.write() as session:
            row = _row(session, job.job_id, lock=True)
            row.status, row.updated_at, row.job = job.status, self._now(), _bare(job)
            session.add(row)
            for name, state in (runner_states or {}).items():
                put_runner_state(session, name, state, self._now())

    def job(self, job_id: str) -> Orchestration:
        """A job as it stands, with its threads, turns and messages; by its id or the beginning of it.

        Raises:
            NotFoundError: there is none, or several begin so.
            CorruptionError: it is not what was written.
        """
        with self._db.read() as session:
            return _word(session, _row(session, job_id))

    def job_request(self, job_id: str) -> str:
        """What `begin_job` was given.

        Raises:
            NotFoundError: there is no such job.
        """
        with self._db.read() as session:
            return _row(session, job_id).request

    def save_job_request(self, job_id: str, request: str) -> None:
        """Keep what is asked now: limits may have been raised since the job began.

        Raises:
            NotFoundError: there is no such job.
        """
        with self._db.write() as session:
            row = _row(session, job_id, lock=True)
            row.request = request
            session.add(row)

    def jobs(
        self, *, status: JobStatus | None = None, base_id: str = "", offset: int = 0, limit: int = 100
    ) -> list[Orchestration]:
        """The newest jobs first."""
        statement = select(JobRow).order_by(col(JobRow.created_at).desc(), col(JobRow.job_id))
        if status is not None:
            statement = statement.where(JobRow.status == status)
        if base_id:
            statement = statement.where(JobRow.base_id == base_id)
        with self._db.read() as session:
            rows = session.exec(statement.offset(offset).limit(limit)).all()
            return [_word(session, row) for row in rows]

    def count_jobs(self, base_id: str) -> int:
        """How many jobs were begun by the same command; none of them is read."""
        statement = select(func.count()).select_from(JobRow).where(JobRow.base_id == base_id)
        with self._db.read() as session:
            return session.exec(statement).one()

    def job_begins(self) -> dict[str, datetime]:
        """When each job began, oldest first; its turns are not read."""
        columns = select(JobRow.job_id, JobRow.created_at).order_by(col(JobRow.created_at))
        with self._db.read() as session:
            return dict(session.exec(columns).all())

    # -- interruptions -------------------------------------------------------------------------------

    def stop_job(self, job_id: str, reason: str) -> str:
        """Ask whoever works on a job to end it as soon as it can; "" takes it back. Returns the full id.

        Raises:
            NotFoundError: there is no such job.
        """
        with self._db.write() as session:
            row = _row(session, job_id, lock=True)
            row.stop_asked = plain("reason", reason)
            session.add(row)
            return row.job_id

    def job_stop(self, job_id: str) -> str:
        """Why it is to end; "" when nobody asked.

        Raises:
            NotFoundError: there is no such job.
        """
        with self._db.read() as session:
            return _row(session, job_id).stop_asked

    def interrupt_thread(self, job_id: str, thread_id: str, reason: str) -> list[int]:
        """Ask whoever works on a thread to end the turns it has to do; the job and all other threads go on.

        The thread keeps its context, and takes follow-ups.

        Returns:
            The numbers of these turns; none when the thread is idle.

        Raises:
            NotFoundError: there is no such job, or no such thread in it.
            UsageError: it is the lead, without which the job cannot go on.
        """
        if thread_id == LEAD:
            msg = "The lead is not stopped by itself, for the job cannot go on without it. Stop the job."
            raise UsageError(msg)
        with self._db.write() as session:
            job = _word(session, _row(session, job_id, lock=True))
            threads = {thread.thread_id: thread for thread in job.threads}
            if thread_id not in threads:
                msg = f"The job {job.job_id} has no thread {thread_id!r}. It has: {', '.join(threads) or 'none yet'}."
                raise NotFoundError(msg)
            turns = [turn for turn in threads[thread_id].turns if turn.status in {"queued", "running"}]
            asked = _interrupts(session, job.job_id)
            asked |= {_turn_key(thread_id, turn.number): plain("reason", reason) for turn in turns}
            put_runner_state(session, _interrupts_name(job.job_id), json.dumps(asked), self._now())
            return [turn.number for turn in turns]

    def turn_interrupts(self, job_id: str) -> dict[tuple[str, int], str]:
        """Which turns, by thread and number, are to end by themselves, and why."""
        with self._db.read() as session:
            asked = _interrupts(session, job_id)
        return {
            (thread, int(number)): why
            for key, why in asked.items()
            for thread, _, number in [key.rpartition("/")]
        }

    # -- threads, as `agentflows.orchestration.Book` wants them ---------------------------------------

    def record(
        self,
        job_id: str,
        *,
        opened: Sequence[Thread] = (),
        turns: Sequence[ThreadTurn] = (),
        messages: Sequence[Message] = (),
        archived: Sequence[str] = (),
    ) -> list[Message]:
        """Record what is new in a job, all of it or nothing; returns the messages with their positions.

        A thread that is there stays, and so does a turn that ended.

        Raises:
            NotFoundError: there is no such job, or no such thread to archive.
        """
        with self._db.write() as session:
            if opened or messages:
                _lock(session, job_id)  # positions are given to one at a time
            _open(session, job_id, opened)
            for turn in turns:
                _put(session, turn)
            said = _post(session, job_id, messages)
            for thread_id in archived:
                _archive(session, job_id, thread_id, self._now())
        if opened:
            failpoint("thread.opened")
        if messages:
            failpoint("message.posted")
        if any(turn.status == "ended" for turn in turns):
            failpoint("turn.recorded")
        return said

    def open_thread(self, thread: Thread) -> None:
        """Record a new thread, without turns. One that is there stays."""
        self.record(thread.job_id, opened=[thread])

    def archive_thread(self, job_id: str, thread_id: str) -> None:
        """Record that a thread gave its place back.

        Raises:
            NotFoundError: there is no such thread.
        """
        self.record(job_id, archived=[thread_id])

    def put_turn(self, turn: ThreadTurn) -> None:
        """Record a turn as it is now. One that ended stays as it ended."""
        self.record(turn.job_id, turns=[turn])

    def post(self, job_id: str, message: Message) -> Message:
        """Record a message at the next position of its job, and return it with that.

        Raises:
            NotFoundError: there is no such job.
        """
        return self.record(job_id, messages=[message])[0]

    def turn(self, job_id: str, thread_id: str, number: int) -> ThreadTurn:
        """One turn as it stands.

        Raises:
            NotFoundError: there is no such turn.
        """
        with self._db.read() as session:
            key = {"job_id": job_id, "thread_id": thread_id, "number": number}
            row = find_row(session, TurnRow, key)
            if row is None:
                msg = f"The job {job_id} has no turn {number} of a thread {thread_id!r}."
                raise NotFoundError(msg)
            return ThreadTurn.model_validate_json(row["turn"])


def _interrupts_name(job_id: str) -> str:
    return f"{job_id}/interrupts"


def _interrupts(session: Session, job_id: str) -> dict[str, str]:
    row = find_row(session, RunnerStateRow, {"job_id": _interrupts_name(job_id)})
    return json.loads(row["state"]) if row is not None else {}


def _turn_key(thread_id: str, number: int) -> str:
    return f"{thread_id}/{number}"


def _lock(session: Session, job_id: str) -> None:
    if session.connection().execute(_LOCKED, {"job": job_id}).first() is None:
        msg = f"Expected the id of one job, found {job_id!r}: there is none. List them with `agentflows threads`."
        raise NotFoundError(msg)


def _open(session: Session, job_id: str, threads: Sequence[Thread]) -> None:
    position = _count(session, _THREADS, job_id) if threads else 0
    for thread in threads:
        if find_row(session, ThreadRow, {"job_id": job_id, "thread_id": thread.thread_id}) is None:
            text = thread.model_copy(update={"turns": ()}).model_dump_json()
            row = {"job_id": job_id, "thread_id": thread.thread_id, "position": position, "thread": text}
            put_row(session, ThreadRow, row)
            position += 1


def _put(session: Session, turn: ThreadTurn) -> None:
    row = {
        "job_id": turn.job_id,
        "thread_id": turn.thread_id,
        "number": turn.number,
        "status": turn.status,
        "turn": turn.model_dump_json(),
    }
    put_row(session, TurnRow, row, but=_IS_OVER)


def _post(session: Session, job_id: str, messages: Sequence[Message]) -> list[Message]:
    first = _count(session, _MESSAGES, job_id) if messages else 0
    kept = [message.model_copy(update={"seq": first + place}) for place, message in enumerate(messages)]
    for message in kept:
        row = {"job_id": job_id, "seq": message.seq, "message": message.model_dump_json()}
        put_row(session, MessageRow, row)
    return kept


def _archive(session: Session, job_id: str, thread_id: str, now: datetime) -> None:
    row = find_row(session, ThreadRow, {"job_id": job_id, "thread_id": thread_id})
    if row is None:
        msg = f"The job {job_id} has no thread {thread_id!r}."
        raise NotFoundError(msg)
    thread = Thread.model_validate_json(row["thread"])
    update = {"status": "archived", "archived_at": thread.archived_at or now}
    put_row(session, ThreadRow, row | {"thread": thread.model_copy(update=update).model_dump_json()})


def _count(session: Session, counting: Select[Any], job_id: str) -> int:
    return session.connection().execute(counting, {"job": job_id}).scalar_one()


def _row(session: Session, job_id: str, *, lock: bool = False) -> JobRow:
    statement = select(JobRow).where(col(JobRow.job_id).startswith(job_id, autoescape=True))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    rows = list(session.exec(statement.limit(2)).all())
    exact = [row for row in rows if row.job_id == job_id]
    if not job_id or len(exact or rows) != 1:
        found = "several ids begin so" if rows else "there is none"
        msg = f"Expected the id of one job, found {job_id!r}: {found}. List them with `agentflows threads`."
        raise NotFoundError(msg)
    return (exact or rows)[0]


def _bare(job: Orchestration) -> str:
    return job.model_copy(update={"threads": (), "messages": ()}).model_dump_json()


def _word(session: Session, row: JobRow) -> Orchestration:
    turns: dict[str, list[ThreadTurn]] = {}
    found = select(TurnRow).where(TurnRow.job_id == row.job_id).order_by(col(TurnRow.number))
    for one in session.exec(found).all():
        turns.setdefault(one.thread_id, []).append(ThreadTurn.model_validate_json(one.turn))
    opened = select(ThreadRow).where(ThreadRow.job_id == row.job_id).order_by(col(ThreadRow.position))
    threads = [
        _with_turns(Thread.model_validate_json(one.thread), turns.get(one.thread_id, ()))
        for one in session.exec(opened).all()
    ]
    said = select(MessageRow).where(MessageRow.job_id == row.job_id).order_by(col(MessageRow.seq))
    messages = [Message.model_validate_json(one.message) for one in session.exec(said).all()]
    update = {"threads": tuple(threads), "messages": tuple(messages)}
    return Orchestration.model_validate_json(row.job).model_copy(update=update)


def _with_turns(thread: Thread, turns: "list[ThreadTurn] | tuple[()]") -> Thread:
    busy = any(turn.status in {"queued", "running"} for turn in turns)
    status = thread.status if thread.status == "archived" else ("running" if busy else "idle")
    return thread.model_copy(update={"turns": tuple(turns), "status": status})
