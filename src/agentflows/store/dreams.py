"""Dreams, what they proposed, and what became of each proposal."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import ColumnElement, case
from sqlmodel import Session, col, func, select

from agentflows.change import Change, ChangeStatus, Coverage, Dream, DreamReport, DreamStatus
from agentflows.errors import NotFoundError, UsageError
from agentflows.store.opened import Opened, StoreRef, find_store, plain
from agentflows.store.rows import corrupt
from agentflows.store.tables import ChangeRow, CommitRow, DreamRow, ReportRow, StoreRow

HELD_FOR = timedelta(days=30)
"""How long a held change waits for a decision."""
_OPEN = ("proposed", "held")
_UNDECIDED = (*_OPEN, "refused")
"""A refused change has no decision behind it: asked anew, its judge may uphold it."""
_BY_DECISION = ("approved", "rejected", "committed")


class _Read(BaseModel):
    """Of a report, what is asked of many dreams at once."""

    coverage: Coverage


class Dreams(Opened):
    """The part of `State` that keeps dreams and their changes."""

    def save_dream(self, report: DreamReport, *, held_for: timedelta = HELD_FOR) -> None:
        """Keep a dream's report; saving it again brings it up to date.

        What was decided meanwhile stands: only changes still proposed, held or refused follow the report. A held change
        takes the place of an older dream's held change that says the same for the same place (`replaced`):
        a place in the store it would be committed to, so a dream into a copy replaces nothing of the original.
        A dream that was completed stays so: a report of the same dream under way or failed, as a second process
        may bring it, changes nothing; and only a completed report says what is no longer proposed.

        Raises:
            NotFoundError: its store does not exist.
        """
        self.expire_changes()
        now = self._now()
        with self._db.write() as session:
            find_store(session, report.dream.store_id, lock=True)
            completed = report.dream.status == "completed"
            earlier = session.get(DreamRow, report.dream.dream_id)
            if earlier is not None and earlier.status == "completed" and not completed:
                return
            _keep_report(session, report)
            known = {row.change_id: row for row in _changes_of(session, report.dream.dream_id)}
            for position, change in enumerate(report.changes):
                row = known.pop(change.change_id, None)
                if row is None or row.status in _UNDECIDED:
                    row = _change_row(row, change, report.dream, position, now + held_for)
                    session.add(row)
                    session.flush()
                    _replace_older(session, row)
            for row in known.values():
                if row.status in _OPEN and completed:
                    _mark(row, "replaced", "the dream was dreamt again and did not propose it")
                    session.add(row)

    def dream(self, dream_id: str) -> DreamReport:
        """A dream's whole report, its changes as they stand now.

        Raises:
            NotFoundError: there is no such dream.
            CorruptionError: it is not what was written.
        """
        now = self._now()
        with self._db.read() as session:
            row = session.get(DreamRow, dream_id)
            if row is None:
                msg = f"There is no dream {dream_id!r}. `agentflows review list --all` has them."
                raise NotFoundError(msg)
            changes = tuple(_complete(row, _changes_of(session, dream_id), now))
            report = DreamReport.model_validate_json(session.get_one(ReportRow, dream_id).report)
            dream = report.dream.model_copy(update={"output_version": _version_made(session, dream_id)})
        return report.model_copy(update={"changes": changes, "dream": dream})

    def dreams(self, store: StoreRef | None = None, status: DreamStatus | None = None) -> list[Dream]:
        """The dreams, oldest first; of one store, or of one status."""
        with self._db.read() as session:
            statement = select(DreamRow).order_by(col(DreamRow.created_at), col(DreamRow.dream_id))
            if store is not None:
                store_id = find_store(session, store).store_id
                statement = statement.where(DreamRow.store_id == store_id)
            if status is not None:
                statement = statement.where(DreamRow.status == status)
            rows = session.exec(statement).all()
            return [
                Dream.model_validate_json(row.dream).model_copy(
                    update={"output_version": _version_made(session, row.dream_id)}
                )
                for row in rows
            ]

    def coverages(self, store: StoreRef, *, limit: int = 1_000) -> list[tuple[Dream, Coverage]]:
        """What the newest completed dreams of a store read, oldest first."""
        with self._db.read() as session:
            statement = (
                select(DreamRow, ReportRow)
                .join(ReportRow, col(ReportRow.dream_id) == col(DreamRow.dream_id))
                .where(
                    DreamRow.store_id == find_store(session, store).store_id, DreamRow.status == "completed"
                )
                .order_by(col(DreamRow.created_at).desc(), col(DreamRow.dream_id).desc())
                .limit(limit)
            )
            found = [
                (Dream.model_validate_json(row.dream), _Read.model_validate_json(kept.report).coverage)
                for row, kept in session.exec(statement).all()
            ]
        return found[::-1]

    def outputs(self) -> dict[str, str]:
        """The name of the store that each dream's changes are for, by dream id: its own, or the copy it made."""
        with self._db.read() as session:
            statement = select(DreamRow.dream_id, StoreRow.name).join(
                StoreRow, col(StoreRow.store_id) == col(DreamRow.target_id)
            )
            return dict(session.exec(statement).all())

    def changes(
        self,
        *,
        dream_id: str | None = None,
        store: StoreRef | None = None,
        status: ChangeStatus | None = None,
    ) -> list[Change]:
        """Changes as they stand now, by dream (oldest first) and by their order in it."""
        now = self._now()
        with self._db.read() as session:
            statement = select(ChangeRow, DreamRow).join(
                DreamRow, col(DreamRow.dream_id) == col(ChangeRow.dream_id)
            )
            if dream_id is not None:
                statement = statement.where(ChangeRow.dream_id == dream_id)
            if store is not None:
                statement = statement.where(ChangeRow.store_id == find_store(session, store).store_id)
            if status is not None:
                statement = statement.where(status_at(now) == status)
            ordered = statement.order_by(
                col(DreamRow.created_at), col(DreamRow.dream_id), col(ChangeRow.position)
            )
            rows = session.exec(ordered).all()
        return [change_word(row, now) for row, _ in rows]

    def proposed_change(self, change_id: str) -> Change:
        """A change as the dream proposed it, before a reviewer edited it.

        Raises:
            NotFoundError: there is no such change.
        """
        with self._db.read() as session:
            return Change.model_validate_json(find_change(session, change_id).proposed)

    def set_status(
        self, change_ids: Sequence[str], status: ChangeStatus, reason: str, *, held_for: timedelta = HELD_FOR
    ) -> None:
        """Move changes to a status that no decision and no commit gives. Those that have it already stay.

        Raises:
            NotFoundError: there is no such change.
            UsageError: the status is given by `decide` or `commit`, or the change came to its end.
        """
        self.expire_changes()
        with self._db.write() as session:
            for change_id in change_ids:
                row = find_change(session, change_id, lock=True)
                if row.status == status:
                    continue
                _check_move(row, status)
                _mark(row, status, plain("reason", reason))
                row.expires_at = self._now() + held_for if status == "held" else None
                session.add(row)

    def rejections(self, store: StoreRef) -> dict[str, str]:
        """What reviewers rejected, by `Change.memo_key`, with their reason; for a copy, its original's too."""
        return self._unwanted(store, col(ChangeRow.status) == "rejected")

    def undone(self, store: StoreRef) -> dict[str, str]:
        """What was committed and a restore took out, by `Change.memo_key`; for a copy, its original's too."""
        return self._unwanted(store, col(ChangeRow.undone_version).is_not(None))

    def _unwanted(self, store: StoreRef, which: ColumnElement[bool]) -> dict[str, str]:
        with self._db.read() as session:
            lineage = lineage_of(session, find_store(session, store))
            there = col(ChangeRow.store_id).in_(lineage) | col(ChangeRow.committed_store).in_(lineage)
            statement = select(ChangeRow, DreamRow).join(
                DreamRow, col(DreamRow.dream_id) == col(ChangeRow.dream_id)
            )
            rows = session.exec(statement.where(there, which).order_by(col(DreamRow.created_at))).all()
        return {row.memo_key: row.status_reason for row, _ in rows}

    def expire_changes(self) -> list[str]:
        """Mark held changes whose time ran out; returns their ids. Whatever writes changes does this by itself.

        Reading need not: for it they have expired, marked or not, so that all can be read on a full disk.
        """
        due = select(ChangeRow).where(_is_due(self._now()))
        with self._db.read() as session:
            if session.exec(due.limit(1)).first() is None:
                return []
        with self._db.write() as session:
            rows = session.exec(due.with_for_update()).all()
            for row in rows:
                _mark(row, "expired", _nobody(row))
                session.add(row)
            return [row.change_id for row in rows]


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Whether a row is held and its time ran out."""
    ends = col(ChangeRow.expires_at)
    return (col(ChangeRow.status) == "held") & ends.is_not(None) & (ends <= now)


def status_at(now: datetime) -> ColumnElement[str]:
    """The status of a row, to select by: as it is marked, but for what is held and has run out."""
    return case((_is_due(now), "expired"), else_=col(ChangeRow.status))


def _nobody(row: ChangeRow) -> str:
    return f"nobody decided until {row.expires_at:%Y-%m-%d %H:%M} UTC"


def find_change(session: Session, change_id: str, *, lock: bool = False) -> ChangeRow:
    """A change's row.

    Raises:
        NotFoundError: there is none.
    """
    statement = select(ChangeRow).where(ChangeRow.change_id == change_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row = session.exec(statement).first()
    if row is None:
        msg = f"There is no change {change_id!r}. `agentflows review show DREAM` has them."
        raise NotFoundError(msg)
    return row


def change_word(row: ChangeRow, now: datetime) -> Change:
    """The row as the word, with its present status."""
    change = Change.model_validate_json(row.body)
    status, reason = row.status, row.status_reason
    if status == "held" and row.expires_at is not None and row.expires_at <= now:
        status, reason = "expired", _nobody(row)
    return change.model_copy(update={"status": status, "status_reason": reason})


def _mark(row: ChangeRow, status: ChangeStatus, reason: str) -> None:
    row.status, row.status_reason = status, reason


def _check_move(row: ChangeRow, status: ChangeStatus) -> None:
    if status in _BY_DECISION:
        by = "commit" if status == "committed" else "decide"
        msg = f"Only `{by}` makes a change {status!r}; {row.change_id!r} is {row.status!r}. Call it instead."
        raise UsageError(msg)
    if row.status in {"rejected", "committed"}:
        msg = f"The change {row.change_id!r} is {row.status!r}, which is final. Restore the store to undo a commit."
        raise UsageError(msg)


def _keep_report(session: Session, report: DreamReport) -> None:
    session.add(_dream_row(session, report))
    session.flush()
    row = session.get(ReportRow, report.dream.dream_id) or ReportRow(
        dream_id=report.dream.dream_id, report=""
    )
    row.report = report.model_copy(update={"changes": ()}).model_dump_json()
    session.add(row)
    session.flush()


def _dream_row(session: Session, report: DreamReport) -> DreamRow:
    dream = report.dream
    row = session.get(DreamRow, dream.dream_id) or DreamRow(
        dream_id=dream.dream_id,
        store_id=dream.store_id,
        target_id="",
        status="",
        base_version=dream.base_version,
        base_sha256=dream.base_sha256,
        created_at=dream.created_at,
        change_ids="",
        dream="",
    )
    row.target_id = dream.output_store_id or dream.store_id
    row.status = dream.status
    row.change_ids = json.dumps([change.change_id for change in report.changes])
    row.dream = dream.model_dump_json()
    return row


def _version_made(session: Session, dream_id: str) -> int | None:
    """The newest store version that a commit of this dream made: what was committed says it, no copy of it."""
    statement = select(func.max(CommitRow.version)).where(col(CommitRow.dream_id) == dream_id)
    return session.exec(statement).one()


def _change_row(
    row: ChangeRow | None, change: Change, dream: Dream, position: int, held_until: datetime
) -> ChangeRow:
    body = change.model_dump_json()
    row = row or ChangeRow(
        change_id=change.change_id,
        dream_id=dream.dream_id,
        store_id=dream.store_id,
        position=position,
        op=change.op,
        path=change.path,
        memo_key=change.memo_key,
        sha256=change.sha256,
        status=change.status,
        status_reason=change.status_reason,
        body=body,
        proposed=body,
    )
    row.position, row.memo_key, row.sha256, row.body, row.proposed = (
        position,
        change.memo_key,
        change.sha256,
        body,
        body,
    )
    if row.expires_at is None and change.status == "held":
        row.expires_at = held_until
    _mark(row, change.status, change.status_reason)
    return row


def _replace_older(session: Session, row: ChangeRow) -> None:
    if row.status != "held":
        return
    mine = session.get_one(DreamRow, row.dream_id)
    statement = (
        select(ChangeRow, DreamRow)
        .join(DreamRow, col(DreamRow.dream_id) == col(ChangeRow.dream_id))
        .where(
            DreamRow.target_id == mine.target_id,
            ChangeRow.memo_key == row.memo_key,
            ChangeRow.status == "held",
            ChangeRow.dream_id != row.dream_id,
        )
    )
    for other, theirs in session.exec(statement).all():
        old, new = (other, row) if theirs.created_at <= mine.created_at else (row, other)
        _mark(old, "replaced", f"{new.dream_id} proposes the same as {new.change_id}")
        session.add(old)
        session.flush()


def _changes_of(session: Session, dream_id: str) -> Sequence[ChangeRow]:
    statement = select(ChangeRow).where(ChangeRow.dream_id == dream_id)
    return session.exec(statement.order_by(col(ChangeRow.position))).all()


def _complete(dream: DreamRow, rows: Sequence[ChangeRow], now: datetime) -> list[Change]:
    wanted: list[str] = json.loads(dream.change_ids)
    missing = set(wanted) - {row.change_id for row in rows}
    if missing:
        what = f"The list of changes of the dream {dream.dream_id!r}"
        raise corrupt(what)
    return [change_word(row, now) for row in rows]


def lineage_of(session: Session, store: StoreRow) -> list[str]:
    """The ids of the store and of what it was copied from, back to the first."""
    ids = [store.store_id]
    while store.copied_from and store.copied_from not in ids:
        store = find_store(session, store.copied_from)
        ids.append(store.store_id)
    return ids
