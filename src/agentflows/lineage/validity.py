"""Validity: from when to when what an entry says was true, when it was last confirmed, and what took its place.

Two times are kept apart. What was *true*: by the entry's own words ("until 2026-03-15", "since March"), else by what
users said in the quotes it rests on, else from the day it was first said, to the day its replacement was said. What the
store *said*: from the version that brought the entry to the one that took it out.

Nothing of this is written into the user's Markdown. It follows from what the state database holds beside it (evidence
with its dates, changes with their quotes, versions), so forgetting a session or a restore changes it as it should.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from agentflows.change import Quote
from agentflows.dream.apply import REMOVING
from agentflows.dream.lapsing import ends, starts
from agentflows.dream.nominate import fold
from agentflows.errors import NotFoundError, UsageError
from agentflows.lineage.naming import all_entries, base_id
from agentflows.lineage.records import Records
from agentflows.lineage.stood import Stood, stood
from agentflows.memory import Entry, sha256
from agentflows.store import Committed, Evidence


class Validity(BaseModel):
    """When one entry was true, when it was last confirmed, and when the store said so."""

    model_config = ConfigDict(frozen=True)

    entry_id: str
    path: str
    text: str
    valid_from: date | None
    """The first day it was true, as far as is known."""
    from_why: str = ""
    valid_to: date | None
    """The last day it was true; None: no end is known."""
    to_why: str = ""
    last_confirmed: datetime | None
    """The newest quote it rests on; None where no session ever said it."""
    first_version: int
    said_since: datetime
    """When the store began to say it."""
    last_version: int | None
    """The version that took it out; None: it stands."""
    said_until: datetime | None
    replaced_by: str = ""
    """The text that took its place; "" where nothing did, or it stands."""
    replaced_by_id: str = ""
    replaced_by_change: str = ""
    """The dream's change that did; "" where a person edited the memory."""

    @property
    def stands(self) -> bool:
        """Whether the store says it now."""
        return self.last_version is None

    def lapsed(self, today: date) -> bool:
        """Whether it stands, and its time is over."""
        return self.stands and self.valid_to is not None and self.valid_to < today


