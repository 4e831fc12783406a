"""Unravel: one store without one session, entry by entry, each back to the words that others stand for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from agentflows.lineage.counts import has_count
from agentflows.lineage.draft import Draft
from agentflows.lineage.naming import all_entries
from agentflows.lineage.records import Place, Records
from agentflows.lineage.waiting import reworded
from agentflows.memory import Entry, MemoryEdit, MemoryStore, parse_entries, sha256
from agentflows.store import Committed

Action = Literal["removed", "restored", "returned", "recounted", "kept", "left"]
"""What becomes of an entry.

* `removed`: it rested on the session alone; `restored`: a dream reworded it on that session's word alone, and it
  says again what it said; `returned`: a dream merged or retired it likewise, and it stands again
* `recounted`: it rests on others too, and its note on support counts them; `kept`: likewise, its text unchanged
* `left`: it should go or change, and code could not do it exactly, or it is pinned: a person must
"""


class EntryFate(BaseModel):
    """What becomes of one entry when a session is forgotten."""

    model_config = ConfigDict(frozen=True)

    action: Action
    entry_id: str
    path: str
    text: str
    becomes: str | None = None
    """Its text afterwards, where it is another one."""
    sessions: int = 0
    """Sessions it rests on afterwards."""
    quotes: int = 0
    """Of those that it rests on, quotes that go."""
    reason: str


@dataclass
class Unravelled:
    """One store without the session."""

    store: MemoryStore
    evidence: int
    edits: tuple[MemoryEdit, ...] = ()
    restated: dict[Place, str] = field(default_factory=dict[Place, str])
    entries: list[EntryFate] = field(default_factory=list[EntryFate])


def unravel(records: Records, session_id: str) -> Unravelled | None:
    """The store without the session; None when nothing in it has to do with the session."""
    work = _Unraveller(records, session_id)
    rows = sum(session_id in {row.root_id, row.session_id} for row in records.all_evidence())
    counted = any(session_id in records.sessions(one) for one in records.committed)
    if not rows and not counted:
        return None
    work.run()
    return Unravelled(records.store, rows, work.draft.edits(), work.restated, work.fates)


class _Earlier(NamedTuple):
    """An entry as it stood before a change, and the whole memory then."""

    entry: Entry
    then: str


class _Unraveller:
    def __init__(self, records: Records, session_id: str) -> None:
        self.records = records
        self.gone = session_id
        self.draft = Draft(records.files)
        self.restated: dict[Place, str] = {}
        self.fates: list[EntryFate] = []
        pins = records.state.pins(records.store.store_id)
        self._pinned = {(pin.path, pin.entry_sha256) for pin in pins}
        self._is_frozen = records.store.archived_at is not None
        self._emptied: dict[tuple[str, str], None] = {}

    def run(self) -> None:
        for entry in all_entries(self.records.files):
            if self.gone in self.records.resting(entry.path, entry.text):
                self._examine(entry)
        for one in self.records.committed:
            if one.change.op == "retire" and self.records.sessions(one) == {self.gone}:
                self._return_retired(one)
        for path, heading in self._emptied:
            if self._made_by_dreams(path, heading):
                self.draft.drop_heading(path, heading)

    # -- what an entry rests on ---------------------------------------------------------------------

    def _left(self, entry: Entry) -> set[str]:
        return self.records.resting(entry.path, entry.text) - {self.gone}

    def _falls(self, entry: Entry, maker: Committed | None) -> bool:
        """Whether the words of an entry have nobody left to stand for them."""
        if maker is None:
            return False
        if maker.change.op == "narrow":
            added = self.records.sessions(maker)
            for one in self.records.reinforcements(entry.path, entry.text):
                added |= self.records.sessions(one)
            return not added - {self.gone}
        return not self._left(entry)

    # -- what becomes of it -------------------------------------------------------------------------

    def _examine(self, entry: Entry, *, is_back: bool = False) -> None:
        """Decide about one entry; `is_back` when it was put back just now, and is on the list already."""
        maker = self.records.maker(entry.path, entry.text)
        if maker is None or not self._falls(entry, maker):
            self._keep(entry, maker, is_back=is_back)
        elif (entry.path, sha256(entry.text)) in self._pinned:
            self._fate(entry, "left", f"{_ALONE}, and is pinned: remove it by hand, or let it stand")
        elif self._is_frozen:
            self._fate(entry, "left", f"{_ALONE}, and its store is archived: it can no longer be written")
        elif maker.change.op == "add":
            self._remove(entry, maker)
        else:
            self._undo(entry, maker)

    def _remove(self, entry: Entry, maker: Committed) -> None:
        if not self.draft.remove(entry.path, entry.text):
            self._fate(entry, "left", f"{_ALONE}, and cannot be taken out without touching its neighbours")
            return
        self._fate(entry, "removed", _ALONE)
        if maker.change.heading.strip():
            self._emptied[entry.path, f"## {maker.change.heading.strip()}"] = None

    def _undo(self, entry: Entry, maker: Committed) -> None:
        earlier = self._earlier(maker)
        if not self._swap(entry, earlier):
            said = maker.change.before or "no text is kept"
            why = "what it said before cannot be put back exactly"
            self._fate(
                entry, "left", f"a {maker.change.op} on this session's word alone made it, and {why}: {said}"
            )
            return
        reason = f"the {maker.change.op} that made it rested on this session alone"
        self._fate(entry, "restored", reason, becomes=earlier[0].entry.text)
        for one in earlier[1:]:
            self._fate(one.entry, "returned", reason)
        for one in earlier:
            self._again(one.entry)

    def _swap(self, entry: Entry, earlier: Sequence[_Earlier]) -> bool:
        """Put the earlier entries in the place of one: all of them, or none."""
        if not earlier:
            return False
        kept = dict(self.draft.files)
        done = self.draft.reword(entry.path, entry.text, earlier[0].entry.text)
        done = done and all(self.draft.put_back(one.then, one.entry) for one in earlier[1:])
        if not done:
            self.draft.files = kept
        return done

    def _return_retired(self, one: Committed) -> None:
        reason = "it was retired on this session's word alone"
        for entry, then in self._earlier(one):
            if self.draft.find(entry.path, entry.text):
                continue
            if self._is_frozen or not self.draft.put_back(then, entry):
                self._fate(
                    entry, "left", f"{reason}, and its place cannot be told: add it by hand if it holds"
                )
                continue
            self._fate(entry, "returned", reason)
            self._again(entry)

    def _again(self, entry: Entry) -> None:
        """An entry that was put back may itself rest on nothing any more."""
        if self.records.maker(entry.path, entry.text) is not None:
            self._examine(entry, is_back=True)

    def _keep(self, entry: Entry, maker: Committed | None, *, is_back: bool) -> None:
        if maker and maker.change.op == "narrow" and self._has_lost_its_base(maker):
            reason = "its exception rests on others, what it said before rested on this session alone"
            self._fate(entry, "left", f"{reason}: read it again")
        elif self._count_anew(entry, maker):
            return
        elif not is_back:
            self._fate(entry, "kept", self._why_kept(entry, maker))

    def _why_kept(self, entry: Entry, maker: Committed | None) -> str:
        if maker is None:
            return "no dream wrote it; it has less to prove it"
        left = self._left(entry)
        why = f"it rests on {len(left)} other session{'s' if len(left) != 1 else ''}"
        if not any(row.root_id in left for row in self.records.evidence(entry.path, entry.text)):
            why += ", none of which is quoted: the next dream that reads them quotes them"
        if has_count(entry.text):
            why += "; its text still has the old count"
        return why

    def _count_anew(self, entry: Entry, maker: Committed | None) -> bool:
        """Let the entry's note on support count without the session, where code can."""
        place = (entry.path, sha256(entry.text))
        if maker is None or place in self._pinned or self._is_frozen:
            return False
        counted = self.records.sessions(maker)
        patterns = self.records.reports.patterns(maker.change)
        if self.gone not in counted or any(pattern.kind == "outcome" for pattern in patterns):
            return False
        fresh = reworded(entry.text, patterns, counted, self.gone)
        if not fresh or fresh == entry.text or not self.draft.reword(entry.path, entry.text, fresh):
            return False
        self.restated[place] = sha256(fresh)
        self._fate(entry, "recounted", "others say so too, and its note counts them", becomes=fresh)
        return True

    def _fate(self, entry: Entry, action: Action, reason: str, *, becomes: str | None = None) -> None:
        rows = self.records.evidence(entry.path, entry.text)
        self.fates.append(
            EntryFate(
                action=action,
                entry_id=entry.entry_id,
                path=entry.path,
                text=entry.text,
                becomes=becomes,
                sessions=len(self._left(entry)),
                quotes=sum(self.gone in {row.root_id, row.session_id} for row in rows),
                reason=reason,
            )
        )

    # -- earlier words ------------------------------------------------------------------------------

    def _has_lost_its_base(self, maker: Committed) -> bool:
        """Whether the words that an exception was added to have nobody left to stand for them."""
        return any(
            self.gone in self.records.resting(entry.path, entry.text)
            and self._falls(entry, self.records.maker(entry.path, entry.text))
            for entry, _ in self._earlier(maker)
        )

    def _earlier(self, one: Committed) -> list[_Earlier]:
        """The entries a change was about, as they stood before it, in its order; [] where one is not on record."""
        files = self.records.files_before(one)
        found: list[_Earlier] = []
        for name in one.change.entry_ids:
            content = files.get(name.rpartition("#")[0], "")
            entries = parse_entries(name.rpartition("#")[0], content)
            entry = next((entry for entry in entries if entry.entry_id == name), None)
            if entry is None:
                return []
            found.append(_Earlier(entry, content))
        return found

    def _made_by_dreams(self, path: str, heading: str) -> bool:
        """Whether a dream's commit brought this heading, which nobody had written before."""
        return any(
            one.change.path == path
            and f"## {one.change.heading.strip()}" == heading
            and not any(
                entry.text == heading
                for entry in parse_entries(path, self.records.files_before(one).get(path, ""))
            )
            for one in self.records.committed
            if one.change.op == "add"
        )


_ALONE = "it rested on this session alone"
