"""Bringing what a turn changed in its copy into the workspace that all share, without losing anybody's update.

A file is brought in when the workspace holds what the turn began from, or holds what it left already. Anything else
is a conflict: the workspace keeps its version, the turn's own is kept aside. So a merge that was killed half-way can
be done again with the same result.
"""

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from agentflows.orchestration import FileState
from agentflows.pursuing.versions import Kept, Snapshot, Versions
from agentflows.team import FileChange

KEPT_ASIDE = ".agentflows-conflicts"
"""The folder of the workspace where versions that lost a conflict are kept, by thread and turn."""
_MOST_FOLLOWED = 40
"""Links on one way, as many as Linux follows."""
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
        self._aside_rights: dict[str, int | None] = {}

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
            self._workspace.restore(Snapshot(files=self._kept_aside), Snapshot(), self._aside_rights)
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
                self._aside_rights[f"{self._aside}/{change.path}"] = self._workspace.rights(change.path)
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


def file_states(snapshot: Snapshot, base: Snapshot) -> dict[str, FileState]:
    """The files and links of a version that count as work: no by-products, nothing kept aside, no link that leads out.

    Whether one leads out is told by the links of `base`, what the turn began from, also where it changed those.
    """
    links = _links(base)
    return {
        path: _state(kept)
        for path, kept in snapshot.work.items()
        if not path.startswith(f"{KEPT_ASIDE}/")
        and (kept.link is None or stays_inside(path, kept.link, links))
    }


def left_out(base: Snapshot, after: Snapshot) -> str:
    """What a turn changed that is not brought into the workspace, in words; "" for nothing."""
    told: list[str] = []
    links = _links(base)
    out = [
        path
        for path, link in _links(after).items()
        if path in after.work and links.get(path) != link and not stays_inside(path, link, links)
    ]
    if out:
        told.append(f"links that lead out of the workspace were left out: {', '.join(out[:5])}")
    if nameless := [path for path in after.unnamed_work if path not in base.unnamed]:
        told.append(
            f"files whose names are not UTF-8 are not seen and were left out, have them renamed: {', '.join(nameless[:5])}"
        )
    if _history(base) != _history(after):
        told.append(
            "changes to version control were left out: commit in the workspace, or share it (files: shared)"
        )
    return "; ".join(told)


def stays_inside(path: str, link: str, links: Mapping[str, str]) -> bool:
    """Whether a link at `path` leads to a place in the same workspace, whatever becomes a link on its way later.

    So `..` may stand only where it begins, where it goes up folders that are none: `a/..` is beside whatever `a` leads
    to. Then its way through the `links` that are there is followed.
    """
    parts = PurePosixPath(link).parts
    ups = next((place for place, part in enumerate(parts) if part != ".."), len(parts))
    if link.startswith("/") or ".." in parts[ups:] or ups > path.count("/"):
        return False
    here, to_go = path.split("/")[:-1], list(reversed(parts))
    followed = 0
    while to_go:
        part = to_go.pop()
        if part == "..":
            if not here:
                return False
            here.pop()
            continue
        onward = links.get("/".join((*here, part)))
        if onward is None:
            here.append(part)
            continue
        followed += 1
        if onward.startswith("/") or followed > _MOST_FOLLOWED:
            return False
        to_go.extend(reversed(PurePosixPath(onward).parts))
    return True


def _links(snapshot: Snapshot) -> dict[str, str]:
    return {path: kept.link for path, kept in snapshot.files.items() if kept.link is not None}


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
