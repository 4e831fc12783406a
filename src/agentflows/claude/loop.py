"""The tool loop: asks the model, runs the tools it calls, and stops for a reason that has a name.

The SDK has such a loop. Ours stands beside it because that one asks for the next reply before a single result could
be saved, runs tools again when results are handed in, tells the model the `repr` of what a tool raised, has no end
of its own, and reads bodies in a way that lets three kinds of fault through untyped. Requests go through the same
`Exchange` as every other: reserve, send, settle, retry, log.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from agentflows.claude.talk import Call, Talk, calls_in
from agentflows.errors import AgentflowsError, BudgetError, EndpointError, PassesOn, SandboxError
from agentflows.session import Usage

REPLY_TOKENS = 16_000
"""Of one reply. Longer ones would have to be streamed; an agent makes more replies instead."""

LoopEnd = Literal["finished", "cap_reached", "truncated", "refused", "failed", "interrupted"]
"""How a conversation ended; the words of `agentflows.evaluation.RunEnd`."""

_FINISHED = frozenset({"end_turn", "stop_sequence"})
_RESUMED = frozenset({"pause_turn", "compaction"})
_TRUNCATED: Mapping[str, str] = {
    "max_tokens": "the reply ran into its limit of {tokens:,} tokens",
    "model_context_window_exceeded": "the conversation is longer than the model can read",
}
_CONTEXT_WORDS = ("context", "too long", "too many tokens", "maximum length", "max_model_len")
_TIME_OVER = "the run took longer than max_seconds"
_NO_CALL = "the reply stopped for a tool and called none"
_log = logging.getLogger(__name__)


class ToolFaultError(Exception):
    """A tool did not do what was asked; the text is written for the model."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model may call."""

    name: str
    description: str
    input_schema: dict[str, Any]
    run: Callable[[dict[str, Any]], str]
    """Raises `ToolFaultError` with a text for the model, or an `AgentflowsError`, whose one line is one."""
    run_call: Callable[[str, dict[str, Any]], str] | None = None
    """Instead of `run` for a tool with effects: takes the call's identity too, which no other call of the conversation
    has. A call whose result was not saved when the process died is made again under the same, and must have no second
    effect."""

    @property
    def definition(self) -> dict[str, Any]:
        """As the API takes it."""
        return {"name": self.name, "description": self.description, "input_schema": self.input_schema}


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the model, paid for."""

    content: tuple[dict[str, Any], ...]
    stop_reason: str
    """"" when there was none."""
    usage: Usage
    tokens: int
    """Charged: lost attempts in full."""
    dollars: float
    model: str
    message_id: str
    detail: str = ""
    """Of a refusal: its category."""


class Watch(Protocol):
    """Is told of everything as it happens, before the next step."""

    def replied(self, reply: Reply) -> None:
        """A reply came and is paid."""
        ...

    def ran(self, call: Call, text: str, *, is_error: bool) -> None:
        """A tool gave this back."""
        ...

    def noted(self, text: str) -> None:
        """Something about the run that neither side said."""
        ...

    def saved(self) -> None:
        """The talk is whole again: what was reported since the last time must not get lost."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """Where a conversation ends if it does not end itself."""

    max_turns: int
    """Replies."""
    max_repeats: int
    """Times in a row that the same tool may be called with the same arguments; the last one is not run."""
    remaining: Callable[[], float]
    """Seconds left of the run."""
    stop: Callable[[], str] | None = None
    """Asked between steps; a text is the reason to end now."""
    max_tokens: int = REPLY_TOKENS
    max_context_tokens: int | None = None
    passes_on: PassesOn = lambda _: False
    """Asked of errors that left a request without a reply: one that is passed on is raised, as the first reply's are."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended."""

    end: LoopEnd
    detail: str = ""
    text: str = ""
    """Of the last reply."""


class Ask(Protocol):
    """Asks for one reply to the talk."""

    def __call__(self, talk: Talk, /) -> Reply:
        """The reply; raises what `Claude.reply` raises."""
        ...


