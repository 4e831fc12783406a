"""Queued: changes held against what the entries rest on, and a word on every entry that is due and left unsettled."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime

from agentflows.change import Change, Refusal
from agentflows.dream.apply import before_of
from agentflows.dream.lapsing import ends
from agentflows.dream.propose import with_id
from agentflows.dream.sides import weighed
from agentflows.home import Home
from agentflows.lineage import Ages, Recheck, Records, queue
from agentflows.memory import Entry, MemoryStore, parse_entries
from agentflows.session import Trust
from agentflows.store import State

_OLD_AT_ONCE = 5
"""Flags on entries that are merely old, in one dream: a person's attention is the scarcest thing."""


def weigh(  # noqa: PLR0913 - what is weighed, and what it is weighed by
    home: Home,
    store: MemoryStore,
    entries: Sequence[Entry],
    changes: Sequence[Change],
    *,
    dream_id: str,
    today: date,
    seen: Collection[str],
    read: Callable[[str], bool],
) -> tuple[list[Change], list[Refusal]]:
    """The changes after they were held against what the entries rest on, with a flag for each entry due and unsettled.

    `seen` are the memo keys of what a person decided before; `read` says whether the dream read a session.

    Raises:
        ArchiveError: the archive cannot be read.
    """
    records = Records(home.state, store)
    by_id = {entry.entry_id: entry for entry in entries}
    due = queue(records, home.archive, today=today)
    asked = unsettled(due, changes, by_id, dream_id=dream_id, seen=seen, read=read)
    rests = {name: records.quotes(entry.path, entry.text) for name, entry in by_id.items()}
    since = {name: _since(records, by_id[name]) for change in changes for name in _replaced(change)}
    return weighed([*changes, *asked], rests, {name: at for name, at in since.items() if at})


def _replaced(change: Change) -> tuple[str, ...]:
    return change.entry_ids if change.op == "supersede" else ()


def _since(records: Records, entry: Entry) -> datetime | None:
    """When an entry came into the store, in these words."""
    written = records.written(entry.path, entry.text)
    return written.created_at if written else None


def lapsed(state: State, store: MemoryStore, today: date) -> list[str]:
    """The ids of the entries that held until a day before this one, by their own words or by what they rest on, sorted."""
    records = Records(state, store)
    entries = [entry for path, text in records.files.items() for entry in parse_entries(path, text)]
    over = {entry.entry_id for entry in entries if any(end < today for end in ends(entry.text))}
    ages = Ages(records).standing() if any(True for _ in records.all_evidence()) else []
    return sorted(over | {age.entry_id for age in ages if age.lapsed(today)})


def unsettled(
    due: Sequence[Recheck],
    changes: Sequence[Change],
    entries: Mapping[str, Entry],
    *,
    dream_id: str,
    seen: Collection[str],
    read: Callable[[str], bool],
) -> list[Change]:
    """A flag for each entry that is due and that no change of the dream is about.

    What the dream reinforced, replaced, retired or flagged is settled by that. An old entry is asked about only when
    one of the sessions to look at was read.
    """
    touched = {name for change in changes for name in change.entry_ids}
    open_ones = [one for one in due if one.entry_id in entries and one.entry_id not in touched]
    old = [one for one in open_ones if one.due == "old" and any(map(read, one.sessions))]
    asked = [one for one in open_ones if one.due != "old"] + old[:_OLD_AT_ONCE]
    flags = [_flag(one, entries[one.entry_id], dream_id) for one in asked]
    return [flag for flag in flags if flag.memo_key not in seen]


def _flag(due: Recheck, entry: Entry, dream_id: str) -> Change:
    look = f" Look at {', '.join(due.sessions)}." if due.sessions else ""
    trust: Trust = min(due.quotes, key=lambda quote: quote.trust).trust if due.quotes else 1
    return with_id(
        Change(
            change_id="",
            dream_id=dream_id,
            op="flag",
            path=entry.path,
            entry_ids=(entry.entry_id,),
            before=before_of([entry]),
            reason=f"It is due to be looked at again: {due.why}. No session of this dream settles it.{look}",
            trust=trust,
            quotes=due.quotes,
            pattern_key=f"recheck|{due.due}",
            risks=("uncertain",),
        )
    )
