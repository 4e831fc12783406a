"""The bytes of one file: read within a bound, replaced whole or not at all, and one writer at a time."""

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentflows.errors import WorkspaceError
from agentflows.sandbox.walk import kind_of

_LOCK_SECONDS = 5.0
_BLOCK = 1 << 20


def check_regular(fd: int, path: str) -> None:
    """Only files are read: a pipe would wait, a device has no end.

    Raises:
        WorkspaceError: it is something else.
    """
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        msg = f"{path} is a {kind_of(mode)}, and a file was expected. List files with glob."
        raise WorkspaceError(msg)


def bounded(fd: int, path: str, most: int, advice: str) -> bytes:
    """All bytes of an open regular file.

    Raises:
        WorkspaceError: it is no regular file, or longer than `most` bytes; `advice` says what to do then.
    """
    check_regular(fd, path)
    blocks: list[bytes] = []
    size = 0
    while block := os.read(fd, _BLOCK):
        blocks.append(block)
        size += len(block)
        if size > most:
            msg = f"{path} is too long: more than {most:,} bytes. {advice}"
            raise WorkspaceError(msg)
    return b"".join(blocks)


def decoded(path: str, content: bytes) -> str:
    """The text of a file, byte for byte.

    Raises:
        WorkspaceError: it is not UTF-8, or has NUL bytes.
    """
    if b"\0" in content:
        msg = f"{path} is not text: it has NUL bytes. Look at it with a command."
        raise WorkspaceError(msg)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path} is not text: byte {error.start} is not UTF-8. Look at it with a command."
        raise WorkspaceError(msg) from error


def put(folder: int, name: str, content: bytes) -> None:
    """Write `name` in the open folder whole or not at all; a file that was there keeps its rights.

    A link that takes the place of `name` meanwhile is replaced, not followed.
    """
    draft = f".{name[:100]}.{secrets.token_hex(6)}"
    fd = os.open(
        draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder
    )
    try:
        with os.fdopen(fd, "wb") as file:
            with suppress(FileNotFoundError):
                present = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(present.st_mode):
                    os.fchmod(fd, stat.S_IMODE(present.st_mode) & 0o777)
            file.write(content)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        raise


@contextmanager
def locked(root: Path) -> Generator[None]:
    """The only one of all that write through a `Workspace` of this folder, in any process.

    Raises:
        WorkspaceError: another one held on for too long.
    """
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    msg = f"The workspace is being written by another process for more than {_LOCK_SECONDS:.0f} seconds. Try again."
                    raise WorkspaceError(msg) from None
                time.sleep(0.005)
            else:
                break
        yield
    finally:
        os.close(fd)
