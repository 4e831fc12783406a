"""Records: all that is kept about why one store says what it says, read once and asked many times."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from agentflows.change import Change, DreamReport, Pattern, Quote
from agentflows.dream.apply import WRITING
from agentflows.errors import CorruptionError, NotFoundError, StoreError
from agentflows.lineage.counts import without_counts
from agentflows.lineage.naming import base_id
from agentflows.memory import MemoryStore, MemoryVersion, parse_entries, sha256
from agentflows.store import Committed, Evidence, State, said

Place = tuple[str, str]
"""A memory's path and the sha256 of an entry's text in it."""


class Reports:
    """What dreams counted, each report read once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._reports: dict[str, DreamReport | None] = {}
        self._forgotten: dict[str, Mapping[str, datetime]] = {}

    def report(self, dream_id: str) -> DreamReport | None:
        """A dream's report; None where the dream is not on record."""
        if dream_id not in self._reports:
            try:
                self._reports[dream_id] = self._state.dream(dream_id)
            except NotFoundError:
                self._reports[dream_id] = None
        return self._reports[dream_id]

    def patterns(self, change: Change) -> list[Pattern]:
        """What a change rests on, as its dream counted it."""
        report = self.report(change.dream_id)
        known = {pattern.pattern_id: pattern for pattern in report.patterns} if report else {}
        return [known[name] for name in change.pattern_id.split("\n") if name in known]

    def sessions(self, change: Change) -> set[str]:
        """Every root session that was counted for a change, quoted or not."""
        counted = {root for pattern in self.patterns(change) for root in pattern.sessions}
        return counted | {root_of(quote) for quote in change.quotes}

    def store(self, change: Change) -> MemoryStore | None:
        """The store that a change's dream was over, as it is now."""
        report = self.report(change.dream_id)
        return self._state.get_store(report.dream.store_id) if report else None

    def still(self, change: Change) -> set[str]:
        """The same for a change that waits, less those forgotten since its dream."""
        report = self.report(change.dream_id)
        if report is None:
            return self.sessions(change)
        store_id = report.dream.store_id
        if store_id not in self._forgotten:
            self._forgotten[store_id] = self._state.forgotten(store_id)
        return self.sessions(change) - since(self._forgotten[store_id], report.dream.created_at)


def root_of(quote: Quote) -> str:
    """The session that a quote counts for."""
    return quote.root_id or quote.session_id


def since(forgotten: Mapping[str, datetime], moment: datetime) -> set[str]:
    """The sessions forgotten then or later: one that came back afterwards may teach again."""
    return {root for root, at in forgotten.items() if at >= moment}


