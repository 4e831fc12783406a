"""How a scripted reply looks on the wire: one JSON message, or a stream of server-sent events."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from agentflows.testing.counting import CHARS_PER_TOKEN, content_tokens
from agentflows.testing.replies import Reply

PIECE = 40
"""Characters per streamed text delta."""


def message(reply: Reply, body: dict[str, Any], ident: str, input_usage: dict[str, int]) -> dict[str, Any]:
    """The reply as a message of the API, cut at the request's `max_tokens`."""
    reply = _within_max_tokens(reply, body["max_tokens"])
    content = [_with_id(block, ident, number) for number, block in enumerate(reply.content)]
    computed = {**input_usage, "output_tokens": content_tokens(reply.content)}
    return {
        "id": ident,
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": reply.stop_details,
        "usage": computed if reply.usage is None else dict(reply.usage),
    }


def _within_max_tokens(reply: Reply, max_tokens: int) -> Reply:
    *before, last = reply.content or ({"type": "none"},)
    if content_tokens(reply.content) <= max_tokens or last["type"] != "text":
        return reply
    spent = content_tokens(tuple(before)) if before else 0
    room = max(0, max_tokens - spent) * CHARS_PER_TOKEN
    cut = {**last, "text": last["text"][:room]}
    return replace(reply, content=(*before, cut), stop_reason="max_tokens", value=None)


def _with_id(block: dict[str, Any], ident: str, number: int) -> dict[str, Any]:
    if block["type"] == "tool_use" and not block["id"]:
        return {**block, "id": f"toolu_{ident.removeprefix('msg_')}_{number}"}
    return block


def event(name: str, data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def events(reply: Reply, full: dict[str, Any]) -> Iterator[bytes]:
    """The message as a stream, with the reply's stream fault in it if it has one."""
    start: dict[str, Any] = {**full, "content": [], "stop_reason": None, "stop_details": None}
    start["usage"] = {**full["usage"], "output_tokens": 1} if full["usage"] else {}
    yield event("message_start", {"message": start})
    yield event("ping", {})
    for number, block in enumerate(full["content"]):
        yield from _block_events(number, block)
        if reply.fault == "stream_error":
            error = {"type": reply.error_type, "message": reply.error_message}
            yield event("error", {"error": error})
            return
    if reply.fault == "stream_cut_before_delta":
        return
    delta = {key: full[key] for key in ("stop_reason", "stop_sequence", "stop_details")}
    usage = full["usage"] or {"output_tokens": 0}
    yield event("message_delta", {"delta": delta, "usage": usage})
    if reply.fault == "stream_cut_after_delta":
        return
    yield event("message_stop", {})


def _block_events(number: int, block: dict[str, Any]) -> Iterator[bytes]:
    yield event("content_block_start", {"index": number, "content_block": _emptied(block)})
    for delta in _deltas(block):
        yield event("content_block_delta", {"index": number, "delta": delta})
    yield event("content_block_stop", {"index": number})


def _emptied(block: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {key: empty.get(key, value) if key != "type" else value for key, value in block.items()}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in _pieces(block["text"]))
    elif block["type"] == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"]))
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        for piece in _pieces(json.dumps(block["input"])):
            yield {"type": "input_json_delta", "partial_json": piece}


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), PIECE):
        yield text[start : start + PIECE]
