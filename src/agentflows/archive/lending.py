# fsspec ships no types, so pyright cannot know its members.
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false
"""Lending: a remote archive's Parquet files as a file system that DuckDB opens them through.

DuckDB asks for a file's existence, size and age again and again. All that is known from the manifests, so only a
file's content is ever fetched: whole, once, checked against its sha256, and from then on from a copy on this disk.
"""

import hashlib
import io
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import IO, Any

from fsspec.spec import AbstractFileSystem

from agentflows.archive.copies import Copies
from agentflows.archive.files import FileEntry
from agentflows.errors import ArchiveError

_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
"""When every file was last changed: a file of the archive never is."""


class Lending(AbstractFileSystem):
    """The Parquet files of one archive, read-only. Safe for many threads.

    Args:
        read: fetches one file whole.
        copies: where fetched files are kept.
    """

    protocol = "archive"
    cachable = False

    def __init__(self, read: Callable[[str], bytes], copies: Copies) -> None:
        super().__init__()
        self._read = read
        self._copies = copies
        self._known: Mapping[str, FileEntry] = {}
        self._fetching: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._troubles: deque[Exception] = deque(maxlen=16)

    def know(self, files: Mapping[str, FileEntry]) -> None:
        """From now on these are the files there are."""
        self._known = files

    def trouble(self, found: str) -> Exception | None:
        """The exception of this class that a message of DuckDB's repeats."""
        return next((one for one in reversed(self._troubles) if str(one) in found), None)

    # -- what DuckDB calls --

    def glob(self, path: str, maxdepth: int | None = None, **kwargs: Any) -> list[str]:
        """The path itself, if there is such a file."""
        del maxdepth, kwargs
        return [path] if self._name(path) in self._known else []

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Whether there is such a file."""
        del kwargs
        return self._name(path) in self._known

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Name, size and type."""
        del kwargs
        return {"name": path, "size": self._entry(path).bytes, "type": "file"}

    def modified(self, path: str) -> datetime:
        """Always the same."""
        del path
        return _ALWAYS

    def open(self, path: str, mode: str = "rb", *_: Any, **kwargs: Any) -> Any:
        """The file, to be read; it is fetched when the first byte of it is asked for."""
        del kwargs
        if mode != "rb":
            msg = f"The archive's {path} is only read, not opened as {mode!r}."
            raise PermissionError(msg)
        entry = self._entry(path)
        name = self._name(path)
        copy = self._copies.open(name, entry.bytes)
        return _Lent(copy, lambda: self._fetched(name, entry), entry.bytes)

    # -- fetching --

    def _fetched(self, path: str, entry: FileEntry) -> IO[bytes]:
        with self._guard:
            lock = self._fetching.setdefault(path, threading.Lock())
        with lock:  # many threads want one file: the first fetches it
            found = self._copies.open(path, entry.bytes)
            if found is not None:
                return found
            try:
                data = self._checked(path, entry)
            except (ArchiveError, OSError) as error:
                self._troubles.append(error)
                raise
            self._copies.keep(path, data)
            return io.BytesIO(data)

    def _checked(self, path: str, entry: FileEntry) -> bytes:
        try:
            data = self._read(path)
        except FileNotFoundError as error:
            msg = f"{path} is missing"
            raise FileNotFoundError(msg) from error
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            msg = (
                f"The archive's {path} is not what was written: its sha256 differs from the manifest's. "
                "Restore it from a backup, or read its logs in again; `agentflows archive verify` names all that is damaged."
            )
            raise ArchiveError(msg)
        return data

    def _entry(self, path: str) -> FileEntry:
        entry = self._known.get(self._name(path))
        if entry is None:
            error = FileNotFoundError(f"{self._name(path)} is missing")
            self._troubles.append(error)
            raise error
        return entry

    @staticmethod
    def _name(path: str) -> str:
        return path.removeprefix("archive://")


class _Lent:
    """An opened file, fetched when its first byte is asked for: DuckDB opens many that it only wants the size of.

    Every thread has a place of its own. DuckDB 2.0 reads one handle from several threads at once, each going to its
    place and reading there in two calls, between which another may come: with one place for all, one thread would
    read where the other went (seen as "ZSTD Decompression failure" of a sound file, in 5 of 100 reads).
    """

    def __init__(self, copy: IO[bytes] | None, fetch: Callable[[], IO[bytes]], size: int) -> None:
        self._file = copy
        self._fetch = fetch
        self._size = size
        self._places = threading.local()
        self._guard = threading.Lock()

    def read(self, size: int = -1) -> bytes:
        """The next bytes of this thread."""
        with self._guard:
            if self._file is None:
                self._file = self._fetch()
            self._file.seek(self.tell())
            data = self._file.read(size)
            self._places.now = self._file.tell()
        return data

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in this thread."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        self._places.now = start + place
        return self._places.now

    def tell(self) -> int:
        """Where the next byte of this thread is read."""
        return getattr(self._places, "now", 0)

    def close(self) -> None:
        """Let go of it."""
        with self._guard:
            if self._file is not None:
                self._file.close()
