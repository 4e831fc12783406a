"""Why: from an entry to the changes that made it, who let them in, and every quote it rests on, in its context."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from agentflows.change import ChangeOp, Decision, Quote
from agentflows.errors import NotFoundError
from agentflows.lineage.records import Records
from agentflows.lineage.validity import Ages, Validity
from agentflows.memory import Actor, Entry, EntryKind, MemoryVersion, parse_entries, sha256
from agentflows.session import Trust, Turn, TurnKind
from agentflows.store import Committed, Evidence, Pin

if TYPE_CHECKING:
    from agentflows.archive import Archive

TURNS_AROUND = 2
"""Turns shown before and after a quote's own."""
_AROUND = 300
"""Characters shown each side of a quote in its turn; other turns show their first so many."""


class Written(BaseModel):
    """Who wrote an entry's words, and since when they stand without a break."""

    model_config = ConfigDict(frozen=True)

    store_version: int
    by: Actor
    at: datetime
    dream_id: str
    message: str


class Link(BaseModel):
    """One change in the making of an entry, and who let it in."""

    model_config = ConfigDict(frozen=True)

    change_id: str
    op: ChangeOp
    role: Literal["made", "reinforced", "earlier"]
    """`made` these words, `reinforced` them, or made the `earlier` words that these came from."""
    dream_id: str
    engine: str
    """Engine and model of the dream; "" where it is not on record."""
    dreamt_at: datetime
    store_version: int
    """The version its commit made."""
    before: str | None
    after: str | None
    reason: str
    pattern_key: str
    sessions: int
    """Distinct sessions counted for it, less those forgotten since."""
    origins: int
    """Independent origins its dream counted."""
    decided_by: str
    decided_at: datetime | None
    decided_why: str
    was_edited: bool
    """The reviewer gave the text."""


class ContextTurn(BaseModel):
    """A turn near a quote, cut to what is near."""

    model_config = ConfigDict(frozen=True)

    seq: int
    kind: TurnKind
    tool: str
    trust: Trust
    text: str
    quote_start: int = -1
    """Where in `text` the quote stands; -1: not in this turn."""
    quote_end: int = -1


class QuoteInContext(BaseModel):
    """One quote that an entry rests on, as the archive has it now."""

    model_config = ConfigDict(frozen=True)

    address: str
    root_id: str
    start: int
    end: int
    text: str
    """"" where neither the archive nor the change has the words any more."""
    trust: Trust
    at: datetime | None
    origin: str
    pattern_key: str
    change_id: str
    sha256: str = ""
    """Of its words as they were when they were quoted."""
    problem: str = ""
    """Why it cannot be shown in its context; "" when it can, or was not looked up."""
    context: tuple[ContextTurn, ...] = ()


class Why(BaseModel):
    """All there is to say about why one entry stands."""

    model_config = ConfigDict(frozen=True)

    store: str
    store_version: int
    entry_id: str
    path: str
    kind: EntryKind
    text: str
    pin: Pin | None
    written: Written | None
    links: tuple[Link, ...]
    """Oldest first; () for an entry that no dream made or reinforced."""
    pattern_keys: tuple[str, ...]
    sessions: int
    """Distinct sessions it rests on, quoted or not."""
    origins: int
    """Distinct origins among its quotes."""
    quotes: tuple[QuoteInContext, ...]
    forgotten: tuple[str, ...]
    """Sessions it rested on that were forgotten."""
    validity: Validity | None = None
    """When it was true and last confirmed; None where no version on record holds it."""


def explain(
    records: Records,
    archive: "Archive",
    entries: Sequence[Entry],
    *,
    around: int = TURNS_AROUND,
    looked_up: slice = slice(None),
) -> list[Why]:
    """Why each of these entries of the store says what it says.

    `looked_up` is which quotes of each are looked up in the archive; the others have the words that changes on record
    hold, and no context.

    Raises:
        ArchiveError: the archive cannot be read. A session that is not in it is no error.
    """
    teller = _Teller(records, archive, around, looked_up)
    return [teller.why(entry) for entry in entries]


