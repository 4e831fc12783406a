"""A session as rows of the archive's tables, and back. The round trip loses nothing."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from agentflows.session import Check, OutcomeLabel, Session, Span, Turn, Usage

SESSION_COLUMNS = (
    "session_id, format, reader, agent, project, task, title, parent_id, started_at, ended_at, verdict, score, "
    "outcome_source, checks, meta"
)
TURN_COLUMNS = (
    "session_id, seq, kind, trust, text, ts, thread, tool, tool_use_id, is_error, spans, origin, model, "
    "input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, line"
)


def session_row(
    session: Session, *, content_sha256: str, source_sha256: str, source_file: str
) -> tuple[Any, ...]:
    """One row of `sessions`, in the order of its columns."""
    outcome, usage = session.outcome, session.usage
    return (
        session.session_id,
        session.root_id,
        session.parent_id,
        session.format,
        session.reader,
        session.agent,
        session.project,
        session.task,
        session.title,
        session.started_at,
        session.ended_at,
        len(session.turns),
        sum(turn.kind == "tool_call" for turn in session.turns),
        sum(turn.is_error for turn in session.turns),
        chars(session),
        outcome.verdict if outcome else "unknown",
        outcome.score if outcome else None,
        outcome.source if outcome else None,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        content_sha256,
        source_sha256,
        source_file,
        [check.model_dump() for check in outcome.checks] if outcome else [],
        list(session.meta.items()),
    )


def turn_rows(session: Session) -> list[tuple[Any, ...]]:
    """The rows of `turns`, in the order of its columns and of `seq`."""
    return [
        (
            session.session_id,
            turn.seq,
            turn.kind,
            turn.trust,
            turn.text,
            turn.at,
            turn.thread,
            turn.tool,
            turn.tool_use_id,
            turn.is_error,
            [{"start": span.start, "end": span.end, "kind": span.kind} for span in turn.spans],
            turn.origin,
            turn.model,
            *_tokens(turn.usage),
            turn.line,
        )
        for turn in session.turns
    ]


def _tokens(usage: Usage | None) -> tuple[int | None, ...]:
    if usage is None:
        return (None, None, None, None)
    return (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)


def to_turn(row: Sequence[Any]) -> Turn:
    """One turn from a row of `TURN_COLUMNS`."""
    return Turn(
        seq=row[1],
        kind=row[2],
        trust=row[3],
        text=row[4],
        at=row[5],
        thread=row[6],
        tool=row[7],
        tool_use_id=row[8],
        is_error=row[9],
        spans=tuple(Span(span["start"], span["end"], span["kind"]) for span in row[10]),
        origin=row[11],
        model=row[12],
        usage=None if row[13] is None else Usage(*row[13:17]),
        line=row[17],
    )


def to_session(row: Sequence[Any], turns: tuple[Turn, ...]) -> Session:
    """One session from a row of `SESSION_COLUMNS` and its turns."""
    outcome = None
    if row[12] is not None:
        checks = tuple(Check(**check) for check in row[13])
        outcome = OutcomeLabel(verdict=row[10], score=row[11], source=row[12], checks=checks)
    return Session(
        session_id=row[0],
        format=row[1],
        reader=row[2],
        agent=row[3],
        project=row[4],
        task=row[5],
        title=row[6],
        parent_id=row[7],
        started_at=row[8],
        ended_at=row[9],
        turns=turns,
        outcome=outcome,
        meta=dict(row[14]),
    )


def chars(session: Session) -> int:
    """Characters of all turns."""
    return sum(len(turn.text) for turn in session.turns)


def row_sha256(session: Session) -> str:
    """Identity of everything the archive stores of a session, every field of every turn included."""
    body = session.model_dump(exclude={"turns"})
    digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    digest.update(orjson.dumps(session.turns, option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()


def turns_sha256(turns: Iterable[Turn]) -> str:
    """Identity of what was said and done in some turns: tells whether they begin a longer session."""
    digest = hashlib.sha256()
    for turn in turns:
        head = (turn.seq, turn.kind, turn.trust, turn.thread, turn.tool, turn.is_error, len(turn.text))
        digest.update(orjson.dumps(head))
        digest.update(turn.text.encode())
    return digest.hexdigest()
