"""Transcripts of the Messages API and of OpenAI-style chats: one per file, one per line, or bare messages.

A transcript is `{"messages": […]}` with, where known, `system`, `model`, `usage`, `id` or `session_id`, `task`,
`agent`, `project`, `metadata`, and how it ended: `reward` or `score` (success is 1), `success`, or `outcome` (a word,
or `{"verdict": …, "score": …, "checks": [{"name", "passed", "detail"}]}`).

A log of API calls repeats a conversation from its start in every call. So words that two transcripts begin with are one
event, said once; a `session_id` (or `conversation_id`), or a `timestamp` of the message, tells that they were said anew.
"""

from collections.abc import Sequence
from typing import Any

from agentflows.readers.chat import Chat, content_text, is_message
from agentflows.readers.draft import Draft
from agentflows.readers.fields import items, label, moment, number, table, tables, text, tokens
from agentflows.readers.rewards import reward_label
from agentflows.session import Check, OutcomeLabel, Session, Verdict

_SESSION_IDS = ("session_id", "sessionId", "conversation_id", "transcript_id")
_IDS = ("session_id", "sessionId", "id", "conversation_id", "transcript_id", "trace_id")
_VERDICTS: dict[str, Verdict] = {
    "success": "success", "succeeded": "success", "satisfied": "success", "passed": "success", "pass": "success",
    "failure": "failure", "failed": "failure", "fail": "failure", "unsatisfied": "failure",
}  # fmt: skip


class Messages:
    """The format. A record is a transcript, or a single message of the one transcript the file is."""

    name = "messages"
    version = 2
    example = 'chat transcripts: {"messages": [{"role": …, "content": …}], …}, one per file or line'

    def recognises(self, record: dict[str, Any]) -> bool:
        """By its messages, each with a role and contents."""
        messages = record.get("messages")
        if isinstance(messages, list):
            return messages != [] and all(is_message(message) for message in items(messages)[:20])
        return is_message(record) and "type" not in record

    def unpack(self, document: Any) -> Sequence[Any] | None:
        """One transcript, a list of them, or the bare list of one's messages."""
        records = items(document) or [document]
        known = [self.recognises(table(record)) for record in records[:50]]
        if not any(known):
            return None
        return [{"messages": records}] if all(is_message(record) for record in records) else records

    def slim(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record: all of it is read."""
        return record

    def start(self, stem: str) -> "MessagesFile":
        """Begin a file."""
        return MessagesFile(stem, reader=f"{self.name}/{self.version}")


class MessagesFile:
    """The transcripts of one file."""

    def __init__(self, stem: str, *, reader: str) -> None:
        self._stem = stem
        self._reader = reader
        self._drafts: dict[str, Draft] = {}
        self._bare: tuple[Draft, Chat] | None = None

    def refusal(self, record: dict[str, Any]) -> str:
        """A record without messages, with something else among them, or with the id of an earlier one."""
        if "messages" not in record:
            return (
                ""
                if is_message(record)
                else f"no message and no transcript: the keys are {sorted(record)[:12]}"
            )
        messages = record["messages"]
        if not isinstance(messages, list) or not all(is_message(message) for message in items(messages)):
            return "`messages` is no list of messages, each with a known role and with content"
        session_id = _given_id(record)
        return f"the transcript {session_id} stands twice in the file" if session_id in self._drafts else ""

    def add(self, line: int, record: dict[str, Any]) -> None:
        """Take a transcript, or one more message of the file's own."""
        if "messages" not in record:
            draft, chat = self._bare = self._bare or self._open_bare()
            chat.take(record, line=line)
            return
        draft = self._open(_given_id(record) or self._numbered(line))
        _describe(draft, record)
        draft.add("system", 1, content_text(record.get("system")), line=line)
        if usage := tokens(record.get("usage")):
            draft.spent("the transcript", usage)
        chat = Chat(draft, may_repeat=not any(label(record.get(name)) for name in _SESSION_IDS))
        for message in tables(record["messages"]):
            chat.take(message, line=line, model=text(record.get("model")))

    def sessions(self) -> tuple[Session, ...]:
        """One for each transcript."""
        return tuple(draft.session() for draft in self._drafts.values() if draft.turns)

    def _open(self, session_id: str) -> Draft:
        draft = Draft(session_id, format="messages", reader=self._reader)
        self._drafts[session_id] = draft
        return draft

    def _open_bare(self) -> tuple[Draft, Chat]:
        draft = self._open(self._stem)
        return draft, Chat(draft, may_repeat=True)

    def _numbered(self, line: int) -> str:
        """The file's name for its first transcript, with the record's number for all others."""
        return self._stem if line == 1 and self._stem not in self._drafts else f"{self._stem}:{line}"


def _given_id(record: dict[str, Any]) -> str:
    return next((given for name in _IDS if (given := label(record.get(name)))), "")


def _describe(draft: Draft, record: dict[str, Any]) -> None:
    """Set what the transcript says of itself."""
    metadata = table(record.get("metadata"))
    draft.agent = label(record.get("agent")) or label(metadata.get("agent"))
    draft.project = label(record.get("project")) or label(metadata.get("project"))
    draft.task = label(record.get("task")) or label(record.get("task_id")) or label(metadata.get("task"))
    draft.title = label(record.get("title"))
    draft.parent_id = label(record.get("parent_id"))
    draft.meta["model"] = text(record.get("model"))
    for name in ("created_at", "started_at", "timestamp", "ended_at"):
        draft.seen_at(moment(record.get(name)))
    draft.outcome = _outcome(record)


def _outcome(record: dict[str, Any]) -> OutcomeLabel | None:
    """The label the transcript carries. A number is read as a reward only from 0 to 1: no other scale says what success is."""
    given = record.get("outcome")
    details = table(given)
    word = text(given) or text(details.get("verdict")) or text(details.get("result"))
    success = next((value for value in (record.get("success"), given) if isinstance(value, bool)), None)
    if success is not None:
        word = word or ("success" if success else "failure")
    source, score = _score(record, details)
    checks = [_check(item) for item in tables(details.get("checks")) if text(item.get("name"))]
    if word:
        verdict = _VERDICTS.get(word.lower(), "unknown")
        return OutcomeLabel(verdict=verdict, score=score, source="outcome", checks=tuple(checks))
    if score is None:
        return None
    label_ = reward_label(score, checks, source=source)
    return label_ if 0 <= score <= 1 else label_.model_copy(update={"verdict": "unknown"})


def _score(record: dict[str, Any], details: dict[str, Any]) -> tuple[str, float | None]:
    for name, value in (
        ("reward", record.get("reward")),
        ("score", record.get("score")),
        ("outcome", details.get("score")),
    ):
        found = number(value)
        if found is not None:
            return name, found
    return "outcome", None


def _check(item: dict[str, Any]) -> Check:
    return Check(
        name=text(item.get("name")), passed=item.get("passed") is True, detail=text(item.get("detail"))
    )
