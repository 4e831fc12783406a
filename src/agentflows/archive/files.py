# fsspec ships no types, so pyright cannot know its members.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""The archive's folder: a few immutable files per batch, on this disk or behind an fsspec URL.

A file appears whole or not at all. Nothing is ever changed in place, so readers need no lock.
"""

import contextlib
import os
import secrets
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from fsspec.core import url_to_fs

from agentflows.errors import ArchiveError, UsageError

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


class Files(Protocol):
    """What the archive needs of a place to keep files. Paths are relative, such as `turns/x.parquet`."""

    root: str

    def list(self, folder: str) -> dict[str, FileStat]:
        """The files of one folder by name, temporary ones included; empty when there is no folder."""
        ...

    def read(self, path: str) -> bytes:
        """The whole file. Raises FileNotFoundError."""
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

    def no_adders(self) -> bool:
        """Whether it is certain that nobody is adding, so that every file without a manifest is dead."""
        ...


def open_files(root: str | Path) -> Files:
    """The folder at `root`: a path, or an fsspec URL such as `s3://bucket/archive`.

    Raises:
        UsageError: the path cannot be given to DuckDB, or no driver for the URL is installed.
    """
    text = str(root)
    if any(char in text for char in "*?[]"):
        msg = f"The archive's folder {text!r} has one of * ? [ ] in its path. Choose a path without them."
        raise UsageError(msg)
    if "://" in text and not text.startswith("file://"):
        return RemoteFiles(text)
    return LocalFiles(Path(text.removeprefix("file://")))


class LocalFiles:
    """A folder on this machine, or on a network disk that renames atomically."""

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
            raise _cannot_write(self.root, error) from error

    def delete(self, path: str) -> None:
        """See `Files`."""
        try:
            (self._folder / path).unlink(missing_ok=True)
        except OSError as error:
            raise _cannot_write(self.root, error) from error

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

    @contextlib.contextmanager
    def _lock(self, name: str) -> Generator[IO[bytes]]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / name).open("ab")
        except OSError as error:
            raise _cannot_write(self.root, error) from error
        with file:
            yield file


class RemoteFiles:
    """Object storage through fsspec. One PUT is atomic there, so no temporary name is needed.

    There is no lock across machines: compact and remove from one place at a time.
    """

    def __init__(self, url: str) -> None:
        try:
            self._fs, self._path = url_to_fs(url)
        except (ImportError, ValueError) as error:
            msg = f"The archive URL {url!r} cannot be opened: {error}. Install the fsspec driver it needs."
            raise UsageError(msg) from error
        self.root = url.rstrip("/")

    def list(self, folder: str) -> dict[str, FileStat]:
        """See `Files`."""
        try:
            self._fs.invalidate_cache()
            entries = self._fs.ls(f"{self._path}/{folder}", detail=True)
        except FileNotFoundError:
            return {}
        except OSError as error:
            msg = f"The archive at {self.root!r} cannot be read: {error}. Check the URL and your rights."
            raise ArchiveError(msg) from error
        return {
            entry["name"].rsplit("/", 1)[-1]: FileStat(int(entry["size"] or 0), _modified(entry))
            for entry in entries
            if entry["type"] == "file"
        }

    def read(self, path: str) -> bytes:
        """See `Files`."""
        return self._fs.cat_file(f"{self._path}/{path}")

    def write(self, path: str, data: bytes) -> None:
        """See `Files`."""
        try:
            self._fs.pipe_file(f"{self._path}/{path}", data)
        except OSError as error:
            raise _cannot_write(self.root, error) from error

    def delete(self, path: str) -> None:
        """See `Files`."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._path}/{path}")

    def url(self, path: str) -> str:
        """The form in which DuckDB finds it in a listing, since only exactly that may be opened when locked."""
        return self._fs.unstrip_protocol(f"{self._path}/{path}")

    def filesystem(self) -> Any:
        """See `Files`."""
        return self._fs

    def adding(self) -> contextlib.AbstractContextManager[None]:
        """Nothing to hold: see `no_adders`."""
        return contextlib.nullcontext()

    def no_adders(self) -> bool:
        """Never certain on object storage: orphans wait for their age."""
        return False

    def maintaining(self) -> contextlib.AbstractContextManager[None]:
        """See the class."""
        return contextlib.nullcontext()


def _modified(entry: dict[str, Any]) -> datetime:
    found = entry.get("LastModified") or entry.get("created") or entry.get("updated")
    if isinstance(found, datetime):
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    return datetime.now(UTC).replace(tzinfo=None)  # unknown age counts as new: never delete what may be alive


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_write(root: str, error: OSError) -> ArchiveError:
    reason = error.strerror or str(error)
    return ArchiveError(
        f"The archive at {root!r} cannot be written: {reason}. Nothing of this batch was kept. "
        "Free space or choose a folder you may write, then run the same command again."
    )
