"""Versions of a workspace: frozen by content, so that any of them can be put back, and graded where nobody writes.

Contents lie once per sha256 in `objects/`, read-only; a `Snapshot` says which of them a version is made of. They are
read without following a link, and written whole or not at all. Every content is checked when it is used again.
"""

import errno
import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentflows.errors import OutcomeError
from agentflows.evaluation import Deliverable
from agentflows.outcome import Frozen
from agentflows.sandbox.beneath import opened
from agentflows.sandbox.walk import Found, kind_of, matcher, walk

MOST_FILES = 50_000
MOST_BYTES = 2 << 30
_BLOCK = 1 << 20
_SETTLED_NS = 2_000_000_000
"""A file changed less than this before it was read could be changed again under the same time stamp."""
_NOT_DELIVERED = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        "__pycache__",
        ".venv",
        "node_modules",
        ".pytest_cache",
        ".ruff_cache",
        ".mypy_cache",
    }
)
"""Folders whose files are by-products: put back with a version, and no deliverables unless a glob names them."""


class Kept(BaseModel):
    """One file or link of a version."""

    model_config = ConfigDict(frozen=True)

    sha256: str = ""
    size: int = 0
    is_executable: bool = False
    link: str | None = None
    """Where a link leads; None for a file."""


class Snapshot(BaseModel):
    """All files and links of a workspace at one moment, by path."""

    model_config = ConfigDict(frozen=True)

    files: dict[str, Kept] = {}

    @property
    def sha256(self) -> str:
        """The same files give the same hash anywhere."""
        lines = [f"{path}\x1f{kept.model_dump_json()}\x1e" for path, kept in sorted(self.files.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def changed_since(self, start: "Snapshot") -> list[str]:
        """Files created or changed since, sorted. Links and by-products are none."""
        return [
            path
            for path, kept in sorted(self.files.items())
            if kept.link is None
            and (path not in start.files or start.files[path].sha256 != kept.sha256)
            and _NOT_DELIVERED.isdisjoint(PurePosixPath(path).parts[:-1])
        ]

    @property
    def work(self) -> "dict[str, Kept]":
        """Files and links that count as work: all but by-products."""
        return {
            path: kept
            for path, kept in self.files.items()
            if _NOT_DELIVERED.isdisjoint(PurePosixPath(path).parts[:-1])
        }

    def named(self, globs: Sequence[str]) -> list[str]:
        """Files that one of the globs names, sorted.

        Raises:
            WorkspaceError: a glob cannot be used.
        """
        wanted = [matcher(glob) for glob in globs]
        return [
            path
            for path, kept in sorted(self.files.items())
            if kept.link is None and any(one.matches(path) for one in wanted)
        ]

    def deliverables(self, paths: Sequence[str]) -> tuple[Deliverable, ...]:
        """Those files, as what is graded."""
        return tuple(
            Deliverable(path=path, sha256=self.files[path].sha256, size_bytes=self.files[path].size)
            for path in paths
        )


Stamp = tuple[int, int, int, int, int]
"""Inode, size, change and modification time, mode: no program can change a file and leave all of them as they were."""


class Seen:
    """What files held when they were read last, so that those that nobody touched since are not read again.

    For one folder, in memory. A file is read again when its stamp differs, and when it had just been changed as it was
    read: two writes within one tick of the file system's clock have the same time.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, Kept]] = {}

    def find(self, found: Found) -> Kept | None:
        """What the file holds, if it is known."""
        known = self._known.get(found.path)
        return known[1] if known is not None and known[0] == _stamp(found) else None

    def note(self, found: Found, kept: Kept, read_at_ns: int) -> None:
        """Remember what it held at `read_at_ns`, the time before it was read."""
        if found.changed_ns and found.changed_ns + _SETTLED_NS < read_at_ns:
            self._known[found.path] = (_stamp(found), kept)
        else:
            self._known.pop(found.path, None)


def _stamp(found: Found) -> Stamp:
    return (found.inode, found.size, found.changed_ns, found.modified_ns, found.mode)


class Versions:
    """The versions of one outcome's workspace, in a folder of the home.

    Args:
        folder: where they lie.
        workspace: what is frozen and put back.
        seen: what earlier readings of the same workspace found; None reads every file.
    """

    def __init__(self, folder: Path, workspace: Path, seen: Seen | None = None) -> None:
        self.folder = folder
        self.workspace = workspace
        self._objects = folder / "objects"
        self._seen = seen

    def take(self) -> Snapshot:
        """Freeze the workspace as it is.

        Raises:
            OutcomeError: it is too large, or cannot be read.
        """
        self._objects.mkdir(parents=True, exist_ok=True, mode=0o700)
        files: dict[str, Kept] = {}
        left = MOST_BYTES
        try:
            with opened(self.workspace, ".", os.O_RDONLY | os.O_DIRECTORY) as top:
                for found in walk(top):
                    kept = self._keep(found, left)
                    if kept is None:
                        continue
                    files[found.path] = kept
                    left -= kept.size
                    if len(files) > MOST_FILES or left < 0:
                        raise OutcomeError(_too_large(self.workspace))
        except OSError as error:
            msg = f"The workspace {self.workspace} cannot be frozen: {error.strerror or error} ({error.filename})."
            raise OutcomeError(msg) from error
        return Snapshot(files=files)

    def _keep(self, found: Found, left: int) -> Kept | None:
        """None for what is no file and no link, went away meanwhile, or has a name that is not UTF-8."""
        try:
            found.path.encode()
        except UnicodeEncodeError:
            return None
        with suppress(FileNotFoundError):
            if found.kind == "link":
                return Kept(link=os.readlink(self.workspace / found.path))  # noqa: PTH115 - a str
            if found.kind == "file":
                if found.size > left:
                    raise OutcomeError(_too_large(self.workspace))
                return self._known(found) or self._read(found)
        return None

    def _known(self, found: Found) -> Kept | None:
        kept = self._seen.find(found) if self._seen else None
        return kept if kept is not None and (self._objects / kept.sha256).exists() else None

    def _read(self, found: Found) -> Kept:
        now = time.time_ns()
        kept = self._store(found)
        if self._seen:
            self._seen.note(found, kept, now)
        return kept

    def _store(self, found: Found) -> Kept:
        is_executable = bool(found.mode & stat.S_IXUSR)
        with opened(self.workspace, found.path) as source:
            sha256, size = _hashed(source)
        if (self._objects / sha256).exists():  # most files of most versions: nothing is written for them
            return Kept(sha256=sha256, size=size, is_executable=is_executable)
        draft = self._objects / f"draft-{secrets.token_hex(8)}"
        digest, size = hashlib.sha256(), 0
        try:
            with opened(self.workspace, found.path) as source, draft.open("xb") as copy:
                while block := os.read(source, _BLOCK):
                    digest.update(block)
                    size += len(block)
                    copy.write(block)
            target = self._objects / digest.hexdigest()
            if not target.exists():
                draft.chmod(0o400)
                draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return Kept(sha256=digest.hexdigest(), size=size, is_executable=is_executable)

    def look(self, path: str) -> "Kept | Literal['folder'] | None":
        """What stands at one path now, without keeping it; None for nothing that has a content.

        Raises:
            OutcomeError: it cannot be read.
        """
        above, _, name = path.rpartition("/")
        try:
            with opened(self.workspace, above or ".", os.O_RDONLY | os.O_DIRECTORY) as folder:
                seen = os.lstat(name, dir_fd=folder)
                kind = kind_of(seen.st_mode)
                if kind == "link":
                    return Kept(link=os.readlink(name, dir_fd=folder))
                if kind == "folder":
                    return "folder"
            if kind != "file":
                return None
            with opened(self.workspace, path) as source:
                sha256, size = _hashed(source)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:  # a link stands where a folder was
                return None
            msg = f"The workspace {self.workspace} cannot be read: {error.strerror or error} ({path})."
            raise OutcomeError(msg) from error
        return Kept(sha256=sha256, size=size, is_executable=bool(seen.st_mode & stat.S_IXUSR))

    # -- putting back --------------------------------------------------------------------------------

    def restore(self, wanted: Snapshot, present: Snapshot) -> None:
        """Make the workspace what `wanted` says; `present` is what it holds now. What is equal is not touched.

        Raises:
            OutcomeError: a kept content is damaged, or the workspace cannot be written.
        """
        try:
            for path in sorted(present.files.keys() - wanted.files.keys(), reverse=True):
                self._remove(path)
            for path, kept in sorted(wanted.files.items()):
                if present.files.get(path) != kept:
                    self._put(path, kept)
        except OSError as error:
            msg = (
                f"The workspace {self.workspace} cannot be put back: {error.strerror or error} ({error.filename}). "
                "Make it writable, and run the same command again."
            )
            raise OutcomeError(msg) from error

    def write(self, path: str, text: str) -> None:
        """Write one file of the workspace, whatever stood there; no link is followed. Without a text it goes.

        Raises:
            OutcomeError: it cannot be written.
        """
        if not text:
            self._remove(path)
            return
        target = self.workspace / path
        draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        try:
            draft.write_text(text, "utf-8", errors="replace")
            draft.replace(target)
        except OSError as error:
            msg = f"{target} cannot be written: {error.strerror or error}. Make room for it, and run the same command again."
            raise OutcomeError(msg) from error
        finally:
            draft.unlink(missing_ok=True)

    def _remove(self, path: str) -> None:
        target = self.workspace / path
        with suppress(FileNotFoundError, NotADirectoryError):
            target.unlink()
        for folder in target.parents:
            if folder == self.workspace:
                break
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone: someone's folder
                break

    def _put(self, path: str, kept: Kept) -> None:
        target = self.workspace / path
        self._make_folder(target.parent)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        draft = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}")
        try:
            if kept.link is not None:
                draft.symlink_to(kept.link)
            else:
                draft.write_bytes(self._content(kept))
                draft.chmod(0o755 if kept.is_executable else 0o644)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        """Folders on the way, where a link or file may stand in their place."""
        for step in [*reversed(folder.parents), folder]:
            if self.workspace in step.parents and (step.is_symlink() or step.is_file()):
                step.unlink()
        folder.mkdir(parents=True, exist_ok=True)

    def _content(self, kept: Kept) -> bytes:
        path = self._objects / kept.sha256
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != kept.sha256:
            msg = (
                f"The kept content {kept.sha256[:12]}… in {self._objects} is missing or damaged. Nothing was written from "
                "it. Run again with another --key to start over."
            )
            raise OutcomeError(msg)
        return content

    def sweep(self) -> None:
        """Remove what a killed process left half-made. Only whoever holds the workspace may."""
        for left in self.folder.glob("copy-*"):
            shutil.rmtree(left, ignore_errors=True)
        for left in self._objects.glob("draft-*"):
            left.unlink(missing_ok=True)

    # -- for grading ---------------------------------------------------------------------------------

    def freeze(self, iteration: int, deliverables: tuple[Deliverable, ...]) -> Frozen:
        """The deliverables of an iteration in a read-only folder of their own; made once, then found.

        Raises:
            OutcomeError: a kept content is damaged, or the disk is full.
        """
        target = self.folder / str(iteration)
        if not target.exists():
            kept = {item.path: Kept(sha256=item.sha256, size=item.size_bytes) for item in deliverables}
            with self._laid_down(kept) as draft:
                _close(draft)
                draft.rename(target)
        return Frozen(target, deliverables)

    @contextmanager
    def copy(self, snapshot: Snapshot) -> Generator[Path]:
        """A whole version in a folder that may be written to and is thrown away."""
        with self._laid_down(snapshot.files) as folder:
            yield folder

    @contextmanager
    def _laid_down(self, files: Mapping[str, Kept]) -> Generator[Path]:
        draft = self.folder / f"copy-{secrets.token_hex(8)}"
        copy = Versions(self.folder, draft)
        try:
            draft.mkdir(parents=True, mode=0o755)
            copy.restore(Snapshot(files=dict(files)), Snapshot())
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _hashed(source: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while block := os.read(source, _BLOCK):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def _close(folder: Path) -> None:
    """Nobody may write: neither files nor folders."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)


def _too_large(workspace: Path) -> str:
    return (
        f"The workspace {workspace} is too large: more than {MOST_FILES:,} files or {MOST_BYTES >> 30} GiB, and every "
        "version of it is kept. Name a smaller folder."
    )
