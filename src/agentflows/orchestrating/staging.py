"""The files of a turn: a copy to work in, and its changes brought into the workspace that all share.

A turn's copy, the version it began from and the version it ended with are kept by content under the job, so that a
killed process goes on in the same copy, and a killed merge is done again with the same result.
"""

import hashlib
import secrets
import shutil
import threading
from pathlib import Path

from agentflows.errors import OutcomeError
from agentflows.home import Home
from agentflows.orchestrating.merging import Merge
from agentflows.pursuing.versions import Seen, Snapshot, Versions
from agentflows.store.failpoints import failpoint
from agentflows.team import FileChange, ThreadTurn


class Staging:
    """The files of one job in this process: what was read once is not read again.

    Args:
        home: the doors.
        job_id: whose.
        workspace: the folder all share.
    """

    def __init__(self, home: Home, job_id: str, workspace: Path) -> None:
        self.home = home
        self.folder = home.settings.home_path / "jobs" / job_id
        self.shared = Versions(self.folder, workspace, Seen())
        self._reading = threading.Lock()

    def take(self) -> Snapshot:
        """Freeze the workspace as it is now, one reader at a time: the second finds what the first one read.

        Raises:
            OutcomeError: it is too large, or cannot be read.
        """
        with self._reading:
            return self.shared.take()

    def keep(self, name: str, snapshot: Snapshot) -> None:
        """Keep a version under a name. Its list of files lies once beside the contents, however many turns share it."""
        text = snapshot.model_dump_json().encode()
        sha256 = hashlib.sha256(text).hexdigest()
        target = self._list(sha256)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = target.with_name(f"draft-{secrets.token_hex(8)}")
            draft.write_bytes(text)
            draft.replace(target)
        self.home.state.keep_runner_state(name, sha256)

    def kept(self, name: str) -> Snapshot | None:
        """The version kept under that name, if there is one.

        Raises:
            OutcomeError: its list of files is missing or damaged.
        """
        sha256 = self.home.state.runner_state(name)
        if not sha256:
            return None
        path = self._list(sha256)
        text = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(text).hexdigest() != sha256:
            msg = (
                f"The list of files {path} is missing or damaged. Nothing was written from it. Run the job again with "
                "another --key to start over."
            )
            raise OutcomeError(msg)
        return Snapshot.model_validate_json(text)

    def tidy(self) -> None:
        """Throw the copies away; the versions stay."""
        shutil.rmtree(self.folder / "turns", ignore_errors=True)

    def _list(self, sha256: str) -> Path:
        return self.folder / "versions" / f"{sha256}.json"


class Stage:
    """Where one turn works.

    Args:
        staging: of the job.
        turn: whose files.
        is_staged: whether the turn works in a copy of the workspace.
    """

    def __init__(self, staging: Staging, turn: ThreadTurn, *, is_staged: bool) -> None:
        self._staging = staging
        self._state = staging.home.state
        self._turn = turn
        self._is_staged = is_staged
        self._seen = Seen()

    @property
    def folder(self) -> Path:
        """Where the agent works."""
        if not self._is_staged:
            return self._staging.shared.workspace
        name = self._state.runner_state(self._name("copy")) or str(self._turn.number)
        return self._staging.folder / "turns" / self._turn.thread_id / name

    @property
    def own(self) -> Versions:
        """Versions of that folder."""
        return Versions(self._staging.folder, self.folder, self._seen)

    def prepare(self, *, goes_on: bool) -> None:
        """Lay the copy down.

        Args:
            goes_on: whether what an earlier process left in it is gone on with, as the agent knows of it. If not, the
                turn gets a new copy of the same version: what is left of a killed agent may still write to the old one.
        """
        base = self._staging.kept(self._name("base"))
        if base is not None and (goes_on or not self._is_staged):
            return
        if base is None:
            base = self._staging.take()
        if self._is_staged:
            self._lay_down(base)
        self._staging.keep(self._name("base"), base)
        failpoint("turn.staged")

    def _lay_down(self, base: Snapshot) -> None:
        old = self.folder
        if old.exists():
            self._state.keep_runner_state(self._name("copy"), f"{self._turn.number}-{secrets.token_hex(4)}")
            shutil.rmtree(old, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        self.own.restore(base, Snapshot())

    def after(self) -> Snapshot:
        """The files as the agent left them, taken once."""
        kept = self._staging.kept(self._name("after"))
        if kept is None:
            kept = self.own.take() if self._is_staged else self._staging.take()
            self._staging.keep(self._name("after"), kept)
            failpoint("turn.frozen")
        return kept

    @property
    def base(self) -> Snapshot:
        """The files as the agent found them."""
        return self._staging.kept(self._name("base")) or Snapshot()

    def merge(self, changes: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
        """Bring the changes into the workspace; those that met another version there come back marked.

        Raises:
            OutcomeError: the workspace cannot be read or written, or a kept content is damaged.
        """
        if not self._is_staged or not changes:
            return changes
        aside = f"{self._turn.thread_id}/{self._turn.number}"
        merged = Merge(self._staging.shared, self.base, self.after(), aside).bring(changes)
        failpoint("turn.merged")
        return merged

    def tidy(self) -> None:
        """The copy is not needed any more, as the turn is recorded."""
        if self._is_staged:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _name(self, name: str) -> str:
        return f"{self._turn.job_id}/{self._turn.thread_id}/{self._turn.number}/{name}"
