"""Native session logs into the archive, file by file: what `flows/ingest.py` shows as tasks."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from agentflows import readers
from agentflows.archive import AddReport, Archive
from agentflows.errors import NotFoundError, ReaderError
from agentflows.home import Home
from agentflows.session import SourceRead
from agentflows.store.failpoints import failpoint

BATCH_BYTES = 32 << 20
"""Bytes of logs per batch: one set of Parquet files, one Prefect task."""
_CHUNK = 1 << 20


def batches(paths: Sequence[Path]) -> list[list[Path]]:
    """The files in batches of about `BATCH_BYTES`, in order."""
    found: list[list[Path]] = []
    size = BATCH_BYTES
    for path in paths:
        if size >= BATCH_BYTES:
            found.append([])
            size = 0
        found[-1].append(path)
        size += _bytes(path) * (8 if path.suffix == ".gz" else 1)
    return found


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a dangling link, or a log deleted since the walk: reading it says so
        return 0


def ingest_files(
    home: Home, paths: Sequence[Path], *, source: str = "auto", alone: bool = False
) -> AddReport:
    """Read the files and add their sessions; files whose very bytes today's readers read before are passed over.

    A file that cannot be read, or is no session log, is an error when it was named itself (`alone`); else it is
    quarantined and does not stop the others.

    Raises:
        ReaderError: the file that was named cannot be read at all.
        ArchiveError: the archive cannot be written; batches before this one stay.
    """
    redactor = home.redactor()
    unchanged = 0

    def unseen() -> Iterator[SourceRead]:
        nonlocal unchanged
        for number, path in enumerate(paths, 1):
            try:
                if _was_read(home.archive, _sha256(path)):
                    unchanged += 1
                    continue
                found = list(readers.read(path, source=source, redactor=redactor, alone=alone))
            except (ReaderError, NotFoundError) as error:
                if alone:
                    raise
                found = [readers.unreadable(path, str(error))]
            yield from found
            failpoint(f"ingest.read.{number}")

    report = home.archive.add(unseen())
    failpoint("ingest.added")
    return report.model_copy(
        update={"files": report.files + unchanged, "unchanged_files": report.unchanged_files + unchanged}
    )


def ingest_stream(home: Home, stream: BinaryIO, *, source: str = "auto") -> AddReport:
    """The same for standard input."""
    return home.archive.add(readers.read("-", source=source, redactor=home.redactor(), stdin=stream))


def _was_read(archive: Archive, sha256: str) -> bool:
    """Whether a reader as it is today read these bytes before. A newer version of it reads them again."""
    return archive.has_source(sha256) and any(
        archive.has_source(sha256, reader=reader) for reader in readers.versions()
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Check its permissions, or name another path."
        raise ReaderError(msg) from error
    return digest.hexdigest()
