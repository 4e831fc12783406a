"""The ledger: what becomes of every entry of the input, one line each, so that nothing goes unsaid."""

from collections.abc import Iterable, Sequence

from agentflows.change import FATE_OF, Change, Ledger, LedgerLine
from agentflows.dream.apply import REMOVING
from agentflows.memory import Entry

_UNDONE = frozenset({"refused", "rejected", "replaced", "expired"})
"""States of a change after which the entries it names are kept."""


def build_ledger(entries: Sequence[Entry], changes: Iterable[Change]) -> Ledger:
    """One line for each entry, in the order given: its fate when all these changes are carried out.

    Where several changes name an entry, the one that edits it counts, then a flag, then new evidence. An entry that
    is kept because the change to it was refused says so.
    """
    named: dict[str, Change] = {}
    spared: dict[str, Change] = {}
    for change in changes:
        if change.status == "refused":
            spared.update({entry_id: change for entry_id in change.entry_ids if entry_id not in spared})
        if change.status in _UNDONE or change.op == "add":
            continue
        for entry_id in change.entry_ids:
            held = named.get(entry_id)
            if held is None or _weight(change) > _weight(held):
                named[entry_id] = change
    return Ledger(
        lines=tuple(_line(entry, named.get(entry.entry_id), spared.get(entry.entry_id)) for entry in entries)
    )


def _weight(change: Change) -> int:
    return 2 if change.op in REMOVING else int(change.op == "flag")


def _line(entry: Entry, change: Change | None, spared: Change | None) -> LedgerLine:
    if change is None and spared is not None:
        reason = f"{spared.op} was refused, {spared.status_reason}"
        return LedgerLine(
            entry_id=entry.entry_id,
            path=entry.path,
            fate="kept",
            change_id=spared.change_id,
            reason=reason,
        )
    if change is None:
        return LedgerLine(entry_id=entry.entry_id, path=entry.path, fate="kept")
    return LedgerLine(
        entry_id=entry.entry_id,
        path=entry.path,
        fate=FATE_OF[change.op],
        change_id=change.change_id,
        reason=change.reason,
    )
