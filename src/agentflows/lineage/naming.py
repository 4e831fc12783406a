"""Naming: which entry a person means who gives an id, a path, or some of its words."""

from collections.abc import Mapping, Sequence

from agentflows.dream.nominate import fold
from agentflows.errors import NotFoundError, UsageError
from agentflows.memory import Entry, parse_entries
from agentflows.store import Pin

_SHOWN = 6


def all_entries(files: Mapping[str, str]) -> list[Entry]:
    """Every entry of a store, by path, in file order."""
    return [entry for path in sorted(files) for entry in parse_entries(path, files[path])]


def find_entries(files: Mapping[str, str], wanted: str) -> list[Entry]:
    """The entry of that id, the entries of the memory at that path, or the one entry that holds these words.

    Case, blanks, the list marker and a closing dot of words do not matter.

    Raises:
        NotFoundError: nothing is called that or says that.
        UsageError: several entries say it; the message lists their ids.
    """
    path = wanted if wanted.startswith("/") else f"/{wanted}"
    if path in files:
        return parse_entries(path, files[path])
    entries = all_entries(files)
    by_id = [entry for entry in entries if wanted in {entry.entry_id, entry.entry_id.rpartition("#")[2]}]
    if by_id:
        return [_only(by_id, wanted)]
    words = fold(wanted)
    same = [entry for entry in entries if words and fold(entry.text) == words]
    holding = same or [entry for entry in entries if words and words in fold(entry.text)]
    if not holding:
        raise _nothing(files, wanted)
    return [_only(holding, wanted)]


def find_entry(files: Mapping[str, str], wanted: str) -> Entry:
    """The one entry that is meant.

    Raises:
        NotFoundError: nothing is called that or says that.
        UsageError: several are meant; the message lists their ids.
    """
    return _only(find_entries(files, wanted), wanted)


def find_pin(pins: Sequence[Pin], wanted: str) -> Pin:
    """The pin that is meant, by the id of its entry or by words that only its text holds.

    Raises:
        NotFoundError: nothing of the kind is pinned.
        UsageError: several are meant; the message lists their ids.
    """
    name, words = base_id(wanted), fold(wanted)
    found = [pin for pin in pins if name in {pin.entry_id, f"#{pin.entry_sha256[:10]}"}]
    found = found or [pin for pin in pins if words and words in fold(pin.text)]
    ids = "; ".join(pin.entry_id for pin in (found or pins)[:_SHOWN])
    if not found:
        msg = f"{wanted!r} is not pinned. Pinned are: {ids or 'none'}."
        raise NotFoundError(msg)
    if len(found) > 1:
        msg = f"{wanted!r} fits {len(found)} pins. Name one by its id: {ids}."
        raise UsageError(msg)
    return found[0]


def base_id(entry_id: str) -> str:
    """An entry's id without the number of its repetition."""
    path, _, name = entry_id.rpartition("#")
    return f"{path}#{name.partition('.')[0]}"


def _only(entries: Sequence[Entry], wanted: str) -> Entry:
    if len(entries) != 1:
        shown = "; ".join(
            f"{entry.entry_id} ({' '.join(entry.text.split())[:60]})" for entry in entries[:_SHOWN]
        )
        more = f"; and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
        msg = f"{wanted!r} fits {len(entries)} entries. Name one by its id: {shown}{more}."
        raise UsageError(msg)
    return entries[0]


def _nothing(files: Mapping[str, str], wanted: str) -> NotFoundError:
    if "#" in wanted and wanted.partition("#")[0] in files:
        return NotFoundError(
            f"No entry {wanted!r} stands in the store now: an edit gives an entry a new id. "
            f"See `agentflows memory why {wanted.partition('#')[0]}` for those there are."
        )
    paths = ", ".join(sorted(files)[:10]) or "none"
    return NotFoundError(
        f"{wanted!r} is no entry's id, no memory's path, and no entry holds these words. Memories: {paths}."
    )
