"""Adding what readers read: what is new, what grew, what stayed, what contradicts."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from agentflows.archive.answers import AddReport
from agentflows.archive.lake import Lake
from agentflows.archive.manifest import SessionVersion, Snapshot, SourceEntry, reader_number
from agentflows.archive.rows import turns_sha256
from agentflows.archive.writer import Writer, timestamp, version_of, writing
from agentflows.errors import AgentflowsError
from agentflows.gathering import Gathering
from agentflows.session import Session, SourceRead

Judgement = Literal["added", "grown", "unchanged", "changed", "reread", "removed"]
"""What a session is to the archive; the counts of `AddReport`."""


class Adder:
    """One run of `Archive.add`: streams sources through, a part at a time."""

    def __init__(
        self,
        lake: Lake,
        *,
        archived: Callable[[str], Session | None],
    ) -> None:
        self._lake = lake
        self._archived = archived
        self._begin()
        self._seen: set[str] = set()

    def run(self, reads: Iterable[SourceRead]) -> AddReport:
        """Add them all. Batches published before an error stay; the one being written leaves nothing."""
        return self.run_each([reads])[0]

    def run_each(self, groups: Iterable[Iterable[SourceRead]]) -> list[AddReport]:
        """The same for several callers at once: their sources are published together, and each gets its own report."""
        reports: list[AddReport] = []
        with self._lake.files.adding(), writing(self._lake.files, self._lake.part_chars) as writer:
            self._lake.snapshot(fresh=True)
            for reads in groups:
                self._begin()
                for read in reads:
                    self._add(writer, read)
                    if writer.is_full:
                        writer.publish()
                reports.append(self._report())
            writer.publish()
        return reports

    def _begin(self) -> None:
        self._counts: Counter[str] = Counter()
        self._redactions: Counter[str] = Counter()
        self._changed: list[str] = []

    def _report(self) -> AddReport:
        return AddReport(
            **self._counts, redactions=dict(self._redactions), changed_sessions=tuple(self._changed)
        )

    def _add(self, writer: Writer, read: SourceRead) -> None:
        self._counts["files"] += 1
        readers = frozenset(session.reader for session in read.sessions)
        snapshot = self._lake.snapshot()
        if read.sha256 in self._seen or _was_seen(snapshot, read.sha256, readers):
            self._counts["unchanged_files"] += 1
            self._counts["unchanged"] += len(read.sessions)
            return
        self._seen.add(read.sha256)
        stored = [self._add_session(writer, snapshot, session, read) for session in read.sessions]
        self._counts.update(lines=read.lines, accepted=read.accepted, quarantined=len(read.quarantined))
        self._redactions.update(read.redactions)
        worth = any(stored) or not read.sessions or bool(read.quarantined)
        writer.add_source(
            source_entry(read, stored=worth), read.raw if worth else (), read.quarantined if worth else ()
        )

    def _add_session(self, writer: Writer, snapshot: Snapshot, session: Session, read: SourceRead) -> bool:
        """Judge one session and write it when it says something new."""
        judgement: Judgement = "removed"
        if session.session_id not in snapshot.removed:
            version = version_of(session, source=read.sha256)
            judgement = self._judge(writer, snapshot, session, version)
            if judgement == "changed":
                version = version_of(session, source=read.sha256, changed=True)
                self._changed.append(session.session_id)
            if judgement not in {"unchanged", "removed"}:
                writer.add_session(session, version, source_file=read.file)
                self._counts["turns"] += len(session.turns)
                self._counts[judgement] += 1
                return True
        self._counts[judgement] += 1
        return False

    def _judge(
        self, writer: Writer, snapshot: Snapshot, session: Session, version: SessionVersion
    ) -> Judgement:
        known = writer.pending(session.session_id)
        if known is None and session.session_id in snapshot.winners:
            known = snapshot.winners[session.session_id][0]
        if known is None:
            return "added"
        judgement = judge(session, version, known)
        if judgement != "changed":
            return judgement
        if session.session_id in snapshot.flagged and version.content_sha256 in {
            other.content_sha256 for other in snapshot.versions(session.session_id)
        }:
            return "unchanged"
        return "unchanged" if self._is_older_copy(writer, session, known) else "changed"

    def _is_older_copy(self, writer: Writer, session: Session, known: SessionVersion) -> bool:
        """Whether the archive already holds all that `session` says, and more."""
        if len(session.turns) >= known.turns:
            return False
        if writer.pending(session.session_id):
            writer.publish()
        archived = self._archived(session.session_id)
        return archived is not None and turns_sha256(archived.turns[: len(session.turns)]) == turns_sha256(
            session.turns
        )


class Together:
    """Adds what several threads hand in at the same time as one batch. Safe for several threads."""

    def __init__(self, lake: Lake, *, archived: Callable[[str], Session | None]) -> None:
        self._lake = lake
        self._archived = archived
        self._adding = Gathering[Sequence[SourceRead], AddReport | AgentflowsError](self.add_each)

    def add(self, reads: Iterable[SourceRead]) -> AddReport:
        """Add them, with what other threads hand in now; returns when they are published.

        Raises:
            ArchiveError: these cannot be added, whatever became of the others'.
        """
        found = self._adding.ask(list(reads))
        if isinstance(found, AgentflowsError):
            raise found
        return found

    def add_each(self, asked: Sequence[Sequence[SourceRead]]) -> Sequence[AddReport | AgentflowsError]:
        """What each came to, in order: its report, or why it could not be added."""
        try:
            return Adder(self._lake, archived=self._archived).run_each(asked)
        except AgentflowsError as error:
            return [error] if len(asked) == 1 else [self.add_each([reads])[0] for reads in asked]


def judge(session: Session, version: SessionVersion, known: SessionVersion) -> Judgement:
    """What `session` is beside the version that is known, as far as both hashes tell."""
    same_reader = session.reader == known.reader
    if version.content_sha256 == known.content_sha256 and same_reader:
        return "unchanged"
    if not same_reader and _reader_name(session.reader) == _reader_name(known.reader):
        return "reread" if reader_number(session.reader) > reader_number(known.reader) else "unchanged"
    if version.content_sha256 == known.content_sha256:
        return "unchanged"
    begins_alike = turns_sha256(session.turns[: known.turns]) == known.turns_sha256
    if begins_alike and (version.turns > known.turns or not known.labelled):
        return "grown"
    return "unchanged" if begins_alike and not version.labelled else "changed"


def _reader_name(reader: str) -> str:
    return reader.rpartition("/")[0] or reader


def _was_seen(snapshot: Snapshot, sha256: str, readers: frozenset[str]) -> bool:
    known = snapshot.seen.get(sha256)
    return known is not None and readers <= known


def source_entry(read: SourceRead, *, stored: bool) -> SourceEntry:
    """What the manifest says of a source."""
    return SourceEntry(
        sha256=read.sha256,
        file=read.file,
        format=read.format,
        readers=tuple(sorted({session.reader for session in read.sessions})),
        lines=read.lines,
        accepted=read.accepted,
        quarantined=len(read.quarantined),
        added_at=timestamp(),
        stored=stored,
        redactions=read.redactions,
    )
