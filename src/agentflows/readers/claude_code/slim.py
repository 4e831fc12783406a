"""Claude Code lines without their dead weight.

Dropped, because no reader reads them, the message beside them says them, and they make up half of a log: in
`toolUseResult` every text over 1,000 characters (file contents before and after an edit, standard output) and every
`structuredPatch`; in progress lines the output so far; the bytes of images. The native file keeps them.
"""

from collections.abc import Callable
from typing import Any, cast

_LONG = 1000
_ERROR = "Error:"
"""All that is read of a long report. It is not cut elsewhere: half a secret is found by no rule."""
_PATCH = "structuredPatch"
_SPOKEN = {"answers", "questions"}
"""What the user answered is read."""
_STREAMED = ("output", "fullOutput", "normalizedMessages")


def slim(record: dict[str, Any]) -> dict[str, Any]:
    """The record without it, or the same record when there is nothing to drop. Slimming twice is slimming once."""
    slimmed = record
    if "toolUseResult" in record:
        slimmed = {**slimmed, "toolUseResult": _without_long(record["toolUseResult"])}
    if isinstance(record.get("data"), dict):
        slimmed = {**slimmed, "data": _slim_progress(record["data"])}
    if _has_blocks(record.get("message")):
        slimmed = {**slimmed, "message": _without_images(record["message"])}
    return slimmed


def _without_long(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONG else _ERROR if value.startswith(_ERROR) else ""
    if isinstance(value, list):
        return [_without_long(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    return {
        name: item if name in _SPOKEN else _without_long(item)
        for name, item in fields.items()
        if name != _PATCH
    }


def _slim_progress(data: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in data.items() if name not in _STREAMED}
    message = kept.get("message")
    if isinstance(message, dict):
        kept["message"] = slim(cast("dict[str, Any]", message))
    return kept


def _has_blocks(message: Any) -> bool:
    return isinstance(message, dict) and isinstance(cast("dict[str, Any]", message).get("content"), list)


def _without_images(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "content": [_each(block, _without_bytes) for block in message["content"]]}


def _without_bytes(block: dict[str, Any]) -> dict[str, Any]:
    if isinstance(block.get("content"), list):
        return {**block, "content": [_each(inner, _without_bytes) for inner in block["content"]]}
    source = block.get("source")
    if isinstance(source, dict) and "data" in source:
        return {**block, "source": {**cast("dict[str, Any]", source), "data": ""}}
    return block


def _each(block: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    return change(cast("dict[str, Any]", block)) if isinstance(block, dict) else block
