# fsspec ships no types, so pyright cannot know its members.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
"""The depot: contents by their sha256 behind an fsspec URL, where machines that share no folder hand files over.

A content lies there whole or not at all, is brought here once, and is checked before anything is made of it.
"""

import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from agentflows.errors import SettingsError, StagingError

try:
    import fcntl
except ImportError:  # Windows: two processes may bring the same content at once, which does no harm
    fcntl = None

_AT_ONCE = 8
"""Contents on their way at the same time."""
_PAUSES = (0.2, 1.0, 3.0)
"""Seconds before each further try where the store did not answer; its driver may have tried on its own before."""
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss"})
"""Stores where what is put is seen whole or not at all. Elsewhere a file gets its name when it is complete."""
_OWN = frozenset({"memory", "dir", "blockcache", "filecache", "simplecache"})
"""What no other process sees."""
_BLOCK = 1 << 20


class Depot:
    """The contents of one job.

    Safe for several threads; several processes may use one at once.

    Args:
        url: where they lie for all: a folder's path, or an fsspec URL such as `s3://bucket/staging`.
        name: whose they are: a folder below the URL.
        folder: where they lie on this machine, read-only, each under its sha256.

    Raises:
        SettingsError: other processes cannot see what is put there, or no driver for the URL is installed.
    """

    def __init__(self, url: str, name: str, folder: Path) -> None:
        self.folder = folder
        self._url = f"{url.rstrip('/')}/{name}"
        protocol = url.partition("://")[0] if "://" in url else "file"
        if protocol in _OWN or "::" in url:
            msg = (
                f"AGENTFLOWS_STAGING_URL is {url!r}, which no other machine can see. Name a folder that all mount, or "
                "an object store such as s3://bucket/staging."
            )
            raise SettingsError(msg)
        try:
            # a shared instance would keep the endpoint and the keys it was first made with
            self._fs, self._root = url_to_fs(self._url, skip_instance_cache=True, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            msg = f"AGENTFLOWS_STAGING_URL {url!r} cannot be opened: {error}. Install the fsspec driver it needs."
            raise SettingsError(msg) from error
        self._is_whole = protocol in _WHOLE
        self._lock, self._bringing = threading.Lock(), threading.Lock()
        self._there: set[str] | None = None

    def share(self, hashes: Iterable[str]) -> int:
        """Put there what is not yet, and say how many that were. When it returns, others can bring all of them.

        Raises:
            StagingError: the store cannot be written, or a content is not on this machine.
        """
        with self._lock:
            there = self._listed()
            wanted = sorted(set(hashes) - there)
            self._each(self._put, wanted)
            there.update(wanted)
        return len(wanted)

    def fetch(self, hashes: Iterable[str]) -> int:
        """Bring here what is not yet, and say how many that were.

        Raises:
            StagingError: one is missing there or damaged, or the store cannot be read. Nothing damaged is left here.
        """
        asked = set(hashes)
        if not self._missing(asked):
            return 0
        with self._fetching():  # processes at the same turn's base would each bring it
            wanted = self._missing(asked)
            self._each(self._get, wanted)
        return len(wanted)

    def clear(self) -> None:
        """Remove all of them there; what lies here stays.

        Raises:
            StagingError: the store cannot be written.
        """
        with self._lock:
            self._there = None
            with contextlib.suppress(FileNotFoundError):
                self._tried("emptied", lambda: self._fs.rm(self._root, recursive=True))

    # -- inside --------------------------------------------------------------------------------------

    def _missing(self, hashes: set[str]) -> list[str]:
        return sorted(one for one in hashes if not (self.folder / one).exists())

    @contextlib.contextmanager
    def _fetching(self) -> Generator[None]:
        """One process of this machine at a time."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._bringing, (self.folder / ".fetching").open("ab") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _listed(self) -> set[str]:
        if self._there is None:
            try:
                names = self._tried("read", lambda: self._fs.ls(self._root, detail=False))
            except FileNotFoundError:
                names = []
            self._there = {str(name).rsplit("/", 1)[-1] for name in names}
        return self._there

    def _each(self, act: Callable[[str], None], hashes: list[str]) -> None:
        if not hashes:
            return
        pool = ThreadPoolExecutor(min(_AT_ONCE, len(hashes)), thread_name_prefix="depot")
        try:
            for _ in pool.map(act, hashes):
                pass
        finally:  # after the first that failed, no other is begun
            pool.shutdown(wait=True, cancel_futures=True)

    def _put(self, sha256: str) -> None:
        source, target = self.folder / sha256, f"{self._root}/{sha256}"
        if not source.is_file():
            msg = f"The content {sha256[:12]}… is not in {self.folder}, so it cannot be put to {self._url}."
            raise StagingError(msg)
        draft = f"{self._root}/draft-{secrets.token_hex(8)}"

        def put() -> None:
            if self._is_whole:
                self._fs.put_file(str(source), target)
                return
            self._fs.makedirs(self._root, exist_ok=True)
            self._fs.put_file(str(source), draft)
            self._fs.mv(draft, target)

        try:
            self._tried("written", put)
        except FileNotFoundError as error:  # so do object stores say that there is no such bucket
            msg = f"The staging folder {self._url} cannot be written: {error}. Make the bucket, or correct AGENTFLOWS_STAGING_URL."
            raise StagingError(msg) from error

    def _get(self, sha256: str) -> None:
        draft = self.folder / f"draft-{secrets.token_hex(8)}"
        try:
            self._tried("read", lambda: self._fs.get_file(f"{self._root}/{sha256}", str(draft)))
            if _sha256(draft) != sha256:
                msg = (
                    f"The content {sha256[:12]}… in {self._url} is damaged: its sha256 is another. Nothing was made of "
                    "it. Remove it there, and run the same command again."
                )
                raise StagingError(msg)
            draft.chmod(0o400)
            draft.replace(self.folder / sha256)
        except FileNotFoundError as error:
            msg = (
                f"The content {sha256[:12]}… is missing in {self._url}: it was removed, or never came there. Let nothing "
                "clear that folder while a job is under way; whoever leads it puts its own files there again when the "
                "same command is run again."
            )
            raise StagingError(msg) from error
        finally:
            draft.unlink(missing_ok=True)

    def _tried(self, verb: str, act: Callable[[], Any]) -> Any:
        """The result of `act`, tried again where the store did not answer.

        Raises:
            FileNotFoundError: what it is about is not there.
            StagingError: it did not work out.
        """
        for pause in (*_PAUSES, None):
            try:
                return act()
            except FileNotFoundError:
                raise
            except Exception as error:  # drivers raise errors of their own kinds, of their own libraries
                if pause is None or isinstance(error, PermissionError):
                    reason = " ".join(str(error).split())[:300] or type(error).__name__
                    msg = (
                        f"The staging folder {self._url} cannot be {verb}: {reason}. Check AGENTFLOWS_STAGING_URL, your "
                        "rights and the connection, and run the same command again."
                    )
                    raise StagingError(msg) from error
            time.sleep(pause)
        return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