class Records:
    """One store: its files, the changes dreams made, the evidence, and what was forgotten."""

    def __init__(self, state: State, store: MemoryStore, reports: Reports | None = None) -> None:
        self.state = state
        self.store = store
        self.files: Mapping[str, str] = state.files(store.store_id, store.version)
        self.reports = reports or Reports(state)
        self.committed = [one for one in state.committed(store.store_id) if not one.is_undone]
        self.forgotten: Mapping[str, datetime] = state.forgotten(store.store_id)
        self.by_id = {one.change.change_id: one for one in self.committed}
        self._said: dict[str, list[Quote]] = {}
        for quote in (quote for one in self.committed for quote in one.change.quotes):
            self._said.setdefault(quote.sha256, []).append(quote)
        self._evidence: dict[Place, list[Evidence]] = {}
        for row in state.evidence(store.store_id):
            self._evidence.setdefault((row.path, row.entry_sha256), []).append(row)
        self._makers: dict[tuple[str, tuple[str, ...]], list[Committed]] = {}
        self._reinforced: dict[str, list[Committed]] = {}
        self._versions: dict[str, list[MemoryVersion]] = {}
        self._then: dict[tuple[str, int], Mapping[str, str]] = {}
        for one in self.committed:
            self._index(one)

    def _index(self, one: Committed) -> None:
        change = one.change
        if change.op == "reinforce":
            for name in change.entry_ids:
                self._reinforced.setdefault(base_id(name), []).append(one)
        if change.op in WRITING and change.after:
            for entry in parse_entries(change.path, change.after):
                self._makers.setdefault((change.path, _words(entry.text)), []).append(one)

    def evidence(self, path: str, text: str) -> list[Evidence]:
        """The quotes that an entry rests on."""
        return self._evidence.get((path, sha256(text)), [])

    def quotes(self, path: str, text: str) -> list[Quote]:
        """The same with their words, as far as changes on record hold them; of each place once, by address."""
        wanted = {row.quote_sha256 for row in self.evidence(path, text)}
        said = (quote for sha in wanted for quote in self._said.get(sha, ()))
        found = {(quote.session_id, quote.seq, quote.start): quote for quote in said}
        return [found[place] for place in sorted(found)]

    def all_evidence(self) -> Iterable[Evidence]:
        """Every row of the store, of entries that stand and of those that stood."""
        return (row for rows in self._evidence.values() for row in rows)

    def maker(self, path: str, text: str) -> Committed | None:
        """The newest change that brought an entry; None for one that people wrote.

        Words that a person wrote anew after a dream's went are theirs.
        """
        found = self._makers.get((path, _words(text)), [])
        if not found:
            return None
        if not self.evidence(path, text) and not self._is_from_a_dream(path, text):
            return None
        return found[-1]

    def _is_from_a_dream(self, path: str, text: str) -> bool:
        written = self.written(path, text)
        # a restore or a copy brings back what a dream made; a session forgotten leaves it with a new count
        return written is None or bool(written.dream_id) or written.message.startswith(_BRINGS_BACK)

    def reinforcements(self, path: str, text: str) -> list[Committed]:
        """The changes that found more evidence for these very words."""
        return self._reinforced.get(f"{path}#{sha256(text)[:10]}", [])

    def sessions(self, one: Committed) -> set[str]:
        """The root sessions that a committed change still rests on: those counted, less those forgotten since."""
        return self.reports.sessions(one.change) - since(self.forgotten, one.dreamt_at)

    def resting(self, path: str, text: str) -> set[str]:
        """The root sessions that an entry rests on, through all that made, reinforced or was merged into it."""
        rows = self.evidence(path, text)
        found = {row.root_id for row in rows}
        changes = {one.change.change_id: one for one in self.reinforcements(path, text)}
        maker = self.maker(path, text)
        if maker:
            changes[maker.change.change_id] = maker
        changes |= {row.change_id: self.by_id[row.change_id] for row in rows if row.change_id in self.by_id}
        for one in changes.values():
            found |= self.sessions(one)
        return found

    def written(self, path: str, text: str, *, before: int | None = None) -> MemoryVersion | None:
        """The memory version since which these words stand there without a break; None when they do not.

        `before` asks as of the version before that one.
        """
        found: MemoryVersion | None = None
        for version in self.versions(path):
            if before is not None and version.store_version >= before:
                continue
            if not _holds(version, path, text):
                break
            found = version
        return found

    def files_before(self, one: Committed) -> Mapping[str, str]:
        """The store that a change was committed to, just before; {} where content of that version was redacted."""
        place = (one.store_id, one.version - 1)
        if place not in self._then:
            try:
                self._then[place] = self.state.files(*place)
            except CorruptionError:
                raise
            except StoreError:  # redacted: what it said is gone on purpose
                self._then[place] = {}
        return self._then[place]

    def versions(self, path: str) -> Sequence[MemoryVersion]:
        """The history of the memory at a path, newest first."""
        if path not in self._versions:
            self._versions[path] = self.state.versions(self.store.store_id, path=path, limit=_ALL)
        return self._versions[path]


_ALL = 1_000_000
_BRINGS_BACK = ("restore ", "copy of ", "forget ")
"""How the messages of commits begin that bring back what others wrote."""


def _words(text: str) -> tuple[str, ...]:
    return said(without_counts(text))


def _holds(version: MemoryVersion, path: str, text: str) -> bool:
    content = version.content
    if content is None or text not in content:
        return False
    return any(entry.text == text for entry in parse_entries(path, content))
