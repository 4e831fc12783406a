"""One System V shared memory segment of the host."""

import ctypes
import secrets
from collections.abc import Generator
from contextlib import contextmanager

_CREATE, _REMOVE = 0o1000, 0


@contextmanager
def shared_memory() -> Generator[int]:
    """The key of a segment that exists while the context lasts."""
    library = ctypes.CDLL(None, use_errno=True)
    key = secrets.randbelow(1 << 30) + 1
    segment = library.shmget(key, 4096, _CREATE | 0o666)
    assert segment >= 0, "no shared memory on this host"
    try:
        yield key
    finally:
        library.shmctl(segment, _REMOVE, None)
