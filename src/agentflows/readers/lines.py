"""Lines of a stream, one at a time and none longer than allowed, numbered as an editor numbers them."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n\x0b\x0c"
_SKIP = 1 << 20
_SHOWN = 40_000
"""Bytes kept of a line that is too long: enough for the 10,000 characters quarantine shows."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank, without the white space around it."""

    number: int
    """From 1, blank lines counted."""
    data: bytes
    ended: bool = True
    """Whether a line feed came after it; where none did, the file may end in the middle of it."""
    flaw: str = ""
    """Why it was not read to its end."""


def read_lines(stream: io.BufferedIOBase, limit: int) -> Iterator[Line]:
    """Every line that is not blank. A byte order mark at the start is dropped; a carriage return before the end too.

    Args:
        stream: the unpacked bytes.
        limit: bytes a line may have; of a longer one only the beginning is given, with its flaw.
    """
    number = 0
    while data := stream.readline(limit + 1):
        number += 1
        if number == 1:
            data = data.removeprefix(_BOM)
        ended = data.endswith(b"\n")
        if len(data) > limit and not ended:
            ended = _skip_line(stream)
            yield Line(number, data[:_SHOWN], ended, f"longer than {limit:,} bytes")
        elif data := data.strip(_BLANK):
            yield Line(number, data, ended)


def _skip_line(stream: io.BufferedIOBase) -> bool:
    while chunk := stream.readline(_SKIP):
        if chunk.endswith(b"\n"):
            return True
    return False
