"""What turns did to the files of a shared workspace, and where two of them met."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agentflows.evaluation import Deliverable
from agentflows.team import FileChange, ThreadTurn


@dataclass(frozen=True, slots=True)
class FileState:
    """One file at one moment."""

    sha256: str
    size_bytes: int


Files = Mapping[str, FileState]
"""A workspace at one moment: path, relative and with `/`, → file."""


def changes_between(before: Files, after: Files) -> tuple[FileChange, ...]:
    """What differs, by path."""
    found: list[FileChange] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None and new is not None:
            found.append(
                FileChange(path=path, kind="created", after_sha256=new.sha256, size_bytes=new.size_bytes)
            )
        elif new is None and old is not None:
            found.append(FileChange(path=path, kind="deleted", before_sha256=old.sha256))
        elif old is not None and new is not None and old.sha256 != new.sha256:
            found.append(
                FileChange(
                    path=path,
                    kind="modified",
                    before_sha256=old.sha256,
                    after_sha256=new.sha256,
                    size_bytes=new.size_bytes,
                )
            )
    return tuple(found)


def promised(patterns: Sequence[str], files: Files) -> tuple[tuple[Deliverable, ...], tuple[str, ...]]:
    """The files that promised paths and globs name, and the patterns that name none.

    `*` matches within and across folders, as in `reports/*.md`; a path without wildcards is itself.
    """
    found: dict[str, Deliverable] = {}
    missing: list[str] = []
    for pattern in patterns:
        wanted = pattern.removeprefix("./")
        hits = [path for path in files if path == wanted or fnmatch.fnmatchcase(path, wanted)]
        if not hits:
            missing.append(pattern)
        for path in hits:
            found[path] = Deliverable(path=path, sha256=files[path].sha256, size_bytes=files[path].size_bytes)
    return tuple(found[path] for path in sorted(found)), tuple(missing)


def conflicts(turn: ThreadTurn, others: Iterable[ThreadTurn]) -> ThreadTurn:
    """The turn with, on each file it changed, the threads that changed the same file while it ran."""
    met: dict[str, set[str]] = {}
    for other in others:
        if other.thread_id == turn.thread_id or not _at_once(turn, other):
            continue
        for change in other.changes:
            met.setdefault(change.path, set()).add(other.thread_id)
    changes = tuple(
        change.model_copy(update={"conflict_with": tuple(sorted(met.get(change.path, ())))})
        for change in turn.changes
    )
    return turn.model_copy(update={"changes": changes})


def _at_once(one: ThreadTurn, other: ThreadTurn) -> bool:
    if one.started_at is None or one.ended_at is None or other.started_at is None:
        return False
    return other.started_at < one.ended_at and (other.ended_at is None or one.started_at < other.ended_at)
