"""Batches handed in: what was asked in which, kept before and after the endpoint is told, so that none is paid twice.

A row is written before the batch is created, and again with its handle as soon as there is one. A process that
dies in between leaves a row without a handle: that batch cannot be found again, its reservation counts as spent,
and its questions are asked anew.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from agentflows.errors import NotFoundError
from agentflows.store.opened import Opened, new_id
from agentflows.store.tables import BatchRow


@dataclass(frozen=True, slots=True)
class BatchAsked:
    """One batch under way."""

    batch_id: str
    dream_id: str
    """The dream whose budget pays for it."""
    model: str
    handle: str
    """All that is needed to poll and to collect it."""
    asked: dict[str, tuple[str, str, str]]
    """By the result's custom id: what the answer is kept under, the name of its schema, and, for a session's reading,
    what that is kept under."""
    since: datetime


class BatchLog(Opened):
    """The part of `State` that knows which batches are under way."""

    def begin_batch(self, dream_id: str, model: str, keys: Sequence[str]) -> str:
        """Write down that these questions are about to be handed in; returns the row's id.

        `model` says where as well, when it is not the model's usual endpoint: only there can the batch be collected.
        """
        batch_id = new_id("bat")
        with self._db.write() as session:
            row = BatchRow(
                batch_id=batch_id,
                dream_id=dream_id,
                model=model,
                handle="",
                asked=json.dumps(list(keys)),
                status="submitting",
                created_at=self._now(),
            )
            session.add(row)
        return batch_id

    def batch_sent(self, batch_id: str, handle: str, asked: dict[str, tuple[str, str, str]]) -> None:
        """Write down the handle: from now on the batch is collected, never handed in again."""
        with self._db.write() as session:
            row = _batch(session, batch_id)
            row.handle, row.asked, row.status = handle, json.dumps(asked), "open"
            session.add(row)

    def batch_over(self, batch_id: str, status: str) -> None:
        """It is `collected`, was `refused` before it was created, or is `lost` at the endpoint."""
        with self._db.write() as session:
            row = _batch(session, batch_id)
            row.status = status
            session.add(row)

    def open_batches(self, model: str) -> list[BatchAsked]:
        """Those of this model that were handed in and not collected, oldest first."""
        statement = select(BatchRow).where(BatchRow.model == model, BatchRow.status == "open")
        with self._db.read() as session:
            rows = session.exec(statement.order_by(col(BatchRow.created_at), col(BatchRow.batch_id))).all()
        return [
            BatchAsked(
                row.batch_id,
                row.dream_id,
                row.model,
                row.handle,
                {custom_id: (one[0], one[1], one[2]) for custom_id, one in json.loads(row.asked).items()},
                row.created_at,
            )
            for row in rows
        ]

    def forget_unsent(self, dream_id: str) -> int:
        """Give up batches of a dream whose process died while it handed them in; returns how many."""
        statement = select(BatchRow).where(BatchRow.dream_id == dream_id, BatchRow.status == "submitting")
        with self._db.write() as session:
            rows = session.exec(statement).all()
            for row in rows:
                row.status = "lost"
                session.add(row)
            return len(rows)


def _batch(session: Session, batch_id: str) -> BatchRow:
    row = session.get(BatchRow, batch_id)
    if row is None:
        msg = f"There is no batch {batch_id!r}. Begin it with `begin_batch`."
        raise NotFoundError(msg)
    return row
