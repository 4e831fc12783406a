"""Messages in the two common shapes, Anthropic's and OpenAI's, as turns: one content block, one turn."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

import orjson

from agentflows.readers.draft import Draft
from agentflows.readers.fields import canonical, items, label, moment, table, tables, text, tokens
from agentflows.readers.recalled import is_memory_call
from agentflows.readers.typed import typed_spans
from agentflows.session import Span, Trust

ROLES = {"user", "human", "assistant", "ai", "system", "developer", "tool", "function"}
_TEXT_BLOCKS = {"text", "input_text", "output_text", "refusal"}
_VARYING = {"system", "thinking"}
_CALL_BLOCKS = {"tool_use", "server_tool_use", "mcp_tool_use"}


@dataclass(frozen=True, slots=True)
class Place:
    """What all turns of one message share."""

    line: int
    origin: str = ""
    at: datetime | None = None
    thread: str = ""
    model: str = ""

    @property
    def shared(self) -> dict[str, Any]:
        """The fields every turn of the message bears."""
        return {"line": self.line, "origin": self.origin, "at": self.at, "thread": self.thread}


class Chat:
    """Adds messages to a draft.

    Args:
        draft: the session.
        errors_by_text: whether a tool result that begins with `Error` is an error although no field says so.
        may_repeat: whether other transcripts may be the same conversation, shorter or longer: a log of API calls
            repeats all that was said before in every call. What was said once then is one event (`Turn.origin`).
    """

    def __init__(self, draft: Draft, *, errors_by_text: bool = False, may_repeat: bool = False) -> None:
        self._draft = draft
        self._errors_by_text = errors_by_text
        self._may_repeat = may_repeat
        self._so_far = ""
        self._memory_calls: set[str] = set()

    def take(self, message: dict[str, Any], *, line: int, model: str = "") -> None:
        """Add one message. Its `timestamp`, `id`, `model` and `usage` are used where it has them."""
        at = moment(message.get("timestamp") or message.get("created_at"))
        self._draft.seen_at(at)
        place = Place(line, label(message.get("id")), at, "", text(message.get("model")) or model)
        first = len(self._draft.turns)
        match text(message.get("role")):
            case "user" | "human":
                self._user(message, place)
            case "assistant" | "ai":
                self._assistant(message, place)
            case "tool" | "function":
                self._tool(message, place)
            case _:
                self._draft.add("system", 1, content_text(message.get("content")), **place.shared)
        if self._may_repeat:
            self._name_events(first, at)

    def _name_events(self, first: int, at: datetime | None) -> None:
        """Name what was said by all that was said up to it, so that it has the same name in every copy.

        System prompts and reasoning are left out: callers change the former and drop the latter between calls.
        """
        turns = self._draft.turns
        said = [(turn.kind, turn.tool, turn.text) for turn in turns[first:] if turn.kind not in _VARYING]
        if said:
            words = orjson.dumps([self._so_far, str(at or ""), said])
            self._so_far = f"sha256:{hashlib.sha256(words).hexdigest()}"
        for number in range(first, len(turns)):
            turns[number] = replace(turns[number], origin=turns[number].origin or self._so_far)

    def call(self, given: dict[str, Any], place: Place, *, trust: Trust = 2) -> None:
        """Add a tool call: Anthropic's block, or OpenAI's call with its arguments as a JSON string."""
        function = table(given.get("function")) or given
        tool = text(function.get("name"))
        arguments = decoded(function.get("input", function.get("arguments")))
        words = arguments if isinstance(arguments, str) else canonical(arguments)
        call = self._draft.called(text(given.get("id")), tool)
        spans: tuple[Span, ...] = ()
        if is_memory_call(tool, arguments):
            self._memory_calls.add(call)
            spans = (Span(0, len(words), "recalled"),)
        fields = {"tool": tool, "tool_use_id": call, "spans": spans, "model": place.model}
        self._draft.add("tool_call", trust, words, **fields, **place.shared)

    def result(self, tool_use_id: str, content: Any, place: Place, *, is_error: bool) -> None:
        """Add what a tool answered."""
        said = content_text(content)
        call, tool = self._draft.answered(tool_use_id)
        is_error = is_error or (self._errors_by_text and said.startswith("Error"))
        spans = (Span(0, len(said), "recalled"),) if said and call in self._memory_calls else ()
        fields = {"tool": tool, "tool_use_id": call, "is_error": is_error, "spans": spans}
        self._draft.add("tool_result", 1, said, **fields, **place.shared)

    def _user(self, message: dict[str, Any], place: Place) -> None:
        for block in _blocks(message.get("content")):
            if block.get("type") == "tool_result":
                is_error = block.get("is_error") is True
                self.result(text(block.get("tool_use_id")), block.get("content"), place, is_error=is_error)
            elif text(block.get("type")) in _TEXT_BLOCKS:
                said = _words(block)
                self._draft.add("user", 3, said, spans=typed_spans(said), **place.shared)
            else:
                self._draft.add("system", 1, _shown(block), **place.shared)

    def _assistant(self, message: dict[str, Any], place: Place) -> None:
        self._draft.spent(f"message at turn {len(self._draft.turns)}", tokens(message.get("usage")))
        thought = text(message.get("reasoning_content")) or text(message.get("reasoning"))
        self._draft.add("thinking", 2, thought, model=place.model, **place.shared)
        for block in _blocks(message.get("content")):
            if text(block.get("type")) in _TEXT_BLOCKS:
                self._draft.add("agent", 2, _words(block), model=place.model, **place.shared)
            elif block.get("type") == "thinking":
                self._draft.add("thinking", 2, text(block.get("thinking")), model=place.model, **place.shared)
            elif text(block.get("type")) in _CALL_BLOCKS:
                self.call(block, place)
            else:
                self._draft.add("system", 1, _shown(block), **place.shared)
        calls = tables(message.get("tool_calls"))
        legacy = table(message.get("function_call"))
        for given in [*calls, *([legacy] if legacy else [])]:
            self.call(given, place)

    def _tool(self, message: dict[str, Any], place: Place) -> None:
        call = text(message.get("tool_call_id")) or self._draft.oldest_call(text(message.get("name")))
        is_error = message.get("is_error") is True or message.get("error") is True
        self.result(call, message.get("content"), place, is_error=is_error)


def is_message(value: Any) -> bool:
    """Whether this is a message of a chat: a role we know, and contents or calls."""
    fields = table(value)
    return text(fields.get("role")) in ROLES and not {"content", "tool_calls", "function_call"}.isdisjoint(
        fields
    )


def content_text(content: Any) -> str:
    """The text of a message or tool result."""
    if isinstance(content, str):
        return content
    if isinstance(content, (dict, bool, int, float)):
        return canonical(content)
    return "\n".join(shown for block in _blocks(content) if (shown := _words(block) or _shown(block)))


def decoded(arguments: Any) -> Any:
    """A call's arguments: OpenAI sends them as a string of JSON, which a model may have got wrong."""
    if not isinstance(arguments, str):
        return {} if arguments is None else arguments
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return arguments
    return cast("Any", value) if isinstance(value, (dict, list)) else arguments


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [
        {"type": "text", "text": block} if isinstance(block, str) else table(block)
        for block in items(content)
    ]


def _words(block: dict[str, Any]) -> str:
    return text(block.get("text")) or text(block.get("refusal"))


def _shown(block: dict[str, Any]) -> str:
    kind = text(block.get("type"))
    return (
        f"[{kind}]"
        if kind in {"image", "image_url", "input_image", "document", "file", "input_audio"}
        else ""
    )
