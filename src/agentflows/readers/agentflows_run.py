"""Runs of our own agents: what `agentflows.runners` writes down while one works.

One file is one run, one line one event, each with `"agentflows_run": 1` and a `type`:

* `run`: who, on what, for which job: the first line; `end`: how it ended; `outcome`: what its grading says
* `said`: words that went to the agent, `by` whom: the task, feedback on an earlier attempt, a memory, the runner
* `reply`: a model's message as the endpoint sent it; `tool_result`: what a tool gave back
* `output`: what a program printed; `native`: a line of another agent's own log, read as that agent's

Trust follows from the type: the task is a lead's word (2), feedback quotes what an agent made (1), a memory proves
nothing, an agent is an agent (2), tools and programs are tools (1).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agentflows.readers.claude_code import ClaudeCode
from agentflows.readers.draft import Draft
from agentflows.readers.fields import canonical, label, moment, number, table, tables, text, tokens
from agentflows.readers.format import Building, Format
from agentflows.readers.recalled import is_memory_call
from agentflows.session import Check, OutcomeLabel, Session, Span, Verdict

_MARK = "agentflows_run"
_VERDICTS: dict[str, Verdict] = {"success": "success", "failure": "failure"}
_NATIVE: dict[str, Format] = {native.name: native for native in (ClaudeCode(),)}
_MEMORY_MOUNT = "/memory"


class AgentflowsRun:
    """The format."""

    name = "agentflows"
    version = 1
    example = 'agentflows runs: {"agentflows_run": 1, "type": "run", "session_id": …}'

    def recognises(self, record: dict[str, Any]) -> bool:
        """By the mark every line bears."""
        return record.get(_MARK) == 1

    def unpack(self, document: Any) -> Sequence[Any] | None:
        """A run of one line only."""
        return [document] if self.recognises(table(document)) else None

    def slim(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record, with what other formats drop dropped from the lines it carries."""
        native = _NATIVE.get(text(record.get("format")))
        if record.get("type") != "native" or native is None:
            return record
        return {**record, "record": native.slim(table(record.get("record")))}

    def start(self, stem: str) -> "AgentflowsRunFile":
        """Begin a file."""
        return AgentflowsRunFile(stem, reader=f"{self.name}/{self.version}")


