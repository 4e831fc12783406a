"""Stood: which entries a store ever held, from which version to which."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agentflows.memory import MemoryVersion, parse_entries, sha256


@dataclass(frozen=True, slots=True)
class Stood:
    """One stretch during which one text stood in one memory."""

    path: str
    text: str
    first_version: int
    since: datetime
    """When the version that brought it was committed."""
    last_version: int | None = None
    """The version that took it out; None: it stands."""
    until: datetime | None = None

    @property
    def entry_id(self) -> str:
        """Its id; that of the first where the text stands twice in its memory."""
        return f"{self.path}#{sha256(self.text)[:10]}"

    def at(self, moment: datetime) -> bool:
        """Whether the store said it then."""
        return self.since <= moment and (self.until is None or moment < self.until)


def stood(versions: Iterable[MemoryVersion]) -> list[Stood]:
    """Every entry that the versions of some memories held, oldest first.

    Versions whose content was redacted hold nothing that can be told.
    """
    by_path: dict[str, list[MemoryVersion]] = {}
    for version in versions:
        by_path.setdefault(version.memory_id, []).append(version)
    found: list[Stood] = []
    for rows in by_path.values():
        found += _of_one(sorted(rows, key=lambda row: row.store_version))
    return sorted(found, key=lambda one: (one.first_version, one.path, one.text))


def _of_one(versions: Sequence[MemoryVersion]) -> list[Stood]:
    standing: dict[tuple[str, str], Stood] = {}
    over: list[Stood] = []
    for version in versions:
        now = {
            (version.path, entry.text)
            for entry in (parse_entries(version.path, version.content) if version.content else ())
        }
        over += [_ended(standing.pop(place), version) for place in list(standing) if place not in now]
        for place in sorted(now - standing.keys()):
            standing[place] = Stood(*place, version.store_version, version.created_at)
    return [*over, *standing.values()]


def _ended(one: Stood, by: MemoryVersion) -> Stood:
    return Stood(one.path, one.text, one.first_version, one.since, by.store_version, by.created_at)
