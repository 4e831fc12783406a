# fsspec ships no types, so pyright cannot know its members.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""An archive behind an fsspec URL. Files have names of their own and never change, so no rename is needed.

A file is put whole or not at all, which is what object stores promise of one PUT. What was fetched is kept on this
disk (`agentflows.archive.copies`), so that a query costs a listing and what is new since the last one.
"""

import contextlib
from collections.abc import Collection, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from agentflows.archive.copies import Copies
from agentflows.archive.files import FileEntry, Files, FileStat, LocalFiles, cannot_write
from agentflows.archive.lending import Lending
from agentflows.errors import AgentflowsError, ArchiveError, UsageError

LOOK_SECONDS = 1.0
"""How old a listing may be. What this process writes itself it sees at once."""
_AT_ONCE = 8
"""Small files fetched at once."""


def open_files(
    root: str | Path, *, cache: Path | None = None, cache_bytes: int = 0, needs_lock: bool = True
) -> Files:
    """The folder at `root`: a path, or an fsspec URL such as `s3://bucket/archive`.

    `cache` is where copies of remote files are kept, up to `cache_bytes`; `needs_lock` has maintenance refused where
    no lock can be held.

    Raises:
        UsageError: the path cannot be given to DuckDB, or no driver for the URL is installed.
    """
    from agentflows.archive.s3 import S3Files

    text = str(root)
    if any(char in text for char in "*?[]"):
        msg = f"The archive's folder {text!r} has one of * ? [ ] in its path. Choose a path without them."
        raise UsageError(msg)
    if "://" not in text or text.startswith("file://"):
        return LocalFiles(Path(text.removeprefix("file://")))
    copies = Copies(cache, text.rstrip("/"), cache_bytes)
    if text.startswith(("s3://", "s3a://")):
        return S3Files(text, copies, needs_lock=needs_lock)
    return RemoteFiles(text, copies)


class RemoteFiles:
    """Files behind any fsspec URL.

    Of these stores it is not known whether they write on a condition, so there is no lock across machines: compact,
    forget and rebuild from one place at a time. Two at once lose nothing, for each ends by looking for what the
    other left; one of them may have to be run again.
    """

    look_every = LOOK_SECONDS

    def __init__(self, url: str, copies: Copies) -> None:
        self.root = url.rstrip("/")
        self.changes = 0
        self._copies = copies
        self._lending = Lending(self.read, copies)
        try:
            self._fs, self._path = self._open(self.root)
        except (ImportError, ValueError) as error:
            raise self._no_driver(error) from error

    def _open(self, url: str) -> tuple[Any, str]:
        return url_to_fs(url)

    def _no_driver(self, error: Exception) -> AgentflowsError:
        return UsageError(
            f"The archive URL {self.root!r} cannot be opened: {error}. Install the fsspec driver it needs."
        )

    @contextlib.contextmanager
    def explained(self) -> Generator[None]:
        """Errors of the store in words that say what to do. A missing file stays FileNotFoundError."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            msg = f"The archive at {self.root!r} cannot be read: {error}. Check the URL and your rights."
            raise ArchiveError(msg) from error

    # -- reading --

    def list(self, folder: str) -> dict[str, FileStat]:
        """See `Files`."""
        try:
            with self.explained():
                self._fs.invalidate_cache()
                entries = self._fs.ls(f"{self._path}/{folder}", detail=True)
        except FileNotFoundError:
            return {}
        return {
            entry["name"].rsplit("/", 1)[-1]: FileStat(int(entry["size"] or 0), _modified(entry))
            for entry in entries
            if entry["type"] == "file"
        }

    def read(self, path: str) -> bytes:
        """See `Files`."""
        with self.explained():
            return self._fs.cat_file(f"{self._path}/{path}")

    def read_small(self, stats: Mapping[str, FileStat]) -> dict[str, bytes]:
        """See `Files`."""
        found: dict[str, bytes] = {}
        for path, stat in stats.items():
            copy = self._copies.open(path, stat.size)
            if copy is not None:
                with copy:
                    found[path] = copy.read()
        missing = [path for path in stats if path not in found]
        if missing:
            with ThreadPoolExecutor(min(_AT_ONCE, len(missing))) as pool:
                fetched = dict(zip(missing, pool.map(self.read, missing), strict=True))
            for path, data in fetched.items():
                self._copies.keep(path, data)
            found |= fetched
        return found

    def know(self, files: Mapping[str, FileEntry], small: Collection[str]) -> None:
        """See `Files`."""
        self._lending.know(files)
        self._copies.retain({*files, *small})

    def trouble(self, found: str) -> Exception | None:
        """See `Files`."""
        return self._lending.trouble(found)

    def url(self, path: str) -> str:
        """What DuckDB opens, through `filesystem()`."""
        return f"archive://{path}"

    def filesystem(self) -> Any:
        """See `Files`."""
        return self._lending

    # -- writing --

    def write(self, path: str, data: bytes) -> None:
        """See `Files`."""
        try:
            with self.explained():
                self._put(path, data)
        except OSError as error:
            raise cannot_write(self.root, error) from error
        self.changes += path.endswith(".json")

    def _put(self, path: str, data: bytes) -> None:
        self._fs.pipe_file(f"{self._path}/{path}", data)

    def delete(self, path: str) -> None:
        """See `Files`."""
        with contextlib.suppress(FileNotFoundError), self.explained():
            self._fs.rm_file(f"{self._path}/{path}")
        self.changes += path.endswith(".json")

    def adding(self) -> contextlib.AbstractContextManager[None]:
        """Nothing to hold: see `no_adders`."""
        return contextlib.nullcontext()

    def no_adders(self) -> bool:
        """Never certain on object storage: orphans wait for their age."""
        return False

    def maintaining(self) -> contextlib.AbstractContextManager[None]:
        """See the class."""
        return contextlib.nullcontext()

    def check_maintaining(self) -> None:
        """Nothing is held."""


def _modified(entry: dict[str, Any]) -> datetime:
    found = entry.get("LastModified") or entry.get("created") or entry.get("updated")
    if isinstance(found, datetime):
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    return datetime.now(UTC).replace(tzinfo=None)  # unknown age counts as new: never delete what may be alive