class AgentflowsRunFile:
    """The one session of a run's file."""

    def __init__(self, stem: str, *, reader: str) -> None:
        self._draft = Draft(stem, format="agentflows", reader=reader)
        self._natives: dict[str, Building] = {}
        self._memory_calls: set[str] = set()
        self._lines = {
            "run": self._run,
            "said": self._said,
            "reply": self._reply,
            "tool_result": self._tool_result,
            "output": self._output,
            "native": self._native,
            "end": self._end,
            "outcome": self._outcome,
        }

    def refusal(self, record: dict[str, Any]) -> str:
        """A line without the mark, of an unknown type, or from an agent whose log nobody reads."""
        kind = text(record.get("type"))
        if record.get(_MARK) != 1 or kind not in self._lines:
            return f"no line of an agentflows run: its type is {kind[:40]!r}"
        if kind != "native":
            return ""
        native = text(record.get("format"))
        if native not in _NATIVE:
            return f"a line of the unknown format {native[:40]!r}"
        return self._building(native).refusal(table(record.get("record")))

    def add(self, line: int, record: dict[str, Any]) -> None:
        """Take a line."""
        self._draft.seen_at(moment(record.get("at")))
        self._lines[text(record.get("type"))](line, record)

    def sessions(self) -> tuple[Session, ...]:
        """The run, when anything was said in it."""
        self._take_natives()
        session = self._draft.session()
        return (session,) if session.turns else ()

    def _building(self, native: str) -> Building:
        if native not in self._natives:
            self._natives[native] = _NATIVE[native].start(self._draft.session_id)
        return self._natives[native]

    def _take_natives(self) -> None:
        """Put the turns another agent's log gave where its lines stood."""
        draft = self._draft
        found = [
            turn for building in self._natives.values() for one in building.sessions() for turn in one.turns
        ]
        for building in self._natives.values():
            for session in building.sessions():
                draft.meta.setdefault("native_session", session.session_id)
                for name in ("version", "model", "permission_mode"):
                    draft.meta.setdefault(name, session.meta.get(name, ""))
        self._natives.clear()
        if found:
            turns = sorted([*draft.turns, *found], key=lambda turn: turn.line)
            draft.turns[:] = [replace(turn, seq=seq) for seq, turn in enumerate(turns)]

    # -- lines -----------------------------------------------------------------------------------

    def _run(self, line: int, record: dict[str, Any]) -> None:  # noqa: ARG002 - all takers are called alike
        draft = self._draft
        draft.session_id = label(record.get("session_id")) or draft.session_id
        draft.agent = text(record.get("agent"))
        draft.project = text(record.get("project"))
        draft.task = text(record.get("task"))
        draft.parent_id = text(record.get("parent_id"))
        for name in ("job_id", "runner", "model", "agent_sha256", "sandbox"):
            draft.meta[name] = text(record.get(name))

    def _said(self, line: int, record: dict[str, Any]) -> None:
        words = text(record.get("text"))
        at = moment(record.get("at"))
        match record.get("by"):
            case "task":
                self._draft.add("user", 2, words, at=at, line=line)
            case "feedback":
                self._draft.add("user", 1, words, at=at, line=line)
            case "memory":
                spans = (Span(0, len(words), "recalled"),)
                self._draft.add("system", 1, words, at=at, line=line, spans=spans)
            case _:
                self._draft.add("system", 1, words, at=at, line=line)

    def _reply(self, line: int, record: dict[str, Any]) -> None:
        call = text(record.get("message_id")) or f"line {line}"
        shared = {
            "at": moment(record.get("at")),
            "line": line,
            "origin": call,
            "model": text(record.get("model")),
        }
        self._draft.spent(call, tokens(record.get("usage")))
        for block in tables(record.get("content")):
            match block.get("type"):
                case "text":
                    self._draft.add("agent", 2, text(block.get("text")), **shared)
                case "thinking":
                    self._draft.add("thinking", 2, text(block.get("thinking")), **shared)
                case "tool_use":
                    self._tool_call(block, shared)
                case _:
                    continue

    def _tool_call(self, block: dict[str, Any], shared: dict[str, Any]) -> None:
        tool, given = text(block.get("name")), block.get("input")
        call = self._draft.called(text(block.get("id")), tool)
        words = canonical(given)
        spans: tuple[Span, ...] = ()
        if is_memory_call(tool, given) or _MEMORY_MOUNT in words:
            self._memory_calls.add(call)
            spans = (Span(0, len(words), "recalled"),)
        self._draft.add("tool_call", 2, words, tool=tool, tool_use_id=call, spans=spans, **shared)

    def _tool_result(self, line: int, record: dict[str, Any]) -> None:
        call, tool = self._draft.answered(text(record.get("tool_use_id")))
        words = text(record.get("text"))
        self._draft.add(
            "tool_result",
            1,
            words,
            tool=tool or text(record.get("tool")),
            tool_use_id=call,
            is_error=record.get("is_error") is True,
            spans=(Span(0, len(words), "recalled"),) if call in self._memory_calls and words else (),
            at=moment(record.get("at")),
            line=line,
        )

    def _output(self, line: int, record: dict[str, Any]) -> None:
        kind = "agent" if record.get("stream") == "answer" else "system"
        trust = 2 if kind == "agent" else 1
        self._draft.add(kind, trust, text(record.get("text")), at=moment(record.get("at")), line=line)

    def _native(self, line: int, record: dict[str, Any]) -> None:
        self._building(text(record.get("format"))).add(line, table(record.get("record")))

    def _end(self, line: int, record: dict[str, Any]) -> None:
        draft = self._draft
        draft.meta["end"] = text(record.get("end"))
        dollars = number(record.get("dollars"))
        draft.meta["dollars"] = f"{dollars:.6f}" if dollars else ""
        if record.get("end") != "finished" and (detail := text(record.get("detail"))):
            words = f"The run ended as {text(record.get('end'))}: {detail}"
            draft.add("system", 1, words, at=moment(record.get("at")), line=line)

    def _outcome(self, line: int, record: dict[str, Any]) -> None:  # noqa: ARG002
        verdict = _VERDICTS.get(text(record.get("verdict")), "unknown")
        checks = tuple(
            Check(
                name=text(item.get("name")),
                passed=item.get("passed") is True,
                detail=text(item.get("detail")),
            )
            for item in tables(record.get("checks"))
            if text(item.get("name"))
        )
        self._draft.outcome = OutcomeLabel(
            verdict=verdict,
            score=number(record.get("score")),
            source=text(record.get("source")) or "outcome_evaluation",
            checks=checks,
        )
