"""A streamed reply, put together from its events."""

from typing import Any


class Listener:
    """Takes the events of one stream and makes the message of them that a plain request would have got.

    It accepts a stream that ends without `message_stop` if it had its `message_delta` and every block was
    closed: nothing is missing from such a reply, and some servers end that way.
    """

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._open: set[int] = set()
        self._has_delta = False
        self._has_stop = False

    def take(self, event: dict[str, Any]) -> None:
        """Note one event; kinds that say nothing about the text or its end are passed over."""
        kind = event.get("type")
        if kind == "message_start":
            self._message = dict(event.get("message") or {})
        elif kind == "content_block_start":
            self._blocks[event["index"]] = dict(event.get("content_block") or {})
            self._open.add(event["index"])
        elif kind == "content_block_delta":
            self._extend(event["index"], event.get("delta") or {})
        elif kind == "content_block_stop":
            self._open.discard(event["index"])
        elif kind == "message_delta":
            self._finish(event)
        elif kind == "message_stop":
            self._has_stop = True

    def _extend(self, index: int, delta: dict[str, Any]) -> None:
        block = self._blocks.setdefault(index, {"type": "text", "text": ""})
        if delta.get("type") == "text_delta":
            block["text"] = block.get("text", "") + delta.get("text", "")

    def _finish(self, event: dict[str, Any]) -> None:
        self._has_delta = True
        delta: dict[str, Any] = event.get("delta") or {}
        usage: dict[str, Any] = self._message.get("usage") or {}
        counted: dict[str, Any] = event.get("usage") or {}
        self._message.update({name: value for name, value in delta.items() if value is not None})
        known = {name: value for name, value in counted.items() if value is not None}
        self._message["usage"] = {**usage, **known}

    @property
    def missing(self) -> str:
        """What a whole reply would still have; "" when nothing is missing."""
        if not self._message:
            return "it ended before its first event"
        if not self._has_delta:
            return "it ended before its stop reason"
        if self._open and not self._has_stop:
            return "it ended inside a content block"
        return ""

    def message(self) -> dict[str, Any]:
        """The message so far."""
        return {**self._message, "content": [block for _, block in sorted(self._blocks.items())]}
