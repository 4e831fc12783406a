"""JSON as strict as an archive needs it: what two parsers could read differently is refused, with a reason.

orjson reads and writes again; where that gives the same bytes, the line cannot hide anything (a repeated key, a
number that loses digits). Only other lines pay for the slow check.
"""

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, cast

import orjson

MAX_DEPTH = 64
_MAX_DIGITS = 20
_MAX_OBJECTS = 16
"""JSON objects on one line: two are seen in real logs, where two processes appended at once."""


class RefusedError(ValueError):
    """This JSON is not accepted; the message is the reason a person reads in quarantine."""


def parse(data: bytes) -> Any:
    """The value, when nothing about it is doubtful.

    Raises:
        RefusedError: invalid UTF-8 or JSON, NaN or infinite numbers, integers over 64 bits, lone surrogates,
            repeated keys, nesting over 64 levels.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RefusedError(_why_not(data, error)) from None
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _deeper_than(MAX_DEPTH, value):
        raise RefusedError(_TOO_DEEP)
    if orjson.dumps(value) != data:
        _read_slowly(data.decode())
    return value


def parse_line(data: bytes) -> tuple[dict[str, Any], ...]:
    """The objects of one line: one, or several when processes appended at the same time.

    Raises:
        RefusedError: as `parse`, and a line that is not an object.
    """
    try:
        values = (parse(data),)
    except RefusedError:
        values = tuple(parse(piece) for piece in _pieces(data))
        if len(values) < 2:
            raise
    for value in values:
        if not isinstance(value, dict):
            msg = f"not an object but {_name_of(value)}"
            raise RefusedError(msg)
    return cast("tuple[dict[str, Any], ...]", values)


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def _deeper_than(limit: int, value: Any) -> bool:
    layer: list[Any] = [value]
    for _ in range(limit):
        inner: list[Any] = []
        for item in layer:
            if isinstance(item, dict):
                inner += cast("dict[str, Any]", item).values()
            elif isinstance(item, list):
                inner += cast("list[Any]", item)
        layer = [item for item in inner if isinstance(item, (dict, list))]
        if not layer:
            return False
    return True


def _pieces(data: bytes) -> list[bytes]:
    """The line cut where one JSON object ends and the next begins; empty when it cannot be cut so."""
    if b"}{" not in data and b"} {" not in data:
        return []
    pieces: list[bytes] = []
    position = 0
    try:
        text = data.decode()
        while position < len(text) and len(pieces) < _MAX_OBJECTS:
            end = _DECODER.raw_decode(text, position)[1]
            pieces.append(text[position:end].encode())
            position = end + len(text[end:]) - len(text[end:].lstrip())
    except (ValueError, RecursionError):
        return []
    return pieces if position == len(text) else []


def _why_not(data: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as unreadable:
        return f"not UTF-8: byte {data[unreadable.start]:#04x} at {unreadable.start}"
    try:
        _read_slowly(text)
    except RefusedError as refused:
        return str(refused)
    return "a lone surrogate" if "surrogate" in str(error) else f"not JSON: {error}"


def _read_slowly(text: str) -> None:
    try:
        _STRICT_DECODER.decode(text)
    except json.JSONDecodeError as error:
        msg = f"not JSON: {error.msg.removesuffix(' at')} at column {error.pos + 1}"
        raise RefusedError(msg) from None
    except RecursionError:
        raise RefusedError(_TOO_DEEP) from None


def _constant(name: str) -> NoReturn:
    msg = f"a number that is {name}"
    raise RefusedError(msg)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        msg = f"a number too large to hold: {digits[:40]}"
        raise RefusedError(msg)
    return number


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or not -(2**63) <= (number := int(digits)) < 2**64:
        msg = f"an integer of more than 64 bits: {digits[:40]}"
        raise RefusedError(msg)
    return number


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        repeated = next(name for name, _ in pairs if name in seen or seen.add(name))
        msg = f"the key {repeated[:80]!r} stands twice in one object"
        raise RefusedError(msg)
    return fields


def _name_of(value: Any) -> str:
    if value is None:
        return "null"
    names = {"list": "a list", "str": "a string", "bool": "true or false"}
    return names.get(value.__class__.__name__, "a number")


_DECODER = json.JSONDecoder()
_STRICT_DECODER = json.JSONDecoder(
    parse_constant=cast("Callable[[str], Any]", _constant),
    parse_float=_finite,
    parse_int=_whole,
    object_pairs_hook=_without_repeats,
)
