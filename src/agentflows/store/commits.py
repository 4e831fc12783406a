"""Commits: everything that changes a store's memories, each in one transaction, all of it or nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from agentflows.change import Change, identity
from agentflows.errors import ConflictError, NotApprovedError, NotFoundError, StoreError
from agentflows.memory import Actor, MemoryEdit, MemoryStore
from agentflows.store.approvals import use_decisions
from agentflows.store.binding import unapproved
from agentflows.store.chain import check_head, contents, head_rows, tree_rows
from agentflows.store.edits import Scan, plan, refuse_secret
from agentflows.store.evidence import record_evidence
from agentflows.store.failpoints import failpoint
from agentflows.store.impacts import note_restored
from agentflows.store.leases import Lease, check_fence
from agentflows.store.opened import Opened, StoreRef, audit_row, find_store, plain, store_word
from agentflows.store.pins import pinned_ids, pins_of, touches_pinned
from agentflows.store.tables import (
    AuditRow,
    ChangeRow,
    CommitRow,
    MemoryRow,
    MemoryVersionRow,
    StoreRow,
)
from agentflows.store.writing import write_version

_WRITES_NOTHING = ("reinforce", "flag")


@dataclass(frozen=True, slots=True)
class Order:
    """Who commits, why, and by whose leave."""

    actor: Actor
    at: datetime
    action: str = "commit"
    message: str = ""
    dream_id: str = ""
    decisions: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    """What the committer says it applied."""
    scan: Scan | None = None

    @property
    def request_key(self) -> str | None:
        """What makes a dream's commit the same commit; None for one that no dream asked for."""
        return identity(self.dream_id, sorted(set(self.decisions))) if self.dream_id else None


class Commits(Opened):
    """The part of `State` that writes memories."""

    def commit(  # noqa: PLR0913 - each is a condition of the same transaction
        self,
        store: StoreRef,
        edits: Sequence[MemoryEdit],
        *,
        base_version: int | None,
        actor: Actor,
        message: str = "",
        dream_id: str = "",
        decisions: Sequence[str] = (),
        scan: Scan | None = None,
        changes: Sequence[Change] = (),
        lease: Lease | None = None,
    ) -> MemoryStore:
        """Write edits to a store as one new version, and return the store.

        `base_version` is the version the edits were made from; None takes any, and then only each edit's
        `expected_sha256` guards against lost updates. A commit for a dream needs the ids of the decisions
        that approve its changes, uses each once, and must write exactly what they approve; asked for again
        it changes nothing and returns the store as it is. Edits that change nothing make no version.
        The quotes of the approved changes become evidence of the entries they brought, in the same
        transaction; `changes`, when given, must be those very changes. With a `lease`, only its present
        holder commits. `scan` is asked about what the edits bring and about the message; None: the state's own.

        Raises:
            NotFoundError: there is no such store.
            ConflictError: the store or a file changed since it was read, or the lease was lost.
            NotApprovedError: a decision is missing or does not fit.
            LimitError: a hosted limit would be broken.
            StoreError: the scan found a secret, the store is archived, or the database refused.
        """
        order = Order(
            actor=actor,
            at=self._now(),
            message=plain("message", message),
            dream_id=dream_id,
            decisions=tuple(decisions),
            changes=tuple(changes),
            scan=scan or self.scan,
        )
        with self._db.write() as session:
            failpoint("commit.begin")
            row = find_store(session, store, lock=True)
            if not _made_before(session, row, order):
                if lease:
                    check_fence(session, lease)
                _check_base(row, base_version)
                write_commit(session, row, edits, order)
            word = store_word(row)
        failpoint("commit.done")
        return word

    def restore(
        self, store: StoreRef, version: int, *, actor: Actor, message: str = "", scan: Scan | None = None
    ) -> MemoryStore:
        """Make a store what it was at `version`, as a new version on top; history stays.

        Changes of dreams that this undoes are remembered as unwanted (`undone`), so that the next dream
        does not bring them back; so are the versions that were flagged for what came after them (`impact_flags`).
        Restoring what is already there makes no version. It is scanned when `scan` is given: what stood once may stand again.

        Raises:
            NotFoundError: there is no such store or version.
            StoreError: content of that version was redacted, or the store is archived.
        """
        order = Order(
            actor=actor,
            at=self._now(),
            action="restore",
            message=plain("message", message) or f"restore version {version}",
            scan=scan,
        )
        with self._db.write() as session:
            row = find_store(session, store, lock=True)
            _check_version(row, version)
            target = tree_rows(session, row, version)
            edits = _edits_to(session, row, target)
            before = row.version
            write_commit(
                session, row, edits, order, ids={path: old.memory_id for path, old in target.items()}
            )
            if row.version != before:
                _note_undone(session, row, version)
                note_restored(session, row, version, actor, order.at)
            return store_word(row)


