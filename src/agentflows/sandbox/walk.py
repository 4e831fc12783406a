"""Every file below a folder, in order, without following a link, and within a bound; and patterns over paths."""

import errno
import fnmatch
import functools
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from agentflows.errors import WorkspaceError
from agentflows.sandbox.beneath import open_beneath

EntryKind = Literal["file", "folder", "link", "other"]
MOST_ENTRIES = 100_000
"""Entries of a tree looked at before it is called too large."""
_DEEPEST = 64
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""Why a folder cannot be opened that is none any more."""


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of a tree."""

    path: str
    """Relative to where the walk began."""
    kind: EntryKind
    size: int
    modified_ns: int
    mode: int
    changed_ns: int = 0
    """When its inode changed last (ctime), which no program can set back."""
    inode: int = 0


def kind_of(mode: int) -> EntryKind:
    """What the type bits of `st_mode` say."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def walk(
    folder: int, *, above: str = "", depth: int = 0, budget: list[int] | None = None, strict: bool = False
) -> Iterator[Found]:
    """All entries below the open `folder`, parents before children, sorted by name.

    An entry that goes away meanwhile is left out: others may work in the tree. So is what lies in a folder that cannot
    be opened, unless the walk is `strict`: for whoever takes what is not found for deleted.

    Raises:
        WorkspaceError: more than `MOST_ENTRIES` entries or 64 folders deep.
        OSError: a folder cannot be read.
    """
    budget = budget if budget is not None else [MOST_ENTRIES]
    names = sorted(os.listdir(folder))
    budget[0] -= len(names)
    if budget[0] < 0 or depth > _DEEPEST:
        msg = f"The folder is too large: more than {MOST_ENTRIES:,} entries or {_DEEPEST} folders deep. Name a folder below it."
        raise WorkspaceError(msg)
    for name in names:
        path = f"{above}{name}"
        try:
            seen = os.lstat(name, dir_fd=folder)
        except FileNotFoundError:
            continue
        kind = kind_of(seen.st_mode)
        yield Found(
            path,
            kind,
            seen.st_size,
            seen.st_mtime_ns,
            stat.S_IMODE(seen.st_mode),
            seen.st_ctime_ns,
            seen.st_ino,
        )
        if kind == "folder":
            try:
                below = open_beneath(folder, name, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                if strict and error.errno not in _GONE:
                    raise OSError(error.errno, error.strerror, path) from error
                continue
            try:
                yield from walk(below, above=f"{path}/", depth=depth + 1, budget=budget, strict=strict)
            finally:
                os.close(below)


def matcher(pattern: str) -> "Matcher":
    """A pattern of paths: `*` and `?` within a name, `**` for any number of folders, as in `src/**/*.py`.

    Raises:
        WorkspaceError: it is absolute, has `..`, or is longer than any path.
    """
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    if pattern.startswith("/") or ".." in parts or not parts or len(pattern) > 1024:
        msg = f"The pattern {pattern[:200]!r} cannot be used: expected one like 'src/**/*.py', relative and without '..'."
        raise WorkspaceError(msg)
    merged = [
        part for place, part in enumerate(parts) if part != "**" or place == 0 or parts[place - 1] != "**"
    ]
    names = tuple(None if part == "**" else re.compile(fnmatch.translate(part)) for part in merged)
    return Matcher(names)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One pattern, ready to match many paths."""

    names: tuple[re.Pattern[str] | None, ...]
    """One per component; None stands for `**`."""

    def matches(self, path: str) -> bool:
        """Whether the whole path fits. Time grows with the product of both lengths, never faster."""
        parts = path.split("/")

        @functools.cache
        def fits(name: int, part: int) -> bool:
            if name == len(self.names):
                return part == len(parts)
            wanted = self.names[name]
            if wanted is None:
                return fits(name + 1, part) or (part < len(parts) and fits(name, part + 1))
            return part < len(parts) and wanted.match(parts[part]) is not None and fits(name + 1, part + 1)

        return fits(0, 0)
