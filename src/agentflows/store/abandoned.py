"""Abandoned dreams: those still called `running` though the process that dreamt them is gone."""

from sqlmodel import Session, col, select

from agentflows.change import Dream, DreamReport
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
                self._fail(session, row)
            return [row.dream_id for row in rows]

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

    def _fail(self, session: Session, row: DreamRow) -> None:
        told = {"status": "failed", "ended_at": self._now(), "error_type": ENDED, "error": _WHY}
        row.status = "failed"
        row.dream = Dream.model_validate_json(row.dream).model_copy(update=told).model_dump_json()
        session.add(row)
        kept = session.get(ReportRow, row.dream_id)
        if kept is not None:
            report = DreamReport.model_validate_json(kept.report)
            failed = report.model_copy(update={"dream": report.dream.model_copy(update=told)})
            kept.report = failed.model_dump_json()
            session.add(kept)
