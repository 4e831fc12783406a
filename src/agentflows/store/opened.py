"""What every part of `State` stands on: the database, a clock, and how a store is named."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlmodel import Session, col, select

from agentflows.errors import LimitError, NotFoundError
from agentflows.memory import Actor, MemoryStore
from agentflows.store.database import Database
from agentflows.store.edits import Scan
from agentflows.store.rows import naive_utc
from agentflows.store.tables import AuditRow, StoreRow

StoreRef = str | MemoryStore
"""A store's name, its id, or the store itself."""


class Opened:
    """The open database, the clock (`now` returns the time, UTC), and the scans for secrets, None for no scan."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime] | None = None,
        scan: Scan | None = None,
        scan_files: Scan | None = None,
    ) -> None:
        self._db = database
        self._clock = now or _utc_now
        self.scan = scan
        """What every commit is asked, and every approval before it decides, where the caller names no other scan."""
        self.scan_files = scan_files or scan
        """The same, for text files that a person takes in."""

    def _now(self) -> datetime:
        return naive_utc(self._clock())


def _utc_now() -> datetime:
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """A new random id such as `mem_3f0c…`."""
    return f"{prefix}_{secrets.token_hex(12)}"


def plain(what: str, text: str) -> str:
    """Return a short text when both databases can hold it.

    Raises:
        LimitError: it holds NUL or half of a surrogate pair.
    """
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        msg = f"The {what} {text!r} holds a NUL or a lone surrogate. Leave it out."
        raise LimitError(msg)
    return text


def find_store(session: Session, ref: StoreRef, *, lock: bool = False) -> StoreRow:
    """The store of that id, or the one in use of that name.

    Raises:
        NotFoundError: there is none; the message lists those there are.
    """
    wanted = ref.store_id if isinstance(ref, MemoryStore) else ref
    statement = select(StoreRow).where(
        (col(StoreRow.store_id) == wanted)
        | ((col(StoreRow.name) == wanted) & col(StoreRow.archived_at).is_(None))
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    rows = session.exec(statement).all()
    if not rows:
        raise _no_store(session, wanted)
    return next((row for row in rows if row.store_id == wanted), rows[0])


def _no_store(session: Session, wanted: str) -> NotFoundError:
    rows = session.exec(select(StoreRow).order_by(col(StoreRow.name))).all()
    names = [row.name for row in rows if row.archived_at is None]
    archived = [row.store_id for row in rows if row.archived_at is not None and row.name == wanted]
    found = f"There are: {', '.join(map(repr, names))}." if names else "There are none yet."
    if archived:
        found = f"It is archived: read it by its id {archived[-1]!r}. {found}"
    return NotFoundError(
        f"No memory store is called {wanted!r}. {found} Check the name, or create the store."
    )


def store_word(row: StoreRow) -> MemoryStore:
    """The row as the word that crosses the border."""
    return MemoryStore(
        store_id=row.store_id,
        name=row.name,
        description=row.description,
        created_at=row.created_at,
        updated_at=row.updated_at,
        archived_at=row.archived_at,
        version=row.version,
        sha256=row.tree_sha256,
    )


def audit_row(
    action: str, store: StoreRow | None, actor: Actor, at: datetime, *, detail: str = ""
) -> AuditRow:
    """Who did what, to a store or to none, to be added to the transaction that does it."""
    return AuditRow(
        audit_id=f"aud_{time.time_ns():016x}{secrets.token_hex(4)}",  # in order where the clock stands still
        at=at,
        actor_kind=actor.kind,
        actor_name=actor.name,
        action=action,
        store_id=store.store_id if store else "",
        store_version=store.version if store else None,
        detail=detail,
    )
