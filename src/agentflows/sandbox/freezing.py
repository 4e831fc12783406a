"""Frozen files: a read-only copy of part of a workspace, with a hash for each file, for whoever grades it."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from agentflows.errors import WorkspaceError
from agentflows.sandbox.beneath import opened
from agentflows.sandbox.paths import explained
from agentflows.sandbox.walk import Found, walk

MOST_FILES = 5_000
MOST_BYTES = 256 << 20
_BLOCK = 1 << 20


class FrozenFile(BaseModel, frozen=True):
    """One file as it was copied."""

    path: str
    """Relative to the workspace, and to the copy."""
    size: int
    """Bytes."""
    sha256: str
    is_executable: bool


class Manifest(BaseModel, frozen=True):
    """What was frozen, and what was not."""

    files: tuple[FrozenFile, ...]
    """Sorted by path."""
    left_out: tuple[str, ...]
    """Paths of links, pipes, sockets and devices: they are not copied."""

    @property
    def sha256(self) -> str:
        """One hash over all paths, rights and contents; the same files give the same hash anywhere."""
        lines = [f"{file.sha256} {int(file.is_executable)} {file.path}\n" for file in self.files]
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def differences(self, folder: Path) -> list[str]:
        """Paths whose content in `folder` is not what was frozen, missing and added ones included; sorted.

        Raises:
            WorkspaceError: `folder` cannot be read.
        """
        expected = {file.path: file.sha256 for file in self.files}
        with explained("the frozen copy"), opened(folder, ".", os.O_RDONLY | os.O_DIRECTORY) as top:
            present = {entry.path for entry in walk(top) if entry.kind != "folder"}
            changed = {path for path in present & expected.keys() if _hash(folder, path) != expected[path]}
        return sorted(changed | (present ^ expected.keys()))


def freeze(root: Path, entries: Sequence[Found], target: Path) -> Manifest:
    """Copy the files among `entries` of `root` to `target` and close both files and folders to writing.

    What is hashed is what is copied, in one reading.

    Raises:
        WorkspaceError: more than 5,000 files or 256 MiB.
        OSError: a file cannot be read, or the copy cannot be written.
    """
    files = [entry for entry in entries if entry.kind == "file"]
    if len(files) > MOST_FILES:
        raise WorkspaceError(_too_much())
    target.mkdir(parents=True, exist_ok=True)
    left = MOST_BYTES
    frozen: list[FrozenFile] = []
    for entry in files:
        frozen.append(_copy(root, entry, target / entry.path, left))
        left -= frozen[-1].size
    for folder in sorted(
        {target / above for entry in files for above in Path(entry.path).parents}, reverse=True
    ):
        folder.chmod(0o555)
    left_out = tuple(entry.path for entry in entries if entry.kind in {"link", "other"})
    return Manifest(files=tuple(frozen), left_out=left_out)


def _copy(root: Path, entry: Found, target: Path, most: int) -> FrozenFile:
    target.parent.mkdir(parents=True, exist_ok=True)
    is_executable = bool(entry.mode & 0o100)
    digest, size = hashlib.sha256(), 0
    with opened(root, entry.path) as source, target.open("xb") as copy:
        while block := os.read(source, _BLOCK):
            size += len(block)
            if size > most:
                raise WorkspaceError(_too_much())
            digest.update(block)
            copy.write(block)
    target.chmod(0o555 if is_executable else 0o444)
    return FrozenFile(path=entry.path, size=size, sha256=digest.hexdigest(), is_executable=is_executable)


def _hash(folder: Path, path: str) -> str:
    digest = hashlib.sha256()
    try:
        with opened(folder, path) as fd:
            while block := os.read(fd, _BLOCK):
                digest.update(block)
    except OSError:  # a link or a folder now: not what was frozen
        return ""
    return digest.hexdigest()


def _too_much() -> str:
    return (
        f"There is too much to freeze: more than {MOST_FILES:,} files or {MOST_BYTES >> 20} MiB. "
        "Name the deliverables, instead of the whole workspace."
    )
