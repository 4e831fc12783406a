"""The `command` runner: any command-line agent, with Claude Code's `-p --output-format stream-json` as the best known.

    command: [claude, -p, --output-format, stream-json, --verbose, --model, "{model}", --resume, "{session}"]

`{task}`, `{prompt}`, `{session}`, `{model}`, `{workspace}` and `{max_turns}` are filled in. A word with a field that has no value
is left out, together with the option before it, so that one template serves the first run and the revisions. Where no
word holds `{task}`, the task goes to standard input; where none holds `{prompt}` (for Claude Code after
`--append-system-prompt`), the agent's prompt stands before the first task. What the program prints is read as stream-json where it is that,
and as the agent's own words where it is not.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from agentflows.agent import AgentDefinition, Job, Show, Transcript
from agentflows.budget import REFUSED, Purse
from agentflows.errors import SandboxError, UsageError
from agentflows.evaluation import RunEnd
from agentflows.model import PRICES, Price
from agentflows.readers.claude_code import ClaudeCode
from agentflows.readers.fields import number, table, text, tokens
from agentflows.runners.brief import opening
from agentflows.runners.journal import Journal
from agentflows.runners.meter import Meter
from agentflows.runners.process import Ended, Lines, Order, Stopping, environment, supervise
from agentflows.sandbox import Limits, Sandbox
from agentflows.session import Usage

FIELDS = ("task", "prompt", "session", "model", "workspace", "max_turns")
"""What a command may have in braces."""
_FIELD = re.compile(r"\{(" + "|".join(FIELDS) + r")\}")
_OVER_BUDGET = "error_max_budget_usd"
_ENDS: Mapping[str, RunEnd] = {"error_max_turns": "cap_reached", _OVER_BUDGET: "cap_reached"}
"""How Claude Code's result names the ends that are no success."""
_OUTPUT_BYTES = 32 << 20
"""A program that writes more is killed."""
_TEXT_BYTES = 1 << 20
"""Of plain output that is kept."""


class CommandRunner:
    """Runs a command per job.

    Args:
        purse: told what the command says it spent; None tells nobody. Of a command that ends without a word of it (it
            was killed, say), the agent's `max_dollars` counts as spent, or what its messages show if that is more.
        prices: by model id, for the messages of a command.
        show: told several times a second how to get the lines so far; None shows nothing before the end.
    """

    def __init__(
        self, purse: Purse | None = None, prices: Mapping[str, Price] = PRICES, *, show: Show | None = None
    ) -> None:
        self._purse = purse
        self._prices = prices
        self._show = show

    def run(
        self,
        agent: AgentDefinition,
        job: Job,
        *,
        keep: Callable[[str], None] | None = None,  # noqa: ARG002 - a foreign agent cannot go on mid-way
        stop: Callable[[], str] | None = None,
    ) -> Transcript:
        """Run the command on the job; with the `state` of an earlier job, in the agent's own session.

        Raises:
            BudgetError: the agent's `max_dollars` is more than the purse has left.
            UsageError: the agent names no command, or one with unknown fields.
            SandboxError: the agent demands the sandbox, and there is none.
        """
        check_command(agent)
        session = _session(job.state)
        told = "\n\n".join([*_preface(agent, session), *opening(job, goes_on=bool(session))])
        argv, has_task = filled(agent, job, told=told, session=session)
        is_walled = agent.sandbox == "required"
        journal = Journal(agent, job, model=agent.model, sandbox="required" if is_walled else "off")
        journal.brief(job)
        heard = _Heard(journal, meter := Meter(self._purse, agent, self._prices))
        stdin = b"" if has_task else told.encode(errors="replace")

        def looks() -> str:
            if self._show is not None:
                self._show(heard.so_far)
            return meter.refused or (stop() if stop else "")

        try:
            ended = (_within if is_walled else _plainly)(agent, job, argv, stdin, heard, looks)
        except SandboxError:  # nothing was run
            meter.refund()
            raise
        except BaseException:
            heard.book()
            raise
        if ended.is_unstarted:
            meter.refund()
        else:
            heard.book()
        heard.close(ended)
        end, detail = judged(agent, ended, heard)
        return journal.transcript(
            end,
            detail=detail,
            text=heard.last_words,
            usage=heard.usage,
            dollars=heard.dollars,
            state=json.dumps({"session": heard.session}) if heard.session else "",
        )


