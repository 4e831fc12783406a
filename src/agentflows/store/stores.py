"""Memory stores and what they hold: making, reading, archiving, redacting."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from sqlmodel import Session, col, select

from agentflows.errors import ConflictError, NotFoundError, StoreError
from agentflows.memory import (
    Actor,
    ActorKind,
    Memory,
    MemoryEdit,
    MemoryStore,
    MemoryVersion,
    Operation,
    check_description,
    check_name,
    tree_sha256,
)
from agentflows.store.chain import (
    GENESIS,
    contents,
    head_rows,
    link,
    tree_rows,
    verify_store,
)
from agentflows.store.commits import Order, write_commit
from agentflows.store.evidence import copy_evidence
from agentflows.store.opened import (
    Opened,
    StoreRef,
    audit_row,
    find_store,
    new_id,
    plain,
    store_word,
)
from agentflows.store.pins import copy_pins
from agentflows.store.tables import CommitRow, ContentRow, MemoryRow, MemoryVersionRow, StoreRow


class Stores(Opened):
    """The part of `State` that keeps memory stores."""

    def create_store(self, name: str, description: str = "", *, actor: Actor) -> MemoryStore:
        """Make an empty store. Its name is unique among stores in use.

        Raises:
            ConflictError: a store of that name is in use.
            LimitError: the name or the description breaks a hosted limit.
        """
        with self._db.write() as session:
            row = self._new_store(session, name, description, actor)
            session.add(audit_row("create_store", row, actor, self._now()))
            return store_word(row)

    def get_store(self, name_or_id: StoreRef) -> MemoryStore:
        """The store in use of that name, or the store of that id, archived or not.

        Raises:
            NotFoundError: there is none; the message lists those there are.
        """
        with self._db.read() as session:
            return store_word(find_store(session, name_or_id))

    def list_stores(self, *, archived: bool = False) -> list[MemoryStore]:
        """All stores in use by name; with `archived`, those that are archived too."""
        statement = select(StoreRow).order_by(col(StoreRow.name), col(StoreRow.created_at))
        with self._db.read() as session:
            rows = session.exec(statement).all()
        return [store_word(row) for row in rows if archived or row.archived_at is None]

    def archive_store(self, store: StoreRef, *, actor: Actor) -> MemoryStore:
        """Archive a store, for good: it can be read, copied and redacted, and no longer written.

        Archiving one that is archived changes nothing.
        """
        with self._db.write() as session:
            row = find_store(session, store, lock=True)
            if row.archived_at is None:
                row.archived_at = row.updated_at = self._now()
                session.add(row)
                session.add(audit_row("archive_store", row, actor, row.archived_at))
            return store_word(row)

    def copy_store(
        self, store: StoreRef, new_name: str, *, actor: Actor, description: str | None = None
    ) -> MemoryStore:
        """Make a new store with the same memories, evidence and pins; the original is untouched.

        What is approved for the original, at the version copied, may be committed to the copy.

        Raises:
            ConflictError: a store of the new name is in use.
        """
        with self._db.write() as session:
            source = find_store(session, store)
            head = head_rows(session, source)
            texts = contents(session, {row.content_sha256 for row in head.values()})
            row = self._new_store(
                session,
                new_name,
                source.description if description is None else description,
                actor,
                copied_from=source.store_id,
            )
            edits = [
                MemoryEdit(path=path, content=texts[memory.content_sha256], expected_sha256=None)
                for path, memory in head.items()
            ]
            message = f"copy of {source.name} version {source.version}"
            if not edits:
                session.add(audit_row("copy_store", row, actor, self._now(), detail=message))
            write_commit(
                session, row, edits, Order(actor=actor, at=self._now(), action="copy_store", message=message)
            )
            copy_evidence(session, source, row)
            copy_pins(session, source, row)
            return store_word(row)

    def memories(self, store: StoreRef) -> list[Memory]:
        """The memories of a store as they are now, by path.

        Raises:
            CorruptionError: one is not what was written.
        """
        with self._db.read() as session:
            row = find_store(session, store)
            head = head_rows(session, row)
            texts = contents(session, {memory.content_sha256 for memory in head.values()})
        return [_memory_word(memory, texts[memory.content_sha256]) for memory in head.values()]

    def memory(self, store: StoreRef, path: str) -> Memory:
        """One memory as it is now.

        Raises:
            NotFoundError: the store has none at that path; the message lists some it has.
            CorruptionError: it is not what was written.
        """
        with self._db.read() as session:
            row = find_store(session, store)
            head = head_rows(session, row)
            if path not in head:
                raise _no_memory(row.name, path, head)
            memory = head[path]
            text = contents(session, [memory.content_sha256])[memory.content_sha256]
        return _memory_word(memory, text)

    def files(self, store: StoreRef, version: int | None = None) -> dict[str, str]:
        """Path → content of a store now, or as it was at a version.

        Raises:
            NotFoundError: the store has no such version.
            StoreError: content of that version was redacted.
            CorruptionError: it is not what was written.
        """
        with self._db.read() as session:
            row = find_store(session, store)
            if version is None or version == row.version:
                shas = {path: memory.content_sha256 for path, memory in head_rows(session, row).items()}
            else:
                shas = _earlier(session, row, version)
            texts = contents(session, shas.values())
        return {path: texts[sha] for path, sha in shas.items()}

    def trees(self, store: StoreRef) -> dict[int, str]:
        """The sha256 of the whole tree (`tree_sha256`) at every version of a store, by version; 0 is the empty one."""
        with self._db.read() as session:
            row = find_store(session, store)
            statement = select(CommitRow.version, CommitRow.tree_sha256).where(
                CommitRow.store_id == row.store_id
            )
            return {0: tree_sha256({})} | dict(session.exec(statement.order_by(col(CommitRow.version))).all())

    def versions(
        self,
        store: StoreRef,
        *,
        path: str | None = None,
        dream_id: str | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[MemoryVersion]:
        """The changes made to a store's memories, newest first.

        `path` asks for the history of what stood there, before it was moved and after as well.
        """
        with self._db.read() as session:
            row = find_store(session, store)
            table = MemoryVersionRow
            statement = select(table).where(table.store_id == row.store_id)
            if path is not None:
                ids = select(table.memory_id).where(table.store_id == row.store_id, table.path == path)
                statement = statement.where(col(table.memory_id).in_(ids))
            if dream_id is not None:
                statement = statement.where(table.dream_id == dream_id)
            newest = (
                statement.order_by(col(table.store_version).desc(), col(table.path))
                .offset(offset)
                .limit(limit)
            )
            rows = session.exec(newest).all()
            texts = contents(session, [found.content_sha256 for found in rows if found.content_sha256])
        return [_version_word(found, texts.get(found.content_sha256 or "")) for found in rows]

    def verify(self, store: StoreRef) -> int:
        """Check everything of a store: the hash chain, every tree, every content.

        Returns:
            How many versions hold, the empty one included.

        Raises:
            CorruptionError: something is not what was written; the message names it.
        """
        with self._db.read() as session:
            return verify_store(session, find_store(session, store))

    def redact(self, memory_version_id: str, *, actor: Actor, reason: str) -> MemoryVersion:
        """Take the path and content of one past version out of the database, its file and its log.

        Who made the change, and when, stays. It covers this version alone: another one with the same content,
        the archive, dreams and exports have their own copies.

        Raises:
            NotFoundError: there is no such version.
            ConflictError: its content still stands in a store; commit a new one first.
            StoreError: another process kept the file busy; the redaction is made, and this says what is left.
        """
        with self._db.write() as session:
            row = session.get(MemoryVersionRow, memory_version_id)
            if row is None:
                msg = f"There is no memory version {memory_version_id!r}. See `versions` of the store."
                raise NotFoundError(msg)
            store = find_store(session, row.store_id, lock=True)
            _redact(session, row, actor, self._now())
            detail = json.dumps({"memory_version_id": memory_version_id, "reason": plain("reason", reason)})
            session.add(audit_row("redact", store, actor, self._now(), detail=detail))
        self._db.truncate_log()
        return _version_word(row, None)

    def _new_store(
        self, session: Session, name: str, description: str, actor: Actor, *, copied_from: str = ""
    ) -> StoreRow:
        check_name(name)
        check_description(description)
        taken = select(StoreRow).where(StoreRow.name == name, col(StoreRow.archived_at).is_(None))
        if session.exec(taken).first() is not None:
            msg = f"A memory store called {name!r} is in use. Choose another name, or archive that one first."
            raise ConflictError(msg)
        now = self._now()
        store_id = new_id("memstore")
        first = CommitRow(
            store_id=store_id,
            version=0,
            tree_sha256=tree_sha256({}),
            previous_chain=GENESIS,
            chain_sha256="",
            actor_kind=actor.kind,
            actor_name=plain("actor's name", actor.name),
            message="created",
            dream_id="",
            decisions="[]",
            created_at=now,
        )
        first.chain_sha256 = link(first, [])
        row = StoreRow(
            store_id=store_id,
            name=name,
            description=description,
            created_at=now,
            updated_at=now,
            tree_sha256=first.tree_sha256,
            chain_sha256=first.chain_sha256,
            copied_from=copied_from,
        )
        session.add(row)
        session.flush()
        session.add(first)
        session.flush()
        return row


def _earlier(session: Session, store: StoreRow, version: int) -> dict[str, str]:
    if not 0 <= version <= store.version:
        msg = f"The store {store.name!r} has no version {version}. It has 0 (empty) to {store.version} (now)."
        raise NotFoundError(msg)
    rows = tree_rows(session, store, version)
    shas = {path: row.content_sha256 for path, row in rows.items() if row.content_sha256}
    if len(shas) != len(rows):
        msg = f"Version {version} of the store {store.name!r} cannot be read: content of it was redacted."
        raise StoreError(msg)
    return shas


def _redact(session: Session, row: MemoryVersionRow, actor: Actor, at: datetime) -> None:
    standing = select(MemoryRow).where(MemoryRow.memory_version_id == row.memory_version_id)
    if session.exec(standing).first() is not None:
        msg = (
            f"The version {row.memory_version_id!r} is what {row.path!r} says now. Commit a new content (or delete "
            "the memory) first, then redact this version."
        )
        raise ConflictError(msg)
    content_sha256 = row.content_sha256
    row.path, row.content_sha256, row.record_key = "", None, ""
    row.redacted_at, row.redacted_by = at, plain("actor's name", actor.name)
    session.add(row)
    session.flush()
    for table in (MemoryRow, MemoryVersionRow):
        if session.exec(select(table).where(table.content_sha256 == content_sha256)).first() is not None:
            return
    content = session.get(ContentRow, content_sha256)
    if content is not None:
        session.delete(content)


def _no_memory(store: str, path: str, there: Iterable[str]) -> NotFoundError:
    some = sorted(there)
    found = f"It has {', '.join(some[:10])}{' …' if len(some) > 10 else ''}." if some else "It is empty."
    return NotFoundError(f"The store {store!r} has no memory at {path!r}. {found}")


def _memory_word(row: MemoryRow, content: str) -> Memory:
    return Memory(
        memory_id=row.memory_id,
        store_id=row.store_id,
        path=row.path,
        content=content,
        content_sha256=row.content_sha256,
        memory_version_id=row.memory_version_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _version_word(row: MemoryVersionRow, content: str | None) -> MemoryVersion:
    return MemoryVersion(
        memory_version_id=row.memory_version_id,
        memory_id=row.memory_id,
        store_id=row.store_id,
        store_version=row.store_version,
        path=row.path,
        operation=cast("Operation", row.operation),
        content=content,
        content_sha256=row.content_sha256,
        created_by=Actor(kind=cast("ActorKind", row.actor_kind), name=row.actor_name),
        created_at=row.created_at,
        dream_id=row.dream_id,
        message=row.message,
    )
