"""Leases: one worker at a time on one thing, told apart by a token that only ever grows.

Whoever lost a lease without noticing (a stopped process that woke up) still holds its old token, and a
commit made with it is refused. Times are the database's own, so workers' clocks need not agree.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, col, select

from agentflows.errors import ConflictError
from agentflows.store.database import insert_missing
from agentflows.store.holders import Holder
from agentflows.store.opened import Opened
from agentflows.store.tables import LeaseRow


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on `name`, until someone else takes it after it ran out."""

    name: str
    owner: str
    token: int
    """The fencing token: each new holder's is larger than all before."""
    ttl: timedelta


class Leases(Opened):
    """The part of `State` that hands out leases."""

    def lease(self, name: str, owner: str, ttl: timedelta) -> Lease:
        """Take the lease on `name`; its own owner may take it again, which fences the earlier holder.

        So may anybody when the owner is a `Holder` on this machine whose process is gone.

        Raises:
            ConflictError: another owner holds it; the message says who and for how long.
        """
        with self._db.write() as session:
            free = {"name": name, "owner": "", "token": 0, "heartbeat": 0.0, "expires": 0.0}
            insert_missing(session, LeaseRow, [free])
            row = _locked(session, name)
            now = self._db.now(session)
            if row.owner != owner and _is_live(row, now):
                raise ConflictError(_taken(row, now))
            row.owner, row.token = owner, row.token + 1
            row.heartbeat, row.expires = now, now + ttl.total_seconds()
            session.add(row)
            return Lease(name, owner, row.token, ttl)

    def holder(self, name: str) -> str:
        """The owner that holds `name` now; "" when nobody does, or who did is dead or ran out of time."""
        with self._db.read() as session:
            row = session.get(LeaseRow, name)
            return row.owner if row is not None and _is_live(row, self._db.now(session)) else ""

    def renew(self, lease: Lease) -> None:
        """Say that the holder is alive: the lease runs for another `ttl`.

        Raises:
            ConflictError: someone else took it meanwhile.
        """
        with self._db.write() as session:
            row = check_fence(session, lease)
            row.heartbeat = self._db.now(session)
            row.expires = row.heartbeat + lease.ttl.total_seconds()
            session.add(row)

    def release(self, lease: Lease) -> None:
        """Give the lease back. One that was lost already is not touched."""
        with self._db.write() as session:
            row = _locked(session, lease.name)
            if (row.owner, row.token) == (lease.owner, lease.token):
                row.owner, row.expires = "", 0.0
                session.add(row)


def live_holder(session: Session, name: str, now: float) -> Holder | None:
    """The living holder of a name, when one of our processes holds it. `now` is the database's time."""
    row = session.get(LeaseRow, name)
    return Holder.read(row.owner) if row is not None and _is_live(row, now) else None


def _is_live(row: LeaseRow, now: float) -> bool:
    if not row.owner or row.expires <= now:
        return False
    holder = Holder.read(row.owner)
    return holder is None or not holder.is_gone


def _taken(row: LeaseRow, now: float) -> str:
    holder = Holder.read(row.owner)
    left = f"another {row.expires - now:.0f} s unless it renews"
    if holder is None:
        return (
            f"{row.owner!r} works on {row.name!r} for {left}. "
            "Wait until it is done, or, if it died, until its lease runs out."
        )
    return (
        f"{holder.told} is at work on {row.name!r}. Wait until it is done; if it died on another machine, its lease "
        f"runs out in {left}. Nothing was done."
    )


def check_fence(session: Session, lease: Lease) -> LeaseRow:
    """The lease's row, locked, when `lease` is still the newest on its name.

    One that ran out while nobody else took it still holds: nobody else can have written.

    Raises:
        ConflictError: it is not.
    """
    row = _locked(session, lease.name)
    if (row.owner, row.token) != (lease.owner, lease.token):
        msg = (
            f"The lease on {lease.name!r} was lost: {row.owner or 'nobody'!r} holds token {row.token}, this is token "
            f"{lease.token}. Nothing was written. Start again."
        )
        raise ConflictError(msg)
    return row


def _locked(session: Session, name: str) -> LeaseRow:
    statement = select(LeaseRow).where(col(LeaseRow.name) == name).with_for_update()
    row = session.exec(statement.execution_options(populate_existing=True)).first()
    if row is None:
        msg = f"Nobody ever took the lease {name!r}. Take it first with `lease`."
        raise ConflictError(msg)
    return row
