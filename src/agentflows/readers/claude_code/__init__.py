"""Claude Code: the JSONL files under `~/.claude/projects`, `claude -p --output-format stream-json`, and action turns.

Seen from 1.0 to 2.1.217. One content block is one turn. There is no outcome in these logs, so sessions have none.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from agentflows.readers.claude_code import slim as slimming
from agentflows.readers.claude_code.conversation import Conversation
from agentflows.readers.fields import items, table, text
from agentflows.session import Session

_TYPES = {
    "ai-title", "assistant", "attachment", "custom-title", "file-history-snapshot", "last-prompt", "mode",
    "permission-mode", "pr-link", "progress", "queue-operation", "result", "stream_event", "summary", "system", "user",
}  # fmt: skip
_MARKS = {"sessionId", "session_id", "uuid", "parentUuid", "leafUuid", "isSnapshotUpdate"}


class ClaudeCode:
    """The format."""

    name = "claude_code"
    version = 2
    example = 'Claude Code JSONL: {"type": "user", "sessionId": …, "message": {…}}'

    def recognises(self, record: dict[str, Any]) -> bool:
        """By the type of the line, with a message or a mark that only Claude Code sets."""
        kind = text(record.get("type"))
        if kind in {"user", "assistant"} and isinstance(record.get("message"), dict):
            return "role" not in record
        return kind in _TYPES and not _MARKS.isdisjoint(record)

    def unpack(self, document: Any) -> Sequence[Any] | None:
        """The turns of a GitHub action's execution file: the same lines as one JSON array."""
        records = items(document) or [document]
        return records if any(self.recognises(table(record)) for record in records[:50]) else None

    def slim(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record without repeated file contents, output so far and image bytes."""
        return slimming.slim(record)

    def start(self, stem: str) -> "ClaudeCodeFile":
        """Begin a file."""
        return ClaudeCodeFile(stem, reader=f"{self.name}/{self.version}")


class ClaudeCodeFile:
    """The sessions of one file: most hold one, some several."""

    def __init__(self, stem: str, *, reader: str) -> None:
        self._stem = stem
        self._reader = reader
        self._agent = stem.removeprefix("agent-") if stem.startswith("agent-") else ""
        self._conversations: dict[str, Conversation] = {}
        self._waiting: list[tuple[int, dict[str, Any]]] = []
        self._last: Conversation | None = None
        self._seen: dict[tuple[str, str], int] = {}

    def refusal(self, record: dict[str, Any]) -> str:
        """An event id that comes back with other contents: a log is appended to, never rewritten."""
        key = _identity(record)
        if key and self._seen.get(key, _fingerprint(record)) != _fingerprint(record):
            return f"the event {key[1]} stands twice in one session, with different contents"
        return ""

    def add(self, line: int, record: dict[str, Any]) -> None:
        """Take a line. An exact repetition of an earlier one says nothing new."""
        key = _identity(record)
        if key in self._seen:
            return
        if key:
            self._seen[key] = _fingerprint(record)
        conversation = self._conversation(record)
        if conversation is None:
            self._waiting.append((line, record))
            return
        for early in self._waiting:
            conversation.take(*early)
        self._waiting.clear()
        self._last = conversation
        conversation.take(line, record)

    def sessions(self) -> tuple[Session, ...]:
        """One for each session id; lines that bear none belong to the session before them, else after them."""
        if self._waiting:
            conversation = self._open(self._stem, "")
            for early in self._waiting:
                conversation.take(*early)
            self._waiting.clear()
        return tuple(session for one in self._conversations.values() if (session := one.session()).turns)

    def _conversation(self, record: dict[str, Any]) -> Conversation | None:
        session_id = text(record.get("sessionId")) or text(record.get("session_id"))
        if not session_id:
            return self._last
        if not self._agent or record.get("isSidechain") is not True:
            return self._open(session_id, "")
        agent = text(record.get("agentId")) or self._agent
        conversation = self._open(f"{session_id}:{agent}", agent)
        conversation.draft.parent_id = session_id
        return conversation

    def _open(self, session_id: str, thread: str) -> Conversation:
        if session_id not in self._conversations:
            opened = Conversation(session_id, reader=self._reader, own_thread=thread)
            self._conversations[session_id] = opened
        return self._conversations[session_id]


def _identity(record: dict[str, Any]) -> tuple[str, str] | None:
    event = text(record.get("uuid"))
    return (text(record.get("sessionId")) or text(record.get("session_id")), event) if event else None


def _fingerprint(record: dict[str, Any]) -> int:
    return hash(orjson.dumps(record))
