"""Small native logs, written line by line for one claim each."""

import gzip
from pathlib import Path
from typing import Any

import orjson

from agentflows import readers
from agentflows.session import Session, SourceRead, Turn

SESSION = "5e551011-0000-4000-8000-000000000001"


def line(kind: str, uuid: str, **fields: Any) -> dict[str, Any]:
    """A Claude Code line."""
    base = {"type": kind, "sessionId": SESSION, "uuid": uuid, "timestamp": "2026-02-01T10:00:00.000Z"}
    return {
        **base,
        "isSidechain": False,
        "cwd": "/home/dev/shop",
        "version": "2.1.40",
        "gitBranch": "main",
        **fields,
    }


def user(uuid: str, content: Any, **fields: Any) -> dict[str, Any]:
    """A user line."""
    return line("user", uuid, message={"role": "user", "content": content}, **fields)


def assistant(uuid: str, *blocks: dict[str, Any], message_id: str = "", **fields: Any) -> dict[str, Any]:
    """An assistant line; `usage` goes into its message."""
    message: dict[str, Any] = {
        "id": message_id or f"msg_{uuid}", "role": "assistant", "model": "claude-sonnet-4-5", "content": list(blocks),
    }  # fmt: skip
    if "usage" in fields:
        message["usage"] = fields.pop("usage")
    return line("assistant", uuid, message=message, **fields)


def call(tool: str, call_id: str, **given: Any) -> dict[str, Any]:
    """A tool_use block."""
    return {"type": "tool_use", "id": call_id, "name": tool, "input": given}


def answer(uuid: str, call_id: str, content: Any, *, is_error: bool = False, **fields: Any) -> dict[str, Any]:
    """The user line that holds a tool's result."""
    block = {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}
    return user(uuid, [block], **fields)


def text(words: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": words}


def jsonl(*records: Any) -> bytes:
    """Lines as Claude Code writes them."""
    return b"".join(orjson.dumps(record) + b"\n" for record in records)


def read_bytes(folder: Path, data: bytes, *, name: str = "log.jsonl", **options: Any) -> SourceRead:
    """Write the bytes to a file and read it."""
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (found,) = readers.read(path, **options)
    assert found.accepted + len(found.quarantined) == found.lines
    return found


def session_of(folder: Path, *records: Any, name: str = "log.jsonl", **options: Any) -> Session:
    """The one session of these lines, all of them accepted."""
    found = read_bytes(folder, jsonl(*records), name=name, **options)
    assert not found.quarantined
    (session,) = found.sessions
    return session


def turns_of(folder: Path, *records: Any, **options: Any) -> tuple[Turn, ...]:
    """The turns of that session."""
    return session_of(folder, *records, **options).turns


def marked(turn: Turn, kind: str) -> list[str]:
    """The texts of a turn's spans of one kind."""
    return [turn.text[span.start : span.end] for span in turn.spans if span.kind == kind]
