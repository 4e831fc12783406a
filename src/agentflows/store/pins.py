"""Pins: entries that only a person may touch. No dream and no forgetting retires or rewrites them."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from agentflows.change import Change, identity
from agentflows.errors import NotFoundError
from agentflows.memory import Actor, Entry, parse_entries, sha256
from agentflows.store.chain import contents, head_rows
from agentflows.store.opened import Opened, StoreRef, audit_row, find_store, plain
from agentflows.store.tables import PinRow, StoreRow

_REMOVING = {"merge", "supersede", "narrow", "retire"}


class Pin(BaseModel):
    """One pinned entry."""

    model_config = ConfigDict(frozen=True)

    path: str
    entry_sha256: str
    """Of the entry's text: the pin survives edits elsewhere in the file, and lapses when the entry is edited."""
    text: str
    pinned_by: str
    pinned_at: datetime
    reason: str = ""

    @property
    def entry_id(self) -> str:
        """The id of the entry, of the first one where its text stands twice."""
        return f"{self.path}#{self.entry_sha256[:10]}"


class Pins(Opened):
    """The part of `State` that knows what is pinned."""

    def pin(self, store: StoreRef, entry: Entry, *, actor: Actor, reason: str = "") -> Pin:
        """Pin an entry that stands in the store. Pinning it again changes nothing.

        Raises:
            NotFoundError: it does not stand there any more.
        """
        place = (entry.path, sha256(entry.text))
        with self._db.write() as session:
            row = find_store(session, store, lock=True)
            found = session.get(PinRow, _pin_id(row.store_id, *place))
            if found is None:
                if not _stands(session, row, entry):
                    msg = f"{entry.entry_id} does not stand in the store {row.name!r} any more. Read it again, then pin it."
                    raise NotFoundError(msg)
                found = self._new_pin(row, entry, actor, plain("reason", reason))
                session.add(found)
                detail = json.dumps({"entry_id": entry.entry_id, "reason": reason})
                session.add(audit_row("pin", row, actor, found.pinned_at, detail=detail))
            return _word(found)

    def unpin(self, store: StoreRef, path: str, entry_sha256: str, *, actor: Actor) -> bool:
        """Take a pin away; False when there was none."""
        with self._db.write() as session:
            row = find_store(session, store, lock=True)
            found = session.get(PinRow, _pin_id(row.store_id, path, entry_sha256))
            if found is None:
                return False
            session.delete(found)
            detail = json.dumps({"entry_id": _word(found).entry_id})
            session.add(audit_row("unpin", row, actor, self._now(), detail=detail))
            return True

    def pins(self, store: StoreRef) -> list[Pin]:
        """The pins of a store, by path, oldest first; also of entries that were edited since."""
        with self._db.read() as session:
            return pins_of(session, find_store(session, store))

    def _new_pin(self, store: StoreRow, entry: Entry, actor: Actor, reason: str) -> PinRow:
        sha = sha256(entry.text)
        return PinRow(
            pin_id=_pin_id(store.store_id, entry.path, sha),
            store_id=store.store_id,
            path=entry.path,
            entry_sha256=sha,
            text=entry.text,
            actor_kind=actor.kind,
            actor_name=plain("actor's name", actor.name),
            reason=reason,
            pinned_at=self._now(),
        )


def pins_of(session: Session, store: StoreRow) -> list[Pin]:
    """The pins of a store, within the caller's transaction."""
    statement = select(PinRow).where(PinRow.store_id == store.store_id)
    ordered = statement.order_by(col(PinRow.path), col(PinRow.pinned_at), col(PinRow.pin_id))
    return [_word(row) for row in session.exec(ordered).all()]


def copy_pins(session: Session, source: StoreRow, target: StoreRow) -> None:
    """Pin in a copy of a store what is pinned in the original."""
    for row in session.exec(select(PinRow).where(PinRow.store_id == source.store_id)).all():
        values = row.model_dump(exclude={"pin_id", "store_id", "seal"})
        name = _pin_id(target.store_id, row.path, row.entry_sha256)
        session.add(PinRow(pin_id=name, store_id=target.store_id, **values))


def pinned_ids(pins: Sequence[Pin], files: Mapping[str, str]) -> frozenset[str]:
    """The ids of the entries of these files that are pinned. A text that stands twice in a file is pinned twice."""
    wanted = {(pin.path, pin.entry_sha256) for pin in pins}
    paths = sorted({path for path, _ in wanted} & files.keys())
    entries = [entry for path in paths for entry in parse_entries(path, files[path])]
    return frozenset(entry.entry_id for entry in entries if (entry.path, sha256(entry.text)) in wanted)


def touches_pinned(change: Change, pinned: Collection[str]) -> str:
    """The pinned entry that the change would retire or rewrite; "" when there is none."""
    named: Iterable[str] = change.entry_ids if change.op in _REMOVING else ()
    return next((name for name in named if name in pinned), "")


def _stands(session: Session, store: StoreRow, entry: Entry) -> bool:
    head = head_rows(session, store)
    if entry.path not in head:
        return False
    sha = head[entry.path].content_sha256
    text = contents(session, [sha])[sha]
    return any(one.text == entry.text for one in parse_entries(entry.path, text))


def _pin_id(store_id: str, path: str, entry_sha256: str) -> str:
    return f"pin_{identity(store_id, path, entry_sha256)}"


def _word(row: PinRow) -> Pin:
    return Pin(
        path=row.path,
        entry_sha256=row.entry_sha256,
        text=row.text,
        pinned_by=row.actor_name,
        pinned_at=row.pinned_at,
        reason=row.reason,
    )
