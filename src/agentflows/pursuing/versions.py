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
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentflows.errors import OutcomeError, WorkspaceError
from agentflows.evaluation import Deliverable
from agentflows.outcome import Frozen
from agentflows.pursuing.contents import Contents, Kept, hashed
from agentflows.pursuing.seen import Seen
from agentflows.sandbox import content
from agentflows.sandbox.beneath import opened
from agentflows.sandbox.rights import let_owner, remove
from agentflows.sandbox.walk import Found, kind_of, matcher, walk

ASIDE = "aside"
"""The folder, beside the versions, of what stood in the workspace when a version was put back over it."""
MOST_FILES = 50_000
MOST_BYTES = 2 << 30
_PAST_NS = 3_600_000_000_000
"""How old the files of a new copy are made, so that any write to one gives it another time, even within a tick."""
_MADE_AGAIN = frozenset(
    {"__pycache__", ".venv", "node_modules", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
)
"""Folders that tools fill for themselves, whenever anybody runs them."""
_NOT_DELIVERED = _MADE_AGAIN | {".git", ".hg", ".svn"}
"""Folders whose files are by-products: put back with a version, and no deliverables unless a glob names them."""


class Snapshot(BaseModel):
    """All files and links of a workspace at one moment, by path."""

    model_config = ConfigDict(frozen=True)

    files: dict[str, Kept] = {}
    unnamed: tuple[str, ...] = ()
    """What is not among them because its name is not UTF-8, with `\\x..` for the bytes that are none."""

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
        return self._outside(_NOT_DELIVERED)

    @property
    def unnamed_work(self) -> list[str]:
        """Of what counts as work, what cannot be kept for its name."""
        return [path for path in self.unnamed if _NOT_DELIVERED.isdisjoint(PurePosixPath(path).parts[:-1])]

    @property
    def lasting(self) -> "dict[str, Kept]":
        """Files and links that somebody would miss: all but what tools make again by themselves."""
        return self._outside(_MADE_AGAIN)

    def _outside(self, folders: frozenset[str]) -> "dict[str, Kept]":
        return {
            path: kept
            for path, kept in self.files.items()
            if folders.isdisjoint(PurePosixPath(path).parts[:-1])
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


class Versions:
    """The versions of one outcome's workspace, in a folder of the home.

    Args:
        folder: where they lie.
        workspace: what is frozen and put back.
        seen: what earlier readings of the same workspace found; None reads every file.
        contents: those of that folder, where several share them and what was read of them.
        is_ours: whether the workspace is a copy of ours: what an agent closed to its owner there is opened again.
    """

    def __init__(
        self,
        folder: Path,
        workspace: Path,
        seen: Seen | None = None,
        contents: Contents | None = None,
        *,
        is_ours: bool = False,
    ) -> None:
        self.folder = folder
        self.workspace = workspace
        self._contents = contents or Contents(folder / "objects")
        self._seen = seen
        self._is_ours = is_ours

    def take(self) -> Snapshot:
        """Freeze the workspace as it is.

        Raises:
            OutcomeError: it is too large, or cannot be read.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files: dict[str, Kept] = {}
        unnamed: list[str] = []
        left = MOST_BYTES
        try:
            if self._is_ours:
                self.workspace.chmod(0o700)
            with opened(self.workspace, ".", os.O_RDONLY | os.O_DIRECTORY) as top:
                for found in walk(top, strict=True):
                    if self._is_ours:
                        let_owner(top, found)
                    shown = os.fsencode(found.path).decode(errors="backslashreplace")
                    if shown != found.path and found.kind in {"file", "link"}:
                        unnamed.append(shown)
                    kept = self._keep(found, left)
                    if kept is None:
                        continue
                    files[found.path] = kept
                    left -= kept.size
                    if len(files) > MOST_FILES or left < 0:
                        raise OutcomeError(_too_large(self.workspace))
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            msg = (
                f"The workspace {self.workspace} cannot be frozen: {error.strerror or error}{where}. A version is all of it: "
                "see to it that this user can read that, or name a folder without it, and run the same command again."
            )
            raise OutcomeError(msg) from error
        return Snapshot(files=files, unnamed=tuple(unnamed))

    def share(self, snapshot: Snapshot) -> None:
        """Put a version's contents where other machines get them, if there is such a place.

        Raises:
            StagingError: they cannot be put there.
        """
        self._contents.share(snapshot.files.values())

    def _keep(self, found: Found, left: int) -> Kept | None:
        """None for what is no file and no link or half a file, went away meanwhile, or whose name or target is not UTF-8."""
        if content.is_draft(found.path.rpartition("/")[2]):
            return None
        with suppress(FileNotFoundError, UnicodeEncodeError):
            found.path.encode()
            if found.kind == "link":
                link = os.readlink(self.workspace / found.path)  # noqa: PTH115 - a str
                link.encode()
                return Kept(link=link)
            if found.kind == "file":
                if found.size > left:
                    raise OutcomeError(_too_large(self.workspace))
                return self._known(found) or self._read(found)
        return None

    def _known(self, found: Found) -> Kept | None:
        kept = self._seen.find(found) if self._seen else None
        return kept if kept is not None and self._contents.has(kept.sha256) else None

    def _read(self, found: Found) -> Kept:
        now = time.time_ns()
        kept = self._store(found)
        if self._seen:
            self._seen.note(found, kept, now)
        return kept

    def _store(self, found: Found) -> Kept:
        sha256, size = self._contents.store(self.workspace, found.path)
        return Kept(sha256=sha256, size=size, is_executable=bool(found.mode & stat.S_IXUSR))

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
                sha256, size = hashed(source)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:  # a link stands where a folder was
                return None
            msg = f"The workspace {self.workspace} cannot be read: {error.strerror or error} ({path})."
            raise OutcomeError(msg) from error
        return Kept(sha256=sha256, size=size, is_executable=bool(seen.st_mode & stat.S_IXUSR))

    # -- putting back --------------------------------------------------------------------------------

    def restore(
        self, wanted: Snapshot, present: Snapshot, rights: "Mapping[str, int | None] | None" = None
    ) -> None:
        """Make the workspace what `wanted` says; `present` is what it holds now. What is equal is not touched.

        Files keep the rights they have there, but for whether they can be run; new ones get those of any new file, or
        what `rights` says.

        Raises:
            OutcomeError: a kept content is damaged, or the workspace cannot be written.
            StagingError: one that lies on another machine cannot be brought here.
        """
        self._contents.fetch(kept for path, kept in wanted.files.items() if present.files.get(path) != kept)
        swept: set[Path] = set()
        try:
            for path in sorted(present.files.keys() - wanted.files.keys(), reverse=True):
                self._remove(path)
            for path, kept in sorted(wanted.files.items()):
                if present.files.get(path) != kept:
                    self._put(path, kept, (rights or {}).get(path), swept)
        except OSError as error:
            msg = (
                f"The workspace {self.workspace} cannot be put back: {error.strerror or error} ({error.filename}). "
                "Make it writable, and run the same command again."
            )
            raise OutcomeError(msg) from error

    def rights(self, path: str) -> int | None:
        """The rights of the file that stands at one path now; None where there is none."""
        above, _, name = path.rpartition("/")
        try:
            with opened(self.workspace, above or ".", os.O_RDONLY | os.O_DIRECTORY) as folder:
                return content.rights_of(folder, name)
        except OSError:
            return None

    def write(self, path: str, text: str) -> None:
        """Write one file of the workspace, whatever stood there; no link is followed. Without a text it goes.

        Raises:
            OutcomeError: it cannot be written.
        """
        target = self.workspace / path
        try:
            _clear(target)
            if not text:
                self._remove(path)
                return
            above, _, name = path.rpartition("/")
            with opened(self.workspace, above or ".", os.O_RDONLY | os.O_DIRECTORY) as folder:
                content.put(folder, name, text.encode("utf-8", errors="replace"))
        except OSError as error:
            msg = f"{target} cannot be written: {error.strerror or error}. Make it writable, and run the same command again."
            raise OutcomeError(msg) from error

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

    def _put(self, path: str, kept: Kept, rights: int | None, swept: set[Path]) -> None:
        target = self.workspace / path
        above, _, name = path.rpartition("/")
        self._make_folder(target.parent)
        _clear(target)
        with opened(self.workspace, above or ".", os.O_RDONLY | os.O_DIRECTORY) as folder:
            if target.parent not in swept:
                self._sweep(folder)
                swept.add(target.parent)
            if kept.link is not None:
                content.put_link(folder, name, kept.link)
                return
            blocks = self._contents.blocks(kept.sha256)
            content.put(folder, name, blocks, rights=rights, is_executable=kept.is_executable)

    def _sweep(self, folder: int) -> None:
        """Remove what one left half-written that was killed with the same in its hands, and no live tool's."""
        with suppress(WorkspaceError), content.locked(self.workspace):
            content.sweep(folder)

    def _make_folder(self, folder: Path) -> None:
        """Folders on the way, where a link or file may stand in their place."""
        if folder != self.workspace:
            step = self.workspace
            for part in folder.relative_to(self.workspace).parts:
                step /= part
                if step.is_symlink() or step.is_file():
                    step.unlink()
        folder.mkdir(parents=True, exist_ok=True)

    # -- new copies ----------------------------------------------------------------------------------

    def lay_down(self, wanted: Snapshot, *, is_linked: bool = False) -> None:
        """Fill the workspace, a new folder that nobody else knows of yet. `take` then reads only what changes later.

        Args:
            wanted: with what.
            is_linked: whether its files may be further names of the kept contents, which costs a fraction of copies.
                Only for a folder whose files nobody changes in place.

        Raises:
            OutcomeError: a kept content is damaged, or the folder cannot be written.
            StagingError: one that lies on another machine cannot be brought here.
        """
        self._contents.fetch(wanted.files.values())
        top, made = os.fspath(self.workspace), {""}
        past = time.time_ns() - _PAST_NS
        try:
            for path, kept in wanted.files.items():
                above = path.rpartition("/")[0]
                if above not in made:
                    os.makedirs(f"{top}/{above}", exist_ok=True)  # noqa: PTH103 - thousands of them
                    made.add(above)
                if kept.link is None:
                    self._lay_one(f"{top}/{path}", path, kept, past, is_linked=is_linked)
            for path, kept in wanted.files.items():  # links last, so that no path can lead through one
                if kept.link is not None:
                    os.symlink(kept.link, f"{top}/{path}")  # noqa: PTH211 - as above
        except OSError as error:
            msg = (
                f"The copy {self.workspace} cannot be made: {error.strerror or error} ({error.filename}). "
                "Free some space, and run the same command again."
            )
            raise OutcomeError(msg) from error

    def _lay_one(self, target: str, path: str, kept: Kept, past: int, *, is_linked: bool) -> None:
        linked = self._contents.link(kept.sha256, target) if is_linked and not kept.is_executable else None
        written = linked or _made(target, self._contents.blocks(kept.sha256), kept, past)
        if self._seen:
            self._seen.laid_down(path, written, kept, is_linked=linked is not None)

    def sweep(self) -> None:
        """Remove what a killed process left half-made. Only whoever holds the workspace may."""
        for left in self.folder.glob("copy-*"):
            remove(left)
        self._contents.sweep()

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

    def lay_aside(self, present: Snapshot, wanted: Snapshot) -> Path | None:
        """What `wanted` would overwrite or remove, in a folder where people find it; None where that is nothing to miss.

        Raises:
            OutcomeError: a kept content is damaged, or the disk is full.
        """
        files = {path: kept for path, kept in present.lasting.items() if wanted.files.get(path) != kept}
        target = self.folder / ASIDE / present.sha256[:12]
        if files and not target.exists():
            target.parent.mkdir(exist_ok=True, mode=0o700)
            with self._laid_down(files) as draft:
                draft.rename(target)
        return target if files else None

    @contextmanager
    def copy(self, snapshot: Snapshot) -> Generator[Path]:
        """A whole version in a folder that may be written to and is thrown away."""
        with self._laid_down(snapshot.files) as folder:
            yield folder

    @contextmanager
    def _laid_down(self, files: Mapping[str, Kept]) -> Generator[Path]:
        draft = self.folder / f"copy-{secrets.token_hex(8)}"
        copy = Versions(self.folder, draft, contents=self._contents)
        try:
            draft.mkdir(parents=True, mode=0o755)
            copy.lay_down(Snapshot(files=dict(files)))
            yield draft
        finally:
            remove(draft)


def _clear(target: Path) -> None:
    """Make way for a file where a folder stands."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)


def _made(target: str, blocks: Iterable[bytes], kept: Kept, modified_ns: int) -> os.stat_result:
    """Write a new file, modified at that time, whatever the process's own mask of rights is."""
    mode = 0o755 if kept.is_executable else 0o644
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(target, flags, mode), "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor
        for block in blocks:
            left = memoryview(block)
            while left:
                left = left[file.write(left) :]
        os.utime(file.fileno(), ns=(modified_ns, modified_ns))
        written = os.fstat(file.fileno())
        if stat.S_IMODE(written.st_mode) != mode:
            os.fchmod(file.fileno(), mode)
            written = os.fstat(file.fileno())
    return written


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