@dataclass(slots=True)
class Loop:
    """One conversation until its end."""

    ask: Ask
    context_tokens: Callable[[Talk], int]
    """The most that sending the talk can be."""
    talk: Talk
    tools: Sequence[Tool]
    rules: Rules
    watch: Watch
    _by_name: dict[str, Tool] = field(init=False)

    def __post_init__(self) -> None:
        self._by_name = {tool.name: tool for tool in self.tools}

    def run(self) -> Ending:
        """Go on until there is a reason to end.

        Raises:
            BudgetError, EndpointError: the very first request of the job could not be made, or got no reply; or another,
                for a reason that is passed on.
        """
        while True:
            ending = self._judged() or self._run_tools() or self._reason_to_end() or self._step()
            if ending:
                return ending

    def _end(self, end: LoopEnd, detail: str = "") -> Ending:
        return Ending(end, detail, self.talk.last_text)

    def _reason_to_end(self) -> Ending | None:
        rules = self.rules
        if rules.stop and (reason := rules.stop()):
            return self._end("interrupted", reason)
        if rules.remaining() <= 0:
            return self._end("cap_reached", _TIME_OVER)
        if self.talk.replies >= rules.max_turns:
            return self._end(
                "cap_reached", f"max_turns, {rules.max_turns} replies, and the work was not finished"
            )
        if rules.max_context_tokens is not None and self.context_tokens(self.talk) > rules.max_context_tokens:
            return self._end(
                "truncated",
                f"the conversation may be longer than max_context_tokens, {rules.max_context_tokens:,} tokens",
            )
        return None

    # -- replies ---------------------------------------------------------------------------------

    def _step(self) -> Ending | None:
        try:
            reply = self.ask(self.talk)
        except BudgetError as error:
            if self.talk.replies == 0 or self.rules.passes_on(error):
                raise
            return self._end("cap_reached", str(error))
        except EndpointError as error:
            return self._unanswered(error)
        self.talk.heard(reply.content, reply.stop_reason, reply.detail)
        self.talk.spent_tokens += reply.tokens
        self.talk.spent_dollars += reply.dollars
        self.watch.replied(reply)
        if reply.stop_reason in _FINISHED and calls_in(reply.content):
            self.watch.noted(
                f"The reply ended with {reply.stop_reason} and calls tools all the same: they are run."
            )
        self.watch.saved()
        return None

    def _unanswered(self, error: EndpointError) -> Ending:
        """No reply came. Too long a conversation is told apart, so that nobody tries the same again."""
        self.talk.spent_tokens += error.tokens
        self.talk.spent_dollars += error.dollars
        if self.rules.remaining() <= 0:
            return self._end("cap_reached", _TIME_OVER)
        # Compatible servers have no code for it: the words of the error are all there is.
        is_refused = error.kind == "invalid_request" and any(
            word in str(error).lower() for word in _CONTEXT_WORDS
        )
        if self.talk.replies and (error.kind == "too_large" or is_refused):
            return self._end(
                "truncated", f"the endpoint does not take a conversation of this length: {error}"
            )
        if self.talk.replies == 0:
            raise error
        if self.rules.passes_on(error):
            self.watch.saved()  # with what the lost attempts were charged
            raise error
        return self._end("failed", str(error))

    def _judged(self) -> Ending | None:
        """The end that the last reply's stop reason means; None to go on. Nothing of it is run before this."""
        talk, reason = self.talk, self.talk.stop_reason
        if talk.replies == 0 or reason in _RESUMED:
            return None
        if reason not in _FINISHED and reason != "tool_use":
            return self._cut_short(reason)
        if talk.called == 0:
            return self._end("finished") if reason in _FINISHED else self._end("failed", _NO_CALL)
        if talk.waiting and talk.most_repeats >= self.rules.max_repeats:
            times = f"{talk.most_repeats} times in a row with the same arguments"
            return self._end("cap_reached", f"it called {talk.waiting[-1].tool} {times}")
        return None

    def _cut_short(self, reason: str) -> Ending:
        """What a reply means that is no success and that nothing follows."""
        if reason in _TRUNCATED:
            return self._end("truncated", _TRUNCATED[reason].format(tokens=self.rules.max_tokens))
        if reason == "refusal":
            why = f" ({self.talk.stop_detail})" if self.talk.stop_detail else ""
            return self._end("refused", f"the model declined{why}")
        return self._end("failed", f"the reply is cut: its stop reason is {reason or None!r}")

    # -- tools -----------------------------------------------------------------------------------

    def _run_tools(self) -> Ending | None:
        """Run the calls that wait for an answer, in order, each saved before the next begins."""
        if self.talk.stop_reason in _RESUMED or self.talk.replies >= self.rules.max_turns:
            return None  # the model has not done asking, or nobody would hear the results
        while self.talk.waiting:
            if self.rules.stop and (reason := self.rules.stop()):
                return self._end("interrupted", reason)
            if self.rules.remaining() <= 0:
                return self._end("cap_reached", _TIME_OVER)
            call = self.talk.waiting[0]
            try:
                text, is_error = self._ran(call)
            except SandboxError as error:
                return self._end("failed", str(error))
            self.talk.answer(call, text, is_error=is_error)
            self.watch.ran(call, text, is_error=is_error)
            self.watch.saved()
        return None

    def _ran(self, call: Call) -> tuple[str, bool]:
        tool = self._by_name.get(call.tool)
        if tool is None:
            known = ", ".join(sorted(self._by_name)) or "none"
            return f"There is no tool {call.tool!r}. The tools are: {known}.", True
        try:
            # Not its id alone: servers exist that give every reply's calls the same ones.
            name = f"{call.call_id}#{self.talk.replies}.{len(self.talk.results)}"
            text = tool.run_call(name, call.given) if tool.run_call else tool.run(call.given)
            return _encodable(text), False
        except (SandboxError, KeyboardInterrupt):
            raise
        except (ToolFaultError, AgentflowsError) as fault:
            return _encodable(str(fault)), True
        except Exception as error:  # noqa: BLE001 - a tool is anybody's code
            # What an unforeseen exception says may hold paths or secrets of this process: the model gets none of it.
            _log.exception("The tool %s failed in a way it does not foresee", call.tool)
            return (
                f"The tool {call.tool} failed unexpectedly ({type(error).__name__}). Try another way.",
                True,
            )


def _encodable(text: str) -> str:
    """The text as UTF-8 can hold it; an API refuses an empty one, and half a surrogate pair."""
    return text.encode(errors="replace").decode() or "(no output)"