@dataclass(slots=True)
class _Heard:
    """What the command has printed so far."""

    journal: Journal
    meter: Meter
    session: str = ""
    """The agent's own name for its session."""
    usage: Usage = field(default_factory=Usage)
    dollars: float = 0.0
    result: dict[str, Any] = field(default_factory=dict[str, Any])
    """Claude Code's last event; {} while there is none."""
    has_events: bool = False
    errors: str = ""
    _native: ClaudeCode = field(default_factory=ClaudeCode)
    _plain: list[str] = field(default_factory=list[str])
    _taken: int = 0
    _told: tuple[int, list[str]] = (0, [])
    """The record of what was printed so far, and how many bytes that were."""

    def take(self, line: bytes) -> None:
        """Take one line."""
        event = _event(line)
        if event is None or not self._native.recognises(event):
            self._print(line)
            return
        self.has_events = True
        self.session = text(event.get("session_id")) or self.session
        if event.get("type") == "stream_event":  # parts of messages that come whole afterwards
            return
        if event.get("type") == "result":
            self._finish(event)
        if event.get("type") == "assistant":
            self.meter.see(table(event.get("message")))
        self.journal.note("native", format=self._native.name, record=event)

    def book(self) -> None:
        """Settle what the command said it spent; without a word of it, what it may have."""
        if self.result:
            self.meter.settle(self.usage, self.dollars)
        else:
            self.usage, self.dollars = self.meter.usage, self.meter.settle_unknown()

    def so_far(self) -> list[str]:
        """The lines of a run that goes on."""
        if self._told[0] != self._taken:
            self._told = (self._taken, [self.journal.record("output", **self._printed())])
        return [*self.journal.lines, *self._told[1]]

    def close(self, ended: Ended) -> None:
        """Write down what is not in the events."""
        if self._plain:
            self.journal.note("output", **self._printed())
        if ended.errors:
            self.errors = ended.errors
            self.journal.note("output", stream="stderr", text=ended.errors)

    @property
    def last_words(self) -> str:
        """What the agent said last."""
        if self.has_events:
            return text(self.result.get("result"))
        return "\n".join(self._plain).strip()

    def _printed(self) -> dict[str, str]:
        return {"stream": "stdout" if self.has_events else "answer", "text": "\n".join(self._plain).strip()}

    def _finish(self, event: dict[str, Any]) -> None:
        self.result = event
        self.usage += tokens(event.get("usage")) or Usage()
        self.dollars += number(event.get("total_cost_usd")) or 0.0

    def _print(self, line: bytes) -> None:
        self._taken += len(line)
        if self._taken <= _TEXT_BYTES:
            self._plain.append(line.decode(errors="replace").rstrip("\r"))


def filled(agent: AgentDefinition, job: Job, *, told: str, session: str) -> tuple[list[str], bool]:
    """The command's words for this job, and whether the task is among them."""
    values = {
        "task": told,
        "prompt": agent.prompt,
        "session": session,
        "model": agent.model,
        "workspace": str(job.workspace.resolve()),
        "max_turns": str(agent.limits.max_turns),
    }
    words: list[str] = []
    for word in agent.command:
        if any(not values[match] for match in _FIELD.findall(word)):
            if words and words[-1].startswith("-") and _FIELD.fullmatch(word):
                words.pop()
            continue
        words.append(_FIELD.sub(lambda match: values[match[1]], word))
    return words, any("{task}" in word for word in agent.command)


def _preface(agent: AgentDefinition, session: str) -> list[str]:
    """The agent's prompt, where it can go nowhere else and the agent does not have it yet."""
    has_place = any("{prompt}" in word for word in agent.command)
    return [] if session or has_place or not agent.prompt else [agent.prompt]


