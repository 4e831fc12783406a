"""Proof that a store's history is what was written: contents, trees, and a hash chain over its versions."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence

from sqlmodel import Session, col, select

from agentflows.memory import sha256, tree_sha256_of
from agentflows.store.database import chunks
from agentflows.store.rows import corrupt, naive_utc
from agentflows.store.tables import CommitRow, ContentRow, MemoryRow, MemoryVersionRow, StoreRow

GENESIS = "0" * 64
"""What the chain of every store starts from."""


def link(row: CommitRow, commitments: Iterable[str]) -> str:
    """The chain's value after a version: over the one before, the tree, who, why and each change."""
    body = [
        row.previous_chain,
        row.store_id,
        row.version,
        row.tree_sha256,
        row.actor_kind,
        row.actor_name,
        row.message,
        row.dream_id,
        row.decisions,
        naive_utc(row.created_at).isoformat(timespec="microseconds"),
        sorted(commitments),
    ]
    return hashlib.sha256(json.dumps(body).encode()).hexdigest()


def commit_to(row: MemoryVersionRow) -> None:
    """Give a memory version its key and what the chain will hold of it."""
    row.record_key = secrets.token_hex(16)
    row.commitment = _commitment(row)


def _commitment(row: MemoryVersionRow) -> str:
    body = [row.memory_version_id, row.memory_id, row.path, row.operation, row.content_sha256]
    return hmac.new(bytes.fromhex(row.record_key), json.dumps(body).encode(), hashlib.sha256).hexdigest()


def head_rows(session: Session, store: StoreRow) -> dict[str, MemoryRow]:
    """The store's memories by path, proved complete and unaltered against the head's tree.

    Raises:
        CorruptionError: they are not those of the head.
    """
    rows = session.exec(select(MemoryRow).where(MemoryRow.store_id == store.store_id)).all()
    found = {row.path: row for row in rows}
    if tree_sha256_of({path: row.content_sha256 for path, row in found.items()}) != store.tree_sha256:
        what = f"The tree of the store {store.name!r} at version {store.version}"
        raise corrupt(what)
    return dict(sorted(found.items()))


def tree_rows(session: Session, store: StoreRow, version: int) -> dict[str, MemoryVersionRow]:
    """The store at an earlier version: for each path the memory version that stood there.

    Raises:
        CorruptionError: they do not make the tree that was committed.
    """
    statement = (
        select(MemoryVersionRow)
        .where(MemoryVersionRow.store_id == store.store_id, MemoryVersionRow.store_version <= version)
        .order_by(col(MemoryVersionRow.store_version))
    )
    last = {row.memory_id: row for row in session.exec(statement).all()}
    standing = {row.path: row for row in last.values() if row.operation != "deleted"}
    if any(row.redacted_at for row in standing.values()):
        return standing  # its tree can no longer be computed; the chain still holds
    tree = {path: row.content_sha256 or "" for path, row in standing.items()}
    commit = session.get(CommitRow, (store.store_id, version))
    if commit is None or tree_sha256_of(tree) != commit.tree_sha256:
        what = f"The tree of the store {store.name!r} at version {version}"
        raise corrupt(what)
    return dict(sorted(standing.items()))


def contents(session: Session, shas: Iterable[str]) -> dict[str, str]:
    """The texts by sha256, each one checked.

    Raises:
        CorruptionError: one is missing or not what was written.
    """
    wanted = set(shas)
    found: dict[str, str] = {}
    for some in chunks(sorted(wanted)):
        rows = session.exec(select(ContentRow).where(col(ContentRow.sha256).in_(some))).all()
        found |= {row.sha256: row.text for row in rows}
    for sha in wanted:
        if sha not in found or sha256(found[sha]) != sha:
            what = f"The content with sha256 {sha}"
            raise corrupt(what)
    return found


def check_head(session: Session, store: StoreRow) -> None:
    """Check that the head is the end of the chain.

    Raises:
        CorruptionError: it is not.
    """
    commit = session.get(CommitRow, (store.store_id, store.version))
    same = commit and (commit.tree_sha256, commit.chain_sha256) == (store.tree_sha256, store.chain_sha256)
    if not commit or not same or link(commit, _commitments(session, commit)) != commit.chain_sha256:
        what = f"The head of the store {store.name!r} (version {store.version})"
        raise corrupt(what)


def verify_store(session: Session, store: StoreRow) -> int:
    """Check every link, every tree and every content of a store; returns how many versions hold.

    Raises:
        CorruptionError: something is not what was written; the message names it.
    """
    commits = session.exec(
        select(CommitRow).where(CommitRow.store_id == store.store_id).order_by(col(CommitRow.version))
    ).all()
    if [commit.version for commit in commits] != list(range(store.version + 1)):
        what = f"The list of versions of the store {store.name!r}"
        raise corrupt(what)
    changes = _changes(session, store)
    _verify_links(store, commits, changes)
    _verify_trees(store, commits, changes)
    check_head(session, store)
    everything = [row.content_sha256 for rows in changes.values() for row in rows if row.content_sha256]
    everything += [row.content_sha256 for row in head_rows(session, store).values()]
    contents(session, everything)
    return len(commits)


def _changes(session: Session, store: StoreRow) -> dict[int, list[MemoryVersionRow]]:
    found: dict[int, list[MemoryVersionRow]] = {}
    statement = select(MemoryVersionRow).where(MemoryVersionRow.store_id == store.store_id)
    for row in session.exec(statement).all():
        found.setdefault(row.store_version, []).append(row)
    return found


def _commitments(session: Session, commit: CommitRow) -> list[str]:
    statement = select(MemoryVersionRow).where(
        MemoryVersionRow.store_id == commit.store_id, MemoryVersionRow.store_version == commit.version
    )
    return [row.commitment for row in session.exec(statement).all()]


def _verify_links(
    store: StoreRow, commits: Sequence[CommitRow], changes: Mapping[int, list[MemoryVersionRow]]
) -> None:
    previous = GENESIS
    for commit in commits:
        rows = changes.get(commit.version, [])
        kept = all(row.redacted_at or _commitment(row) == row.commitment for row in rows)
        expected = link(commit, [row.commitment for row in rows])
        if not kept or commit.previous_chain != previous or commit.chain_sha256 != expected:
            what = f"Version {commit.version} of the store {store.name!r}"
            raise corrupt(what)
        previous = commit.chain_sha256


def _verify_trees(
    store: StoreRow, commits: Sequence[CommitRow], changes: Mapping[int, list[MemoryVersionRow]]
) -> None:
    standing: dict[str, MemoryVersionRow] = {}
    for commit in commits:
        for row in changes.get(commit.version, []):
            if row.operation == "deleted":
                standing.pop(row.memory_id, None)
            else:
                standing[row.memory_id] = row
        if any(row.redacted_at for row in standing.values()):
            continue
        tree = {row.path: row.content_sha256 or "" for row in standing.values()}
        if tree_sha256_of(tree) != commit.tree_sha256:
            what = f"The tree of the store {store.name!r} at version {commit.version}"
            raise corrupt(what)
