"""Open files below a folder and never outside it, whatever others do to the tree meanwhile.

`openat2` lets the kernel resolve a path as one step that refuses links and whatever leads out (Linux 5.6, openat2(2)).
Resolving a path first and opening it then loses races against whoever swaps a folder for a link in between. Where
`openat2` is missing, each component is opened by itself without following links, which holds as well and is slower.
"""

import ctypes
import errno
import functools
import os
import platform
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_OPENAT2 = 437
"""The same number on every architecture but Alpha (include/uapi/asm-generic/unistd.h)."""
_BENEATH, _NO_LINKS, _NO_MAGIC_LINKS = 0x08, 0x04, 0x02
_AGAIN = 16
"""Tries when the kernel saw the tree change while it looked (EAGAIN)."""


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@functools.cache
def has_openat2() -> bool:
    """Whether this kernel lets us call it; some container filters answer ENOSYS or EPERM."""
    if platform.system() != "Linux":
        return False
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(_openat2(folder, ".", os.O_RDONLY | os.O_DIRECTORY, 0))
    except OSError:
        return False
    finally:
        os.close(folder)
    return True


def _openat2(folder: int, relative: str, flags: int, mode: int) -> int:
    how = struct.pack("<QQQ", flags | os.O_CLOEXEC, mode, _BENEATH | _NO_LINKS | _NO_MAGIC_LINKS)
    path = os.fsencode(relative)
    for _ in range(_AGAIN):
        ctypes.set_errno(0)
        found = int(_library().syscall(_OPENAT2, ctypes.c_int(folder), path, how, ctypes.c_size_t(len(how))))
        if found >= 0:
            return found
        if ctypes.get_errno() not in {errno.EAGAIN, errno.EINTR}:
            break
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), relative)


def _open_by_component(folder: int, relative: str, flags: int, mode: int) -> int:
    """As `_openat2`, for kernels without it. ELOOP for a link anywhere in the path, as there."""
    *above, last = [part for part in relative.split("/") if part not in {"", "."}] or ["."]
    held = os.dup(folder)
    try:
        for part in above:
            below = _open_one(part, os.O_RDONLY | os.O_DIRECTORY, 0, held)
            os.close(held)
            held = below
        return _open_one(last, flags, mode, held)
    finally:
        os.close(held)


def _open_one(name: str, flags: int, mode: int, folder: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
    except NotADirectoryError:  # O_DIRECTORY on a link says so before O_NOFOLLOW is looked at
        if is_link(folder, name):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise


def is_link(folder: int, name: str) -> bool:
    """Whether `name` in the folder is a symbolic link."""
    try:
        return (os.lstat(name, dir_fd=folder).st_mode & 0o170000) == 0o120000
    except OSError:
        return False


def open_beneath(folder: int, relative: str, flags: int, mode: int = 0) -> int:
    """A descriptor of `relative` below the open `folder`; links are refused in every component.

    The caller has refused `..` and absolute paths; the kernel does it again.

    Raises:
        OSError: ELOOP for a link, EXDEV for a path that leads out, and what `open` raises.
    """
    opener = _openat2 if has_openat2() else _open_by_component
    return opener(folder, relative, flags, mode)


@contextmanager
def opened(root: Path, relative: str = ".", flags: int = os.O_RDONLY) -> Generator[int]:
    """`relative` below `root`, open while the context lasts. O_NONBLOCK, so that a pipe cannot hold us up."""
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_beneath(top, relative, flags | os.O_NONBLOCK)
    finally:
        os.close(top)
    try:
        yield fd
    finally:
        os.close(fd)
