"""Outcomes: what was attempted, how it was graded, who decided what, and how far a runner is."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from sqlmodel import Session, col, delete, func, select

from agentflows.errors import NotFoundError, UsageError
from agentflows.evaluation import Attempt, Evaluation, HumanVerdict, Outcome, OutcomeResult
from agentflows.memory import Actor
from agentflows.store.opened import Opened, audit_row, plain
from agentflows.store.quick import find_row, put_row
from agentflows.store.tables import (
    AttemptRow,
    EvaluationRow,
    HumanVerdictRow,
    OutcomeRow,
    RunnerStateRow,
)

Part = TypeVar("Part", AttemptRow, EvaluationRow)


class Outcomes(Opened):
    """The part of `State` that keeps outcomes. Each call is one transaction."""

    def begin_outcome(self, outcome: Outcome, *, base_id: str, request: str) -> Outcome:
        """Keep a new outcome, or return the one of that id as it stands.

        `base_id` is what re-runs of the same command share; `request` all that is needed to go on with it.
        """
        with self._db.write() as session:
            if session.get(OutcomeRow, outcome.outcome_id) is not None:
                return _word(session, _row(session, outcome.outcome_id))
            now = self._now()
            begun = outcome.model_copy(update={"created_at": now})
            session.add(
                OutcomeRow(
                    outcome_id=outcome.outcome_id,
                    base_id=base_id,
                    result=outcome.result,
                    created_at=now,
                    updated_at=now,
                    request=request,
                    outcome=_bare(begun),
                )
            )
            session.flush()
            _keep_parts(session, begun)
            return begun

    def save_outcome(self, outcome: Outcome) -> None:
        """Bring an outcome up to date. Attempts and evaluations it no longer has are dropped.

        Raises:
            NotFoundError: it was never begun.
        """
        with self._db.write() as session:
            row = _row(session, outcome.outcome_id, lock=True)
            row.result, row.updated_at, row.outcome = outcome.result, self._now(), _bare(outcome)
            session.add(row)
            _keep_parts(session, outcome)

    def outcome(self, outcome_id: str) -> Outcome:
        """An outcome as it stands, by its id or the beginning of it.

        Raises:
            NotFoundError: there is none, or several begin so.
            CorruptionError: it is not what was written.
        """
        with self._db.read() as session:
            return _word(session, _row(session, outcome_id))

    def outcome_request(self, outcome_id: str) -> str:
        """What `begin_outcome` was given.

        Raises:
            NotFoundError: there is no such outcome.
        """
        with self._db.read() as session:
            return _row(session, outcome_id).request

    def save_outcome_request(self, outcome_id: str, request: str) -> None:
        """Change what is needed to go on, such as a higher limit.

        Raises:
            NotFoundError: there is no such outcome.
        """
        with self._db.write() as session:
            row = _row(session, outcome_id, lock=True)
            row.request = request
            session.add(row)

    def outcomes(
        self, *, result: OutcomeResult | None = None, base_id: str = "", offset: int = 0, limit: int = 100
    ) -> list[Outcome]:
        """The newest outcomes first."""
        statement = select(OutcomeRow).order_by(col(OutcomeRow.created_at).desc(), col(OutcomeRow.outcome_id))
        if result is not None:
            statement = statement.where(OutcomeRow.result == result)
        if base_id:
            statement = statement.where(OutcomeRow.base_id == base_id)
        with self._db.read() as session:
            rows = session.exec(statement.offset(offset).limit(limit)).all()
            return [_word(session, row) for row in rows]

    def count_outcomes(self, base_id: str) -> int:
        """How many outcomes were begun by the same command; none of them is read."""
        statement = select(func.count()).select_from(OutcomeRow).where(OutcomeRow.base_id == base_id)
        with self._db.read() as session:
            return session.exec(statement).one()

    def outcome_begins(self) -> list[tuple[str, datetime, str]]:
        """Of every outcome its id, when it began and its request, oldest first; its attempts are not read."""
        columns = select(OutcomeRow.outcome_id, OutcomeRow.created_at, OutcomeRow.request)
        with self._db.read() as session:
            return list(session.exec(columns.order_by(col(OutcomeRow.created_at))).all())

    # -- interruptions -------------------------------------------------------------------------------

    def ask_stop(self, outcome_id: str, reason: str) -> str:
        """Ask whoever works on an outcome to end it as soon as it can; "" takes it back. Returns the full id.

        Raises:
            NotFoundError: there is no such outcome.
        """
        with self._db.write() as session:
            row = _row(session, outcome_id, lock=True)
            row.stop_asked = plain("reason", reason)
            session.add(row)
            return row.outcome_id

    def stop_asked(self, outcome_id: str) -> str:
        """Why it is to end; "" when nobody asked.

        Raises:
            NotFoundError: there is no such outcome.
        """
        with self._db.read() as session:
            return _row(session, outcome_id).stop_asked

    # -- people --------------------------------------------------------------------------------------

    def record_verdict(self, verdict: HumanVerdict, actor: Actor) -> None:
        """Keep a person's word on one criterion, in the audit log too. A later word takes an earlier one's place.

        Raises:
            NotFoundError: there is no such outcome.
            UsageError: the outcome has gone on since: the word would be about other files.
        """
        with self._db.write() as session:
            row = _row(session, verdict.outcome_id, lock=True)
            if row.result != "waiting":
                msg = (
                    f"The outcome {row.outcome_id} is {row.result!r} and waits for nobody. "
                    "Decide on one that `outcome list` shows as waiting."
                )
                raise UsageError(msg)
            plain("reason", verdict.reason)
            key = (verdict.outcome_id, verdict.manifest_sha256, verdict.criterion_id)
            found = session.get(HumanVerdictRow, key)
            kept = found or HumanVerdictRow(
                outcome_id=key[0], manifest_sha256=key[1], criterion_id=key[2], verdict=""
            )
            kept.verdict = verdict.model_dump_json()
            session.add(kept)
            detail = f"{verdict.outcome_id} {verdict.criterion_id} {verdict.met}: {verdict.reason}"
            session.add(audit_row("judged", None, actor, self._now(), detail=detail))

    def verdicts(self, outcome_id: str, manifest_sha256: str = "") -> list[HumanVerdict]:
        """What people said about an outcome; about one version of it when its manifest is given."""
        statement = select(HumanVerdictRow).where(HumanVerdictRow.outcome_id == outcome_id)
        if manifest_sha256:
            statement = statement.where(HumanVerdictRow.manifest_sha256 == manifest_sha256)
        with self._db.read() as session:
            found = [HumanVerdict.model_validate_json(row.verdict) for row in session.exec(statement).all()]
        return sorted(found, key=lambda one: (one.iteration, one.decided_at))

    # -- runners -------------------------------------------------------------------------------------

    def keep_runner_state(self, job_id: str, state: str) -> None:
        """Keep how far a job is; "" forgets it."""
        with self._db.write() as session:
            put_runner_state(session, job_id, state, self._now())

    def runner_state(self, job_id: str) -> str:
        """How far a job is; "" when nothing is kept.

        Raises:
            CorruptionError: it is not what was written.
        """
        with self._db.read() as session:
            row = find_row(session, RunnerStateRow, {"job_id": job_id})
            return row["state"] if row is not None else ""


def put_runner_state(session: Session, job_id: str, state: str, now: datetime) -> None:
    """Keep how far a job is, within a transaction; "" forgets it."""
    if state:
        put_row(session, RunnerStateRow, {"job_id": job_id, "state": state, "updated_at": now})
    else:
        session.connection().execute(delete(RunnerStateRow).where(col(RunnerStateRow.job_id) == job_id))


def _row(session: Session, outcome_id: str, *, lock: bool = False) -> OutcomeRow:
    statement = select(OutcomeRow).where(col(OutcomeRow.outcome_id).startswith(outcome_id, autoescape=True))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    rows = list(session.exec(statement.limit(2)).all())
    exact = [row for row in rows if row.outcome_id == outcome_id]
    if not outcome_id or len(exact or rows) != 1:
        found = "several ids begin so" if rows else "there is none"
        msg = f"Expected the id of one outcome, found {outcome_id!r}: {found}. List them with `agentflows outcome list`."
        raise NotFoundError(msg)
    return (exact or rows)[0]


def _bare(outcome: Outcome) -> str:
    return outcome.model_copy(update={"attempts": (), "evaluations": ()}).model_dump_json()


def _word(session: Session, row: OutcomeRow) -> Outcome:
    attempts = [
        Attempt.model_validate_json(part.attempt) for part in _parts(session, AttemptRow, row.outcome_id)
    ]
    found = [
        Evaluation.model_validate_json(part.evaluation)
        for part in _parts(session, EvaluationRow, row.outcome_id)
    ]
    update = {"attempts": tuple(attempts), "evaluations": tuple(found)}
    return Outcome.model_validate_json(row.outcome).model_copy(update=update)


def _parts(session: Session, table: type[Part], outcome_id: str) -> list[Part]:
    statement = select(table).where(col(table.outcome_id) == outcome_id).order_by(col(table.iteration))
    return list(session.exec(statement).all())


def _keep_parts(session: Session, outcome: Outcome) -> None:
    owner = outcome.outcome_id
    attempts = [
        AttemptRow(outcome_id=owner, iteration=one.iteration, attempt=one.model_dump_json())
        for one in outcome.attempts
    ]
    evaluations = [
        EvaluationRow(outcome_id=owner, iteration=one.iteration, evaluation=one.model_dump_json())
        for one in outcome.evaluations
    ]
    _replace(session, AttemptRow, owner, attempts)
    _replace(session, EvaluationRow, owner, evaluations)


def _replace(session: Session, table: type[Part], owner: str, rows: Iterable[Part]) -> None:
    """Write what differs, and drop what is no longer there."""
    known = {row.iteration: row for row in _parts(session, table, owner)}
    for row in rows:
        earlier = known.pop(row.iteration, None)
        if earlier is not None and earlier.digest() == row.digest():
            continue
        if earlier is not None:
            session.delete(earlier)
            session.flush()
        session.add(row)
    for gone in known.values():
        session.delete(gone)
    session.flush()
