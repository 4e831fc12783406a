"""Paths of a workspace: relative, without `..`; and the words for what goes wrong with one."""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import PurePosixPath

from agentflows.errors import WorkspaceError

_REASONS = {
    errno.ENOENT: "it does not exist",
    errno.ELOOP: "a symbolic link is in the path, and links are not followed",
    errno.EXDEV: "it leads out of the workspace",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EACCES: "no right to it",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENXIO: "it is a pipe or a socket",
    errno.ENOSPC: "the disk is full",
    errno.EROFS: "the disk is read-only",
}


def relative(path: str) -> str:
    """`path` in the one form used as a key: `a/b`, "." for the workspace itself.

    Raises:
        WorkspaceError: it is absolute, has `..`, or holds what no path can.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        msg = f"{path!r} is not a path of the workspace: expected a relative one without '..'."
        raise WorkspaceError(msg)
    try:
        path.encode()
    except UnicodeEncodeError as error:
        msg = f"{path!r} is not a path of the workspace: it is not valid text."
        raise WorkspaceError(msg) from error
    return str(pure)


@contextmanager
def explained(path: str) -> Generator[None]:
    """Turn what the system says about `path` into one line that names nothing outside the workspace.

    Raises:
        WorkspaceError: the system refused.
    """
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or "the system refused")
        msg = f"{path} cannot be used: {reason}. See what is there with glob."
        raise WorkspaceError(msg) from error
