"""Whether a source is lines of JSON or one JSON document, found out with as little held in memory as can be."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from agentflows.readers.lines import Line, read_lines
from agentflows.readers.source import Source
from agentflows.readers.strict import RefusedError, parse, parse_line

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Damaged:
    """What was to be one JSON value and is none."""

    reason: str
    data: bytes


Shape = Iterator[Line] | Document | Damaged


def shape_of(source: Source) -> Shape:
    """What the source is.

    Lines, when its first or second line is a JSON object; a document, when all of it is one JSON value. Lines again,
    when any line of a failed document is an object: then it is a log with a bad beginning.
    """
    head = source.bytes.peek(64).removeprefix(_BOM).lstrip()
    if head.startswith(b"["):
        return _whole(source, b"")
    lines = read_lines(source.bytes, source.limits.line_bytes)
    early = list(islice(lines, 1))
    if early and not early[0].flaw and early[0].data.startswith(b"{") and not _is_object(early[0].data):
        early += islice(lines, 1)
        if len(early) == 1 or not _is_object(early[1].data):
            return _whole(source, _rejoined(early))
    return chain(early, lines)


def _whole(source: Source, begun: bytes) -> Shape:
    limit = source.limits.document_bytes
    data = begun + source.bytes.read(limit + 1 - len(begun))
    if len(data) > limit:
        return Damaged(f"a JSON document of more than {limit:,} bytes", data[:100_000])
    try:
        return Document(parse(data.removeprefix(_BOM).strip()))
    except RefusedError as refused:
        reason = source.flaw or str(refused)
    if any(_is_object(line.data) for line in _lines(source, data)):
        return _lines(source, data)
    return Damaged(f"truncated or damaged JSON: {reason}", data[:100_000])


def _lines(source: Source, data: bytes) -> Iterator[Line]:
    return read_lines(io.BytesIO(data), source.limits.line_bytes)


def _is_object(data: bytes) -> bool:
    try:
        return bool(parse_line(data))
    except RefusedError:
        return False


def _rejoined(lines: list[Line]) -> bytes:
    """The lines with the blank ones that stood before them, so that line numbers stay true."""
    joined = b""
    for line in lines:
        joined += b"\n" * (line.number - 1 - joined.count(b"\n")) + line.data
    return joined + b"\n"
