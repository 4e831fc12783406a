"""Which entries of a store rest on which quotes of which sessions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from agentflows.change import Change, identity
from agentflows.memory import Entry, parse_entries, sha256
from agentflows.session import Trust
from agentflows.store.binding import said
from agentflows.store.chain import contents, head_rows
from agentflows.store.database import insert_missing
from agentflows.store.opened import Opened, StoreRef, find_store
from agentflows.store.rows import values_of
from agentflows.store.tables import ChangeRow, EvidenceRow, StoreRow

_TAKES_OVER = {"merge", "narrow"}
"""Ops whose new entry still rests on what the old ones rested on."""


class Evidence(BaseModel):
    """One quote that one entry rests on. The words are in the archive, at `session_id#seq`."""

    model_config = ConfigDict(frozen=True)

    path: str
    entry_sha256: str
    """Of the entry's text: an entry that is edited afterwards rests on nothing that is known."""
    session_id: str
    seq: int
    start: int
    end: int
    quote_sha256: str
    root_id: str
    """The session it counts for."""
    origin: str = ""
    trust: Trust = 1
    at: datetime | None = None
    pattern_key: str = ""
    change_id: str = ""
    dream_id: str = ""


class EvidenceLog(Opened):
    """The part of `State` that knows why the store says what it says."""

    def add_evidence(self, store: StoreRef, rows: Sequence[Evidence]) -> int:
        """Record more evidence for entries, their text unchanged; returns how many rows were new."""
        with self._db.write() as session:
            return insert_evidence(session, find_store(session, store).store_id, rows)

    def evidence(self, store: StoreRef, place: str = "", *, session_id: str = "") -> list[Evidence]:
        """What a store rests on.

        `place` is a memory's path or the sha256 of an entry's text; "" is the whole store. `session_id` asks
        for what rests on that session, its sub-agents included.
        """
        with self._db.read() as session:
            statement = select(EvidenceRow).where(EvidenceRow.store_id == find_store(session, store).store_id)
            if place:
                column = EvidenceRow.path if place.startswith("/") else EvidenceRow.entry_sha256
                statement = statement.where(column == place)
            if session_id:
                here = (col(EvidenceRow.session_id) == session_id) | (col(EvidenceRow.root_id) == session_id)
                statement = statement.where(here)
            rows = session.exec(statement).all()
        return sorted(
            map(_word, rows), key=lambda row: (row.path, row.entry_sha256, row.session_id, row.seq, row.start)
        )

    def evidence_keys(self, store: StoreRef) -> set[tuple[str, str]]:
        """Each (pattern key, root session) that an entry still in the store rests on.

        A dream that finds them again has nothing to add. What a restore took out counts no more.
        """
        with self._db.read() as session:
            row = find_store(session, store)
            head = head_rows(session, row)
            texts = contents(session, {memory.content_sha256 for memory in head.values()})
            standing = {
                (path, sha256(entry.text))
                for path, memory in head.items()
                for entry in parse_entries(path, texts[memory.content_sha256])
            }
            rows = session.exec(select(EvidenceRow).where(EvidenceRow.store_id == row.store_id)).all()
        return {(row.pattern_key, row.root_id) for row in rows if (row.path, row.entry_sha256) in standing}


def insert_evidence(session: Session, store_id: str, rows: Sequence[Evidence]) -> int:
    """Add rows that are not there yet; returns how many were new."""
    made = [_row(store_id, row) for row in rows]
    return insert_missing(session, EvidenceRow, [values_of(row) for row in made])


def copy_evidence(session: Session, source: StoreRow, target: StoreRow) -> None:
    """Let a copy of a store rest on what the original rests on."""
    rows = session.exec(select(EvidenceRow).where(EvidenceRow.store_id == source.store_id)).all()
    insert_evidence(session, target.store_id, [_word(row) for row in rows])


def restate_evidence(session: Session, store: StoreRow, restated: Mapping[tuple[str, str], str]) -> None:
    """Let entries that say the same in new words rest on what the old words rested on."""
    for (path, old), new in restated.items():
        statement = select(EvidenceRow).where(
            EvidenceRow.store_id == store.store_id, EvidenceRow.path == path, EvidenceRow.entry_sha256 == old
        )
        rows = [_word(row).model_copy(update={"entry_sha256": new}) for row in session.exec(statement).all()]
        insert_evidence(session, store.store_id, rows)


def record_evidence(
    session: Session,
    store: StoreRow,
    changes: Sequence[ChangeRow],
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> None:
    """Link the entries that approved changes brought, or reinforced, to the changes' quotes."""
    approved = [Change.model_validate_json(row.body) for row in changes]
    standing = {entry.entry_id: entry for entry in _all_entries(before)}
    written = {path: _worded(path, after.get(path, "")) for path in {change.path for change in approved}}
    for change in approved:
        wanted = set(change.entry_ids)
        named = [entry for name, entry in standing.items() if name in wanted]
        entries = named if change.op == "reinforce" else _brought(change, written[change.path])
        rows = [
            evidence for entry in entries for evidence in evidence_of(change, entry.text, path=entry.path)
        ]
        if change.op in _TAKES_OVER:
            rows += _taken_over(session, store, named, entries)
        insert_evidence(session, store.store_id, rows)


def evidence_of(change: Change, entry_text: str, *, path: str = "") -> list[Evidence]:
    """A change's quotes as evidence for an entry."""
    return [
        Evidence(
            path=path or change.path,
            entry_sha256=sha256(entry_text),
            session_id=quote.session_id,
            seq=quote.seq,
            start=quote.start,
            end=quote.end,
            quote_sha256=quote.sha256,
            root_id=quote.root_id or quote.session_id,
            origin=quote.origin,
            trust=quote.trust,
            at=quote.at,
            pattern_key=change.pattern_key,
            change_id=change.change_id,
            dream_id=change.dream_id,
        )
        for quote in change.quotes
    ]


def _all_entries(files: Mapping[str, str]) -> list[Entry]:
    return [entry for path, text in files.items() for entry in parse_entries(path, text)]


def _worded(path: str, text: str) -> list[tuple[Entry, tuple[str, ...]]]:
    """The entries of a file, each with what it says."""
    return [(entry, said(entry.text)) for entry in parse_entries(path, text)]


def _brought(change: Change, written: Iterable[tuple[Entry, tuple[str, ...]]]) -> list[Entry]:
    """The entries of the file as written that say what the change says."""
    brought = {said(entry.text) for entry in parse_entries(change.path, change.after or "")}
    return [entry for entry, words in written if words in brought]


def _taken_over(
    session: Session, store: StoreRow, old: Sequence[Entry], new: Sequence[Entry]
) -> list[Evidence]:
    places = {(entry.path, sha256(entry.text)) for entry in old}
    statement = select(EvidenceRow).where(
        EvidenceRow.store_id == store.store_id, col(EvidenceRow.entry_sha256).in_([sha for _, sha in places])
    )
    rows = [row for row in session.exec(statement).all() if (row.path, row.entry_sha256) in places]
    return [
        _word(row).model_copy(update={"path": entry.path, "entry_sha256": sha256(entry.text)})
        for row in rows
        for entry in new
    ]


def _row(store_id: str, row: Evidence) -> EvidenceRow:
    place = (row.path, row.entry_sha256, row.pattern_key, row.session_id, row.seq, row.start, row.end)
    return EvidenceRow(
        evidence_id=f"evi_{identity(store_id, *place)}", store_id=store_id, **row.model_dump()
    ).sealed()


def _word(row: EvidenceRow) -> Evidence:
    return Evidence.model_validate({name: getattr(row, name) for name in Evidence.model_fields})
