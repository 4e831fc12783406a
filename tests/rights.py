"""Rights on files that count even for root, for a while."""

import ctypes
import struct
from collections.abc import Generator
from contextlib import contextmanager

_LIBC = ctypes.CDLL(None, use_errno=True)
_VERSION = 0x20080522
"""Of the structures that capget(2) and capset(2) take."""
_DEAF = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what makes root deaf to the rights on a file."""


@contextmanager
def bound_by_rights() -> Generator[None]:
    """This thread, and those it starts meanwhile, heed the rights on files."""
    before = _get()
    _set((before[0] & ~_DEAF, *before[1:]))
    try:
        yield
    finally:
        _set(before)


def _get() -> tuple[int, ...]:
    sets = ctypes.create_string_buffer(24)
    assert _LIBC.capget(struct.pack("Ii", _VERSION, 0), sets) == 0
    return struct.unpack("6I", sets.raw)


def _set(sets: tuple[int, ...]) -> None:
    assert _LIBC.capset(struct.pack("Ii", _VERSION, 0), struct.pack("6I", *sets)) == 0
