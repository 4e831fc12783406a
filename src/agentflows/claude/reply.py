"""What comes back: reading a reply off the wire, and judging whether it is what was asked for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, ValidationError

from agentflows.errors import ModelOutputError
from agentflows.session import Usage

M = TypeVar("M", bound=BaseModel)

OutputKind = Literal["refusal", "truncated", "context_exceeded", "unfinished", "no_json", "off_schema"]
"""`ModelOutputError.kind`.

* `refusal`: the model declined; `truncated`: it ran into `max_tokens`
* `context_exceeded`: the input is longer than the model can read
* `unfinished`: the reply ended for a reason that is no success (`tool_use`, `pause_turn`, none at all)
* `no_json`, `off_schema`: it ended well, and does not hold what was asked for, even after repairs
"""

_SUCCESS = frozenset({"end_turn", "stop_sequence"})
"""All else is no success. The output still has to validate."""

_FAILED_STOPS: dict[str, OutputKind] = {
    "refusal": "refusal",
    "max_tokens": "truncated",
    "model_context_window_exceeded": "context_exceeded",
}
_ADVICE: dict[OutputKind, str] = {
    "refusal": "Leave out the session it is about, or use another model",
    "truncated": "Raise `max_tokens`, or ask about less at once",
    "context_exceeded": "Ask about less at once, or choose a model that takes more",
    "unfinished": "Try again; if it stays, the endpoint is not fully compatible",
    "no_json": "Try again, or use a model that follows schemas",
    "off_schema": "Try again, or use a model that follows schemas",
}
_LONGEST_FAULT = 2_000


@dataclass(frozen=True, slots=True)
class Heard:
    """One reply as it came."""

    text: str
    """Of all text blocks, without thinking."""
    stop_reason: str
    """"" when there was none."""
    usage: Usage
    is_counted: bool
    """Whether the endpoint said what it used."""
    model: str
    request_id: str
    refusal_category: str = ""
    content: tuple[dict[str, Any], ...] = ()
    """All blocks as they came, for conversations that send them back."""
    message_id: str = ""


class UnusableError(Exception):
    """A reply that is not what was asked for."""

    def __init__(self, *, kind: OutputKind, detail: str) -> None:
        super().__init__(detail)
        self.kind: OutputKind = kind
        self.detail = detail

    @property
    def is_repairable(self) -> bool:
        """Whether telling the model may help."""
        return self.kind in ("no_json", "off_schema")

    def error(self, model: str) -> ModelOutputError:
        """What the caller gets to see."""
        error = ModelOutputError(
            f"The reply of {model} cannot be used: {self.kind}: {self.detail}. {_ADVICE[self.kind]}."
        )
        error.kind = self.kind
        return error


def heard(message: dict[str, Any], request_id: str) -> Heard:
    """Read a decoded message. Fields that compatible servers leave out are taken as absent.

    Raises:
        ValueError: it is no message at all.
    """
    content: Any = message.get("content")
    if message.get("type", "message") != "message" or not isinstance(content, list):
        found = sorted(message)[:8]
        msg = f"expected a message with a list of content blocks, found an object with {found}"
        raise ValueError(msg)
    blocks = cast("list[dict[str, Any]]", content)
    usage: dict[str, Any] = message.get("usage") or {}
    details: dict[str, Any] = message.get("stop_details") or {}
    return Heard(
        text="".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text"),
        stop_reason=message.get("stop_reason") or "",
        usage=_usage(usage),
        is_counted=bool(usage.get("input_tokens") or usage.get("output_tokens")),
        model=str(message.get("model") or ""),
        request_id=request_id,
        refusal_category=str(details.get("category") or ""),
        content=tuple(blocks),
        message_id=str(message.get("id") or ""),
    )


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(
        input_tokens=int(usage.get("input_tokens") or 0),
        output_tokens=int(usage.get("output_tokens") or 0),
        cache_read_tokens=int(usage.get("cache_read_input_tokens") or 0),
        cache_write_tokens=int(usage.get("cache_creation_input_tokens") or 0),
    )


def accept(reply: Heard, schema: type[M]) -> M:
    """The value in a reply.

    Raises:
        UnusableError: it did not end well, or does not hold one JSON object that fits.
    """
    if reply.stop_reason not in _SUCCESS:
        kind = _FAILED_STOPS.get(reply.stop_reason, "unfinished")
        category = f" ({reply.refusal_category})" if reply.refusal_category else ""
        detail = f"expected the stop reason 'end_turn', found {reply.stop_reason!r}{category}"
        raise UnusableError(kind=kind, detail=detail)
    try:
        return schema.model_validate_json(reply.text)
    except ValidationError as error:
        whole_fault = error
    candidates = list(objects_in(reply.text))
    if not candidates:
        detail = f"expected one JSON object, found {_excerpt(reply.text)}"
        raise UnusableError(kind="no_json", detail=detail) from whole_fault
    fitting = [value for value in (_fitting(text, schema) for text in candidates) if value is not None]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        detail = f"expected one JSON object, found {len(fitting)} that fit"
        raise UnusableError(kind="off_schema", detail=detail)
    raise UnusableError(kind="off_schema", detail=_described(candidates[0], schema)) from whole_fault


def _fitting(text: str, schema: type[M]) -> M | None:
    try:
        return schema.model_validate_json(text)
    except ValidationError:
        return None


def _described(text: str, schema: type[BaseModel]) -> str:
    try:
        schema.model_validate_json(text)
    except ValidationError as error:
        faults = (f"{_place(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False))
        return "; ".join(faults)[:_LONGEST_FAULT]
    return ""


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "the object"


def _excerpt(text: str) -> str:
    return f"{text.strip()[:80]!r}" if text.strip() else "no text"


def objects_in(text: str) -> Iterator[str]:
    """The outermost JSON objects in a text, from left to right."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):  # not JSON from here, or nested past reason
            start = text.find("{", start + 1)
            continue
        yield text[start:end]
        start = text.find("{", end)
