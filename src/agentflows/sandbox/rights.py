"""The owner's rights over what a command left, so that it can be read and thrown away. No link is followed."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from agentflows.errors import WorkspaceError
from agentflows.sandbox.beneath import open_beneath, opened
from agentflows.sandbox.walk import Found, walk

_NEEDED = {"folder": 0o700, "file": 0o400}


def let_owner(folder: int, found: Found) -> None:
    """Let the owner read that entry of the open `folder`, and, if it is one, enter and change it.

    Raises:
        OSError: it went away, or is not ours.
    """
    needed = _NEEDED.get(found.kind, 0)
    if found.mode & needed == needed:
        return
    above, _, name = found.path.rpartition("/")
    held = open_beneath(folder, above or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        if os.chmod in os.supports_follow_symlinks:
            os.chmod(name, (found.mode | needed) & 0o777, dir_fd=held, follow_symlinks=False)
            return
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held)
        try:
            os.chmod(f"/proc/self/fd/{fd}", (found.mode | needed) & 0o777)  # noqa: PTH101 - Linux refuses fchmod there
        finally:
            os.close(fd)
    finally:
        os.close(held)


def remove(folder: Path) -> None:
    """Throw a folder of ours away with all that is in it, whatever rights were left there. What cannot go stays."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        return
    with suppress(OSError, WorkspaceError):
        folder.chmod(0o700)
        with opened(folder, ".", os.O_RDONLY | os.O_DIRECTORY) as top:
            for found in walk(top):
                let_owner(top, found)
    shutil.rmtree(folder, ignore_errors=True)
