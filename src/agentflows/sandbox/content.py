"""The bytes of one file: read within a bound, replaced whole or not at all, and one writer at a time."""

import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from agentflows.errors import WorkspaceError
from agentflows.sandbox.walk import kind_of

_LOCK_SECONDS = 5.0
_BLOCK = 1 << 20
_DRAFT = ".agentflows-draft-"
_A_DRAFT = re.compile(re.escape(_DRAFT) + "[0-9a-f]{12}")


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


def put(
    folder: int,
    name: str,
    content: bytes | Iterable[bytes],
    *,
    rights: int | None = None,
    is_executable: bool | None = None,
) -> None:
    """Write `name` in the open folder whole or not at all. A link that takes its place meanwhile is replaced, not followed.

    Args:
        folder: open.
        name: of the file.
        content: all of it, or its pieces, whose source may raise: then nothing is written.
        rights: those it gets; None is those of the file that was there, or of any new one.
        is_executable: whether its owner may run it, and so may who may read it; None leaves that as it is.
    """
    draft = f"{_DRAFT}{secrets.token_hex(6)}"
    fd = os.open(
        draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder
    )
    try:
        with os.fdopen(fd, "wb") as file:
            wanted = rights_of(folder, name) if rights is None else rights
            new = stat.S_IMODE(os.fstat(fd).st_mode)
            os.fchmod(fd, _runnable(new if wanted is None else wanted, is_executable=is_executable))
            file.writelines([content] if isinstance(content, bytes) else content)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        raise


def put_link(folder: int, name: str, link: str) -> None:
    """The same for a link to `link`."""
    draft = f"{_DRAFT}{secrets.token_hex(6)}"
    os.symlink(link, draft, dir_fd=folder)
    try:
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(draft, dir_fd=folder)
        raise


def rights_of(folder: int, name: str) -> int | None:
    """The rights of a file in the open folder; None when there is none of that name."""
    try:
        present = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return stat.S_IMODE(present.st_mode) & 0o777 if stat.S_ISREG(present.st_mode) else None


def is_draft(name: str) -> bool:
    """Whether a file of that name is one that a process which was killed had not written whole."""
    return _A_DRAFT.fullmatch(name) is not None


def sweep(folder: int) -> None:
    """Remove such files from the open folder. Only whoever alone writes there may."""
    for name in os.listdir(folder):
        if is_draft(name):
            os.unlink(name, dir_fd=folder)


def _runnable(mode: int, *, is_executable: bool | None) -> int:
    if is_executable is None or bool(mode & stat.S_IXUSR) == is_executable:
        return mode
    return mode | (mode & 0o444) >> 2 if is_executable else mode & ~0o111


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
