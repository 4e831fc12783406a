"""Bringing what a turn changed in its copy into the workspace that all share, without losing anybody's update.

A file is brought in when the workspace holds what the turn began from, or holds what it left already. Anything else
is a conflict: the workspace keeps its version, the turn's own is kept aside. So a merge that was killed half-way can
be done again with the same result.
"""

import hashlib
import posixpath
from collections.abc import Iterable

from agentflows.orchestration import FileState
from agentflows.pursuing.versions import Kept, Snapshot, Versions
from agentflows.team import FileChange

KEPT_ASIDE = ".agentflows-conflicts"
"""The folder of the workspace where versions that lost a conflict are kept, by thread and turn."""
_HISTORY = frozenset({".git", ".hg", ".svn"})


class Merge:
    """The merge of one turn.

    Args:
        workspace: the one that all share.
        base: what the turn began from.
        after: what it left in its copy.
        aside: where versions that met another one go, below `KEPT_ASIDE`.
    """

    def __init__(self, workspace: Versions, base: Snapshot, after: Snapshot, aside: str) -> None:
        self._workspace, self._base, self._after = workspace, base, after
        self._aside = f"{KEPT_ASIDE}/{aside}"
        self._write: dict[str, Kept] = {}
        self._present: dict[str, Kept] = {}
        self._kept_aside: dict[str, Kept] = {}

    def bring(self, changes: Iterable[FileChange]) -> tuple[FileChange, ...]:
        """Do it; changes that met another version come back marked.

        Raises:
            OutcomeError: the workspace cannot be read or written, or a kept content is damaged.
        """
        # Deletions first: a file may take the place of a folder whose files this turn deleted.
        ordered = sorted(changes, key=lambda change: (change.kind != "deleted", change.path))
        found = {
            change.path: change.model_copy(update={"is_kept_aside": self._met(change)}) for change in ordered
        }
        self._workspace.restore(Snapshot(files=self._write), Snapshot(files=self._present))
        if self._kept_aside:
            self._workspace.restore(Snapshot(files=self._kept_aside), Snapshot())
        return tuple(found[path] for path in sorted(found))

    def _met(self, change: FileChange) -> bool:
        before, mine = self._base.files.get(change.path), self._after.files.get(change.path)
        here = self._workspace.look(change.path)
        is_met = self._is_blocked(change.path, here) or (
            here != "folder" and _content(here) not in {_content(before), _content(mine)}
        )
        if is_met:
            if mine is not None:
                self._kept_aside[f"{self._aside}/{change.path}"] = mine
            return True
        if isinstance(here, Kept):
            self._present[change.path] = here
        if mine is not None:
            self._write[change.path] = _with_mode(before, mine, here)
        return False

    def _is_blocked(self, path: str, here: object) -> bool:
        """Whether something else stands in the way: a folder with others' files, or a file where a folder is to be."""
        if here == "folder" and any(not self._is_going(below) for below in self._below(path)):
            return True
        above = posixpath.dirname(path)
        while above:
            there = self._workspace.look(above)
            if isinstance(there, Kept) and not self._is_going(above):
                return True
            above = posixpath.dirname(above)
        return False

    def _below(self, path: str) -> list[str]:
        top = self._workspace.workspace / path
        return [
            str(below.relative_to(self._workspace.workspace))
            for below in top.rglob("*")
            if not below.is_dir()
        ]

    def _is_going(self, path: str) -> bool:
        """Whether this merge takes it away."""
        return path in self._present and path not in self._write


def file_states(snapshot: Snapshot) -> dict[str, FileState]:
    """The files and links of a version that count as work: no by-products, nothing kept aside, no link that leads out."""
    return {
        path: _state(kept)
        for path, kept in snapshot.work.items()
        if not path.startswith(f"{KEPT_ASIDE}/") and (kept.link is None or stays_inside(path, kept.link))
    }


def left_out(base: Snapshot, after: Snapshot) -> str:
    """What a turn changed that is not brought into the workspace, in words; "" for nothing."""
    told: list[str] = []
    links = [
        path
        for path, kept in after.work.items()
        if kept.link is not None and base.files.get(path) != kept and not stays_inside(path, kept.link)
    ]
    if links:
        told.append(f"links that lead out of the workspace were left out: {', '.join(links[:5])}")
    if _history(base) != _history(after):
        told.append(
            "changes to version control were left out: commit in the workspace, or share it (files: shared)"
        )
    return "; ".join(told)


def stays_inside(path: str, link: str) -> bool:
    """Whether a link at `path` leads to a place in the same workspace, by its words."""
    if posixpath.isabs(link):
        return False
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    return target != ".." and not target.startswith("../")


def _history(snapshot: Snapshot) -> dict[str, Kept]:
    return {
        path: kept for path, kept in snapshot.files.items() if not _HISTORY.isdisjoint(path.split("/")[:-1])
    }


def _state(kept: Kept) -> FileState:
    if kept.link is not None:
        return FileState(link_sha256(kept.link), 0, is_link=True)
    return FileState(kept.sha256, kept.size, kept.is_executable)


def link_sha256(link: str) -> str:
    """What stands for a link's content in the record."""
    return hashlib.sha256(f"link\x1f{link}".encode()).hexdigest()


def _content(kept: "Kept | str | None") -> tuple[str, str | None] | None:
    return (kept.sha256, kept.link) if isinstance(kept, Kept) else None


def _with_mode(before: Kept | None, mine: Kept, here: object) -> Kept:
    """The turn's content, executable as the turn made it, or as the workspace has it where the turn did not care."""
    if before is not None and mine.is_executable == before.is_executable and isinstance(here, Kept):
        return mine.model_copy(update={"is_executable": here.is_executable}) if mine.link is None else mine
    return mine