class Ages:
    """The intervals of all entries that one store ever held."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._evidence: dict[tuple[str, str], list[Evidence]] = {}
        for row in records.all_evidence():
            self._evidence.setdefault((row.path, row.entry_sha256), []).append(row)
        self._quotes = {quote.sha256: quote for one in records.committed for quote in one.change.quotes}
        self._removed: dict[str, list[Committed]] = {}
        for one in records.committed:
            for name in one.change.entry_ids if one.change.op in REMOVING else ():
                self._removed.setdefault(base_id(name), []).append(one)
        everything = records.state.versions(records.store.store_id, limit=_ALL)
        self.stood: Sequence[Stood] = stood(everything)
        """Every stretch in which an entry stood, oldest first."""

    def of(self, one: Stood) -> Validity:
        """The interval of one entry."""
        rows = self._evidence.get((one.path, sha256(one.text)), [])
        said = [self._quotes[row.quote_sha256] for row in rows if row.quote_sha256 in self._quotes]
        successor, change = self._successor(one)
        start, from_why = self._start(one, rows, said)
        end, to_why = self._end(one, said, change)
        return Validity(
            entry_id=one.entry_id,
            path=one.path,
            text=one.text,
            valid_from=start,
            from_why=from_why,
            valid_to=end,
            to_why=to_why,
            last_confirmed=max((row.at for row in rows if row.at), default=None),
            first_version=one.first_version,
            said_since=one.since,
            last_version=one.last_version,
            said_until=one.until,
            replaced_by=successor.text if successor else "",
            replaced_by_id=successor.entry_id if successor else "",
            replaced_by_change=change.change.change_id if change else "",
        )

    def now(self, entry: Entry) -> Validity | None:
        """The interval of an entry that stands; None where no version on record holds it."""
        found = [
            one
            for one in self.stood
            if one.last_version is None and (one.path, one.text) == (entry.path, entry.text)
        ]
        return self.of(found[0]) if found else None

    def named(self, wanted: str) -> Stood:
        """The entry of that id, or the one that holds these words, among all that ever stood; the newest of equals.

        Raises:
            NotFoundError: no entry ever was called that or said that.
            UsageError: several did; the message lists their ids.
        """
        words = fold(wanted)
        by_id = [
            one
            for one in self.stood
            if base_id(wanted) in {one.entry_id, f"#{one.entry_id.rpartition('#')[2]}"}
        ]
        same = [one for one in self.stood if words and fold(one.text) == words]
        found = by_id or same or [one for one in self.stood if words and words in fold(one.text)]
        texts = {(one.path, one.text): one for one in found}
        if len(texts) == 1:
            return next(iter(texts.values()))
        if not texts:
            msg = f"No entry of {self._records.store.name!r} ever was called {wanted!r} or held these words."
            raise NotFoundError(msg)
        shown = "; ".join(
            f"{one.entry_id} ({' '.join(one.text.split())[:60]})" for one in list(texts.values())[:6]
        )
        msg = f"{wanted!r} fits {len(texts)} entries that stand or stood. Name one by its id: {shown}."
        raise UsageError(msg)

    def standing(self) -> list[Validity]:
        """The intervals of the entries that the store holds now, by path and in file order."""
        now = {(one.path, one.text): one for one in self.stood if one.last_version is None}
        entries = all_entries(self._records.files)
        places = [(one.path, one.text) for one in entries if one.kind not in NO_CLAIM]
        return [self.of(now[place]) for place in places if place in now]

    def chain(self, one: Stood) -> list[Validity]:
        """What stood in its place before it, itself, and what took its place, oldest first."""
        before: list[Stood] = []
        seen = {(one.path, one.text, one.first_version)}
        while (older := self._predecessor(before[0] if before else one)) and _name(older) not in seen:
            seen.add(_name(older))
            before.insert(0, older)
        after: list[Stood] = []
        while (newer := self._successor(after[-1] if after else one)[0]) and _name(newer) not in seen:
            seen.add(_name(newer))
            after.append(newer)
        return [self.of(each) for each in (*before, one, *after)]

    # -- when --------------------------------------------------------------------------------------

    def _start(self, one: Stood, rows: Sequence[Evidence], said: Sequence[Quote]) -> tuple[date | None, str]:
        if days := starts(one.text):
            return days[0], "its own words"
        for quote in _users(said):
            if days := starts(quote.text):
                return days[0], f"what the user said at {quote.address}"
        dated = sorted((row.at, f"{row.session_id}#{row.seq}") for row in rows if row.at)
        return (dated[0][0].date(), f"first said at {dated[0][1]}") if dated else (None, "")

    def _end(self, one: Stood, said: Sequence[Quote], change: Committed | None) -> tuple[date | None, str]:
        if days := ends(one.text):
            return days[-1], "its own words"
        for quote in _users(said):
            if days := ends(quote.text):
                return days[-1], f"what the user said at {quote.address}"
        if change is None or change.change.op not in {"supersede", "retire"}:
            return None, ""
        quotes = sorted((quote.at, quote.address) for quote in change.change.quotes if quote.at)
        return (quotes[0][0].date(), f"replaced by what was said at {quotes[0][1]}") if quotes else (None, "")

    # -- what came before and after ----------------------------------------------------------------

    def _successor(self, one: Stood) -> tuple[Stood | None, Committed | None]:
        if one.last_version is None:
            return None, None
        change = next(
            (each for each in self._removed.get(one.entry_id, []) if self._made(each) == one.last_version),
            None,
        )
        came = [each for each in self.stood if each.first_version == one.last_version]
        if change is None:
            return _by_hand(one, came, self._went(one.last_version)), None
        texts = [change.change.after] if change.change.after else self._kept(change)
        same = {sha256(text) for text in texts}
        standing = [each for each in self.stood if each.at(one.until or one.since)]
        found = [each for each in standing if sha256(each.text) in same and each.path == change.change.path]
        found = found or [each for each in standing if sha256(each.text) in same]
        return (found[0] if found else None), change

    def _predecessor(self, one: Stood) -> Stood | None:
        gone = self._went(one.first_version)
        return next((each for each in gone if (self._successor(each)[0]) == one), None)

    def _went(self, version: int) -> list[Stood]:
        return [each for each in self.stood if each.last_version == version]

    def _made(self, one: Committed) -> int | None:
        """The version of this store that a change made; None for one of the store it is a copy of."""
        return one.version if one.store_id == self._records.store.store_id else None

    def _kept(self, change: Committed) -> list[str]:
        """Of an answered flag, the entries that it named and that were kept."""
        asked = self._records.state.proposed_change(change.change.change_id)
        kept = {base_id(name) for name in asked.entry_ids} - {
            base_id(name) for name in change.change.entry_ids
        }
        return [one.text for one in self.stood if one.entry_id in kept]


_ALL = 1_000_000
NO_CLAIM = frozenset({"heading", "front_matter", "html"})
"""Blocks that claim nothing."""


def _name(one: Stood) -> tuple[str, str, int]:
    return one.path, one.text, one.first_version


def _users(quotes: Iterable[Quote]) -> list[Quote]:
    """What users typed, newest first: the latest word on a date counts."""
    typed = [quote for quote in quotes if quote.trust == 3]
    return sorted(typed, key=lambda quote: (quote.at or datetime.min, quote.address), reverse=True)  # noqa: DTZ901


def _by_hand(one: Stood, came: Sequence[Stood], went: Sequence[Stood]) -> Stood | None:
    """Of an edit by hand, what took an entry's place: where one went and one came in a memory, that one."""
    came = [each for each in came if each.path == one.path]
    went = [each for each in went if each.path == one.path]
    return came[0] if len(came) == len(went) == 1 else None
