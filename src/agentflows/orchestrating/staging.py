"""The files of a turn: a copy to work in, and its changes brought into the workspace that all share.

A turn's copy, the version it began from and the version it ended with are kept by content under the job, so that a
killed process goes on in the same copy, and a killed merge is done again with the same result.
"""

import shutil
from pathlib import Path

from agentflows.home import Home
from agentflows.orchestration import FileState
from agentflows.pursuing.versions import Kept, Snapshot, Versions
from agentflows.store.failpoints import failpoint
from agentflows.team import FileChange, ThreadTurn

KEPT_ASIDE = ".agentflows-conflicts"
"""The folder of the workspace where the version that lost a conflict is kept, by thread."""


class Stage:
    """Where one turn works.

    Args:
        home: the doors.
        turn: whose files.
        workspace: the folder all share.
        is_staged: whether the turn works in a copy of it.
    """

    def __init__(self, home: Home, turn: ThreadTurn, workspace: Path, *, is_staged: bool) -> None:
        self._home = home
        self._turn = turn
        self._job = home.settings.home_path / "jobs" / turn.job_id
        self._shared = Versions(self._job, workspace)
        self._copy = self._job / "turns" / turn.thread_id / str(turn.number)
        self._is_staged = is_staged

    @property
    def folder(self) -> Path:
        """Where the agent works."""
        return self._copy if self._is_staged else self._shared.workspace

    @property
    def own(self) -> Versions:
        """Versions of that folder."""
        return Versions(self._job, self.folder)

    def prepare(self) -> None:
        """Lay the copy down; one that was laid down before is gone on with."""
        if self._kept("base") is not None:
            return
        base = self._shared.take()
        if self._is_staged:
            shutil.rmtree(self._copy, ignore_errors=True)  # of a process that died before it said so
            self._copy.mkdir(parents=True, mode=0o700)
            self.own.restore(base, Snapshot())
        self._keep("base", base)
        failpoint("turn.staged")

    def after(self) -> Snapshot:
        """The files as the agent left them, taken once."""
        kept = self._kept("after")
        if kept is None:
            kept = self.own.take()
            self._keep("after", kept)
            failpoint("turn.frozen")
        return kept

    @property
    def base(self) -> Snapshot:
        """The files as the agent found them."""
        kept = self._kept("base")
        return kept if kept is not None else Snapshot()

    def merge(self, changes: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
        """Bring the changes into the workspace; those that met another version there come back marked.

        A file whose content there is neither what this turn began from nor what it left is a conflict: the
        workspace keeps its version, this turn's is kept aside. Doing it again changes nothing.
        """
        if not self._is_staged or not changes:
            return changes
        after, present = self.after(), self._shared.take()
        write: dict[str, Kept] = {}
        gone: dict[str, Kept] = {}
        merged: list[FileChange] = []
        for change in changes:
            here = present.files.get(change.path)
            is_met = (here.sha256 if here else "") not in {change.before_sha256, change.after_sha256}
            merged.append(change.model_copy(update={"is_kept_aside": is_met}))
            if change.kind == "deleted":
                if here is not None and not is_met:
                    gone[change.path] = here
                continue
            path = f"{KEPT_ASIDE}/{self._turn.thread_id}/{change.path}" if is_met else change.path
            write[path] = after.files[change.path]
        here_now = {path: present.files[path] for path in write if path in present.files} | gone
        self._shared.restore(Snapshot(files=write), Snapshot(files=here_now))
        failpoint("turn.merged")
        return tuple(merged)

    def done(self) -> None:
        """The copy is not needed any more; the versions stay."""
        if self._is_staged:
            shutil.rmtree(self._copy, ignore_errors=True)

    def _keep(self, name: str, snapshot: Snapshot) -> None:
        self._home.state.keep_runner_state(self._name(name), snapshot.model_dump_json())

    def _kept(self, name: str) -> Snapshot | None:
        kept = self._home.state.runner_state(self._name(name))
        return Snapshot.model_validate_json(kept) if kept else None

    def _name(self, name: str) -> str:
        return f"{self._turn.job_id}/{self._turn.thread_id}/{self._turn.number}/{name}"


def file_states(snapshot: Snapshot) -> dict[str, FileState]:
    """The files of a version that count as work: what the agent's tools leave behind on the way does not."""
    paths = snapshot.changed_since(Snapshot())
    return {
        path: FileState(snapshot.files[path].sha256, snapshot.files[path].size)
        for path in paths
        if not path.startswith(f"{KEPT_ASIDE}/")
    }
