"""Jobs of teams: every thread, every turn, every message, recorded before anything is done about it."""

from sqlmodel import Session, col, func, select

from agentflows.errors import NotFoundError
from agentflows.store.failpoints import failpoint
from agentflows.store.opened import Opened, plain
from agentflows.store.tables import JobRow, MessageRow, ThreadRow, TurnRow
from agentflows.team import JobStatus, Message, Orchestration, Thread, ThreadTurn


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

    def save_job(self, job: Orchestration) -> None:
        """Bring a job's own fields up to date; threads, turns and messages are kept by their own calls.

        Raises:
            NotFoundError: it was never begun.
        """
        with self._db.write() as session:
            row = _row(session, job.job_id, lock=True)
            row.status, row.updated_at, row.job = job.status, self._now(), _bare(job)
            session.add(row)

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
        self, *, status: JobStatus | None = None, base_id: str = "", limit: int = 100
    ) -> list[Orchestration]:
        """The newest jobs first."""
        statement = select(JobRow).order_by(col(JobRow.created_at).desc(), col(JobRow.job_id)).limit(limit)
        if status is not None:
            statement = statement.where(JobRow.status == status)
        if base_id:
            statement = statement.where(JobRow.base_id == base_id)
        with self._db.read() as session:
            return [_word(session, row) for row in session.exec(statement).all()]

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

    # -- threads, as `agentflows.orchestration.Book` wants them ---------------------------------------

    def open_thread(self, thread: Thread) -> None:
        """Record a new thread, without turns. One that is there stays."""
        with self._db.write() as session:
            _row(session, thread.job_id, lock=True)
            if session.get(ThreadRow, (thread.job_id, thread.thread_id)) is None:
                statement = select(func.count()).select_from(ThreadRow)
                position = session.exec(statement.where(ThreadRow.job_id == thread.job_id)).one()
                session.add(
                    ThreadRow(
                        job_id=thread.job_id,
                        thread_id=thread.thread_id,
                        position=position,
                        thread=thread.model_copy(update={"turns": ()}).model_dump_json(),
                    )
                )
        failpoint("thread.opened")

    def archive_thread(self, job_id: str, thread_id: str) -> None:
        """Record that a thread gave its place back.

        Raises:
            NotFoundError: there is no such thread.
        """
        with self._db.write() as session:
            row = session.get(ThreadRow, (job_id, thread_id))
            if row is None:
                msg = f"The job {job_id} has no thread {thread_id!r}."
                raise NotFoundError(msg)
            thread = Thread.model_validate_json(row.thread)
            update = {"status": "archived", "archived_at": thread.archived_at or self._now()}
            row.thread = thread.model_copy(update=update).model_dump_json()
            session.add(row)

    def put_turn(self, turn: ThreadTurn) -> None:
        """Record a turn as it is now. One that ended stays as it ended."""
        with self._db.write() as session:
            key = (turn.job_id, turn.thread_id, turn.number)
            row = session.get(TurnRow, key)
            if row is not None and row.status in {"ended", "skipped"}:
                return
            row = row or TurnRow(job_id=key[0], thread_id=key[1], number=key[2], status="", turn="")
            row.status, row.turn = turn.status, turn.model_dump_json()
            session.add(row)
        if turn.status == "ended":
            failpoint("turn.recorded")

    def turn(self, job_id: str, thread_id: str, number: int) -> ThreadTurn:
        """One turn as it stands.

        Raises:
            NotFoundError: there is no such turn.
        """
        with self._db.read() as session:
            row = session.get(TurnRow, (job_id, thread_id, number))
            if row is None:
                msg = f"The job {job_id} has no turn {number} of a thread {thread_id!r}."
                raise NotFoundError(msg)
            return ThreadTurn.model_validate_json(row.turn)

    def post(self, job_id: str, message: Message) -> Message:
        """Record a message at the next position of its job, and return it with that.

        Raises:
            NotFoundError: there is no such job.
        """
        with self._db.write() as session:
            _row(session, job_id, lock=True)
            statement = select(func.count()).select_from(MessageRow).where(MessageRow.job_id == job_id)
            kept = message.model_copy(update={"seq": session.exec(statement).one()})
            session.add(MessageRow(job_id=job_id, seq=kept.seq, message=kept.model_dump_json()))
        failpoint("message.posted")
        return kept


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
