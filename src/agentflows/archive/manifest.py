"""Manifests: which files make up the archive, what is in them, and which version of a session counts.

A batch exists once its manifest does: one file, renamed into place. Whoever lists the manifests sees
whole batches only, and what a killed process left behind has no manifest and is never read.

Versions of one session may stand in several batches, because adders do not wait for one another. Which
one counts follows from the versions alone (`SessionVersion.rank`), so that all readers agree.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from agentflows.archive.files import FileEntry
from agentflows.archive.schema import SCHEMA_VERSION
from agentflows.errors import ArchiveError

FOLDER = "manifest"
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")


@dataclass(frozen=True, slots=True)
class SessionVersion:
    """One version of one session, as one part holds it."""

    session_id: str
    content_sha256: str
    turns_sha256: str
    """Of what was said and done in all turns: whether they begin a longer session."""
    row_sha256: str
    """Of every stored field."""
    turns: int
    chars: int
    reader: str
    labelled: bool
    """Whether its source says how it ended."""
    changed: bool
    """It contradicts what was archived first: kept, but not the version that counts."""
    source: str
    """sha256 of the source file it was read from."""
    parent_id: str = ""

    @property
    def rank(self) -> tuple[bool, int, int, bool, str]:
        """The highest counts: not contradicting, newest reader, longest, labelled; then a fixed order."""
        return (not self.changed, reader_number(self.reader), self.turns, self.labelled, self.content_sha256)


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One source file that was read."""

    sha256: str
    file: str
    format: str
    readers: tuple[str, ...]
    lines: int
    accepted: int
    quarantined: int
    added_at: str
    """When it was first read, UTC, sortable."""
    stored: bool
    """Whether its raw and quarantined lines are in this part. What was forgotten is still known as seen."""
    redactions: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Part:
    """One set of Parquet files, at most one per table, and what is in them."""

    name: str
    files: dict[str, FileEntry]
    """By table. A part holds at most one version of a session."""
    sessions: tuple[SessionVersion, ...]
    sources: tuple[SourceEntry, ...]
    signature_version: int
    """Of the functions that made its derived columns."""

    @property
    def chars(self) -> int:
        """Characters of its turns: how large it is in memory."""
        return sum(version.chars for version in self.sessions)

    def path(self, table: str) -> str:
        """Where the file of one table is."""
        return f"{table}/{self.name}.parquet"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one manifest file says."""

    batch_id: str
    parts: tuple[Part, ...]
    replaces: tuple[str, ...] = ()
    """Names of parts that count no more, because this batch holds what was worth keeping of them."""

    @property
    def path(self) -> str:
        """Where the manifest is."""
        return f"{FOLDER}/{self.batch_id}.json"


def reader_number(reader: str) -> int:
    """The version in `claude_code/2`; 0 where there is none."""
    number = reader.rpartition("/")[2]
    return int(number) if number.isdigit() else 0


def to_json(batch: Batch) -> bytes:
    """The manifest's bytes: session versions as arrays, since there may be many."""
    return orjson.dumps(
        {
            "schema": SCHEMA_VERSION,
            "batch_id": batch.batch_id,
            "replaces": batch.replaces,
            "parts": [_part_json(part) for part in batch.parts],
        }
    )


def _part_json(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "signature_version": part.signature_version,
        "files": {table: asdict(entry) for table, entry in part.files.items()},
        "session_fields": SessionVersion.__slots__,
        "sessions": [
            [getattr(version, name) for name in SessionVersion.__slots__] for version in part.sessions
        ],
        "sources": [asdict(source) for source in part.sources],
    }


def from_json(path: str, data: bytes) -> Batch:
    """Read one manifest.

    Raises:
        ArchiveError: it is damaged, or a newer agentflows wrote it.
    """
    try:
        body = orjson.loads(data)
        if body["schema"] > SCHEMA_VERSION:
            msg = f"The archive's {path} has schema {body['schema']}; this agentflows reads up to {SCHEMA_VERSION}. Update agentflows."
            raise ArchiveError(msg)
        return Batch(_name(body["batch_id"]), tuple(map(_to_part, body["parts"])), tuple(body["replaces"]))
    except (ValueError, KeyError, TypeError) as error:
        msg = (
            f"The archive's {path} is no manifest: {type(error).__name__} {error}. "
            "Restore it, or delete it and ingest the batch's logs again."
        )
        raise ArchiveError(msg) from error


def _to_part(body: dict[str, Any]) -> Part:
    fields = body["session_fields"]
    return Part(
        name=_name(body["name"]),
        files={_name(table): FileEntry(**entry) for table, entry in body["files"].items()},
        sessions=tuple(SessionVersion(**dict(zip(fields, row, strict=True))) for row in body["sessions"]),
        sources=tuple(_to_source(source) for source in body["sources"]),
        signature_version=body["signature_version"],
    )