def write_commit(
    session: Session,
    store: StoreRow,
    edits: Sequence[MemoryEdit],
    order: Order,
    *,
    ids: Mapping[str, str] | None = None,
    stood: Mapping[str, str] | None = None,
) -> None:
    """Check and write one commit inside the caller's transaction; `store` is locked and brought up to date.

    `stood` (path → text) is what the scan lets stand there again; without it, what the edited files say now.

    Raises:
        ConflictError, NotApprovedError, LimitError, StoreError: as `State.commit`.
    """
    if store.archived_at is not None:
        msg = f"The store {store.name!r} is archived, which is final. Copy it to a new store and write there."
        raise StoreError(msg)
    refuse_secret("the message", "", order.message, order.scan)
    check_head(session, store)
    head = head_rows(session, store)
    files = _files(session, head) if order.decisions else {}
    texts = stood or files or (_files(session, _edited(head, edits)) if order.scan else {})
    steps = plan(head, edits, ids=ids, scan=order.scan, texts=texts)
    failpoint("commit.checked")
    changes = _approved_changes(session, store, files, edits, order)
    failpoint("commit.approved")
    if steps:
        write_version(session, store, head, steps, _commit_row(store, order))
    for change in changes:
        change.status, change.status_reason = "committed", ""
        change.committed_store, change.committed_version = store.store_id, store.version
        session.add(change)
    if changes:
        record_evidence(session, store, changes, files, _after(files, edits))
    failpoint("commit.evidence")
    if steps or changes:
        session.add(_audit(store, order))
    session.flush()
    failpoint("commit.audited")


def _made_before(session: Session, store: StoreRow, order: Order) -> bool:
    key = order.request_key
    if key is None:
        return False
    return (
        session.exec(select(AuditRow).where(AuditRow.request_key == f"{store.store_id}:{key}")).first()
        is not None
    )


def _check_base(store: StoreRow, base_version: int | None) -> None:
    if base_version is not None and base_version != store.version:
        msg = (
            f"The store {store.name!r} is at version {store.version}, and this was made from version {base_version}: "
            "someone committed meanwhile. Nothing was written. Read it again and redo the edit, or dream again."
        )
        raise ConflictError(msg)


def _check_version(store: StoreRow, version: int) -> None:
    if not 0 <= version <= store.version:
        msg = f"The store {store.name!r} has no version {version}. It has 0 (empty) to {store.version} (now)."
        raise NotFoundError(msg)


def _approved_changes(
    session: Session,
    store: StoreRow,
    files: Mapping[str, str],
    edits: Sequence[MemoryEdit],
    order: Order,
) -> list[ChangeRow]:
    if not order.decisions:
        if order.dream_id or order.actor.kind == "dream_actor":
            msg = (
                f"A commit for the dream {order.dream_id or order.actor.name!r} names no decision. Nothing was "
                "written. Decide on its changes first (a policy decides in its own name) and pass the ids."
            )
            raise NotApprovedError(msg)
        return []
    rows = use_decisions(session, store, order.decisions, dream_id=order.dream_id, at=order.at)
    approved = [Change.model_validate_json(row.body) for row in rows]
    _check_pins(session, store, files, approved)
    problem = unapproved(files, edits, approved)
    said = {change.sha256 for change in order.changes}
    if said and said != {change.sha256 for change in approved}:
        problem = "the changes it says it applies are not those that the decisions approve"
    if problem:
        msg = f"The commit is not what was approved: {problem}. Nothing was written. Decide on it as it is."
        raise NotApprovedError(msg)
    return rows


