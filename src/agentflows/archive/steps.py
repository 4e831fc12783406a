"""What pattern queries read: one row per tool call with its result, one per user or agent text or error.

Derived from a session's turns when it is written, with the functions of `agentflows.signature`.
"""

import hashlib
from collections import defaultdict, deque
from functools import lru_cache
from typing import Any, cast

import orjson

from agentflows.session import Session, Turn
from agentflows.signature import command_head, error_signature

INPUT_CHARS = 2_000
"""Of a call's input kept in `steps`; the whole is in `turns`."""
BODY_CHARS = 1_000
"""Of a result kept in `steps`."""
ERROR_CHARS = 4_000
"""Of an error kept in `texts`."""
ARG_CHARS = 40
"""A longer argument is content, not a choice among a few values."""


def step_rows(session: Session) -> list[tuple[Any, ...]]:
    """The rows of `steps`, in the order of its columns."""
    results = _results(session)
    verdict = session.outcome.verdict if session.outcome else "unknown"
    calls = [turn for turn in session.turns if turn.kind == "tool_call"]
    rows: list[tuple[Any, ...]] = []
    for ordinal, call in enumerate(calls):
        result = results.get(call.seq)
        rows.append(
            (
                session.session_id,
                session.root_id,
                session.project,
                session.task,
                verdict,
                call.thread,
                ordinal,
                call.seq,
                result.seq if result else None,
                call.tool,
                _head(call.tool, call.text),
                call.text[:INPUT_CHARS],
                hashlib.sha256(call.text.encode()).hexdigest()[:16],
                arguments(call.text),
                result is not None and result.is_error,
                error_signature(result.text) if result and result.is_error else None,
                result.text[:BODY_CHARS] if result else None,
                call.at or (result.at if result else None),
                call.origin,
            )
        )
    return rows


@lru_cache(maxsize=2_000)
def _head(tool: str, given: str) -> str:
    """`command_head`, remembered: agents run the same commands over and over."""
    return command_head(tool, given)


def _results(session: Session) -> dict[int, Turn]:
    """The result of each call, by the call's seq. Some logs use an id twice, one call after the other."""
    waiting: defaultdict[tuple[str, ...], deque[int]] = defaultdict(deque)
    found: dict[int, Turn] = {}
    for turn in session.turns:
        key = (turn.tool_use_id,) if turn.tool_use_id else ("", turn.thread, turn.tool)
        if turn.kind == "tool_call":
            waiting[key].append(turn.seq)
        elif turn.kind == "tool_result" and waiting[key]:
            found[waiting[key].popleft()] = turn
    return found


def arguments(call: str) -> list[str]:
    """`name=value` for each short scalar at the top of a call's input, sorted."""
    try:
        value: Any = orjson.loads(call)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for name, given in cast("dict[str, Any]", value).items():
        if isinstance(given, dict | list) or given is None:
            continue
        text = given if isinstance(given, str) else orjson.dumps(given).decode()
        if len(text) <= ARG_CHARS and "\n" not in text:
            found.append(f"{name}={text}")
    return sorted(found)


def text_rows(session: Session) -> list[tuple[Any, ...]]:
    """The rows of `texts`, in the order of its columns."""
    verdict = session.outcome.verdict if session.outcome else "unknown"
    work = 0
    rows: list[tuple[Any, ...]] = []
    for turn in session.turns:
        kind = "error" if turn.is_error else turn.kind
        if kind in {"user", "agent", "error"}:
            rows.append(
                (
                    session.session_id,
                    session.root_id,
                    session.project,
                    session.task,
                    verdict,
                    turn.thread,
                    turn.seq,
                    kind,
                    turn.trust,
                    turn.text[:ERROR_CHARS] if kind == "error" else turn.text,
                    _own(turn),
                    work,
                    turn.tool,
                    turn.at,
                    turn.origin,
                )
            )
        work = 0 if turn.kind == "user" else work + (turn.kind in {"agent", "tool_call"})
    return rows


def _own(turn: Turn) -> str | None:
    """The text with all that its author did not write blanked, at unchanged positions; None if all is own."""
    if not turn.spans or turn.kind != "user":
        return None
    text = turn.text
    for span in turn.spans:
        start, end = max(span.start, 0), min(span.end, len(text))
        if end > start:
            text = text[:start] + " " * (end - start) + text[end:]
    return text
