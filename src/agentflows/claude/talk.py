"""A conversation with tools, as far as it has come: what is sent next, and what still waits for an answer.

It is plain data, so that it survives the process: every reply and every tool result is in it before the next step,
and a run that was killed goes on from there.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

_NOT_RUN = "Not run: the reply that asked for it had come to its end."
_UNSENDABLE = frozenset({"citations", "parsed_output"})
"""Fields of a reply's text blocks that are null and no endpoint needs back."""

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool, as the model asked for it."""

    call_id: str
    tool: str
    given: dict[str, Any]

    @property
    def key(self) -> str:
        """The same for the same tool with the same arguments."""
        words = json.dumps([self.tool, self.given], sort_keys=True)
        return hashlib.sha256(words.encode(errors="replace")).hexdigest()[:16]


@dataclass(slots=True)
class Talk:
    """The messages so far. Make it with `begin`, or from what `dump` gave."""

    messages: list[Message] = field(default_factory=list[Message])
    results: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Of the last reply's calls, in their order; they are sent together once the last one is there."""
    replies: int = 0
    """Since the job began."""
    stop_reason: str = ""
    """Of the last reply."""
    stop_detail: str = ""
    called: int = 0
    """Tools the last reply calls."""
    last_key: str = ""
    repeats: int = 0
    """How often in a row the last call was made."""
    most_repeats: int = 0
    """The same of the call of the last reply that was made most often in a row."""
    spent_tokens: int = 0
    spent_dollars: float = 0.0
    """Charged since the job began, attempts of unknown outcome in full."""

    def dump(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> "Talk":
        """What `dump` gave.

        Raises:
            TypeError: it is something else.
        """
        return cls(**data)

    def say(self, *texts: str) -> None:
        """Add words of the user's side. Calls that nobody will answer any more are answered first."""
        blocks: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts if text.strip()]
        left = [result_block(call, _NOT_RUN, is_error=True) for call in self.waiting]
        blocks = [*self.results, *left, *blocks]
        self.results = []
        self.replies, self.stop_reason, self.last_key, self.repeats, self.most_repeats = 0, "", "", 0, 0
        self.spent_tokens, self.spent_dollars = 0, 0.0
        if self.messages and self.messages[-1]["role"] == "user":
            self.messages[-1]["content"].extend(blocks)
        elif blocks:
            self.messages.append({"role": "user", "content": blocks})

    def heard(self, content: Sequence[Mapping[str, Any]], stop_reason: str, detail: str = "") -> None:
        """Add a reply. One without blocks adds nothing, as no endpoint would take it back."""
        self.replies += 1
        self.stop_reason, self.stop_detail = stop_reason, detail
        calls = calls_in(content)
        self.called = len(calls)
        self.most_repeats = max((self._count(call) for call in calls), default=0)
        blocks = [_sendable(block) for block in content]
        blocks = [block for block in blocks if block.get("type") != "text" or block.get("text")]
        if not blocks:
            return
        if self.messages[-1]["role"] == "assistant":  # a reply that was paused, and goes on
            self.messages[-1]["content"].extend(blocks)
        else:
            self.messages.append({"role": "assistant", "content": blocks})

    def answer(self, call: Call, text: str, *, is_error: bool) -> None:
        """Add the result of the next waiting call."""
        self.results.append(result_block(call, text, is_error=is_error))
        if not self.waiting:
            self.messages.append({"role": "user", "content": self.results})
            self.results = []

    def _count(self, call: Call) -> int:
        self.repeats = self.repeats + 1 if call.key == self.last_key else 1
        self.last_key = call.key
        return self.repeats

    @property
    def waiting(self) -> list[Call]:
        """The last reply's calls that have no result yet, in order."""
        if not self.messages or self.messages[-1]["role"] != "assistant":
            return []
        return calls_in(self.messages[-1]["content"])[len(self.results) :]

    @property
    def last_text(self) -> str:
        """What the agent said last."""
        texts = (
            text_in(message["content"])
            for message in reversed(self.messages)
            if message["role"] == "assistant"
        )
        return next((text for text in texts if text), "")

    @property
    def texts(self) -> list[str]:
        """All that is sent, for a bound of its tokens."""
        return [json.dumps(message, ensure_ascii=False) for message in self.messages]


def calls_in(content: Sequence[Mapping[str, Any]]) -> list[Call]:
    """The calls in a reply."""
    return [
        Call(str(block.get("id") or ""), str(block.get("name") or ""), _table(block.get("input")))
        for block in content
        if block.get("type") == "tool_use"
    ]


def text_in(content: Sequence[Mapping[str, Any]]) -> str:
    """What a reply says to its reader."""
    texts = (str(block.get("text") or "") for block in content if block.get("type") == "text")
    return "\n".join(text for text in texts if text)


def result_block(call: Call, text: str, *, is_error: bool) -> dict[str, Any]:
    """A tool result as the API takes it."""
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call.call_id, "content": text}
    return {**block, "is_error": True} if is_error else block


def _sendable(block: Mapping[str, Any]) -> dict[str, Any]:
    """The block as it can be sent back: no null fields of replies, no text that UTF-8 cannot hold."""
    kept = {name: value for name, value in block.items() if not (name in _UNSENDABLE and value is None)}
    if kept.get("type") == "tool_use":
        kept["input"] = _table(kept.get("input"))
    return json.loads(json.dumps(kept, ensure_ascii=False).encode(errors="replace"))


def _table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
