"""What is sent: the question with its schema and cache marks, and how it is asked again after a bad reply."""

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import anthropic
from pydantic import BaseModel

from agentflows.errors import UsageError

Mode = Literal["native", "prompted"]
"""How the schema is asked for: by `output_config`, or, where an endpoint lacks that, in the prompt."""

# Part of the wire format rather than prompts of a feature: they say how to reply, not what.
_ASK_FOR_JSON = (
    "Reply with exactly one JSON object that fits this JSON schema, and nothing before or after it:\n\n{}"
)
_ASK_AGAIN = (
    "That reply cannot be used: {}\n\nReply again with exactly one JSON object that fits this JSON schema, and "
    "nothing before or after it:\n\n{}"
)
_NO_TEXT = "(no text)"
_CACHED = {"type": "ephemeral"}


@dataclass(frozen=True, slots=True)
class Question:
    """One request for structured output, before and after repairs."""

    system: tuple[str, ...]
    user: tuple[str, ...]
    schema: dict[str, Any]
    """As the endpoint can enforce it; the rest of the model's rules is checked here."""
    max_tokens: int
    mode: Mode = "native"
    repairs: tuple[tuple[str, str], ...] = ()
    """Bad replies so far, each with what was wrong."""

    def prompted(self) -> "Question":
        """The same question for an endpoint that does not know `output_config`."""
        return replace(self, mode="prompted", repairs=())

    def repaired(self, reply: str, fault: str) -> "Question":
        """The same question after a reply with `fault`."""
        return replace(self, repairs=(*self.repairs, (reply, fault)))

    @property
    def schema_text(self) -> str:
        """The schema as a model reads it."""
        return json.dumps(self.schema, ensure_ascii=False)

    @property
    def texts(self) -> list[str]:
        """Everything that counts as input."""
        said = [part for reply, fault in self.repairs for part in (reply, self._again(fault))]
        return [*self.system, *self.user, self.schema_text, *said]

    def body(self) -> dict[str, Any]:
        """The request, without the model."""
        system = list(self.system)
        if self.mode == "prompted":
            system.append(_ASK_FOR_JSON.format(self.schema_text))
        body: dict[str, Any] = {"max_tokens": self.max_tokens, "messages": self._messages()}
        if system:
            body["system"] = _blocks(system, mark=len(system) - 1)
        if self.mode == "native":
            body["output_config"] = {"format": {"type": "json_schema", "schema": self.schema}}
        return body

    def _messages(self) -> list[dict[str, Any]]:
        # The last block is what changes from call to call; all before it is a prefix worth keeping.
        messages = [{"role": "user", "content": _blocks(self.user, mark=len(self.user) - 2)}]
        for reply, fault in self.repairs:
            messages.append({"role": "assistant", "content": _blocks([reply.strip() or _NO_TEXT])})
            messages.append({"role": "user", "content": _blocks([self._again(fault)])})
        return messages

    def _again(self, fault: str) -> str:
        return _ASK_AGAIN.format(fault, self.schema_text)


def question(
    system: Sequence[str], user: Sequence[str], schema: type[BaseModel], max_tokens: int
) -> Question:
    """A question of these parts; empty parts are left out, as the API refuses them.

    Raises:
        UsageError: nothing is asked, or `max_tokens` is below 1.
    """
    asked = tuple(part for part in user if part.strip())
    if not asked:
        msg = f"A question needs text in `user`, found {list(user)!r}. Give at least one block that is not blank."
        raise UsageError(msg)
    if max_tokens < 1:
        msg = f"`max_tokens` must be at least 1, found {max_tokens!r}."
        raise UsageError(msg)
    told = tuple(part for part in system if part.strip())
    return Question(told, asked, _enforceable(schema), max_tokens)


@functools.cache
def _enforceable(schema: type[BaseModel]) -> dict[str, Any]:
    # Kept, because making it takes longer than all the rest of a request's preparation. Nobody changes it.
    return anthropic.transform_schema(schema)


def conversation(
    system: Sequence[str],
    messages: Sequence[dict[str, Any]],
    tools: Sequence[dict[str, Any]],
    max_tokens: int,
) -> dict[str, Any]:
    """One more request of a conversation with tools, without the model.

    Marked for the cache: what never changes, and all that was said so far, which the next request sends again.
    """
    told = [part for part in system if part.strip()]
    body: dict[str, Any] = {"max_tokens": max_tokens, "messages": _marked(messages)}
    if told:
        body["system"] = _blocks(told, mark=len(told) - 1)
    if tools:
        body["tools"] = list(tools)
    return body


def _marked(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with a mark on their last block, where it is one that takes it."""
    *before, last = messages
    *blocks, final = last["content"]
    if last["role"] != "user":
        return list(messages)
    return [*before, {**last, "content": [*blocks, {**final, "cache_control": _CACHED}]}]


def sha256_of(body: dict[str, Any]) -> str:
    """Identity of a request's body."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _blocks(texts: Sequence[str], mark: int = -1) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts]
    if mark >= 0:
        blocks[mark]["cache_control"] = _CACHED
    return blocks
