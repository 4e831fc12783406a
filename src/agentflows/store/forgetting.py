"""Forgetting: what rests on one session goes, in one transaction over all stores, evidence and caches."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, delete, select

from agentflows.change import Change
from agentflows.errors import ConflictError
from agentflows.memory import Actor, MemoryEdit, MemoryStore
from agentflows.store.chain import contents
from agentflows.store.commits import Order, write_commit
from agentflows.store.database import chunks
from agentflows.store.dreams import change_word, find_change, lineage_of
from agentflows.store.edits import Scan
from agentflows.store.evidence import restate_evidence
from agentflows.store.failpoints import failpoint
from agentflows.store.opened import Opened, StoreRef, audit_row, find_store, plain, store_word
from agentflows.store.tables import (
    AuditRow,
    CacheRow,
    ChangeRow,
    DreamRow,
    EvidenceRow,
    MemoryVersionRow,
    StoreRow,
)

_FORGET = "forget"
_NO_TEXT = {"reinforce", "flag"}
"""What makes no version of its own, and so comes after the commit that made the one it names."""
_WAITING = ("proposed", "held", "approved")


class Committed(BaseModel):
    """A change that was committed to a store, or to the one it is a copy of."""

    model_config = ConfigDict(frozen=True)

    change: Change
    store_id: str
    """The store whose commit it was."""
    version: int
    """The version that commit made."""
    is_undone: bool
    """A restore took it out again."""
    dreamt_at: datetime


@dataclass(frozen=True, slots=True)
class Forgetful:
    """What forgetting means for one store."""

    store_id: str
    base_version: int
    edits: tuple[MemoryEdit, ...] = ()
    restated: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """(path, sha256 of an entry's text) → sha256 of the text that says the same with another count."""


@dataclass(frozen=True, slots=True)
class OpenFate:
    """What forgetting means for one change that waits."""

    change: Change
    """As it is to wait from now on."""
    seen_sha256: str
    """Of the change this was worked out from."""
    expired: str = ""
    """Why it waits no more; "" when it does."""


class Forgetting(Opened):
    """The part of `State` that forgets a session."""

    def committed(self, store: StoreRef) -> list[Committed]:
        """The changes that dreams brought into a store, oldest first; for a copy, those of its original first."""
        with self._db.read() as session:
            lineage = lineage_of(session, find_store(session, store))
            statement = select(ChangeRow, DreamRow).join(
                DreamRow, col(DreamRow.dream_id) == col(ChangeRow.dream_id)
            )
            statement = statement.where(
                col(ChangeRow.committed_store).in_(lineage), col(ChangeRow.committed_version).is_not(None)
            )
            rows = session.exec(statement).all()
        rank = {store_id: -place for place, store_id in enumerate(lineage)}
        ordered = sorted(
            rows,
            key=lambda pair: (
                rank[pair[0].committed_store],
                pair[0].committed_version or 0,
                pair[0].op in _NO_TEXT,
                pair[1].created_at,
                pair[0].position,
                pair[0].change_id,
            ),
        )
        return [_committed(row, dream, self._now()) for row, dream in ordered]

    def forgotten(self, store: StoreRef) -> dict[str, datetime]:
        """The sessions that a store was made to forget, and when last."""
        with self._db.read() as session:
            lineage = lineage_of(session, find_store(session, store))
            statement = select(AuditRow).where(
                AuditRow.action == _FORGET, col(AuditRow.store_id).in_(lineage)
            )
            rows = session.exec(statement.order_by(col(AuditRow.at))).all()
        return {json.loads(row.detail)["session_id"]: row.at for row in rows}

    def cache_keys(self, texts: Collection[str]) -> list[str]:
        """The keys of kept answers that hold any of these texts, letter for letter."""
        found: dict[str, None] = {}
        with self._db.read() as session:
            for text in dict.fromkeys(texts):
                statement = select(CacheRow.key).where(col(CacheRow.value).contains(text, autoescape=True))
                found |= dict.fromkeys(session.exec(statement).all())
        return sorted(found)

    def forget(  # noqa: PLR0913 - each is a part of the same transaction
        self,
        session_id: str,
        stores: Sequence[Forgetful],
        *,
        waiting: Sequence[OpenFate] = (),
        cache_keys: Sequence[str] = (),
        actor: Actor,
        message: str = "",
        scan: Scan | None = None,
    ) -> list[MemoryStore]:
        """Forget one session, its sub-agents included, and return the stores as they are then.

        In one transaction: the edits are committed, each store's as a version of its own; all evidence of the
        session is deleted, wherever it is; changes that wait are brought up to date or expire; kept answers
        are deleted; and the audit says so. The archive is not touched.

        Raises:
            ConflictError: a store or a waiting change moved since this was worked out. Nothing was written.
            LimitError, StoreError: as for any commit. Nothing was written.
        """
        at = self._now()
        message = plain("message", message) or f"forget session {session_id}"
        order = Order(actor=actor, at=at, message=message, scan=scan or self.scan)
        with self._db.write() as session:
            failpoint("forget.begin")
            rows = [
                _forget_in(session, wanted, session_id, order)
                for wanted in sorted(stores, key=lambda one: one.store_id)
            ]
            failpoint("forget.committed")
            _delete_evidence(session, session_id)
            failpoint("forget.evidence")
            for fate in waiting:
                _settle(session, fate)
            for some in chunks(dict.fromkeys(cache_keys)):
                session.connection().execute(delete(CacheRow).where(col(CacheRow.key).in_(some)))
            session.flush()
            failpoint("forget.settled")
            words = [store_word(row) for row in rows]
        failpoint("forget.done")
        return words


def _forget_in(session: Session, wanted: Forgetful, session_id: str, order: Order) -> StoreRow:
    store = find_store(session, wanted.store_id, lock=True)
    if store.version != wanted.base_version:
        msg = (
            f"The store {store.name!r} is at version {store.version}, and this was worked out for version "
            f"{wanted.base_version}: someone committed meanwhile. Nothing was forgotten. Run it again."
        )
        raise ConflictError(msg)
    restate_evidence(session, store, wanted.restated)
    if wanted.edits:
        write_commit(session, store, wanted.edits, order, stood=_stood(session, store, wanted.edits, order))
    detail = json.dumps({"session_id": session_id, "message": order.message})
    session.add(audit_row(_FORGET, store, order.actor, order.at, detail=detail))
    return store


def _stood(session: Session, store: StoreRow, edits: Sequence[MemoryEdit], order: Order) -> dict[str, str]:
    """All that the edited memories ever said, where the scan finds something: forgetting brings back what stood there."""
    if not order.scan or not any(order.scan(edit.content or "") for edit in edits):
        return {}
    statement = select(MemoryVersionRow.path, MemoryVersionRow.content_sha256).where(
        col(MemoryVersionRow.store_id).in_(lineage_of(session, store)),
        col(MemoryVersionRow.path).in_([edit.path for edit in edits]),
    )
    said = {(path, sha) for path, sha in session.exec(statement).all() if sha}
    texts = contents(session, {sha for _, sha in said})
    stood: dict[str, list[str]] = {}
    for path, sha in sorted(said):
        stood.setdefault(path, []).append(texts[sha])
    return {path: "\n".join(some) for path, some in stood.items()}


def _delete_evidence(session: Session, session_id: str) -> None:
    here = (col(EvidenceRow.root_id) == session_id) | (col(EvidenceRow.session_id) == session_id)
    session.connection().execute(delete(EvidenceRow).where(here))


def _settle(session: Session, fate: OpenFate) -> None:
    row = find_change(session, fate.change.change_id, lock=True)
    if row.status not in _WAITING or row.sha256 != fate.seen_sha256:
        msg = (
            f"The change {row.change_id!r} was decided meanwhile: it is {row.status}. Nothing was forgotten. "
            "Run it again."
        )
        raise ConflictError(msg)
    if fate.expired:
        row.status, row.status_reason, row.expires_at = "expired", fate.expired, None
    else:
        row.body, row.sha256 = fate.change.model_dump_json(), fate.change.sha256
        row.status_reason = fate.change.status_reason
    session.add(row)


def _committed(row: ChangeRow, dream: DreamRow, now: datetime) -> Committed:
    return Committed(
        change=change_word(row, now),
        store_id=row.committed_store,
        version=row.committed_version or 0,
        is_undone=row.undone_version is not None,
        dreamt_at=dream.created_at,
    )
