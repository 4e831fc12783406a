"""Who decides what the fake answers: faults first, then queues by marker, then a queue, then a script."""

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from agentflows.testing.counting import segments, wanted_schema
from agentflows.testing.replies import Reply
from agentflows.testing.schemas import least, misfits


@dataclass(frozen=True, slots=True)
class FakeRequest:
    """One request to create a message, as a script sees it."""

    number: int
    """From 1, in the order of arrival."""
    body: dict[str, Any]
    headers: dict[str, str]
    """Names in lower case."""

    @property
    def model(self) -> str:
        """The model asked for."""
        return str(self.body["model"])

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema the reply must fit, if one is asked for."""
        return wanted_schema(self.body)

    @property
    def text(self) -> str:
        """Everything the model would read, block after block: schema, tools, system, messages."""
        return "\n".join(segment.text for segment in segments(self.body))

    @property
    def last_text(self) -> str:
        """The last block of the last message."""
        content = self.body["messages"][-1]["content"]
        return content if isinstance(content, str) else str(content[-1].get("text", content[-1]))


Scripted = Reply | BaseModel | Mapping[str, Any] | str
"""What a script may return: a model or mapping is structured output, a str is text."""

Script = Callable[[FakeRequest], Scripted]


class ScriptError(AssertionError):
    """The script, not the code under test, is at fault: it has no answer, raised, or does not fit the schema."""


def minimal_reply(request: FakeRequest) -> Reply:
    """A script for load: the least JSON that fits the schema asked for, or the word "ok"."""
    return Reply.text("ok" if request.schema is None else json.dumps(least(request.schema)))


class Scripts:
    """All scripted answers of one fake. Safe to use from many connections at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: deque[Reply] = deque()
        self._batch_faults: deque[Reply] = deque()
        self._queue: deque[Scripted] = deque()
        self._marked: list[tuple[str, deque[Scripted] | Script]] = []
        self._script: Script | None = None

    def first(self, *replies: Reply) -> None:
        """Answer the next requests with these, whatever they ask."""
        with self._lock:
            self._faults.extend(replies)

    def first_on_batches(self, *faults: Reply) -> None:
        """Let the next requests about batches (not those in them) end so, whatever they ask."""
        with self._lock:
            self._batch_faults.extend(faults)

    def batch_fault(self) -> Reply | None:
        """How the request about a batch that is to be answered now shall end; None for well."""
        with self._lock:
            return self._batch_faults.popleft() if self._batch_faults else None

    def queue(self, *replies: Scripted) -> None:
        """Answer with these, one each, in this order."""
        with self._lock:
            self._queue.extend(replies)

    def when(self, marker: str, *answers: Scripted | Script) -> None:
        """Answer requests whose text contains `marker` with these in order, or with one script for ever."""
        with self._lock:
            if len(answers) == 1 and callable(answers[0]):
                self._marked.append((marker, answers[0]))
                return
            if any(callable(answer) for answer in answers):
                msg = "`when` takes replies, or one script, not both. Give the marker twice to have both."
                raise TypeError(msg)
            replies: deque[Scripted] = deque(answer for answer in answers if not callable(answer))
            self._marked.append((marker, replies))

    def always(self, script: Script) -> None:
        """Ask `script` for whatever nothing else answers."""
        with self._lock:
            self._script = script

    def answer(self, request: FakeRequest) -> Reply:
        """The answer to `request`.

        Raises:
            ScriptError: nothing is scripted for it, or what is scripted does not fit its schema.
        """
        found = self._pick(request)
        try:
            scripted = found(request) if callable(found) else found
        except Exception as error:
            msg = f"The script raised {type(error).__name__}: {error}"
            raise ScriptError(msg) from error
        reply = _as_reply(scripted)
        _check(reply, request)
        return reply

    def _pick(self, request: FakeRequest) -> Scripted | Script:
        text = request.text
        with self._lock:
            if self._faults:
                return self._faults.popleft()
            for marker, answers in self._marked:
                if marker in text and callable(answers):
                    return answers
                if marker in text and not callable(answers) and answers:
                    return answers.popleft()
            if self._queue:
                return self._queue.popleft()
            if self._script:
                return self._script
        msg = f"Nothing is scripted for request {request.number}. Its last block is {request.last_text[:200]!r}."
        raise ScriptError(msg)


def _as_reply(scripted: Scripted) -> Reply:
    if isinstance(scripted, Reply):
        return scripted
    return Reply.text(scripted) if isinstance(scripted, str) else Reply.json(scripted)


def _check(reply: Reply, request: FakeRequest) -> None:
    if reply.needs_stream and not request.body.get("stream"):
        msg = f"The script answers {reply.fault!r}, which only a streaming request can get; this one is not."
        raise ScriptError(msg)
    known = {tool["name"] for tool in request.body.get("tools", ())}
    calls = {block["name"] for block in reply.content if block["type"] == "tool_use"}
    if calls - known:
        msg = f"The script calls the tools {sorted(calls - known)}, but the request has {sorted(known)}."
        raise ScriptError(msg)
    if reply.value is None:
        return
    if request.schema is None:
        msg = "The script answers with structured output, but the request asks for none. Use `Reply.text`."
        raise ScriptError(msg)
    wrong = list(misfits(reply.value, request.schema))
    if wrong:
        msg = f"The script's value does not fit the schema asked for. {'; '.join(wrong[:5])}."
        raise ScriptError(msg)
