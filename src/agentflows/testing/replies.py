"""What a scripted endpoint answers: a reply, or one of the faults a real endpoint has been seen to make."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import BaseModel

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
    "conflict_error",
]

TYPE_OF_STATUS: Mapping[int, ErrorType] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Every other status is an `api_error`."""

FaultKind = Literal[
    "error",
    "drop_before_headers",
    "drop_after_headers",
    "drop_mid_body",
    "broken_json",
    "wrong_content_type",
    "stream_error",
    "stream_cut_before_delta",
    "stream_cut_after_delta",
    "expired",
]
"""* `error`: an HTTP status with an error body
* `drop_…`: the connection ends without a word, before the answer, after its headers, in its middle
* `broken_json`, `wrong_content_type`: status 200, and yet no message
* `stream_error`: an `error` event inside a stream, HTTP status 200
* `stream_cut_…`: the stream ends cleanly but too early, before or after `message_delta`
* `expired`: a request of a batch that was not begun in time
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer. Make it with the functions below; they can be shared and reused."""

    content: tuple[dict[str, Any], ...] = ()
    """Content blocks as the API sends them."""
    stop_reason: str | None = "end_turn"
    stop_details: dict[str, Any] | None = None
    value: Any = None
    """What `content` is the JSON of; checked against the request's schema. None: nothing to check."""
    fault: FaultKind | None = None
    status: int = 200
    error_type: str = ""
    error_message: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    delay_seconds: float = 0.0
    """Waited before the first byte, on top of the server's own latency."""
    trickle_seconds: float = 0.0
    """Waited between pieces of the body: a server that is alive but slow."""
    usage: dict[str, int] | None = None
    """Instead of the numbers computed from the text."""

    @staticmethod
    def text(text: str, *, thinking: str = "") -> "Reply":
        """Plain text, after a thinking block if there is any."""
        thought = {"type": "thinking", "thinking": thinking, "signature": "fake-signature"}
        spoken = {"type": "text", "text": text, "citations": None}
        return Reply(content=(thought, spoken) if thinking else (spoken,))

    @staticmethod
    def json(value: BaseModel | Mapping[str, Any], *, thinking: str = "") -> "Reply":
        """Structured output. The request must ask for a schema, and `value` must fit it.

        For a value that does not fit, on purpose, use `Reply.text(json.dumps(value))`.
        """
        data: dict[str, Any] = value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(value)
        return replace(Reply.text(json.dumps(data), thinking=thinking), value=data)

    @staticmethod
    def tool_use(name: str, arguments: Mapping[str, Any], *, text: str = "") -> "Reply":
        """A call of one of the request's tools. The server fills in the block's id."""
        call = {"type": "tool_use", "id": "", "name": name, "input": dict(arguments)}
        spoken = ({"type": "text", "text": text, "citations": None},) if text else ()
        return Reply(content=(*spoken, call), stop_reason="tool_use")

    @staticmethod
    def refusal(category: str | None = None, *, text: str = "") -> "Reply":
        """The model declines."""
        details = {"type": "refusal", "category": category, "explanation": None}
        content = Reply.text(text).content if text else ()
        return Reply(content=content, stop_reason="refusal", stop_details=details)

    @staticmethod
    def truncated(text: str) -> "Reply":
        """The reply ran into `max_tokens`."""
        return replace(Reply.text(text), stop_reason="max_tokens")

    @staticmethod
    def stopped(stop_reason: str | None, text: str = "") -> "Reply":
        """Any other stop reason, such as `pause_turn`, or None."""
        return replace(Reply.text(text) if text else Reply(), stop_reason=stop_reason)

    @staticmethod
    def error(
        status: int,
        message: str = "scripted",
        *,
        error_type: str = "",
        retry_after: str | float | None = None,
        should_retry: bool | None = None,
    ) -> "Reply":
        """An HTTP error. `retry_after` goes out as the header, word for word."""
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        if should_retry is not None:
            headers["x-should-retry"] = str(should_retry).lower()
        kind = error_type or TYPE_OF_STATUS.get(status, "api_error")
        return Reply(
            fault="error",
            status=status,
            error_type=kind,
            error_message=message,
            headers=headers,
            stop_reason=None,
        )

    @staticmethod
    def overloaded(*, retry_after: float | None = None) -> "Reply":
        """Status 529: try again later."""
        return Reply.error(529, "Overloaded", retry_after=retry_after)

    @staticmethod
    def drop(when: Literal["before_headers", "after_headers", "mid_body"] = "before_headers") -> "Reply":
        """The connection ends without a word."""
        kinds: dict[str, FaultKind] = {
            "before_headers": "drop_before_headers",
            "after_headers": "drop_after_headers",
            "mid_body": "drop_mid_body",
        }
        return replace(Reply.text("This text will not arrive whole."), fault=kinds[when])

    @staticmethod
    def broken_json() -> "Reply":
        """Status 200 and a JSON content type, but no JSON."""
        return Reply(fault="broken_json")

    @staticmethod
    def wrong_content_type() -> "Reply":
        """Status 200 and a web page, as proxies and sign-in portals send it."""
        return Reply(fault="wrong_content_type")

    @staticmethod
    def stream_error(error_type: str = "overloaded_error", message: str = "scripted") -> "Reply":
        """An `error` event after half of a streamed text. Streaming requests only."""
        half = Reply.text("This text will not arrive whole.")
        return replace(half, fault="stream_error", error_type=error_type, error_message=message)

    @staticmethod
    def stream_cut(
        text: str | BaseModel | Mapping[str, Any] = "This text will not arrive whole.", *, after_delta: bool
    ) -> "Reply":
        """A stream that ends cleanly before, or right after, its `message_delta`. Streaming requests only."""
        reply = Reply.text(text) if isinstance(text, str) else Reply.json(text)
        return replace(reply, fault="stream_cut_after_delta" if after_delta else "stream_cut_before_delta")

    @staticmethod
    def expired() -> "Reply":
        """The batch ran out of time before this request. Requests in batches only."""
        return Reply(fault="expired", stop_reason=None)

    def after(self, seconds: float) -> "Reply":
        """The same, `seconds` later."""
        return replace(self, delay_seconds=seconds)

    def trickling(self, seconds: float) -> "Reply":
        """The same, its body in small pieces with `seconds` between them."""
        return replace(self, trickle_seconds=seconds)

    def counting(self, **usage: int) -> "Reply":
        """The same, with these usage numbers instead of computed ones; none at all leaves `usage` empty."""
        return replace(self, usage=usage)

    @property
    def needs_stream(self) -> bool:
        """Whether only a streaming request can be answered with it."""
        return self.fault in ("stream_error", "stream_cut_before_delta", "stream_cut_after_delta")