class _Teller:
    def __init__(self, records: Records, archive: "Archive", around: int, looked_up: slice) -> None:
        self._records = records
        self._archive = archive
        self._around = around
        self._looked_up = looked_up
        self._pins = {(pin.path, pin.entry_sha256): pin for pin in records.state.pins(records.store.store_id)}
        self._decisions: dict[str, Mapping[str, Decision]] = {}
        self._ages = Ages(records)
        quotes = (quote for one in records.committed for quote in one.change.quotes)
        self._words: dict[str, Quote] = {quote.sha256: quote for quote in quotes}

    def why(self, entry: Entry) -> Why:
        rows = self._records.evidence(entry.path, entry.text)
        quotes = _distinct(rows)
        wanted = {id(row) for row in quotes[self._looked_up]}
        links = self._links(entry)
        counted = {root for one, _ in links for root in self._records.reports.sessions(one.change)}
        keys = [row.pattern_key for row in rows] + [one.change.pattern_key for one, _ in links]
        return Why(
            store=self._records.store.name,
            store_version=self._records.store.version,
            entry_id=entry.entry_id,
            path=entry.path,
            kind=entry.kind,
            text=entry.text,
            pin=self._pins.get((entry.path, sha256(entry.text))),
            written=_written(self._records.written(entry.path, entry.text)),
            links=tuple(self._link(one, role) for one, role in links),
            pattern_keys=tuple(dict.fromkeys(part for key in keys for part in key.split("\n") if part)),
            sessions=len(self._records.resting(entry.path, entry.text)),
            origins=len({row.origin or f"{row.session_id}#{row.seq}" for row in rows}),
            quotes=tuple(self._quote(row) if id(row) in wanted else self._kept(row) for row in quotes),
            forgotten=tuple(sorted(counted & set(self._records.forgotten))),
            validity=self._ages.now(entry),
        )

    # -- changes ------------------------------------------------------------------------------------

    def _links(self, entry: Entry) -> list[tuple[Committed, Literal["made", "reinforced", "earlier"]]]:
        """Every change in the making of an entry, oldest first."""
        found: dict[str, tuple[Committed, Literal["made", "reinforced", "earlier"]]] = {}
        maker = self._records.maker(entry.path, entry.text)
        for one in self._ancestors(maker, set()):
            found[one.change.change_id] = (one, "earlier")
        rows = self._records.evidence(entry.path, entry.text)
        for one in self._records.reinforcements(entry.path, entry.text):
            found[one.change.change_id] = (one, "reinforced")
        for row in rows:
            if row.change_id in self._records.by_id and row.change_id not in found:
                found[row.change_id] = (self._records.by_id[row.change_id], "earlier")
        if maker:
            found[maker.change.change_id] = (maker, "made")
        order = {one.change.change_id: place for place, one in enumerate(self._records.committed)}
        return sorted(found.values(), key=lambda pair: order[pair[0].change.change_id])

    def _ancestors(self, maker: Committed | None, seen: set[str]) -> Iterable[Committed]:
        """The changes that made the words which a change reworded, and theirs."""
        if maker is None or maker.change.change_id in seen:
            return
        seen.add(maker.change.change_id)
        files = self._records.files_before(maker)
        for path in {name.rpartition("#")[0] for name in maker.change.entry_ids}:
            for entry in parse_entries(path, files.get(path, "")):
                if entry.entry_id in maker.change.entry_ids:
                    older = self._records.maker(path, entry.text)
                    if older is not None and older.change.change_id not in seen:
                        yield from self._ancestors(older, seen)
                        yield older

    def _link(self, one: Committed, role: Literal["made", "reinforced", "earlier"]) -> Link:
        change = one.change
        report = self._records.reports.report(change.dream_id)
        decision = self._decision(change.dream_id, change.change_id)
        return Link(
            change_id=change.change_id,
            op=change.op,
            role=role,
            dream_id=change.dream_id,
            engine=" ".join(part for part in (report.dream.engine, report.dream.model) if part)
            if report
            else "",
            dreamt_at=one.dreamt_at,
            store_version=one.version,
            before=change.before,
            after=change.after,
            reason=change.reason,
            pattern_key=change.pattern_key,
            sessions=len(self._records.sessions(one)),
            origins=change.origins,
            decided_by=decision.reviewer if decision else "",
            decided_at=decision.decided_at if decision else None,
            decided_why=decision.reason if decision else "",
            was_edited=bool(decision and decision.edited_after is not None),
        )

    def _decision(self, dream_id: str, change_id: str) -> Decision | None:
        if dream_id not in self._decisions:
            made = self._records.state.decisions(dream_id)
            self._decisions[dream_id] = {one.change_id: one for one in made if one.verdict == "approved"}
        return self._decisions[dream_id].get(change_id)

    # -- quotes -------------------------------------------------------------------------------------

    def _quote(self, row: Evidence) -> QuoteInContext:
        turns, problem = self._turns(row)
        own = next((turn for turn in turns if turn.seq == row.seq), None)
        text = own.text[row.start : row.end] if own else ""
        if own and sha256(text) != row.quote_sha256:
            text, problem, turns = "", "the archive says something else at this address now", []
        elif not own and not problem:
            problem = "the session has no such turn in the archive any more"
        kept = self._kept(row)
        context = tuple(_context(turn, row) for turn in turns)
        return kept.model_copy(update={"text": text or kept.text, "problem": problem, "context": context})

    def _kept(self, row: Evidence) -> QuoteInContext:
        """A quote as changes on record hold it."""
        kept = self._words.get(row.quote_sha256)
        return QuoteInContext(
            address=f"{row.session_id}#{row.seq}",
            root_id=row.root_id,
            start=row.start,
            end=row.end,
            text=kept.text if kept else "",
            trust=row.trust,
            at=row.at,
            origin=row.origin,
            pattern_key=row.pattern_key,
            change_id=row.change_id,
            sha256=row.quote_sha256,
        )

    def _turns(self, row: Evidence) -> tuple[list[Turn], str]:
        try:
            first = max(0, row.seq - self._around)
            return self._archive.turns(row.session_id, first, row.seq + self._around), ""
        except NotFoundError:
            return [], "the session is no longer in the archive"


def _context(turn: Turn, row: Evidence) -> ContextTurn:
    text, start, end = _cut(turn.text, 0, 0), -1, -1
    if turn.seq == row.seq:
        low = max(0, row.start - _AROUND)
        head = "…" if low else ""
        text = head + _cut(turn.text, low, row.end)
        start, end = row.start - low + len(head), row.end - low + len(head)
    return ContextTurn(
        seq=turn.seq,
        kind=turn.kind,
        tool=turn.tool,
        trust=turn.trust,
        text=text,
        quote_start=start,
        quote_end=end,
    )


def _cut(text: str, low: int, high: int) -> str:
    return text[low : high + _AROUND] + ("…" if len(text) > high + _AROUND else "")


def _distinct(rows: Iterable[Evidence]) -> list[Evidence]:
    """Each quote once, the most trusted first, then by address."""
    found = {(row.session_id, row.seq, row.start, row.end): row for row in rows}
    return sorted(found.values(), key=lambda row: (-row.trust, row.session_id, row.seq, row.start))


def _written(version: MemoryVersion | None) -> Written | None:
    if version is None:
        return None
    return Written(
        store_version=version.store_version,
        by=version.created_by,
        at=version.created_at,
        dream_id=version.dream_id,
        message=version.message,
    )
