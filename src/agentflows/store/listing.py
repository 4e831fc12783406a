"""Listings: a page of dreams with what became of their changes, without reading any report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from sqlmodel import Session, col, func, select

from agentflows.change import ChangeStatus, Dream
from agentflows.store.dreams import Dreams, status_at
from agentflows.store.opened import StoreRef, find_store
from agentflows.store.tables import ChangeRow, CommitRow, DreamRow, StoreRow

WAITING: tuple[ChangeStatus, ...] = ("held", "approved")
"""What a person has to decide, or to decide again: an approval whose commit was killed."""


@dataclass(frozen=True, slots=True)
class DreamLine:
    """One dream in a list."""

    dream: Dream
    output: str
    """The name of the store its changes are for: its own, or the copy it made."""
    counts: dict[ChangeStatus, int] = field(default_factory=dict[ChangeStatus, int])
    """Its changes by status."""

    @property
    def changes(self) -> int:
        """How many it proposed."""
        return sum(self.counts.values())

    @property
    def waiting(self) -> int:
        """How many wait for a person."""
        return sum(self.counts.get(status, 0) for status in WAITING)


class Listings(Dreams):
    """The part of `State` that lists dreams, a page at a time."""

    def dream_lines(
        self, store: StoreRef | None = None, *, waiting: bool = False, offset: int = 0, limit: int = 100
    ) -> list[DreamLine]:
        """The newest dreams first: over one store, or all; with `waiting`, those that a person has to decide on."""
        now = self._now()
        statement = select(DreamRow, StoreRow.name).join(
            StoreRow, col(StoreRow.store_id) == col(DreamRow.target_id)
        )
        if waiting:
            held = select(ChangeRow.dream_id).where(status_at(now).in_(WAITING))
            statement = statement.where(col(DreamRow.dream_id).in_(held))
        with self._db.read() as session:
            if store is not None:
                store_id = find_store(session, store).store_id
                here = (col(DreamRow.store_id) == store_id) | (col(DreamRow.target_id) == store_id)
                statement = statement.where(here)
            newest = statement.order_by(col(DreamRow.created_at).desc(), col(DreamRow.dream_id).desc())
            rows = session.exec(newest.offset(offset).limit(limit)).all()
            return _lines(session, rows, now)

    def waiting(self) -> int:
        """How many changes wait for a person, in all dreams."""
        statement = select(func.count()).select_from(ChangeRow).where(status_at(self._now()).in_(WAITING))
        with self._db.read() as session:
            return session.exec(statement).one()


def _lines(session: Session, rows: Sequence[tuple[DreamRow, str]], now: datetime) -> list[DreamLine]:
    ids = [row.dream_id for row, _ in rows]
    status = status_at(now).label("status_now")
    counted = (
        select(ChangeRow.dream_id, status, func.count())
        .where(col(ChangeRow.dream_id).in_(ids))
        .group_by(col(ChangeRow.dream_id), status)
    )
    counts: dict[str, dict[ChangeStatus, int]] = {}
    for dream_id, found, count in session.exec(counted).all():
        counts.setdefault(dream_id, {})[cast("ChangeStatus", found)] = count
    made = (
        select(CommitRow.dream_id, func.max(CommitRow.version))
        .where(col(CommitRow.dream_id).in_(ids))
        .group_by(col(CommitRow.dream_id))
    )
    versions = dict(session.exec(made).all())
    return [
        DreamLine(
            Dream.model_validate_json(row.dream).model_copy(
                update={"output_version": versions.get(row.dream_id)}
            ),
            name,
            counts.get(row.dream_id, {}),
        )
        for row, name in rows
    ]
