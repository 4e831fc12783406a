"""The files of a turn: a copy to work in, and its changes brought into the workspace that all share.

A turn's copy, the version it began from and the version it ended with are kept by content under the job, so that a
killed process goes on in the same copy, and a killed merge is done again with the same result.

Where machines share no folder, contents and lists travel through a depot: whoever leads offers the version that a turn
begins from, the worker keeps what its agent has left after each step, and the changes are merged where the workspace is.
"""

import contextlib
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from agentflows.depot import Depot
from agentflows.errors import AgentflowsError, ConflictError, OutcomeError, SettingsError, StoppedError
from agentflows.gathering import Gathering
from agentflows.home import Home
from agentflows.orchestrating.merging import Merge
from agentflows.pursuing.contents import Contents
from agentflows.pursuing.holding import Hold
from agentflows.pursuing.seen import Seen
from agentflows.pursuing.versions import Snapshot, Versions
from agentflows.sandbox.rights import remove
from agentflows.store.failpoints import failpoint
from agentflows.team import FileChange, ThreadTurn

_LISTS = 16
"""Lists of files that are remembered: turns that begin at about the same time begin from the same one."""
START = "start"
"""The folder of a job with its workspace as it was before any turn, if code of the job lies there."""
_MERGE_PAUSE = 0.05
"""Seconds between two looks whether another process's merge is over."""

Merging = tuple["Stage", tuple[FileChange, ...]]
Merged = tuple[FileChange, ...] | AgentflowsError


