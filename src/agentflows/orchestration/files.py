"""What turns did to the files of a shared workspace, and where two of them met."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agentflows.evaluation import Deliverable
from agentflows.team import FileChange, ThreadTurn


@dataclass(frozen=True, slots=True)
class FileState:
    """One file, or link, at one moment."""

    sha256: str
    """Of a file's content, or of where a link leads."""
    size_bytes: int
    is_executable: bool = False
    is_link: bool = False


Files = Mapping[str, FileState]
"""A workspace at one moment: path, relative and with `/`, → file."""


def changes_between(before: Files, after: Files) -> tuple[FileChange, ...]:
    """What differs, by path. A file that only became executable, or ceased to be, was modified too."""
    found: list[FileChange] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None and new is not None:
            found.append(
                FileChange(path=path, kind="created", after_sha256=new.sha256, size_bytes=new.size_bytes)
            )
        elif new is None and old is not None:
            found.append(FileChange(path=path, kind="deleted", before_sha256=old.sha256))
        elif old is not None and new is not None and old != new:
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
    """The files that promised paths and globs name, and the patterns that name none. A link is no output.

    `*` matches within and across folders, as in `reports/*.md`; a path without wildcards is itself.
    """
    found: dict[str, Deliverable] = {}
    missing: list[str] = []
    there = {path: state for path, state in files.items() if not state.is_link}
    for pattern in patterns:
        hits = [path for path in there if is_named(path, pattern)]
        if not hits:
            missing.append(pattern)
        for path in hits:
            found[path] = Deliverable(path=path, sha256=there[path].sha256, size_bytes=there[path].size_bytes)
    return tuple(found[path] for path in sorted(found)), tuple(missing)


def is_named(path: str, pattern: str) -> bool:
    """Whether a promised path or glob names this file."""
    wanted = pattern.removeprefix("./")
    return path == wanted or fnmatch.fnmatchcase(path, wanted)


def merged(turn: ThreadTurn, changes: tuple[FileChange, ...]) -> ThreadTurn:
    """The turn with what became of its changes in the workspace.

    A file that it promised and whose version was kept aside is not what it promised: who needs it finds another one,
    or none. So such a turn is `partial` at most.
    """
    aside = {change.path for change in changes if change.is_kept_aside}
    lost = [item.path for item in turn.outputs if item.path in aside]
    if not lost:
        return turn.model_copy(update={"changes": changes})
    outputs = tuple(item for item in turn.outputs if item.path not in aside)
    missing = [one for one in turn.order.outputs if not any(is_named(item.path, one) for item in outputs)]
    why = f"promised, but another version was in the workspace and this one is kept aside: {', '.join(lost[:5])}"
    return turn.model_copy(
        update={
            "changes": changes,
            "outputs": outputs,
            "missing": tuple(missing),
            "ending": "partial" if turn.ending == "succeeded" else turn.ending,
            "detail": "; ".join(filter(None, (turn.detail, why))),
        }
    )


def conflicts(turn: ThreadTurn, others: Iterable[ThreadTurn]) -> ThreadTurn:
    """The turn with, on each file it changed, the threads that left another version of it while it ran.

    A turn that began from the other's version has seen it, and one that left the same content agrees with it:
    neither is a conflict. Nor is a version that was kept aside, which is its own turn's conflict.
    """
    changed = {change.path: change for change in turn.changes}
    met: dict[str, set[str]] = {}
    for other in others:
        if other.thread_id == turn.thread_id or not _at_once(turn, other):
            continue
        for theirs in other.changes:
            own = changed.get(theirs.path)
            if own is None or theirs.is_kept_aside:
                continue
            if theirs.after_sha256 not in {own.before_sha256, own.after_sha256}:
                met.setdefault(own.path, set()).add(other.thread_id)
    if not met and not any(change.conflict_with for change in turn.changes):
        return turn
    changes = tuple(
        change.model_copy(update={"conflict_with": tuple(sorted(met.get(change.path, ())))})
        for change in turn.changes
    )
    return turn.model_copy(update={"changes": changes})


def _at_once(one: ThreadTurn, other: ThreadTurn) -> bool:
    if one.started_at is None or one.ended_at is None or other.started_at is None:
        return False
    return other.started_at < one.ended_at and (other.ended_at is None or one.started_at < other.ended_at)
