"""How one version of a store is written: contents, memory versions, memories, head, in this order."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, col, update

from agentflows.errors import ConflictError
from agentflows.memory import sha256, tree_sha256_of
from agentflows.store.chain import commit_to, link
from agentflows.store.database import insert_missing
from agentflows.store.edits import Step
from agentflows.store.failpoints import failpoint
from agentflows.store.opened import new_id
from agentflows.store.tables import CommitRow, ContentRow, MemoryRow, MemoryVersionRow, StoreRow


def write_version(
    session: Session,
    store: StoreRow,
    head: Mapping[str, MemoryRow],
    steps: Sequence[Step],
    commit: CommitRow,
) -> None:
    """Write the steps as the version that `commit` announces, and move the head to it.

    Raises:
        ConflictError: the head is not where the caller saw it.
    """
    tree = {path: row.content_sha256 for path, row in head.items()}
    for step in steps:
        if step.standing is not None:
            tree.pop(step.standing.path, None)
    tree |= {step.path: sha256(step.content) for step in steps if step.content is not None}
    commit.tree_sha256 = tree_sha256_of(tree)
    versions = [_version_row(commit, step) for step in steps]
    commit.chain_sha256 = link(commit, [row.commitment for row in versions])
    session.add(commit)
    texts = {sha256(step.content): step.content for step in steps if step.content is not None}
    insert_missing(session, ContentRow, [{"sha256": sha, "text": text} for sha, text in texts.items()])
    session.flush()
    session.add_all(versions)
    session.flush()
    failpoint("commit.versioned")
    _write_memories(session, store, steps, versions, commit.created_at)
    failpoint("commit.written")
    _move_head(session, store, commit)
    failpoint("commit.moved")


def _version_row(commit: CommitRow, step: Step) -> MemoryVersionRow:
    memory_id = step.standing.memory_id if step.standing else step.memory_id or new_id("mem")
    row = MemoryVersionRow(
        memory_version_id=new_id("memver"),
        memory_id=memory_id,
        store_id=commit.store_id,
        store_version=commit.version,
        path=step.path,
        operation=step.operation,
        content_sha256=None if step.content is None else sha256(step.content),
        actor_kind=commit.actor_kind,
        actor_name=commit.actor_name,
        created_at=commit.created_at,
        dream_id=commit.dream_id,
        message=commit.message,
        commitment="",
        record_key="",
    )
    commit_to(row)
    return row


def _write_memories(
    session: Session,
    store: StoreRow,
    steps: Sequence[Step],
    versions: Sequence[MemoryVersionRow],
    at: datetime,
) -> None:
    for step in steps:
        if step.operation == "deleted" and step.standing is not None:
            session.delete(step.standing)
    session.flush()
    for step, version in zip(steps, versions, strict=True):
        if version.content_sha256 is None:
            continue
        row = step.standing or MemoryRow(
            memory_id=version.memory_id,
            store_id=store.store_id,
            path=step.path,
            content_sha256=version.content_sha256,
            memory_version_id=version.memory_version_id,
            created_at=at,
            updated_at=at,
        )
        row.path, row.content_sha256 = step.path, version.content_sha256
        row.memory_version_id, row.updated_at = version.memory_version_id, at
        session.add(row)
    session.flush()


def _move_head(session: Session, store: StoreRow, commit: CommitRow) -> None:
    """Compare and swap: the lock makes sure of it already, and this does where a lock is not what it seems."""
    seen = (store.version, store.tree_sha256)
    store.version, store.tree_sha256, store.chain_sha256 = (
        commit.version,
        commit.tree_sha256,
        commit.chain_sha256,
    )
    values = {
        "version": store.version,
        "tree_sha256": store.tree_sha256,
        "chain_sha256": store.chain_sha256,
    }
    store.seal = store.digest()
    with session.no_autoflush:
        session.expunge(store)
        moved = session.connection().execute(
            update(StoreRow)
            .where(
                col(StoreRow.store_id) == store.store_id,
                col(StoreRow.version) == seen[0],
                col(StoreRow.tree_sha256) == seen[1],
            )
            .values(**values, seal=store.seal)
        )
    if moved.rowcount != 1:
        msg = f"The store {store.name!r} moved while it was written. Nothing was written. Run again."
        raise ConflictError(msg)
