"""Native session logs into the archive, file by file: what `flows/ingest.py` shows as tasks."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from agentflows import readers
from agentflows.archive import AddReport
from agentflows.errors import ReaderError
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
        size += path.stat().st_size * (8 if path.suffix == ".gz" else 1)
    return found


def ingest_files(
    home: Home, paths: Sequence[Path], *, source: str = "auto", alone: bool = False
) -> AddReport:
    """Read the files and add their sessions; files whose very bytes were read before are passed over.

    A file that is no session log is an error when it was named itself (`alone`), else it is quarantined.

    Raises:
        ReaderError: a file cannot be read at all.
        ArchiveError: the archive cannot be written; batches before this one stay.
    """
    redactor = home.redactor()
    unchanged = 0

    def unseen() -> Iterator[SourceRead]:
        nonlocal unchanged
        for number, path in enumerate(paths, 1):
            if home.archive.has_source(_sha256(path)):
                unchanged += 1
                continue
            yield from readers.read(path, source=source, redactor=redactor, alone=alone)
            failpoint(f"ingest.read.{number}")

    report = home.archive.add(unseen())
    failpoint("ingest.added")
    return report.model_copy(
        update={"files": report.files + unchanged, "unchanged_files": report.unchanged_files + unchanged}
    )


def ingest_stream(home: Home, stream: BinaryIO, *, source: str = "auto") -> AddReport:
    """The same for standard input."""
    return home.archive.add(readers.read("-", source=source, redactor=home.redactor(), stdin=stream))


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