class Staging:
    """The files of one job in this process: what was read once is not read again, and what many want is done once.

    Args:
        home: the doors.
        job_id: whose.
        workspace: the folder all share.
        stop: why the job is to end now; asked while another process merges.
    """

    def __init__(self, home: Home, job_id: str, workspace: Path, *, stop: Callable[[], str] = str) -> None:
        self.home = home
        self._stop = stop
        self.folder = home.settings.home_path / "jobs" / job_id
        self.job_id = job_id
        self.depot = depot_of(home, job_id)
        self.contents = Contents(self.folder / "objects", self.depot)
        self.shared = Versions(self.folder, workspace, Seen(), self.contents)
        self._lists: OrderedDict[str, Snapshot] = OrderedDict()
        self._taking = Gathering[None, Snapshot](lambda asked: [self._taken()] * len(asked))
        self._merging = Gathering[Merging, Merged](self._merged)

    def take(self) -> Snapshot:
        """Freeze the workspace as it is now. All who ask before a reading begins share it.

        Raises:
            OutcomeError: it is too large, or cannot be read.
        """
        return self._taking.ask(None)

    def _taken(self) -> Snapshot:
        found = self.shared.take()
        for known in list(self._lists.values()):
            if known.files == found.files:
                return known
        return found

    def keep(self, name: str, snapshot: Snapshot, *, travels: bool = True) -> str:
        """Keep a version under a name. Its list of files lies once beside the contents, however many turns share it.

        Args:
            name: what it is asked for by.
            snapshot: the version.
            travels: whether other machines need it, where files travel at all.

        Returns:
            The sha256 of the list.

        Raises:
            StagingError: its contents cannot be put where others get them.
        """
        sha256 = self._remembered(snapshot) or self._written(snapshot)
        if self.depot and travels:
            self.shared.share(snapshot)
            if not (self.depot.folder / sha256).exists():
                _write_once(self.depot.folder / sha256, self._list(sha256).read_bytes())
            self.depot.share([sha256])
        self.home.state.keep_runner_state(name, sha256)
        return sha256

    def _written(self, snapshot: Snapshot) -> str:
        text = snapshot.model_dump_json().encode()
        sha256 = hashlib.sha256(text).hexdigest()
        _write_once(self._list(sha256), text)
        self._remember(sha256, snapshot)
        return sha256

    def _remembered(self, snapshot: Snapshot) -> str:
        return next((sha256 for sha256, known in list(self._lists.items()) if known is snapshot), "")

    def _remember(self, sha256: str, snapshot: Snapshot) -> None:
        self._lists[sha256] = snapshot
        while len(self._lists) > _LISTS:
            self._lists.popitem(last=False)

    def kept(self, name: str) -> str:
        """What `keep` returned under that name; "" when nothing was kept."""
        return self.home.state.runner_state(name)

    def version(self, sha256: str) -> Snapshot:
        """The version of that list.

        Raises:
            OutcomeError, StagingError: its list of files is missing or damaged.
        """
        if (known := self._lists.get(sha256)) is not None:
            return known
        path = self._list(sha256)
        if self.depot and not path.is_file():
            self.depot.fetch([sha256])
            _write_once(path, (self.depot.folder / sha256).read_bytes())
        text = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(text).hexdigest() != sha256:
            msg = (
                f"The list of files {path} is missing or damaged. Nothing was written from it. Run the job again with "
                "another --key to start over."
            )
            raise OutcomeError(msg)
        found = Snapshot.model_validate_json(text)
        self._remember(sha256, found)
        return found

    def merge(self, stage: "Stage", changes: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
        """Bring a turn's changes into the workspace: one merge at a time, whatever process it is in.

        Raises:
            StoppedError: the job was stopped while another process merged. Nothing was brought in.
            OutcomeError: the workspace cannot be read or written, or a kept content is damaged.
        """
        found = self._merging.ask((stage, changes))
        if isinstance(found, AgentflowsError):
            raise found
        return found

    def _merged(self, asked: Sequence[Merging]) -> list[Merged]:
        """All that wait for it in this process, one after the other, under one lease, or the next where one was lost."""
        found: list[Merged] = []
        while len(found) < len(asked):
            try:
                with contextlib.closing(self._hold()) as hold:
                    for stage, changes in asked[len(found) :]:
                        hold.check()
                        found.append(_outcome_of(stage, changes))
            except ConflictError:
                continue
            except AgentflowsError as error:  # of those only that are not in the workspace yet
                found += [error] * (len(asked) - len(found))
        return found

    def _hold(self) -> Hold:
        who = self.home.actor().name
        while True:
            try:
                return Hold(self.home.state, self.job_id, who, self.job_id, kind="merge")
            except ConflictError:
                if why := self._stop():
                    raise StoppedError(why) from None
                time.sleep(_MERGE_PAUSE)

    def tidy(self) -> None:
        """Throw the copies away, and what travelled; the versions stay."""
        remove(self.folder / "turns")
        remove(self.folder / START)
        self.contents.sweep()
        if self.depot:
            self.depot.clear()
            settle(self.home, self.job_id, "")

    def _list(self, sha256: str) -> Path:
        return self.folder / "versions" / f"{sha256}.json"


def _outcome_of(stage: "Stage", changes: tuple[FileChange, ...]) -> Merged:
    try:
        return stage.merge(changes)
    except AgentflowsError as error:
        return error


def settle(home: Home, job_id: str, url: str) -> None:
    """Record where the files of a job travel; "" is that all who work on it share a folder."""
    home.state.keep_runner_state(f"{job_id}/staging", url)


def depot_of(home: Home, job_id: str) -> Depot | None:
    """Where a job's files travel; None where all who work on it share a folder. It is settled when the job begins.

    Raises:
        SettingsError: this process is set up for another place.
    """
    settled = home.state.runner_state(f"{job_id}/staging")
    if not settled:
        return None
    if home.settings.staging_url != settled:
        msg = (
            f"The files of the job {job_id} travel through {settled}, and AGENTFLOWS_STAGING_URL is "
            f"{home.settings.staging_url!r} here. Set it to the same for all who work on the job."
        )
        raise SettingsError(msg)
    return home.depot(job_id)


def _write_once(path: Path, content: bytes) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"draft-{secrets.token_hex(8)}")
        draft.write_bytes(content)
        draft.replace(path)


