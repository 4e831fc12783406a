"""Writes sessions and sources into parts, and publishes them as batches."""

import contextlib
import hashlib
import secrets
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from agentflows.archive.files import FileEntry, Files
from agentflows.archive.manifest import Batch, Part, SessionVersion, SourceEntry, to_json
from agentflows.archive.rows import chars, row_sha256, session_row, turn_rows, turns_sha256
from agentflows.archive.schema import SCHEMAS, to_parquet
from agentflows.archive.steps import step_rows, text_rows
from agentflows.errors import ArchiveError
from agentflows.session import Quarantined, RawLine, Session
from agentflows.signature import SIGNATURE_VERSION

PART_CHARS = 48_000_000
"""Characters, raw lines included, gathered in memory before a part is written: about 300 MB with its rows."""
_ROW_COST = 200
"""Characters that a row without text counts for, so that many tiny turns fill a part too."""


def version_of(session: Session, *, source: str, changed: bool = False) -> SessionVersion:
    """What the manifest says of a session."""
    return SessionVersion(
        session_id=session.session_id,
        content_sha256=session.content_sha256,
        turns_sha256=turns_sha256(session.turns),
        row_sha256=row_sha256(session),
        turns=len(session.turns),
        chars=chars(session),
        reader=session.reader,
        labelled=session.outcome is not None,
        changed=changed,
        source=source,
        parent_id=session.parent_id,
    )


class Writer:
    """Gathers rows in memory, writes a part when there are enough, and publishes parts as one batch.

    Until `publish`, nothing that was written counts; `discard` removes it again. Each method raises
    ArchiveError when the folder cannot be written.
    """

    def __init__(self, files: Files, part_chars: int) -> None:
        self._files = files
        self._part_chars = part_chars
        self._batch_id = _new_batch_id()
        self._parts: list[Part] = []
        self._written: list[str] = []
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in SCHEMAS}
        self._sessions: dict[str, tuple[SessionVersion, Session, str]] = {}
        self._sources: list[SourceEntry] = []
        self._chars = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to write a part."""
        return self._chars >= self._part_chars

    def pending(self, session_id: str) -> SessionVersion | None:
        """A version of this session that waits to be written."""
        found = self._sessions.get(session_id)
        return found[0] if found else None

    def add_session(self, session: Session, version: SessionVersion, *, source_file: str) -> None:
        """Take a session in. A part holds one version of it, so a second one starts a new part."""
        if session.session_id in self._sessions:
            self.write_part()
        self._sessions[session.session_id] = (version, session, source_file)
        self._chars += version.chars + _ROW_COST * version.turns

    def add_source(
        self, source: SourceEntry, raw: Iterable[RawLine] = (), quarantined: Iterable[Quarantined] = ()
    ) -> None:
        """Take a source file in, with those of its lines that are to be kept."""
        self._sources.append(source)
        for line in raw:
            self._rows["raw"].append((source.sha256, source.file, source.format, line.line, line.text))
            self._chars += len(line.text) + _ROW_COST
        for bad in quarantined:
            self._rows["quarantine"].append((source.sha256, bad.file, bad.line, bad.reason, bad.raw))
            self._chars += len(bad.raw) + _ROW_COST

    def write_part(self) -> None:
        """Write what was gathered as one more part of the batch."""
        if not self._sessions and not self._sources:
            return
        name = f"{self._batch_id}-{len(self._parts):04d}"
        entries: dict[str, FileEntry] = {}
        for table in SCHEMAS:
            data, rows = self._encode(table)
            if rows:
                path = f"{table}/{name}.parquet"
                self._files.write(path, data)
                self._written.append(path)
                entries[table] = FileEntry(rows, len(data), hashlib.sha256(data).hexdigest())
        versions = tuple(version for version, _, _ in self._sessions.values())
        self._parts.append(Part(name, entries, versions, tuple(self._sources), SIGNATURE_VERSION))
        self._clear()

    def _encode(self, table: str) -> tuple[bytes, int]:
        ordered = [self._sessions[session_id] for session_id in sorted(self._sessions)]
        rows = list(_rows(table, ordered)) or self._rows[table]
        try:
            return (to_parquet(table, rows) if rows else b""), len(rows)
        except UnicodeEncodeError as error:
            msg = f"A session has a lone surrogate ({error.object[error.start : error.end]!r}): text that is no Unicode. Its reader must refuse such a line."
            raise ArchiveError(msg) from error

    def publish(self, *, replaces: Sequence[str] = ()) -> Batch | None:
        """Make all that was gathered part of the archive, at once. None when there is nothing to say.

        Raises:
            ArchiveError: it `replaces` parts, and another process may be replacing them as well.
        """
        self.write_part()
        if not self._parts and not replaces:
            return None
        if replaces:
            self._files.check_maintaining()
        batch = Batch(self._batch_id, tuple(self._parts), tuple(replaces))
        self._files.write(batch.path, to_json(batch))
        self._parts, self._written = [], []
        self._batch_id = _new_batch_id()
        return batch

    def discard(self) -> None:
        """Remove the files that were written and not published."""
        for path in self._written:
            with contextlib.suppress(ArchiveError):  # the first failure is being reported already
                self._files.delete(path)
        self._parts, self._written = [], []
        self._clear()


def _rows(table: str, sessions: Sequence[tuple[SessionVersion, Session, str]]) -> Iterator[tuple[Any, ...]]:
    for version, session, source_file in sessions:
        if table == "sessions":
            yield session_row(
                session,
                content_sha256=version.content_sha256,
                source_sha256=version.source,
                source_file=source_file,
            )
        elif table == "turns":
            yield from turn_rows(session)
        elif table == "steps":
            yield from step_rows(session)
        elif table == "texts":
            yield from text_rows(session)


@contextlib.contextmanager
def writing(files: Files, part_chars: int) -> Generator[Writer]:
    """A writer that leaves nothing half-written behind, whatever happens."""
    writer = Writer(files, part_chars)
    try:
        yield writer
    except BaseException:
        writer.discard()
        raise


def _new_batch_id() -> str:
    """Sorts by time; unique by chance, so that no process needs to ask another."""
    return f"{timestamp()}-{secrets.token_hex(5)}"


def timestamp() -> str:
    """Now, in UTC, as text that sorts by time."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
