"""File tools over one folder: they see nothing outside it, follow no link, and overwrite nothing unseen."""

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import re2
from pydantic import BaseModel

from agentflows.errors import StaleError, UsageError, WorkspaceError
from agentflows.sandbox import freezing
from agentflows.sandbox.beneath import open_beneath, opened
from agentflows.sandbox.content import bounded, check_regular, decoded, locked, put
from agentflows.sandbox.paths import explained, relative
from agentflows.sandbox.walk import EntryKind, Found, kind_of, matcher, walk

MOST_READ = 256 << 10
"""Bytes of text one `read` gives; longer files are read in parts, by lines."""
MOST_WRITTEN = 16 << 20
"""Bytes of a file that `write` and `edit` handle."""
MOST_PATHS = 1000
"""Paths one `glob` gives."""
MOST_HITS = 200
"""Lines one `grep` gives."""
_LONGEST_LINE = 500
"""Characters of a line that `grep` shows."""
_GREP_BYTES = 256 << 20


class FileStat(BaseModel, frozen=True):
    """What is at a path."""

    path: str
    kind: EntryKind
    size: int
    """Bytes."""
    is_executable: bool
    modified: datetime
    """In UTC."""


class Hit(BaseModel, frozen=True):
    """One line that `grep` found."""

    path: str
    line: int
    """From 1."""
    text: str
    """The line, shortened to 500 characters."""


