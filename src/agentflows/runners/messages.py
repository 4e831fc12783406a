"""The `messages` runner: an agent on any endpoint that speaks the Messages API, with our own tools around it."""

import json
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from agentflows.agent import AgentDefinition, AgentLimits, Job, Transcript
from agentflows.budget import Purse
from agentflows.claude import REPLY_TOKENS, Call, Claude, Ending, Reply, Rules, Talk, Tool, open_servers
from agentflows.errors import PassesOn, UsageError
from agentflows.model import MILLION, Price
from agentflows.runners.brief import opening, system_blocks
from agentflows.runners.journal import Journal
from agentflows.runners.purse import CappedPurse
from agentflows.runners.tools import Toolbox, write_memory
from agentflows.session import Usage

_SHORTEST_REPLY = 2_000
"""Tokens below which a reply could not hold a file of some pages."""
_VERSION = 1
"""Of the state: one of another version is not gone on from."""


class Client(Protocol):
    """Makes the model client of one run."""

    def __call__(self, capped: Purse, *, model: str, has_own_ceiling: bool) -> Claude:
        """A client drawing on `capped`, for the caller to close.

        Args:
            capped: the job's purse under the agent's own limits.
            model: "" is the model of the settings.
            has_own_ceiling: whether the agent has one in dollars, so that an unpriced model is refused.
        """
        ...


class MessagesRunner:
    """Runs an agent with the tool loop.

    Args:
        client: makes the model client.
        purse: of the job; the agent's own limits come on top.
        extra: tools beside those the agent's file names, such as a lead's.
        passes_on: which errors the caller takes also after the first reply, to go on later with the kept state.
        sandbox: what holds for an agent whose file does not say: "required", or "off".
    """

    def __init__(
        self,
        client: Client,
        purse: Purse,
        extra: Sequence[Tool] = (),
        *,
        passes_on: PassesOn = lambda _: False,
        sandbox: Literal["required", "off"] = "required",
    ) -> None:
        self._client = client
        self._purse = purse
        self._extra = extra
        self._passes_on = passes_on
        self._sandbox: Literal["required", "off"] = sandbox

    def run(
        self,
        agent: AgentDefinition,
        job: Job,
        *,
        keep: Callable[[str], None] | None = None,
        stop: Callable[[], str] | None = None,
    ) -> Transcript:
        """Run the agent on the job; with a `state` of this very job, go on where it was.

        Raises:
            BudgetError: not even the first reply is affordable; or a later one, and that is passed on.
            EndpointError: there was no first reply; or no later one likewise.
            UsageError: the agent or the workspace cannot be; an MCP server cannot be started.
        """
        if agent.sandbox == "default":
            agent = agent.model_copy(update={"sandbox": self._sandbox})
        book = _open_book(agent, job, keep)
        deadline = time.monotonic() + agent.limits.max_seconds

        def remaining() -> float:
            return deadline - time.monotonic()

        with _equipped(agent, job, book, remaining, stop) as tools, self._opened(agent, book.talk) as claude:
            ending = claude.converse(
                book.talk,
                system=system_blocks(agent),
                tools=[*tools, *self._extra],
                rules=_rules(agent.limits, claude.price, remaining, stop, self._passes_on),
                watch=book,
                purpose=f"agent {agent.name}",
            )
        return book.transcript(ending)

    @contextmanager
    def _opened(self, agent: AgentDefinition, talk: Talk) -> Generator[Claude]:
        limits = agent.limits
        purse = CappedPurse(
            self._purse,
            agent.name,
            max_tokens=limits.max_tokens,
            max_dollars=limits.max_dollars,
            spent=(talk.spent_tokens, talk.spent_dollars),
        )
        with self._client(purse, model=agent.model, has_own_ceiling=limits.max_dollars is not None) as claude:
            yield claude


def _rules(
    limits: AgentLimits,
    price: Price | None,
    remaining: Callable[[], float],
    stop: Callable[[], str] | None,
    passes_on: PassesOn,
) -> Rules:
    return Rules(
        max_turns=limits.max_turns,
        max_repeats=limits.max_repeats,
        remaining=remaining,
        stop=stop,
        max_tokens=_reply_tokens(limits, price),
        max_context_tokens=limits.max_context_tokens,
        passes_on=passes_on,
    )


