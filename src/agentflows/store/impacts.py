"""Impact flags: versions of a store after which sessions went worse, until a restore undoes them.

They stand in the audit, which nothing rewrites: raised, withdrawn when a later measurement no longer says so, and
answered by the restore to a version before them.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from agentflows.memory import Actor
from agentflows.store.opened import Opened, StoreRef, audit_row, find_store
from agentflows.store.tables import AuditRow, StoreRow

_RAISED, _WITHDRAWN, _ANSWERED = "impact_worse", "impact_withdrawn", "impact_restored"


class Worse(BaseModel):
    """A step of a store's memory after which sessions went worse."""

    model_config = ConfigDict(frozen=True)

    first_version: int
    version: int
    """The last version of the step; the first, where several came without a session between them, is above."""
    why: str
    """In words, with numbers."""
    low: float
    high: float
    """The 95 % interval of the difference of success, after minus before, in shares of 1. Both are below 0."""

    @property
    def restore_to(self) -> int:
        """The version that undoes it."""
        return self.first_version - 1


class ImpactFlag(BaseModel):
    """What was found about one step, and what became of it."""

    model_config = ConfigDict(frozen=True)

    worse: Worse
    raised_at: datetime
    status: Literal["open", "withdrawn", "restored"] = "open"
    by_version: int | None = None
    """The version in which a restore undid it."""
    settled_at: datetime | None = None


class ImpactFlags(Opened):
    """The part of `State` that knows which versions made things worse."""

    def impact_flags(self, store: StoreRef) -> list[ImpactFlag]:
        """What was ever found of a store, by version."""
        with self._db.read() as session:
            return list(_flags(session, find_store(session, store)).values())

    def record_impact(self, store: StoreRef, worse: Sequence[Worse], *, actor: Actor) -> list[ImpactFlag]:
        """Keep what a measurement of the whole store found, and return the flags as they are then.

        A step that was not known to be worse is flagged; one that is flagged and not among `worse` any more is
        withdrawn; one that a restore undid stays undone, whatever is found.
        """
        with self._db.write() as session:
            row = find_store(session, store, lock=True)
            known, now = _flags(session, row), self._now()
            found = {one.version: one for one in worse}
            for version, one in found.items():
                if version not in known or known[version].status == "withdrawn":
                    session.add(audit_row(_RAISED, row, actor, now, detail=one.model_dump_json()))
            for version, flag in known.items():
                if flag.status == "open" and version not in found:
                    detail = json.dumps({"version": version})
                    session.add(audit_row(_WITHDRAWN, row, actor, now, detail=detail))
            session.flush()
            return list(_flags(session, row).values())


def note_restored(session: Session, store: StoreRow, version: int, actor: Actor, at: datetime) -> None:
    """Answer every open flag on a version that a restore of `version` took out."""
    for flag in _flags(session, store).values():
        if flag.status == "open" and version < flag.worse.first_version:
            detail = json.dumps({"version": flag.worse.version, "by_version": store.version})
            session.add(audit_row(_ANSWERED, store, actor, at, detail=detail))


def _flags(session: Session, store: StoreRow) -> dict[int, ImpactFlag]:
    statement = select(AuditRow).where(
        AuditRow.store_id == store.store_id, col(AuditRow.action).in_([_RAISED, _WITHDRAWN, _ANSWERED])
    )
    found: dict[int, ImpactFlag] = {}
    for row in session.exec(statement.order_by(col(AuditRow.at), col(AuditRow.audit_id))).all():
        if row.action == _RAISED:
            worse = Worse.model_validate_json(row.detail)
            found[worse.version] = ImpactFlag(worse=worse, raised_at=row.at)
            continue
        detail = json.loads(row.detail)
        flag = found[int(detail["version"])]
        status = "withdrawn" if row.action == _WITHDRAWN else "restored"
        update = {"status": status, "by_version": detail.get("by_version"), "settled_at": row.at}
        found[flag.worse.version] = flag.model_copy(update=update)
    return dict(sorted(found.items()))
