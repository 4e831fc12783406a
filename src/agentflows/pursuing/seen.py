"""What files held when they were read or written last, so that those nobody touched since are not read again."""

import os
import stat

from agentflows.pursuing.contents import Kept
from agentflows.sandbox.walk import Found

_SETTLED_NS = 2_000_000_000
"""A file changed less than this before it was read could be changed again under the same time stamp."""

_ANY = -1
"""In place of the time of change, where it does not matter."""

Stamp = tuple[int, int, int, int, int]
"""Inode, size, change and modification time, mode: no program can change a file and leave all of them as they were."""


class Seen:
    """What files held when they were read last, so that those that nobody touched since are not read again.

    For one folder, in memory. A file is read again when its stamp differs, and when it had just been changed as it was
    read: two writes within one tick of the file system's clock have the same time.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, Kept]] = {}

    def find(self, found: Found) -> Kept | None:
        """What the file holds, if it is known."""
        known = self._known.get(found.path)
        return known[1] if known is not None and known[0] in {_stamp(found), _shared(found)} else None

    def note(self, found: Found, kept: Kept, read_at_ns: int) -> None:
        """Remember what it held at `read_at_ns`, the time before it was read."""
        if found.changed_ns and found.changed_ns + _SETTLED_NS < read_at_ns:
            self._known[found.path] = (_stamp(found), kept)
        else:
            self._known.pop(found.path, None)

    def laid_down(self, path: str, written: os.stat_result, kept: Kept, *, is_linked: bool) -> None:
        """Remember a file as it was made. Its time of modification must lie in the past: then the next write shows.

        That of one which `is_linked` changes with every further name it is given, and counts for nothing: nobody
        writes to such a file.
        """
        changed_ns = _ANY if is_linked else written.st_ctime_ns
        mode = stat.S_IMODE(written.st_mode)
        self._known[path] = (
            (written.st_ino, written.st_size, changed_ns, written.st_mtime_ns, mode),
            kept,
        )


def _stamp(found: Found) -> Stamp:
    return (found.inode, found.size, found.changed_ns, found.modified_ns, found.mode)


def _shared(found: Found) -> Stamp:
    return (found.inode, found.size, _ANY, found.modified_ns, found.mode)