class Workspace:
    """Read, write and search below one folder, for one user of it.

    Paths are relative to the folder. Several users may share it, each with a `Workspace`: a write over a file that
    changed since this user last read or wrote it is refused, as is one over a file that this user never saw.
    """

    def __init__(self, root: Path, *, read_only: Sequence[str] = ()) -> None:
        """Take the folder; nothing is opened.

        Args:
            root: the folder. It is trusted to stay where it is; what lies in it is not trusted.
            read_only: files and folders below it that are not to be written; "." is all of it.

        Raises:
            UsageError: `root` is no folder.
        """
        self.root = root.resolve()
        if not self.root.is_dir():
            msg = f"A workspace needs a folder, found {str(root)!r}. Make it first."
            raise UsageError(msg)
        self._read_only = tuple(relative(path) for path in read_only)
        self._seen: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def seen(self) -> dict[str, str]:
        """Path → sha256 of what this user last read or wrote there."""
        with self._lock:
            return dict(self._seen)

    def recall(self, seen: Mapping[str, str]) -> None:
        """Take over what an earlier `Workspace` of the same user had seen. A file that changed since is stale."""
        with self._lock:
            self._seen.update(seen)

    def read(self, path: str, *, start_line: int | None = None, end_line: int | None = None) -> str:
        """The text of a file, or its lines from `start_line` to `end_line` (from 1, both included).

        Raises:
            WorkspaceError: there is no such file, it is not text, or it is longer than 256 KiB.
        """
        path = relative(path)
        if start_line is None and end_line is None:
            content = self._content(path, MOST_READ, "Read a part of it with start_line and end_line.")
            self._note(path, content)
            return decoded(path, content)
        first, last = start_line or 1, end_line
        if first < 1 or (last is not None and last < first):
            msg = f"Lines {first} to {last} of {path} cannot be read: lines count from 1, and the first comes first."
            raise WorkspaceError(msg)
        content = self._content(path, MOST_WRITTEN, "Search it with grep.")
        self._note(path, content)
        lines = decoded(path, content).split("\n")
        chosen = "\n".join(lines[first - 1 : last])
        if last is not None and last < len(lines):
            chosen += "\n"
        if len(chosen.encode()) > MOST_READ:
            msg = f"Lines {first} to {last or len(lines)} of {path} are more than {MOST_READ >> 10} KiB. Ask for fewer lines."
            raise WorkspaceError(msg)
        return chosen

    def write(self, path: str, text: str, *, expected_sha256: str | None = None) -> str:
        """Write a whole file, with the folders above it; the sha256 of what it now holds.

        It is there whole or not at all. `expected_sha256` is what the file must hold now ("" is: it must not exist);
        without it that is what this user last saw.

        Raises:
            StaleError: the file is not as it was last seen; nothing was written.
            WorkspaceError: it cannot be written.
        """
        return self._replace(relative(path), lambda _: text, expected_sha256, may_be_new=True)

    def edit(
        self,
        path: str,
        old: str,
        new: str,
        *,
        replace_all: bool = False,
        expected_sha256: str | None = None,
    ) -> str:
        """Replace `old`, which must occur exactly once unless `replace_all`, by `new`; the new sha256.

        Raises:
            StaleError: the file is not as it was last seen; nothing was written.
            WorkspaceError: `old` is not there, or more than once, or the file cannot be written.
        """
        path = relative(path)

        def edited(content: bytes) -> str:
            text = decoded(path, content)
            count = text.count(old) if old else 0
            if count == 0 or old == new or (count > 1 and not replace_all):
                why = "old and new are the same" if old == new else f"it occurs {count} times"
                fix = (
                    "Give more of the text around it, or replace_all."
                    if count > 1
                    else "Read the file, and copy the text exactly."
                )
                msg = f"{path} was not edited: expected the old text exactly once, and {why}. {fix}"
                raise WorkspaceError(msg)
            return text.replace(old, new)

        return self._replace(path, edited, expected_sha256, may_be_new=False)

    def glob(self, pattern: str) -> list[str]:
        """Paths of files that fit a pattern such as `src/**/*.py`, sorted; 1,000 at most.

        Raises:
            WorkspaceError: the pattern cannot be used, more than 1,000 fit, or the tree is too large.
        """
        wanted = matcher(pattern)
        found = [
            entry.path for entry in self._walk(".") if entry.kind == "file" and wanted.matches(entry.path)
        ]
        if len(found) > MOST_PATHS:
            msg = f"{len(found):,} files fit {pattern!r}, and {MOST_PATHS:,} can be listed. Give a narrower pattern."
            raise WorkspaceError(msg)
        return found

    def grep(self, pattern: str, path: str = ".") -> list[Hit]:
        """Lines of text files at or below `path` that a regular expression (RE2) finds; 200 at most.

        Raises:
            WorkspaceError: the expression cannot be used, or there is no such path.
        """
        expression = _expression(pattern)
        hits: list[Hit] = []
        left = _GREP_BYTES
        for name, size in self._searched(relative(path)):
            left -= size
            if len(hits) >= MOST_HITS or left < 0:
                break
            with suppress(WorkspaceError):  # it went away, or is no text: nothing to find there
                content = self._content(name, MOST_WRITTEN, "")
                if b"\0" not in content[:8192]:
                    hits += _hits(name, content, expression, MOST_HITS - len(hits))
        return hits

    def stat(self, path: str) -> FileStat:
        """What is at `path`; a link is looked at, not followed.

        Raises:
            WorkspaceError: nothing is there.
        """
        path = relative(path)
        above, _, name = path.rpartition("/")
        with explained(path), opened(self.root, above or ".", os.O_RDONLY | os.O_DIRECTORY) as folder:
            found = os.stat(name or ".", dir_fd=folder, follow_symlinks=False)
        return FileStat(
            path=path,
            kind=kind_of(found.st_mode),
            size=found.st_size,
            is_executable=bool(found.st_mode & 0o100),
            modified=datetime.fromtimestamp(found.st_mtime, UTC),
        )

    def hash(self, path: str) -> str:
        """The sha256 of a file's bytes, of any size. It does not count as having read it.

        Raises:
            WorkspaceError: there is no such file.
        """
        path = relative(path)
        digest = hashlib.sha256()
        with explained(path), opened(self.root, path) as fd:
            check_regular(fd, path)
            while block := os.read(fd, 1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def freeze(self, into: Path, paths: Sequence[str] | None = None) -> freezing.Manifest:
        """Copy the files at or below `paths` (all without it) to `into`, read-only, with their hashes.

        Links are listed in the manifest and not copied.

        Args:
            into: a folder outside the workspace that does not exist yet or is empty.
            paths: files and folders; each must exist.

        Raises:
            UsageError: `into` is not empty, or lies in the workspace.
            WorkspaceError: a path does not exist, or there is too much to copy.
        """
        target = into.resolve()
        if target == self.root or self.root in target.parents or (target.exists() and any(target.iterdir())):
            msg = f"Files cannot be frozen into {into}: expected an empty folder outside the workspace. Name another."
            raise UsageError(msg)
        chosen = [relative(path) for path in (paths if paths is not None else ["."])]
        entries = {entry.path: entry for path in chosen for entry in self._below(path)}
        with explained("the workspace"):
            return freezing.freeze(self.root, [entries[path] for path in sorted(entries)], target)

    def _below(self, path: str) -> Iterator[Found]:
        here = self.stat(path)
        if here.kind == "folder":
            yield from self._walk(path)
        else:
            yield Found(path, here.kind, here.size, 0, 0o755 if here.is_executable else 0o644)

    def _walk(self, path: str) -> Iterator[Found]:
        with explained(path), opened(self.root, path, os.O_RDONLY | os.O_DIRECTORY) as folder:
            yield from walk(folder, above="" if path == "." else f"{path}/")

    def _searched(self, path: str) -> Iterator[tuple[str, int]]:
        yield from ((entry.path, entry.size) for entry in self._below(path) if entry.kind == "file")

    def _content(self, path: str, most: int, advice: str) -> bytes:
        with explained(path), opened(self.root, path) as fd:
            return bounded(fd, path, most, advice)

    def _note(self, path: str, content: bytes) -> None:
        with self._lock:
            self._seen[path] = hashlib.sha256(content).hexdigest()

    def _replace(
        self, path: str, change: Callable[[bytes], str], expected: str | None, *, may_be_new: bool
    ) -> str:
        self._check_writable(path)
        if path == ".":
            msg = "The workspace itself is a folder and cannot be written. Name a file."
            raise WorkspaceError(msg)
        above, _, name = path.rpartition("/")
        with explained(path), self._folder(above, make=may_be_new) as folder, locked(self.root):
            present = self._present(folder, name, path)
            if present is None and not may_be_new:
                raise FileNotFoundError(errno.ENOENT, "", path)
            is_written = may_be_new and expected is None and present == change(b"").encode()
            if (
                not is_written
            ):  # else nothing is lost: a call whose process died before it was noted is made again
                self._check_fresh(path, present, expected)
            content = change(present or b"").encode()
            if len(content) > MOST_WRITTEN:
                msg = f"{path} was not written: {len(content):,} bytes, and {MOST_WRITTEN:,} are the most."
                raise WorkspaceError(msg)
            put(folder, name, content)
        self._note(path, content)
        return hashlib.sha256(content).hexdigest()

    def _check_writable(self, path: str) -> None:
        for closed in self._read_only:
            if closed in {".", path} or path.startswith(f"{closed}/"):
                msg = f"{path} cannot be written: {'the workspace' if closed == '.' else closed} is read-only. Write elsewhere."
                raise WorkspaceError(msg)

    def _check_fresh(self, path: str, present: bytes | None, expected: str | None) -> None:
        with self._lock:
            known = self._seen.get(path, "")
        wanted = known if expected is None else expected
        found = "" if present is None else hashlib.sha256(present).hexdigest()
        if found == wanted or (present is None and expected is None):
            return
        if present is None:
            why = "it does not exist any more"
        elif not wanted:
            why = "it exists, and you have not read it"
        else:
            why = "it changed since you last read it"
        msg = f"{path} was not written: {why}. Read it again, and make your change to what it says now."
        raise StaleError(msg)

    @contextmanager
    def _folder(self, path: str, *, make: bool) -> Generator[int]:
        """The folder at `path`, made where it is missing if `make`."""
        held = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in path.split("/") if path else []:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=held)
                below = open_beneath(held, name, os.O_RDONLY | os.O_DIRECTORY)
                os.close(held)
                held = below
            yield held
        finally:
            os.close(held)

    def _present(self, folder: int, name: str, path: str) -> bytes | None:
        try:
            fd = open_beneath(folder, name, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        try:
            return bounded(fd, path, MOST_WRITTEN, "Change it with a command.")
        finally:
            os.close(fd)


def _expression(pattern: str) -> Any:
    module: Any = re2  # ships no types
    options = module.Options()
    options.log_errors = False
    options.max_mem = 16 << 20
    try:
        return module.compile(pattern, options)
    except module.error as error:
        msg = f"The expression {pattern[:200]!r} cannot be used: {_said(error)}. Write it in RE2's syntax, without look-around."
        raise WorkspaceError(msg) from error


def _said(error: Exception) -> str:
    found = error.args[0] if error.args else ""
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def _hits(path: str, content: bytes, expression: Any, most: int) -> list[Hit]:
    hits: list[Hit] = []
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
        if len(hits) == most:
            break
        if expression.search(line):
            hits.append(Hit(path=path, line=number, text=line[:_LONGEST_LINE]))
    return hits