class Stage:
    """Where one turn works.

    Args:
        staging: the job's.
        turn: whose files.
        is_staged: whether the turn works in a copy of the workspace.
        is_linked: whether its copy may share files with the kept contents: nobody there changes one in place.
    """

    def __init__(
        self, staging: Staging, turn: ThreadTurn, *, is_staged: bool, is_linked: bool = False
    ) -> None:
        self.staging = staging
        self._state = staging.home.state
        self._turn = turn
        self._is_staged = is_staged
        self._is_linked = is_linked
        self._seen = Seen()
        self._kept: dict[str, str] = {}
        self._copy: str | None = None
        self._left: Snapshot | None = None

    @property
    def folder(self) -> Path:
        """Where the agent works."""
        if not self._is_staged:
            return self.staging.shared.workspace
        if self._copy is None:
            self._copy = self._state.runner_state(self._name("copy")) or str(self._turn.number)
        return self.staging.folder / "turns" / self._turn.thread_id / self._copy

    @property
    def is_elsewhere(self) -> bool:
        """Whether the job's files travel, so that nothing is merged where a turn is carried out."""
        return self.staging.depot is not None

    @property
    def own(self) -> Versions:
        """Versions of that folder."""
        return Versions(
            self.staging.folder,
            self.folder,
            self._seen,
            self.staging.contents,
            is_ours=self._is_staged,
        )

    def prepare(self, *, goes_on: bool) -> None:
        """Lay the copy down.

        Args:
            goes_on: whether what an earlier process left in it is gone on with, as the agent knows of it. If not, the
                turn gets a new copy of the same version: what is left of a killed agent may still write to the old one.
        """
        base = self._version("base")
        if self.is_elsewhere:
            self._from_elsewhere(base, goes_on=goes_on)
            failpoint("turn.staged")
            return
        if base is not None and (goes_on or not self._is_staged):
            return
        is_new = base is None
        base = self.staging.take() if base is None else base
        if self._is_staged:
            self._lay_down(base)
        if is_new:
            self._keep("base", base)
        failpoint("turn.staged")

    def offer(self) -> None:
        """Put the version that the turn begins from where whoever carries it out gets it.

        Raises:
            OutcomeError: the workspace is too large, or cannot be read.
            StagingError: it cannot be put there.
        """
        self._keep("base", self._version("base") or self.staging.take())
        failpoint("turn.offered")

    def note(self) -> None:
        """Keep what the agent has left so far, where another machine may have to go on with it."""
        if self.is_elsewhere:
            left = self.own.take()
            if self._left is None or left.files != self._left.files:
                self._keep("left", left)
                self._left = left

    def _from_elsewhere(self, base: Snapshot | None, *, goes_on: bool) -> None:
        if base is None:
            msg = (
                f"No files were offered for the turn {self._turn.number} of {self._turn.thread_id}. Whoever leads the job "
                "offers them when it sends the turn: start the job, not the turn."
            )
            raise OutcomeError(msg)
        # As its agent left it, on this machine or another: what it did after that, it does again.
        left = self._version("left") if goes_on else None
        self._lay_down(left or base)

    def _lay_down(self, base: Snapshot) -> None:
        old = self.folder
        if old.exists():
            self._copy = f"{self._turn.number}-{secrets.token_hex(4)}"
            self._state.keep_runner_state(self._name("copy"), self._copy)
            remove(old)
        self.folder.mkdir(parents=True, mode=0o700)
        self.own.lay_down(base, is_linked=self._is_linked)

    def after(self) -> Snapshot:
        """The files as the agent left them, taken once."""
        kept = self._version("after")
        if kept is None:
            kept = self.own.take() if self._is_staged else self.staging.take()
            self._keep("after", kept)
            failpoint("turn.frozen")
        return kept

    @property
    def base(self) -> Snapshot:
        """The files as the agent found them."""
        return self._version("base") or Snapshot()

    def _version(self, name: str) -> Snapshot | None:
        sha256 = self._kept.get(name) or self.staging.kept(self._name(name))
        if not sha256:
            return None
        self._kept[name] = sha256
        return self.staging.version(sha256)

    def _keep(self, name: str, version: Snapshot) -> None:
        self._kept[name] = self.staging.keep(self._name(name), version)

    def merge(self, changes: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
        """Bring the changes into the workspace; those that met another version there come back marked.

        Raises:
            OutcomeError: the workspace cannot be read or written, or a kept content is damaged.
        """
        if not self._is_staged or not changes:
            return changes
        aside = f"{self._turn.thread_id}/{self._turn.number}"
        merged = Merge(self.staging.shared, self.base, self.after(), aside).bring(changes)
        failpoint("turn.merged")
        return merged

    def tidy(self) -> None:
        """The copy is not needed any more, as the turn is recorded."""
        if self._is_staged:
            remove(self.folder)

    def _name(self, name: str) -> str:
        return f"{self._turn.job_id}/{self._turn.thread_id}/{self._turn.number}/{name}"
