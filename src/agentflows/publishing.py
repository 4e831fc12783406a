"""Publish: a store's files into the folder that agents mount, where `AGENTFLOWS_PUBLISH` or the caller says."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agentflows.errors import ConflictError, UsageError
from agentflows.home import Home
from agentflows.store import Holder, Lease

_LEASE_FOR = timedelta(minutes=5)
_LOOKS = 30
"""How often a publication looks whether another one to the same folder is done, a second apart, before it gives up."""


class Published(BaseModel):
    """What a publication did. Paths are those of memories."""

    model_config = ConfigDict(frozen=True)

    store: str
    version: int
    folder: str
    files: int
    """Files of the store that the folder now holds."""
    written: tuple[str, ...] = ()
    """Those that were not there before, or said something else."""
    removed: tuple[str, ...] = ()
    """Those that the store no longer has."""

    @property
    def line(self) -> str:
        """In one line, for people."""
        if not self.written and not self.removed:
            return f"{self.folder} says already what {self.store!r} says in version {self.version}"
        gone = f", {len(self.removed):,} removed" if self.removed else ""
        return (
            f"{self.store!r} version {self.version} is in {self.folder}: {len(self.written):,} of {self.files:,} "
            f"files written{gone}"
        )


def folder_of(home: Home, store: str, folder: str = "") -> str:
    """Where a store is published to: `folder`, else what `AGENTFLOWS_PUBLISH` says of it, else ""."""
    return folder.strip() or home.settings.publish.get(store, "")


def publish(
    home: Home,
    store: str,
    folder: str = "",
    *,
    overwrite: bool = False,
    pause: Callable[[], None] = lambda: time.sleep(1),
) -> Published:
    """Write what differs, each file whole or not at all; a second time writes nothing.

    `pause` is what passes between two looks while another publication to the same folder is at work.

    Raises:
        UsageError: neither `folder` nor `AGENTFLOWS_PUBLISH` names a folder for the store.
        NotFoundError: there is no such store.
        ConflictError: somebody else changed files there since the last publication, the folder holds another store, or
            another publication does not end; nothing was written. `overwrite` replaces what differs.
        StoreError: the folder cannot be written.
    """
    found = home.state.get_store(store)
    place = folder_of(home, found.name, folder)
    if not place:
        msg = (
            f"There is no folder to publish {found.name!r} to. Name one, or set "
            f'AGENTFLOWS_PUBLISH=\'{{"{found.name}": "/path/to/folder"}}\'.'
        )
        raise UsageError(msg)
    root = Path(place).expanduser().resolve()
    lease = _alone(home, root, pause)
    try:
        done = home.state.export_store(found.store_id, root, overwrite=overwrite)
    finally:
        home.state.release(lease)
    return Published(
        store=found.name,
        version=done.version,
        folder=str(root),
        files=len(done.files),
        written=done.written,
        removed=done.removed,
    )


def _alone(home: Home, root: Path, pause: Callable[[], None]) -> Lease:
    """The right to write into the folder: two at once could leave a mix of two versions."""
    owner = str(Holder.here(home.actor().name, "publish"))
    for _ in range(_LOOKS):
        try:
            return home.state.lease(f"publish:{root}", owner, _LEASE_FOR)
        except ConflictError:
            pause()
    return home.state.lease(f"publish:{root}", owner, _LEASE_FOR)
