"""Copies: files of a remote archive kept on this disk, so that each is fetched once.

Files of an archive never change, so a copy of the right name and size is the file. The folder is bounded: what was
used longest ago goes first. Losing a copy costs a fetch and nothing else, so no failure here stops anybody.
"""

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Container
from pathlib import Path
from typing import IO

_TEMPORARY = ".tmp-"
_ABANDONED_SECONDS = 3_600.0
_LEEWAY = 0.9
"""Of the limit, to which the folder is cut when it is full: not with every file anew."""


class Copies:
    """The copies of one archive. Any number of processes may share the folder; its files are for their owner only.

    Args:
        folder: where; None keeps nothing.
        root: the archive's URL: each archive has a folder of its own in there.
        most: bytes of all copies together; 0 keeps nothing.
    """

    def __init__(self, folder: Path | None, root: str, most: int) -> None:
        self._most = most if folder else 0
        self._folder = (folder or Path()) / hashlib.sha256(root.encode()).hexdigest()[:16]

    def open(self, path: str, size: int) -> IO[bytes] | None:
        """The copy of one file, opened, if there is one of that size."""
        if not self._most:
            return None
        place = self._folder / path
        with contextlib.suppress(OSError):
            file = place.open("rb")
            if os.fstat(file.fileno()).st_size == size:
                with contextlib.suppress(OSError):
                    os.utime(file.fileno())
                return file
            file.close()
        return None

    def keep(self, path: str, data: bytes) -> None:
        """Keep a copy, whole or not at all. One that is larger than all copies may be is not kept."""
        if len(data) > self._most:
            return
        target = self._folder / path
        temporary = target.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}")
        with contextlib.suppress(OSError):  # a full disk: the next reader fetches the file again
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                    file.write(data)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            self._cut()

    def retain(self, paths: Container[str]) -> None:
        """Delete every copy that is not among `paths`: what the archive forgot goes from this disk too."""
        for place, stat in self._found():
            path = f"{place.parent.name}/{place.name}"
            is_old = not place.name.startswith(_TEMPORARY) or time.time() - stat.st_mtime > _ABANDONED_SECONDS
            if path not in paths and is_old:
                with contextlib.suppress(OSError):
                    place.unlink(missing_ok=True)

    def _cut(self) -> None:
        found = [(stat.st_mtime, stat.st_size, place) for place, stat in self._found()]
        total = sum(size for _, size, _ in found)
        if total <= self._most:
            return
        for _, size, place in sorted(found):
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)
                total -= size
            if total <= self._most * _LEEWAY:
                return

    def _found(self) -> list[tuple[Path, os.stat_result]]:
        found: list[tuple[Path, os.stat_result]] = []
        for place in self._folder.glob("*/*"):
            with contextlib.suppress(OSError):  # another process deleted it meanwhile
                found.append((place, place.stat()))
        return found
