"""The bytes of one source: hashed as they pass, unpacked when gzipped, never more than the limits allow."""

import hashlib
import io
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from agentflows.errors import ReaderError

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 18
_DRAIN = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one source may cost before it is cut off. A hostile file reaches these; a genuine one does not."""

    line_bytes: int = 64 << 20
    """A longer line is quarantined, not read."""
    document_bytes: int = 512 << 20
    """A JSON document is held in memory whole, so it has a limit of its own."""
    unpacked_bytes: int = 8 << 30
    """What a gzipped file may unpack to."""
    ratio: int = 250
    """How many times its packed size a file may unpack to. Session logs pack 3 to 30 times."""
    ratio_from_bytes: int = 64 << 20
    """Below this many unpacked bytes the ratio is not asked: small files pack well and harm nobody."""


class Source:
    """An open source: its bytes, and what became known about them once they were read.

    Attributes:
        file: the path as given, or `-`.
        bytes: the unpacked stream.
    """

    def __init__(self, file: str, raw: BinaryIO, limits: Limits) -> None:
        self.file = file
        self.limits = limits
        self._hashed = _Hashed(raw)
        packed = io.BufferedReader(self._hashed, _DRAIN)
        self._unpacked = _Gunzipped(packed, limits) if packed.peek(2)[:2] == _GZIP else None
        self.bytes = io.BufferedReader(self._unpacked, _DRAIN) if self._unpacked else packed

    @property
    def flaw(self) -> str:
        """Why the bytes ended before the file did; empty when they did not."""
        return self._unpacked.flaw if self._unpacked else ""

    @property
    def stem(self) -> str:
        """The file's name without folder and endings; `stdin` for standard input."""
        return stem(self.file)

    def sha256(self) -> str:
        """Of the file's bytes as they stand on disk; reads what is left of them."""
        return self._hashed.finish()


def stem(file: str) -> str:
    """The name of a file without its folder and its endings."""
    if file == "-":
        return "stdin"
    name = file.replace("\\", "/").rsplit("/", 1)[-1]
    for ending in (".gz", ".jsonl", ".json"):
        name = name.removesuffix(ending)
    return name


@contextmanager
def open_source(path: Path, limits: Limits) -> Generator[Source]:
    """Open a file.

    Raises:
        ReaderError: it cannot be opened or read.
    """
    with _explained(str(path)), path.open("rb") as raw:
        yield Source(str(path), raw, limits)


@contextmanager
def source_of(file: str, raw: BinaryIO, limits: Limits) -> Generator[Source]:
    """The same for an open stream, which stays open.

    Raises:
        ReaderError: it cannot be read.
    """
    with _explained(file):
        yield Source(file, raw, limits)


@contextmanager
def _explained(file: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        msg = (
            f"{file} cannot be read: {error.strerror or error}. Check its permissions, or name another path."
        )
        raise ReaderError(msg) from error


class _Hashed(io.RawIOBase):
    """Passes bytes on and hashes them."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._digest.update(data)
        return len(data)

    def finish(self) -> str:
        while data := self._raw.read(_DRAIN):
            self._digest.update(data)
        return self._digest.hexdigest()


class _Gunzipped(io.RawIOBase):
    """Unpacks gzip members one after another; a flaw ends the stream and is named, not raised."""

    def __init__(self, packed: io.BufferedIOBase, limits: Limits) -> None:
        self.flaw = ""
        self._packed = packed
        self._limits = limits
        self._member = zlib.decompressobj(31)
        self._left = b""
        self._step = _CHUNK
        self._taken = 0
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = len(cast("memoryview", buffer))
        while not self.flaw:
            data = self._unpack(size)
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not self._left and not self._refill():
                break
        return 0

    def _unpack(self, size: int) -> bytes:
        if self._member.eof:
            self._left = self._left.lstrip(b"\0")  # some writers pad the file
            if not self._left:
                return b""
            self._member = zlib.decompressobj(31)
        before = self._member.copy()
        piece, rest = self._left[: self._step], self._left[self._step :]
        try:
            data = self._member.decompress(piece, size)
        except zlib.error as error:
            if self._step == 1:
                self.flaw = f"damaged gzip: {error}"
            self._member, self._step = (
                before,
                max(1, self._step // 16),
            )  # all before the damage is still given
            return b""
        self._left = (self._member.unused_data if self._member.eof else self._member.unconsumed_tail) + rest
        self._given += len(data)
        self._check_size()
        return data

    def _check_size(self) -> None:
        limits = self._limits
        if self._given > limits.unpacked_bytes:
            self.flaw = f"unpacks to more than {limits.unpacked_bytes:,} bytes"
        elif self._given > max(limits.ratio_from_bytes, limits.ratio * self._taken):
            self.flaw = f"unpacks to more than {limits.ratio} times its size"

    def _refill(self) -> bool:
        self._left = self._packed.read(_CHUNK)
        self._taken += len(self._left)
        if not self._left and not self._member.eof:
            self.flaw = "truncated gzip: the file ends inside its packed data"
        return bool(self._left)
