"""What files held, once per sha256: written whole or not at all, read-only, and checked when it is used again."""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agentflows.depot import Depot
from agentflows.errors import OutcomeError
from agentflows.sandbox.beneath import opened

_BLOCK = 1 << 20
_LEFT_AFTER = 3_600.0
"""Seconds without a byte more, after which a draft is nobody's."""
_REMEMBERED = 32 << 20
"""Bytes of contents that were read and checked and are kept in memory, for copies of one version made in a row."""


class Kept(BaseModel):
    """One file or link of a version."""

    model_config = ConfigDict(frozen=True)

    sha256: str = ""
    size: int = 0
    is_executable: bool = False
    link: str | None = None
    """Where a link leads; None for a file."""


class Contents:
    """The contents in one folder. Safe for several threads and processes: nothing in it is ever changed or removed.

    Args:
        folder: made when the first content is kept.
        depot: where other machines get them, if they have to; its folder here is the same.
    """

    def __init__(self, folder: Path, depot: Depot | None = None) -> None:
        self._folder = folder
        self._depot = depot
        self._known: set[str] = set()
        self._checked: set[str] = set()
        self._read: dict[str, bytes] = {}
        self._size = 0
        self._lock = threading.Lock()

    def has(self, sha256: str) -> bool:
        """Whether it is there."""
        if sha256 not in self._known and (self._folder / sha256).exists():
            self._known.add(sha256)
        return sha256 in self._known

    def store(self, root: Path, path: str) -> tuple[str, int]:
        """Keep what a file below `root` holds, read without following a link; returns its sha256 and size.

        Raises:
            OSError: it cannot be read or kept.
        """
        with opened(root, path) as source:
            sha256, size = hashed(source)
        if self.has(sha256):  # most files of most versions: nothing is written for them
            return sha256, size
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder / f"draft-{secrets.token_hex(8)}"
        digest, size = hashlib.sha256(), 0
        try:
            with opened(root, path) as source, draft.open("xb") as copy:
                while block := os.read(source, _BLOCK):
                    digest.update(block)
                    size += len(block)
                    copy.write(block)
            target = self._folder / digest.hexdigest()
            if not target.exists():
                draft.chmod(0o400)
                draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return digest.hexdigest(), size

    def blocks(self, sha256: str) -> Iterator[bytes]:
        """That content in pieces, none of which counts before all have come: only then it is known to be whole.

        Raises:
            OutcomeError: it is missing or damaged.
        """
        remembered = self._read.get(sha256)
        if remembered is not None:
            yield remembered
            return
        digest, size, first = hashlib.sha256(), 0, b""
        with suppress(FileNotFoundError, IsADirectoryError), (self._folder / sha256).open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                first = first if size else block
                size += len(block)
                yield block
        if digest.hexdigest() != sha256:
            msg = (
                f"The kept content {sha256[:12]}… in {self._folder} is missing or damaged. Nothing was written from "
                "it. Run again with another --key to start over."
            )
            raise OutcomeError(msg)
        self._checked.add(sha256)
        if size == len(first):
            self._remember(sha256, first)

    def link(self, sha256: str, target: str) -> os.stat_result | None:
        """Give that content a second name, for whoever replaces files and never changes one in place.

        Returns:
            The file's status; None where the file system gives it no more names: then it must be copied.

        Raises:
            OutcomeError: it is missing or damaged.
        """
        if sha256 not in self._checked:
            for _ in self.blocks(sha256):
                pass
        try:
            os.link(self._folder / sha256, target)
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError:
            return None
        return os.stat(target, follow_symlinks=False)  # noqa: PTH116 - thousands of them

    def share(self, files: Iterable[Kept]) -> None:
        """Put what these files hold where other machines get it, if there is such a place.

        Raises:
            StagingError: it cannot be put there.
        """
        if self._depot:
            self._depot.share(kept.sha256 for kept in files if kept.link is None)

    def fetch(self, files: Iterable[Kept]) -> None:
        """Bring here what these files hold, if it may lie elsewhere.

        Raises:
            StagingError: it is missing there, or damaged.
        """
        if self._depot:
            self._depot.fetch(kept.sha256 for kept in files if kept.link is None)

    def _remember(self, sha256: str, content: bytes) -> None:
        with self._lock:
            if sha256 in self._read:
                return
            self._size += len(content)
            if self._size > _REMEMBERED:
                self._read, self._size = {}, len(content)
            self._read[sha256] = content

    def sweep(self) -> None:
        """Remove what a killed process left half-made. Only whoever holds the workspace may.

        Where files travel, other processes of this machine may be at work in the folder: there a draft counts as left
        when nothing was added to it for an hour.
        """
        oldest = 0.0 if self._depot is None else _LEFT_AFTER
        for left in self._folder.glob("draft-*"):
            with suppress(FileNotFoundError):  # its process is alive, and done with it
                if time.time() - left.stat().st_mtime >= oldest:
                    left.unlink()


def hashed(source: int) -> tuple[str, int]:
    """sha256 and size of what an open file holds."""
    digest, size = hashlib.sha256(), 0
    while block := os.read(source, _BLOCK):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size