def _reply_tokens(limits: AgentLimits, price: Price | None) -> int:
    """The longest reply to ask for: a small ceiling must not be reserved whole by the first one."""
    tokens = [REPLY_TOKENS]
    if limits.max_tokens is not None:
        tokens.append(limits.max_tokens // 4)
    if limits.max_dollars is not None and price and price.output:
        tokens.append(int(limits.max_dollars / 4 / price.output * MILLION))
    return max(min(tokens), _SHORTEST_REPLY)


@contextmanager
def _equipped(
    agent: AgentDefinition,
    job: Job,
    book: "_Book",
    remaining: Callable[[], float],
    stop: Callable[[], str] | None,
) -> Generator[Sequence[Tool]]:
    """The agent's tools: its own, which remember for the book what they read, and those of its MCP servers."""
    with ExitStack() as stack:
        memory = None
        if job.memory:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="agentflows-memory-"))
            memory = write_memory(Path(folder), job.memory)
        box = Toolbox(agent, job.workspace, memory, remaining, stop=stop, seen=book.seen())
        book.seen = lambda: box.seen
        served = (
            stack.enter_context(open_servers(agent.mcp_servers, job.workspace, remaining))
            if agent.mcp_servers
            else []
        )
        yield [*box.tools(), *(tool for tool in served if _is_chosen(agent, tool.name))]


def _is_chosen(agent: AgentDefinition, name: str) -> bool:
    """Whether the agent wants a tool of its servers: all of them, unless it names some, or whole servers."""
    named = [tool for tool in agent.tools if tool.startswith("mcp__")]
    return not named or any(
        name == tool or name.startswith(f"{tool.rstrip('*').rstrip('_')}__") for tool in named
    )


@dataclass(slots=True)
class _Book:
    """Writes down what happens, and hands out the state to go on from."""

    job: Job
    talk: Talk
    journal: Journal
    keep: Callable[[str], None] | None
    usage: Usage = field(default_factory=Usage)
    seen: Callable[[], Mapping[str, str]] = dict
    """The files the agent knows, as its tools have it: a run that goes on does not read them again."""

    def replied(self, reply: Reply) -> None:
        self.usage += reply.usage
        self.journal.note(
            "reply",
            model=reply.model,
            message_id=reply.message_id,
            content=list(reply.content),
            stop_reason=reply.stop_reason,
            usage=_counted(reply.usage),
        )

    def ran(self, call: Call, text: str, *, is_error: bool) -> None:
        self.journal.note(
            "tool_result", tool_use_id=call.call_id, tool=call.tool, text=text, is_error=is_error
        )

    def noted(self, text: str) -> None:
        self.journal.said("runner", text)

    def saved(self) -> None:
        if self.keep:
            self.keep(self.state())

    def state(self) -> str:
        return json.dumps(
            {
                "version": _VERSION,
                "job_id": self.job.job_id,
                "talk": self.talk.dump(),
                "usage": asdict(self.usage),
                "lines": self.journal.lines,
                "seen": dict(self.seen()),
            }
        )

    def transcript(self, ending: Ending) -> Transcript:
        state = self.state()
        return self.journal.transcript(
            ending.end,
            detail=ending.detail,
            text=ending.text,
            usage=self.usage,
            dollars=self.talk.spent_dollars,
            state=state,
        )


def _open_book(agent: AgentDefinition, job: Job, keep: Callable[[str], None] | None) -> _Book:
    """The book of this job: as it was when the process died, or a new one, with or without an earlier context."""
    found = _loaded(job.state) if job.state else {}
    talk = Talk.load(found["talk"]) if found else Talk()
    sandbox = "off" if agent.sandbox == "off" else "required"
    known: Mapping[str, str] = found.get("seen", {})
    if found and found["job_id"] == job.job_id:
        journal = Journal(agent, job, lines=found["lines"])
        return _Book(job, talk, journal, keep, Usage(**found["usage"]), lambda: known)
    journal = Journal(agent, job, model=agent.model, sandbox=sandbox)
    journal.brief(job)
    talk.say(*opening(job, goes_on=bool(talk.messages)))
    return _Book(job, talk, journal, keep, seen=lambda: known)


def _loaded(state: str) -> dict[str, Any]:
    try:
        found: Any = json.loads(state)
    except ValueError as error:
        msg = f"The state of the run is damaged ({error}). Run the job without it, from the beginning."
        raise UsageError(msg) from error
    known = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    if known.get("version") != _VERSION:
        msg = f"Expected the state of a run in version {_VERSION}, found another. Run the job without it."
        raise UsageError(msg)
    return known


def _counted(usage: Usage) -> dict[str, int]:
    """In the words of the API, which the reader knows."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
    }