def judged(agent: AgentDefinition, ended: Ended, heard: _Heard) -> tuple[RunEnd, str]:
    """How the run ended. A program's own word counts only when its exit code agrees."""
    if ended.lost:
        return "failed", ended.lost
    if ended.end == "timeout":
        return "cap_reached", f"it ran longer than max_seconds, {agent.limits.max_seconds:g} s"
    if ended.end == "stopped":
        refused = heard.meter.refused
        return ("cap_reached", refused) if refused else ("interrupted", ended.reason)
    if ended.end == "output_limit":
        return "failed", "it printed more than a run may print"
    limit = agent.limits.max_dollars
    if limit is not None and heard.dollars > limit:
        return (
            "cap_reached",
            f"{REFUSED}more: it spent {heard.dollars:.4f} dollars, and max_dollars is {limit:g}",
        )
    if heard.has_events:
        return _judged_result(ended, heard)
    if ended.exit_code:
        return "failed", f"exit code {ended.exit_code}{_because(heard)}"
    return "finished", ""


def _judged_result(ended: Ended, heard: _Heard) -> tuple[RunEnd, str]:
    result = heard.result
    if not result:
        return "failed", f"it ended without a result, with exit code {ended.exit_code}{_because(heard)}"
    subtype = text(result.get("subtype"))
    if subtype in _ENDS:
        why = f"{REFUSED}more: " if subtype == _OVER_BUDGET else ""
        return _ENDS[subtype], f"{why}the agent's own limit: {subtype}"
    if result.get("is_error") is True or subtype != "success":
        return (
            "failed",
            f"{subtype or 'error'}: {text(result.get('result')) or heard.errors or 'no reason given'}",
        )
    if ended.exit_code:
        return "failed", f"it reported success and ended with exit code {ended.exit_code}{_because(heard)}"
    return "finished", ""


def _because(heard: _Heard) -> str:
    last = heard.errors.splitlines()[-1:]
    return f": {last[0]}" if last else ""


def _plainly(
    agent: AgentDefinition,
    job: Job,
    argv: Sequence[str],
    stdin: bytes,
    heard: _Heard,
    stop: Callable[[], str],
) -> Ended:
    order = Order(
        argv=argv,
        cwd=job.workspace,
        env=environment(agent.env),
        seconds=agent.limits.max_seconds,
        stdin=stdin,
        output_bytes=_OUTPUT_BYTES,
        stop=stop,
    )
    return supervise(order, heard.take)


def _within(
    agent: AgentDefinition,
    job: Job,
    argv: Sequence[str],
    stdin: bytes,
    heard: _Heard,
    stop: Callable[[], str],
) -> Ended:
    """The same behind walls."""
    stopping = Stopping(stop)
    named = environment(agent.env)
    limits = Limits(seconds=min(agent.limits.max_seconds, 86_400), output_kill_bytes=_OUTPUT_BYTES)
    sandbox = Sandbox(
        job.workspace,
        network=agent.network,
        env={name: named[name] for name in agent.env if name in named},
        limits=limits,
    )
    lines = Lines(heard.take)
    run = sandbox.run(list(argv), stdin=stdin, stop=stopping, heard=lines.take)
    lines.end()
    ends: Mapping[str, Any] = {one: one for one in ("timeout", "output_limit", "stopped")}
    lost = "" if run.reason in {"exited", "signal", *ends} else f"it was killed: {run.reason}"
    return Ended(
        end=ends.get(run.reason, "exited"),
        exit_code=run.exit_code or 0,
        seconds=run.seconds,
        reason=stopping.reason,
        lost=lost,
    )


def check_command(agent: AgentDefinition) -> None:
    """Refuse a command that cannot be run here.

    Raises:
        UsageError: there is none, or its program is not in PATH.
    """
    where = agent.source or "its definition"
    if not agent.command:
        msg = f"The agent {agent.name} runs with `command` and names none. Add `command:` to {where}."
        raise UsageError(msg)
    if "/" not in agent.command[0] and agent.sandbox != "required" and not shutil.which(agent.command[0]):
        msg = f"The agent {agent.name} needs the program {agent.command[0]!r}, which is not in PATH. Install it, or give its path in {where}."
        raise UsageError(msg)


def _session(state: str) -> str:
    """The agent's own session of an earlier job; "" to begin anew."""
    try:
        return text(table(json.loads(state)).get("session")) if state else ""
    except ValueError as error:
        msg = f"The state of the run is damaged ({error}). Run the job without it, from the beginning."
        raise UsageError(msg) from error


def _event(line: bytes) -> dict[str, Any] | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