def _name(text: str) -> str:
    """The name of a file or folder of the archive: one that leads elsewhere is none.

    Raises:
        ValueError: it could lead elsewhere.
    """
    if not _NAME.fullmatch(text):
        msg = f"{text[:80]!r} is no name of its files"
        raise ValueError(msg)
    return text


def _to_source(body: dict[str, Any]) -> SourceEntry:
    readers: list[str] = body.pop("readers")
    return SourceEntry(readers=tuple(readers), **body)


@dataclass(frozen=True)
class Snapshot:
    """What the archive holds at one moment, resolved from its manifests."""

    parts: tuple[Part, ...] = ()
    winners: Mapping[str, tuple[SessionVersion, Part]] = field(
        default_factory=dict[str, tuple[SessionVersion, Part]]
    )
    """The version that counts, and where it is, by session id."""
    dead: tuple[tuple[str, str], ...] = ()
    """(part name, session id) of versions that do not count."""
    flagged: frozenset[str] = frozenset()
    """Sessions of which a contradicting version is kept."""
    sources: Mapping[str, tuple[SourceEntry, Part]] = field(
        default_factory=dict[str, tuple[SourceEntry, Part]]
    )
    """Sources whose raw and quarantined lines count, and where they are, by sha256."""
    dead_sources: tuple[tuple[str, str], ...] = ()
    """(part name, sha256) of sources whose stored lines do not count."""
    seen: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """The readers that read each source ever added, by sha256."""
    removed: frozenset[str] = frozenset()

    def kept(self, part: Part) -> list[SessionVersion]:
        """The versions in `part` worth carrying into a new one: those that count and those flagged."""
        here = {session_id for name, session_id in self.dead if name == part.name}
        return [
            version
            for version in part.sessions
            if version.session_id not in here or (version.changed and version.session_id not in self.removed)
        ]

    def versions(self, session_id: str) -> list[SessionVersion]:
        """All versions of one session that any part holds."""
        return [
            version for part in self.parts for version in part.sessions if version.session_id == session_id
        ]


def resolve(batches: Iterable[Batch], removed: frozenset[str]) -> Snapshot:
    """What counts among `batches`, of which some may replace others."""
    found = sorted(batches, key=lambda batch: batch.batch_id)
    replaced = {name for batch in found for name in batch.replaces}
    parts = tuple(part for batch in found for part in batch.parts if part.name not in replaced)
    winners = _winners(parts, removed)
    dead = tuple(
        (part.name, version.session_id)
        for part in parts
        for version in part.sessions
        if winners.get(version.session_id, (None, None))[1] is not part
    )
    flagged = frozenset(v.session_id for part in parts for v in part.sessions if v.changed)
    sources = _live_sources(parts, winners, removed)
    return Snapshot(
        parts=parts,
        winners=winners,
        dead=dead,
        flagged=flagged & winners.keys(),
        sources=sources,
        dead_sources=tuple(
            (part.name, source.sha256)
            for part in parts
            for source in part.sources
            if source.stored and (source.sha256 not in sources or sources[source.sha256][1] is not part)
        ),
        seen=_seen(parts),
        removed=removed,
    )


def _winners(parts: Iterable[Part], removed: frozenset[str]) -> dict[str, tuple[SessionVersion, Part]]:
    winners: dict[str, tuple[SessionVersion, Part]] = {}
    for part in parts:
        for version in part.sessions:
            if version.session_id in removed:
                continue
            best = winners.get(version.session_id)
            if best is None or version.rank > best[0].rank:
                winners[version.session_id] = (version, part)
    return winners


def _live_sources(
    parts: Iterable[Part], winners: Mapping[str, tuple[SessionVersion, Part]], removed: frozenset[str]
) -> dict[str, tuple[SourceEntry, Part]]:
    """Sources that gave a version that is kept, and for sources without sessions the newest of each file."""
    needed = {version.source for version, _ in winners.values()}
    gave: set[str] = set()
    newest: dict[str, str] = {}
    for part in parts:
        gave.update(version.source for version in part.sessions)
        needed.update(
            version.source
            for version in part.sessions
            if version.changed and version.session_id not in removed
        )
        for source in part.sources:
            newest[source.file] = max(newest.get(source.file, ""), source.added_at + source.sha256)
    live: dict[str, tuple[SourceEntry, Part]] = {}
    for part in parts:
        for source in part.sources:
            last = source.sha256 not in gave and newest[source.file] == source.added_at + source.sha256
            if source.stored and source.sha256 not in live and (source.sha256 in needed or last):
                live[source.sha256] = (source, part)
    return live


def _seen(parts: Iterable[Part]) -> dict[str, frozenset[str]]:
    seen: dict[str, frozenset[str]] = {}
    for part in parts:
        for source in part.sources:
            seen[source.sha256] = seen.get(source.sha256, frozenset()) | frozenset(source.readers)
    return seen
