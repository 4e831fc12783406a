"""One Claude Code session while its lines come in: which turns each line gives, in which thread, from whom."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agentflows.readers.claude_code.harness import is_command
from agentflows.readers.claude_code.results import block_text, read_result
from agentflows.readers.claude_code.words import user_words
from agentflows.readers.draft import Draft
from agentflows.readers.fields import canonical, items, moment, table, tables, text, tokens
from agentflows.readers.recalled import is_memory_call, is_memory_path
from agentflows.readers.typed import typed_spans
from agentflows.session import Session, Span, Trust

_NO_MODEL = "<synthetic>"
"""The model the harness names when it speaks for one, as in `No response requested.`"""
_QUEUED = {"enqueue", "dequeue", "remove", "popAll"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line's blocks stand: what all its turns share."""

    line: int
    origin: str
    at: datetime | None
    thread: str

    @property
    def trust(self) -> Trust:
        """Of what an agent says here: a sub-agent's word is worth a tool's."""
        return 1 if self.thread else 2

    @property
    def shared(self) -> dict[str, Any]:
        """The fields every turn of the line bears."""
        return {"line": self.line, "origin": self.origin, "at": self.at, "thread": self.thread}


class Conversation:
    """Takes the lines of one session, in order.

    Args:
        session_id: of the session; for a sub-agent's own file `<parent>:<agent>`.
        reader: name and version.
        own_thread: the sub-agent whose own file this is, else "".
    """

    def __init__(self, session_id: str, *, reader: str, own_thread: str = "") -> None:
        self.draft = Draft(session_id, format="claude_code", reader=reader)
        self.draft.agent = "claude-code"
        self._own_thread = own_thread
        self._threads: dict[str, str] = {}
        self._commands: set[str] = set()
        self._memory_calls: set[str] = set()
        self._queue: list[str] = []
        self._delivered: list[str] = []
        self._titles: dict[str, str] = {}
        self._summaries: dict[str, str] = {}
        self._uuids: set[str] = set()
        self._lines: dict[str, Callable[[dict[str, Any], Place], None]] = {
            "user": self._user,
            "assistant": self._assistant,
            "system": self._system,
            "attachment": self._attachment,
            "progress": self._progress,
            "queue-operation": self._queue_operation,
            "summary": self._summary,
            "ai-title": self._title,
            "custom-title": self._title,
            "result": self._result,
        }

    def take(self, line: int, record: dict[str, Any]) -> None:
        """Add what a line says. A line of an unknown type gives a `system` turn if it has a text, else none."""
        place = Place(line, text(record.get("uuid")), moment(record.get("timestamp")), self._thread(record))
        self._uuids.add(place.origin)
        self.draft.seen_at(place.at)
        self._facts(record)
        self._lines.get(text(record.get("type")), self._unknown)(record, place)

    def session(self) -> Session:
        """The session so far, titled by the user, else by a model, else by its first words."""
        draft = self.draft
        own = [said for leaf, said in self._summaries.items() if leaf in self._uuids]
        choices = (*map(self._titles.get, _TITLES), *own[-1:], self._titles.get("plan"))
        draft.title = next(filter(None, choices), "")
        return draft.session()

    def _thread(self, record: dict[str, Any]) -> str:
        """The sub-agent a line belongs to: by its id, by the call that started it, or by the line its chain began with."""
        if self._own_thread:
            return self._own_thread
        if parent_call := text(record.get("parent_tool_use_id")):
            return parent_call
        if record.get("isSidechain") is not True:
            return ""
        own = text(record.get("uuid"))
        before = self._threads.get(text(record.get("parentUuid")))
        thread = text(record.get("agentId")) or before or own or "sidechain"
        self._threads[own] = thread
        return thread

    def _facts(self, record: dict[str, Any]) -> None:
        draft = self.draft
        draft.project = draft.project or text(record.get("cwd"))
        for name, field in _META:
            if value := text(record.get(field)):
                draft.meta.setdefault(name, value)

    def _user(self, record: dict[str, Any], place: Place) -> None:
        message = table(record.get("message"))
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else tables(content)
        answers_tools = any(block.get("type") == "tool_result" for block in blocks)
        for block in blocks:
            if block.get("type") == "tool_result":
                self._tool_result(block, record, place)
            elif answers_tools:
                self.draft.add("system", 1, block_text([block]), **place.shared)
            elif block.get("type") == "text":
                self._said(text(block.get("text")), record, place)
            else:
                self.draft.add("system", 1, block_text([block]), **place.shared)

    def _said(self, said: str, record: dict[str, Any], place: Place) -> None:
        if is_command(said):
            self._commands.add(place.origin)
        if plan := text(record.get("planContent")):
            self._titles.setdefault("plan", plan.strip("#\n ").partition("\n")[0])
        is_expansion = bool(place.origin) and text(record.get("parentUuid")) in self._commands
        words = user_words(said, record, is_side=bool(place.thread), is_expansion=is_expansion)
        self.draft.add(words.kind, words.trust, words.text, spans=words.spans, **place.shared)

    def _tool_result(self, block: dict[str, Any], record: dict[str, Any], place: Place) -> None:
        call, tool = self.draft.answered(text(block.get("tool_use_id")))
        result = read_result(block, record, tool=tool, is_memory=call in self._memory_calls)
        fields = {"tool": tool, "tool_use_id": call, "is_error": result.is_error, "spans": result.spans}
        self.draft.add("tool_result", 1, result.text, **fields, **place.shared)
        for said in result.said:
            trust = 1 if place.thread else 3
            self.draft.add("user", trust, said, spans=typed_spans(said), **place.shared)

    def _assistant(self, record: dict[str, Any], place: Place) -> None:
        message = table(record.get("message"))
        model = text(message.get("model"))
        if model == _NO_MODEL or record.get("isApiErrorMessage") is True:
            self.draft.add("system", 1, block_text(message.get("content")), **place.shared)
            return
        call = text(message.get("id")) or text(record.get("requestId")) or f"line {place.line}"
        self.draft.spent(call, tokens(message.get("usage")))
        content = message.get("content")
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else tables(content):
            self._block(block, place, model)

    def _block(self, block: dict[str, Any], place: Place, model: str) -> None:
        shared = {**place.shared, "model": model}
        match block.get("type"):
            case "text":
                self.draft.add("agent", place.trust, text(block.get("text")), **shared)
            case "thinking":
                self.draft.add("thinking", place.trust, text(block.get("thinking")), **shared)
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                self._tool_call(block, place, shared)
            case _:
                self.draft.add("system", 1, block_text([block]), **shared)

    def _tool_call(self, block: dict[str, Any], place: Place, shared: dict[str, Any]) -> None:
        tool, given = text(block.get("name")), block.get("input")
        call = self.draft.called(text(block.get("id")), tool)
        words = canonical(given)
        spans: tuple[Span, ...] = ()
        if is_memory_call(tool, given):
            self._memory_calls.add(call)
            spans = (Span(0, len(words), "recalled"),)
        self.draft.add("tool_call", place.trust, words, tool=tool, tool_use_id=call, spans=spans, **shared)

    def _progress(self, record: dict[str, Any], place: Place) -> None:
        """A sub-agent's message, where the log repeats it in its parent's file."""
        data = table(record.get("data"))
        inner = table(data.get("message"))
        if data.get("type") != "agent_progress" or text(inner.get("type")) not in {"user", "assistant"}:
            return
        at = moment(inner.get("timestamp")) or place.at
        thread = text(data.get("agentId")) or place.thread or "subagent"
        (self._user if inner["type"] == "user" else self._assistant)(
            inner, Place(place.line, text(inner.get("uuid")), at, thread)
        )

    def _system(self, record: dict[str, Any], place: Place) -> None:
        said = text(record.get("content"))
        if not said:
            lines = [*items(record.get("hookErrors")), *items(record.get("hookAdditionalContext"))]
            said = "\n".join(line for line in lines if isinstance(line, str))
        kind = "summary" if record.get("subtype") == "away_summary" else "system"
        self.draft.add(kind, 1, said, **place.shared)

    def _attachment(self, record: dict[str, Any], place: Place) -> None:
        """What the harness showed the agent besides: hook output, skills, memory files, files the user named with @."""
        attached = table(record.get("attachment"))
        kind = text(attached.get("type"))
        if kind == "queued_command":
            self._deliver(block_text(attached.get("prompt")), record | attached, place)
            return
        said, path = _attached_text(attached)
        is_memory = "memor" in kind or is_memory_path(path)
        spans = (Span(0, len(said), "recalled"),) if is_memory and said else ()
        self.draft.add("system", 1, said, spans=spans, **place.shared)

    def _queue_operation(self, record: dict[str, Any], place: Place) -> None:
        """What the user typed while the agent worked.

        `dequeue` makes it a user line of its own. `remove` hands it to the running turn, and then, in many versions,
        this line is the only trace of it. `popAll` gives it back to the user's input box: it was never sent.
        """
        operation, content = text(record.get("operation")), text(record.get("content"))
        if operation not in _QUEUED:
            self._unknown(record, place)
        elif operation == "enqueue":
            self._queue.append(content)
        elif operation == "popAll":
            self._queue.clear()
        elif self._queue:
            said = self._queue.pop(self._queue.index(content) if content in self._queue else 0)
            if operation == "remove":
                self._deliver(said, record, place)

    def _deliver(self, said: str, record: dict[str, Any], place: Place) -> None:
        """Add words sent into a running turn, once: newer versions log them twice."""
        if said in self._delivered:
            self._delivered.remove(said)
            return
        self._delivered.append(said)
        if said.startswith('{"task_id"') or record.get("commandMode") == "task-notification":
            self.draft.add("system", 1, said, **place.shared)
        else:
            origin = place.origin or f"queued {text(record.get('timestamp'))}"
            self._said(said, record, replace(place, origin=origin))

    def _summary(self, record: dict[str, Any], place: Place) -> None:
        """A title a model gave; old logs hold those of other sessions too, so it must name a line of this one."""
        self._summaries[text(record.get("leafUuid")) or place.origin] = text(record.get("summary"))

    def _title(self, record: dict[str, Any], place: Place) -> None:  # noqa: ARG002 - one signature for all lines
        kind = text(record.get("type"))
        self._titles[kind] = text(record.get("customTitle")) or text(record.get("aiTitle"))

    def _result(self, record: dict[str, Any], place: Place) -> None:
        """The last line of `claude -p`; its text repeats the agent's last words, unless it reports an error."""
        self.draft.meta["result"] = text(record.get("subtype"))
        if record.get("is_error") is True:
            self.draft.add("system", 1, text(record.get("result")), **place.shared)

    def _unknown(self, record: dict[str, Any], place: Place) -> None:
        self.draft.add("system", 1, text(record.get("content")), **place.shared)


_TITLES = ("custom-title", "ai-title")
_META = (
    ("version", "version"),
    ("version", "claude_code_version"),
    ("git_branch", "gitBranch"),
    ("permission_mode", "permissionMode"),
    ("entrypoint", "entrypoint"),
    ("model", "model"),
)


def _attached_text(attached: dict[str, Any]) -> tuple[str, str]:
    """An attachment's text, and the path of the file it shows."""
    content = attached.get("content")
    inner = table(content)
    shown = table(inner.get("file")) or inner
    path = text(attached.get("path")) or text(attached.get("filename")) or text(shown.get("filePath"))
    return (text(shown.get("content")) if inner else block_text(content)), path
