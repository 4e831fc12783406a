"""The Messages API's request rules, as strictly as a fake needs them: what is not known is refused.

A lenient fake hides faults: a server that ignores `thread`, for one, silently loses the conversation.
"""

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentflows.testing.schemas import unsupported


class InvalidRequestError(Exception):
    """The request breaks a rule; answered with status 400."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _CacheControl(_Strict):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class _Cacheable(_Strict):
    cache_control: _CacheControl | None = None


class _Text(_Cacheable):
    type: Literal["text"]
    text: str = Field(min_length=1)
    citations: list[Any] | None = None


class _Image(_Cacheable):
    type: Literal["image"]
    source: dict[str, Any]


class _Document(_Cacheable):
    type: Literal["document"]
    source: dict[str, Any]
    title: str | None = None
    context: str | None = None
    citations: dict[str, Any] | None = None


class _Thinking(_Strict):
    type: Literal["thinking"]
    thinking: str
    signature: str = Field(min_length=1)


class _RedactedThinking(_Strict):
    type: Literal["redacted_thinking"]
    data: str


class _ToolUse(_Cacheable):
    type: Literal["tool_use"]
    id: str = Field(pattern=r"^[a-zA-Z0-9_-]+$")
    name: str
    input: dict[str, Any]
    caller: dict[str, Any] | None = None


_ResultPart = Annotated[_Text | _Image | _Document, Field(discriminator="type")]


class _ToolResult(_Cacheable):
    type: Literal["tool_result"]
    tool_use_id: str
    content: str | list[_ResultPart] = ""
    is_error: bool = False


_UserBlock = Annotated[_Text | _Image | _Document | _ToolResult, Field(discriminator="type")]
_AssistantBlock = Annotated[_Text | _Thinking | _RedactedThinking | _ToolUse, Field(discriminator="type")]


class _User(_Strict):
    role: Literal["user"]
    content: Annotated[str, Field(min_length=1)] | Annotated[list[_UserBlock], Field(min_length=1)]


class _Assistant(_Strict):
    role: Literal["assistant"]
    content: Annotated[str, Field(min_length=1)] | Annotated[list[_AssistantBlock], Field(min_length=1)]


class _Tool(_Cacheable):
    type: Literal["custom"] | None = None
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")
    description: str = ""
    input_schema: dict[str, Any]
    strict: bool = False
    input_examples: list[dict[str, Any]] = []
    defer_loading: bool = False
    eager_input_streaming: bool | None = None


class _ToolChoice(_Strict):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool = False


class _Format(_Strict):
    type: Literal["json_schema"]
    json_schema: dict[str, Any] = Field(alias="schema")


class _OutputConfig(_Strict):
    format: _Format | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None


class _Metadata(_Strict):
    user_id: str | None = None


class _ThinkingConfig(_Strict):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = Field(default=None, ge=1024)
    display: Literal["summarized", "omitted"] | None = None


class _CountTokens(_Strict):
    model: str = Field(min_length=1)
    messages: list[Annotated[_User | _Assistant, Field(discriminator="role")]] = Field(min_length=1)
    system: str | list[_Text] = ""
    tools: list[_Tool] = []
    tool_choice: _ToolChoice | None = None
    thinking: _ThinkingConfig | None = None
    output_config: _OutputConfig = _OutputConfig()
    cache_control: _CacheControl | None = None


class _Create(_CountTokens):
    max_tokens: int = Field(ge=1)
    stream: bool = False
    stop_sequences: list[Annotated[str, Field(min_length=1)]] = []
    metadata: _Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None


def check_create(body: Any, *, extra_fields: Collection[str] = (), is_resumed: bool = False) -> None:
    """Raise `InvalidRequestError` unless `body` is a faultless request for a message.

    `is_resumed` is whether its last message is a reply that was paused: that one is sent back to be gone on with.
    """
    _check(body, _Create, extra_fields, is_resumed=is_resumed)


def check_count_tokens(body: Any, *, extra_fields: Collection[str] = ()) -> None:
    """Raise `InvalidRequestError` unless `body` is a faultless request to count tokens."""
    _check(body, _CountTokens, extra_fields)


def _check(
    body: Any, shape: type[_CountTokens], extra_fields: Collection[str], *, is_resumed: bool = False
) -> None:
    if not isinstance(body, dict):
        msg = "the body must be a JSON object"
        raise InvalidRequestError(msg)
    fields: dict[str, Any] = {k: v for k, v in body.items() if k not in extra_fields}  # pyright: ignore[reportUnknownVariableType]
    try:
        request = shape.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"{place}: {first['msg']}"
        raise InvalidRequestError(msg) from error
    for fault in _faults(request, is_resumed=is_resumed):
        raise InvalidRequestError(fault)


def _faults(request: _CountTokens, *, is_resumed: bool) -> Iterator[str]:
    yield from _role_faults(request, is_resumed=is_resumed)
    yield from _tool_faults(request)
    yield from _pairing_faults(request)
    if request.output_config.format:
        yield from unsupported(request.output_config.format.json_schema, "output_config.format.schema")
    marks = _cache_marks(request)
    if marks > 4:
        yield f"A maximum of 4 blocks with cache_control may be provided. Found {marks}."


def _role_faults(request: _CountTokens, *, is_resumed: bool) -> Iterator[str]:
    if request.messages[0].role != "user":
        yield 'messages: first message must use the "user" role'
    if request.messages[-1].role != "user" and not is_resumed:
        yield "messages: the conversation must end with a user message; prefill is not supported"
    for number, (before, after) in enumerate(pairwise(request.messages)):
        if before.role == after.role:
            # The hosted API joins such messages; chat templates of other servers fail on them.
            yield f'messages.{number + 1}: roles must alternate between "user" and "assistant"'


def _tool_faults(request: _CountTokens) -> Iterator[str]:
    names = [tool.name for tool in request.tools]
    if len(names) != len(set(names)):
        yield "tools: Tool names must be unique."
    for tool in request.tools:
        if tool.input_schema.get("type") != "object":
            yield f'tools.{tool.name}.input_schema.type: must be "object"'
    choice = request.tool_choice
    if choice and not names:
        yield "tool_choice: may only be specified while providing tools."
    if choice and choice.type == "tool" and choice.name not in names:
        yield f"tool_choice: Tool {choice.name!r} not found in provided tools"


def _pairing_faults(request: _CountTokens) -> Iterator[str]:
    open_calls: set[str] = set()
    for number, message in enumerate(request.messages):
        blocks = [] if isinstance(message.content, str) else message.content
        results = [block.tool_use_id for block in blocks if isinstance(block, _ToolResult)]
        if set(results) != open_calls or len(results) != len(open_calls):
            yield (
                f"messages.{number}: each `tool_use` block must have exactly one `tool_result` in the next "
                f"message. Calls {sorted(open_calls)}, results {sorted(results)}."
            )
        if results and not all(isinstance(block, _ToolResult) for block in blocks[: len(results)]):
            yield f"messages.{number}: `tool_result` blocks must come before other content"
        open_calls = {block.id for block in blocks if isinstance(block, _ToolUse)}
        if open_calls and not request.tools:
            yield f"messages.{number}: `tool_use` blocks need `tools` to be defined"


def _cache_marks(request: _CountTokens) -> int:
    blocks: list[Any] = [*request.tools, *(request.system if isinstance(request.system, list) else ())]
    for message in request.messages:
        blocks.extend(() if isinstance(message.content, str) else message.content)
    marked = sum(1 for block in blocks if getattr(block, "cache_control", None))
    return marked + (request.cache_control is not None)
