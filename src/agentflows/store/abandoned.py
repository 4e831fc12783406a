"""Abandoned dreams: those still called `running` though the process that dreamt them is gone."""

from sqlmodel import Session, col, select

from agentflows.change import Dream, DreamReport, DreamStatus
from agentflows.store.leases import live_holder
from agentflows.store.opened import Opened
from agentflows.store.tables import DreamRow, ReportRow

ENDED = "Interrupted"
"""`Dream.error_type` of one that was abandoned."""
_WHY = (
    "The process that dreamt it ended without a word: killed, or out of disk. What was read is kept; run the same "
    "command again to go on."
)


def lease_of(dream: Dream) -> str:
    """The lease a dream holds while it runs: on the store it is to change, else on itself alone."""
    return f"store:{dream.store_id}" if dream.output == "update_existing" else f"dream:{dream.dream_id}"


class Abandoned(Opened):
    """The part of `State` that finds dreams nobody dreams any more."""

    def fail_abandoned(self) -> list[str]:
        """Mark as failed each running dream whose lease nobody living holds; returns their ids.

        The same command goes on where it ended, for a dream is named by what is asked of it.
        """
        with self._db.read() as session:
            if not self._abandoned(session):
                return []
        with self._db.write() as session:
            rows = self._abandoned(session, lock=True)
            for row in rows:
                self._end(session, row, "failed", ENDED, _WHY)
            return [row.dream_id for row in rows]

    def cancel_pending(self, dream: Dream) -> list[str]:
        """Mark as canceled the dreams that wait for a batch and whose sessions this one has read too; their ids."""
        covered = set(dream.session_ids)
        statement = select(DreamRow).where(
            DreamRow.status == "pending",
            DreamRow.store_id == dream.store_id,
            DreamRow.dream_id != dream.dream_id,
        )
        with self._db.write() as session:
            rows = session.exec(statement.order_by(col(DreamRow.dream_id))).all()
            over = [
                row for row in rows if covered.issuperset(Dream.model_validate_json(row.dream).session_ids)
            ]
            for row in over:
                why = f"{dream.dream_id} read its sessions, and more, with the answers of its batches."
                self._end(session, row, "canceled", "Superseded", why)
            return [row.dream_id for row in over]

    def _abandoned(self, session: Session, *, lock: bool = False) -> list[DreamRow]:
        statement = select(DreamRow).where(DreamRow.status == "running").order_by(col(DreamRow.dream_id))
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        rows = session.exec(statement).all()
        if not rows:
            return []
        now = self._db.now(session)
        found: list[DreamRow] = []
        for row in rows:
            holder = live_holder(session, lease_of(Dream.model_validate_json(row.dream)), now)
            if holder is None or holder.work != row.dream_id:
                found.append(row)
        return found

    def _end(self, session: Session, row: DreamRow, status: DreamStatus, kind: str, why: str) -> None:
        told = {"status": status, "ended_at": self._now(), "error_type": kind, "error": why}
        row.status = status
        row.dream = Dream.model_validate_json(row.dream).model_copy(update=told).model_dump_json()
        session.add(row)
        kept = session.get(ReportRow, row.dream_id)
        if kept is not None:
            report = DreamReport.model_validate_json(kept.report)
            ended = report.model_copy(update={"dream": report.dream.model_copy(update=told)})
            kept.report = ended.model_dump_json()
            session.add(kept)
