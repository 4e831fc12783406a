"""Keeping the lake in shape: merging, forgetting, reading raw lines again, checking.

Each of these writes new parts, then swaps them for the old ones by one manifest that names what it
replaces. Readers see the old state or the new one. What is replaced is deleted afterwards.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import duckdb

from agentflows.archive.answers import CompactReport, RebuildReport
from agentflows.archive.forgetting import Forgetting
from agentflows.archive.lake import REMOVED, Lake
from agentflows.archive.manifest import FOLDER, Part, SessionVersion, Snapshot, SourceEntry
from agentflows.archive.rows import row_sha256
from agentflows.archive.schema import SCHEMAS
from agentflows.archive.writer import Writer, version_of, writing
from agentflows.errors import ArchiveError
from agentflows.session import Quarantined, RawLine, Session, SourceRead
from agentflows.signature import SIGNATURE_VERSION

_CHUNK_CHARS = 8_000_000
_CHUNK_SESSIONS = 100
_ROUNDS = 5
_SMALL = 4
"""A part with fewer than a fourth of the characters it may have is worth merging with others."""

Reread = Callable[[str, str, Sequence[RawLine]], SourceRead]


def compact(lake: Lake, *, orphan_age: timedelta) -> CompactReport:
    """See `Archive.compact`."""
    with lake.files.maintaining():
        before = lake.snapshot(fresh=True)
        chosen = _worth_rewriting(before, lake.part_chars)
        if chosen:
            rewrite(lake, before, chosen)
        _delete_replaced(lake)
        _forget_for_good(lake)
        orphans = _delete_orphans(lake, orphan_age)
        after = lake.snapshot(fresh=True)
    return CompactReport(
        parts_before=len(before.parts),
        parts_after=len(after.parts),
        bytes_before=_bytes(before),
        bytes_after=_bytes(after),
        orphans=orphans,
    )


def _worth_rewriting(snapshot: Snapshot, part_chars: int) -> list[Part]:
    """Parts with rows that do not count or with outdated columns, and small ones if there are several."""
    dirty = {name for name, _ in snapshot.dead_sources}
    small = [part.name for part in snapshot.parts if part.chars < part_chars // _SMALL]
    return [
        part
        for part in snapshot.parts
        if part.name in dirty
        or len(snapshot.kept(part)) < len(part.sessions)
        or part.signature_version != SIGNATURE_VERSION
        or (len(small) > 1 and part.name in small)
    ]


def rewrite(lake: Lake, snapshot: Snapshot, chosen: Sequence[Part]) -> None:
    """Write what counts of these parts into new ones and swap them in by one manifest."""
    forgetting = Forgetting(lake, snapshot)
    parts = _with_their_lines(snapshot, chosen, forgetting)
    file_of = {source.sha256: source.file for part in snapshot.parts for source in part.sources}
    with writing(lake.files, lake.part_chars) as writer:
        carried: set[tuple[str, str]] = set()
        for part in parts:
            for version, session in _kept_sessions(lake, snapshot, part, carried):
                writer.add_session(session, version, source_file=file_of.get(version.source, ""))
                _write_when_full(writer)
        for part in parts:
            for source in part.sources:
                _carry_source(lake, snapshot, part, source, writer, forgetting)
        writer.publish(replaces=_replaces(lake, parts))


def _with_their_lines(snapshot: Snapshot, chosen: Sequence[Part], forgetting: Forgetting) -> list[Part]:
    """The parts, and those that hold raw lines of sessions that were removed from them.

    Which lines to forget is known only while the removed session's turns are still there.
    """
    gone = {
        version.session_id
        for part in chosen
        for version in part.sessions
        if version.session_id in snapshot.removed
    }
    names = {part.name for part in chosen}
    return [
        part
        for part in snapshot.parts
        if part.name in names
        or any(source.stored and gone & forgetting.removed_of(source.sha256) for source in part.sources)
    ]


def _replaces(lake: Lake, parts: Sequence[Part]) -> list[str]:
    """These parts, and all replaced ones that a manifest still names: theirs may be deleted before it is."""
    manifests = lake.manifests()
    named = {part.name for batch in manifests for part in batch.parts}
    before = {name for batch in manifests for name in batch.replaces}
    return sorted({part.name for part in parts} | (before & named))


def _write_when_full(writer: Writer) -> None:
    if writer.is_full:
        writer.write_part()


def _kept_sessions(
    lake: Lake, snapshot: Snapshot, part: Part, carried: set[tuple[str, str]]
) -> Iterator[tuple[SessionVersion, Session]]:
    """The sessions of a part that are worth keeping, a bounded number in memory at a time."""
    chunk: list[SessionVersion] = []
    size = 0
    for version in snapshot.kept(part):
        key = (version.session_id, version.content_sha256)
        if key in carried:
            continue
        carried.add(key)
        chunk.append(version)
        size += version.chars
        if size >= _CHUNK_CHARS or len(chunk) >= _CHUNK_SESSIONS:
            yield from _load(lake, part, chunk)
            chunk, size = [], 0
    if chunk:
        yield from _load(lake, part, chunk)


def _load(
    lake: Lake, part: Part, versions: Sequence[SessionVersion]
) -> Iterator[tuple[SessionVersion, Session]]:
    found = lake.read(part, [version.session_id for version in versions])
    for version in versions:
        if version.session_id not in found:
            msg = (
                f"The archive's part {part.name} lost the session {version.session_id!r}. Nothing was changed. "
                "`verify` names what is damaged."
            )
            raise ArchiveError(msg)
        yield version, found[version.session_id]


def _carry_source(
    lake: Lake, snapshot: Snapshot, part: Part, source: SourceEntry, writer: Writer, forgetting: Forgetting
) -> None:
    """Carry over what is known of a source, and its lines as far as they count."""
    live = snapshot.sources.get(source.sha256)
    if live is None or live[1] is not part:
        writer.add_source(replace(source, stored=False))
        return
    forgets = forgetting.of(source.sha256)
    raw = (RawLine(*row) for row in lake.source_rows(part, "raw", "line, text", source.sha256))
    bad = (
        Quarantined(*row)
        for row in lake.source_rows(part, "quarantine", "file, line, reason, raw", source.sha256)
    )
    writer.add_source(
        source,
        (line for line in raw if not forgets(line.line, line.text)),
        (line for line in bad if not forgets(0, line.raw)),
    )
    _write_when_full(writer)


def remove(lake: Lake, session_ids: Sequence[str]) -> int:
    """See `Archive.remove`."""
    with lake.files.maintaining():
        before = lake.snapshot(fresh=True)
        wanted = set(session_ids)
        gone = {
            version.session_id
            for part in before.parts
            for version in part.sessions
            if version.session_id in wanted or version.parent_id in wanted
        }
        if gone:
            lake.remember_removed(sorted(gone))
            _forget_for_good(lake)
        return len(gone & before.winners.keys())


def _forget_for_good(lake: Lake) -> None:
    """Rewrite whatever holds a session that was removed, until nothing does.

    Whoever began before the removal, and does not wait for it, may have written the session once more since. It looks
    here after it has published, or this looks after that: so none is left by two that cross.

    Raises:
        ArchiveError: others keep writing what was removed.
    """
    for _ in range(_ROUNDS):
        snapshot = lake.snapshot(fresh=True)
        holding = [
            part for part in snapshot.parts if any(v.session_id in snapshot.removed for v in part.sessions)
        ]
        if not holding:
            return
        rewrite(lake, snapshot, holding)
        _delete_replaced(lake)
    msg = (
        f"Sessions that were removed from the archive at {lake.files.root!r} are still being written there by another process. "
        "Nobody sees them, but their text is stored. Run the same command again when no other adds or compacts."
    )
    raise ArchiveError(msg)


def rebuild(lake: Lake, reread: Reread) -> RebuildReport:
    """See `Archive.rebuild`."""
    with lake.files.maintaining():
        before = lake.snapshot(fresh=True)
        with writing(lake.files, lake.part_chars) as writer:
            fresh, readers = _reread_all(lake, before, reread, writer)
            kept = _keep(lake, before, readers, fresh, writer)
            forgetting = Forgetting(lake, before)
            for part in before.parts:
                for source in part.sources:
                    names = readers.get(source.sha256, source.readers)
                    _carry_source(lake, before, part, replace(source, readers=names), writer, forgetting)
            writer.publish(replaces=_replaces(lake, before.parts))
        _delete_replaced(lake)
        _forget_for_good(lake)
    hashes = {session_id: version.row_sha256 for session_id, (version, _) in before.winners.items()}
    same = sum(hashes.get(session_id) == version.row_sha256 for session_id, version in fresh.items())
    new = sum(session_id not in hashes for session_id in fresh)
    return RebuildReport(
        sources=len(before.sources), same=same, different=len(fresh) - same - new, kept=kept, new=new
    )


def _reread_all(
    lake: Lake, snapshot: Snapshot, reread: Reread, writer: Writer
) -> tuple[dict[str, SessionVersion], dict[str, tuple[str, ...]]]:
    """Write what the raw lines give now, oldest source first.

    Returns the version that counts by session id, and the readers of each source.
    """
    fresh: dict[str, SessionVersion] = {}
    readers: dict[str, tuple[str, ...]] = {}
    for source, part in sorted(
        snapshot.sources.values(), key=lambda item: (item[0].added_at, item[0].sha256)
    ):
        raw = [RawLine(*row) for row in lake.source_rows(part, "raw", "line, text", source.sha256)]
        if not raw:
            continue
        sessions = reread(source.file, source.format, raw).sessions
        readers[source.sha256] = tuple(sorted({session.reader for session in sessions}))
        for session in sessions:
            version = version_of(session, source=source.sha256)
            standing = _standing(snapshot, version, fresh)
            if standing == "nothing":
                continue
            version = replace(version, changed=standing == "flagged")
            writer.add_session(session, version, source_file=source.file)
            _write_when_full(writer)
            if standing == "counts":
                fresh[session.session_id] = version
    return fresh, readers


def _standing(
    snapshot: Snapshot, version: SessionVersion, fresh: dict[str, SessionVersion]
) -> Literal["counts", "flagged", "nothing"]:
    """What a version that was read again is: the source that counted before counts again."""
    if version.session_id in snapshot.removed:
        return "nothing"
    if version.session_id not in snapshot.winners:
        return "nothing" if version.session_id in fresh else "counts"
    if snapshot.winners[version.session_id][0].source == version.source:
        return "counts"
    known = snapshot.versions(version.session_id) if version.session_id in snapshot.flagged else []
    return "flagged" if any(item.changed and item.source == version.source for item in known) else "nothing"


def _keep(
    lake: Lake,
    snapshot: Snapshot,
    readers: dict[str, tuple[str, ...]],
    fresh: dict[str, SessionVersion],
    writer: Writer,
) -> int:
    """Carry over what the raw lines no longer give. Returns how many sessions that count."""
    kept = 0
    for part in snapshot.parts:
        for version, session in _kept_sessions(lake, snapshot, part, set()):
            if version.session_id in fresh and not (version.changed and version.source not in readers):
                continue
            source = snapshot.sources.get(version.source)
            writer.add_session(session, version, source_file=source[0].file if source else "")
            _write_when_full(writer)
            kept += not version.changed
    return kept


def _delete_replaced(lake: Lake) -> None:
    """Delete manifests that say nothing any more, then the files of replaced parts."""
    manifests = lake.manifests()
    replaced = {name for batch in manifests for name in batch.replaces}
    named = {part.name for batch in manifests for part in batch.parts}
    for batch in manifests:
        names = [part.name for part in batch.parts]
        if all(name in replaced for name in names) and (names or not named.intersection(batch.replaces)):
            lake.files.delete(batch.path)
    for batch in manifests:
        for part in batch.parts:
            if part.name in replaced:
                for table in part.files:
                    lake.files.delete(part.path(table))


def _delete_orphans(lake: Lake, age: timedelta) -> int:
    """Delete files that no manifest names, where no living process can be about to name them.

    The order matters: list, then see that nobody is adding, then read the manifests. Whoever wrote a
    listed file has then published it or is dead.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    listed = {f"{table}/{name}": stat for table in SCHEMAS for name, stat in lake.files.list(table).items()}
    for folder in (FOLDER, REMOVED):
        for name, stat in lake.files.list(folder).items():
            if name.startswith("."):
                listed[f"{folder}/{name}"] = stat
    alone = lake.files.no_adders()
    named = {part.path(table) for batch in lake.manifests() for part in batch.parts for table in part.files}
    dead = [
        path for path, stat in listed.items() if path not in named and (alone or now - stat.modified > age)
    ]
    for path in dead:
        lake.files.delete(path)
    return len(dead)


def _bytes(snapshot: Snapshot) -> int:
    return sum(entry.bytes for part in snapshot.parts for entry in part.files.values())


def verify(lake: Lake) -> list[str]:
    """See `Archive.verify`."""
    snapshot = lake.snapshot(fresh=True)
    problems: list[str] = []
    for part in snapshot.parts:
        found = [*_damaged_files(lake, part)]
        problems += found or _damaged_sessions(lake, snapshot, part)
    return problems


def _damaged_files(lake: Lake, part: Part) -> Iterator[str]:
    for table, entry in part.files.items():
        path = part.path(table)
        try:
            if hashlib.sha256(lake.files.read(path)).hexdigest() != entry.sha256:
                yield f"{path} is not what was written: its sha256 differs from the manifest's"
        except FileNotFoundError:
            yield f"{path} is missing"


def _damaged_sessions(lake: Lake, snapshot: Snapshot, part: Part) -> list[str]:
    try:
        pairs = _kept_sessions(lake, snapshot, part, set())
        return [
            f"the session {version.session_id!r} in {part.name} is not what was written"
            for version, session in pairs
            if row_sha256(session) != version.row_sha256
        ]
    except (duckdb.Error, ArchiveError) as error:
        return [f"{part.name} cannot be read: {error}"]