def _check_pins(
    session: Session, store: StoreRow, files: Mapping[str, str], changes: Sequence[Change]
) -> None:
    pinned = pinned_ids(pins_of(session, store), files)
    for change in changes:
        touched = touches_pinned(change, pinned)
        if touched:
            msg = (
                f"{change.change_id} ({change.op}) touches {touched}, which is pinned. Nothing was written. "
                "Unpin it first, or reject the change."
            )
            raise NotApprovedError(msg)


def _edited(head: Mapping[str, MemoryRow], edits: Sequence[MemoryEdit]) -> dict[str, MemoryRow]:
    return {edit.path: head[edit.path] for edit in edits if edit.path in head}


def _files(session: Session, head: Mapping[str, MemoryRow]) -> dict[str, str]:
    texts = contents(session, {row.content_sha256 for row in head.values()})
    return {path: texts[row.content_sha256] for path, row in head.items()}


def _after(files: Mapping[str, str], edits: Sequence[MemoryEdit]) -> dict[str, str]:
    """The tree as the edits leave it."""
    written = {edit.path: edit.content for edit in edits}
    return {path: text for path, text in {**files, **written}.items() if text is not None}


def _commit_row(store: StoreRow, order: Order) -> CommitRow:
    """The next version; its tree and its place in the chain are known once it is written."""
    return CommitRow(
        store_id=store.store_id,
        version=store.version + 1,
        tree_sha256="",
        previous_chain=store.chain_sha256,
        chain_sha256="",
        actor_kind=order.actor.kind,
        actor_name=plain("actor's name", order.actor.name),
        message=order.message,
        dream_id=order.dream_id,
        decisions=json.dumps(sorted(set(order.decisions))),
        created_at=order.at,
    )


def _audit(store: StoreRow, order: Order) -> AuditRow:
    detail = {"message": order.message, "decisions": sorted(set(order.decisions))}
    row = audit_row(order.action, store, order.actor, order.at, detail=json.dumps(detail))
    row.dream_id = order.dream_id
    row.request_key = f"{store.store_id}:{order.request_key}" if order.request_key else None
    return row


def _edits_to(session: Session, store: StoreRow, target: Mapping[str, MemoryVersionRow]) -> list[MemoryEdit]:
    gone = [path for path, row in target.items() if row.redacted_at]
    if gone:
        msg = f"The content of {len(gone)} memories of that version was redacted, so it cannot be restored."
        raise StoreError(msg)
    texts = contents(session, {row.content_sha256 for row in target.values() if row.content_sha256})
    head = head_rows(session, store)
    edits = [
        MemoryEdit(
            path=path,
            content=texts[row.content_sha256 or ""],
            expected_sha256=head[path].content_sha256 if path in head else None,
        )
        for path, row in target.items()
    ]
    return edits + [
        MemoryEdit(path=path, content=None, expected_sha256=row.content_sha256)
        for path, row in head.items()
        if path not in target
    ]


def _note_undone(session: Session, store: StoreRow, version: int) -> None:
    """Keep which dream's changes stand after a restore and which are undone by it.

    What wrote nothing is not undone by it: more evidence for an entry, a flag that was looked at.
    """
    statement = select(ChangeRow).where(
        col(ChangeRow.committed_store) == store.store_id,
        col(ChangeRow.committed_version).is_not(None),
        col(ChangeRow.op).not_in(_WRITES_NOTHING),
    )
    for change in session.exec(statement).all():
        undone = change.undone_version is not None and change.undone_version <= version
        stands = (change.committed_version or 0) <= version and not undone
        if stands:
            change.undone_version = None
        elif change.undone_version is None:
            change.undone_version = store.version
            change.status_reason = f"undone: version {version} was restored as version {store.version}"
        session.add(change)
