"""The archive's folder: a few immutable files per batch. Here, what it must do, and how a disk does it.

A file appears whole or not at all. Nothing is ever changed in place, so readers need no lock.
"""

import contextlib
import os
import secrets
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from agentflows.errors import ArchiveError

try:
    import fcntl
except ImportError:  # Windows: adders are then never seen to be at work, and orphans wait for their age
    fcntl = None

_TEMPORARY = ".tmp-"


@dataclass(frozen=True, slots=True)
class FileStat:
    """Size and age of one file."""

    size: int
    modified: datetime
    """UTC, naive."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One Parquet file, as the manifest describes it."""

    rows: int
    bytes: int
    sha256: str


class Files(Protocol):
    """What the archive needs of a place to keep files. Paths are relative, such as `turns/x.parquet`."""

    root: str
    look_every: float
    """Seconds for which what was listed may be taken to stand; 0 where looking costs nothing."""
    changes: int
    """How many manifests this object has written or deleted: what was listed before does not stand."""

    def list(self, folder: str) -> dict[str, FileStat]:
        """The files of one folder by name, temporary ones included; empty when there is no folder."""
        ...

    def read(self, path: str) -> bytes:
        """The whole file. Raises FileNotFoundError."""
        ...

    def read_small(self, stats: Mapping[str, FileStat]) -> dict[str, bytes]:
        """These whole files by path, each as large as listed; perhaps from copies. Raises FileNotFoundError."""
        ...

    def know(self, files: Mapping[str, FileEntry], small: Collection[str]) -> None:
        """Take these Parquet files, and these small ones, to be all there are.

        The former may be opened; copies of any others are deleted.
        """
        ...

    def trouble(self, found: str) -> Exception | None:
        """The exception that DuckDB met in `filesystem()` and put into its own message `found`."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Create the file whole. Raises ArchiveError, and then nothing of it is left."""
        ...

    def delete(self, path: str) -> None:
        """Remove the file; it may be gone already."""
        ...

    def url(self, path: str) -> str:
        """What DuckDB opens."""
        ...

    def filesystem(self) -> Any:
        """The fsspec filesystem to register with DuckDB; None for the local disk."""
        ...

    def adding(self) -> contextlib.AbstractContextManager[None]:
        """Show others that files without a manifest may belong to a living process. Waits for nobody."""
        ...

    def maintaining(self) -> contextlib.AbstractContextManager[None]:
        """Keep other compactions and removals out. Raises ArchiveError when one is at work."""
        ...

    def check_maintaining(self) -> None:
        """See that they are still kept out. Raises ArchiveError when one may be at work."""
        ...

    def no_adders(self) -> bool:
        """Whether it is certain that nobody is adding, so that every file without a manifest is dead."""
        ...


class LocalFiles:
    """A folder on this machine, or on a network disk that renames atomically."""

    look_every = 0.0
    changes = 0

    def __init__(self, root: Path) -> None:
        self._folder = root.expanduser().absolute()
        self.root = str(self._folder)

    def list(self, folder: str) -> dict[str, FileStat]:
        """See `Files`."""
        found: dict[str, FileStat] = {}
        try:
            entries = list(os.scandir(self._folder / folder))
        except FileNotFoundError:
            return found
        except OSError as error:
            msg = (
                f"The archive at {self.root!r} cannot be read: {error.strerror}. Give a folder you may read."
            )
            raise ArchiveError(msg) from error
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                stat = entry.stat()
                modified = datetime.fromtimestamp(stat.st_mtime, UTC).replace(tzinfo=None)
                found[entry.name] = FileStat(stat.st_size, modified)
        return found

    def read(self, path: str) -> bytes:
        """See `Files`."""
        return (self._folder / path).read_bytes()

    def read_small(self, stats: Mapping[str, FileStat]) -> dict[str, bytes]:
        """See `Files`."""
        return {path: self.read(path) for path in stats}

    def know(self, files: Mapping[str, FileEntry], small: Collection[str]) -> None:
        """Nothing to do: DuckDB opens the files themselves."""

    def trouble(self, found: str) -> Exception | None:
        """None: DuckDB's own message says it."""

    def write(self, path: str, data: bytes) -> None:
        """See `Files`."""
        target = self._folder / path
        temporary = target.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}-{target.name}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise cannot_write(self.root, error) from error

    def delete(self, path: str) -> None:
        """See `Files`."""
        try:
            (self._folder / path).unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.root, error) from error

    def url(self, path: str) -> str:
        """See `Files`."""
        return str(self._folder / path)

    def filesystem(self) -> Any:
        """See `Files`."""
        return None

    @contextlib.contextmanager
    def adding(self) -> Generator[None]:
        """Hold a shared lock; a killed process lets go of it by dying."""
        with self._lock("adding.lock") as file:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def no_adders(self) -> bool:
        """See `Files`."""
        if not fcntl:
            return False
        with self._lock("adding.lock") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    @contextlib.contextmanager
    def maintaining(self) -> Generator[None]:
        """See `Files`."""
        with self._lock("maintenance.lock") as file:
            if fcntl:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    msg = f"Another process is compacting or removing in {self.root!r}. Try again when it is done."
                    raise ArchiveError(msg) from error
            yield

    def check_maintaining(self) -> None:
        """The system holds it for as long as this process lives."""

    @contextlib.contextmanager
    def _lock(self, name: str) -> Generator[IO[bytes]]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / name).open("ab")
        except OSError as error:
            raise cannot_write(self.root, error) from error
        with file:
            yield file


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(root: str, error: OSError) -> ArchiveError:
    """The error for a write that was refused."""
    reason = error.strerror or str(error)
    return ArchiveError(
        f"The archive at {root!r} cannot be written: {reason}. Nothing of this batch was kept. "
        "Free space or choose a folder you may write, then run the same command again."
    )
