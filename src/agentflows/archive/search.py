"""Words in sessions: what people and agents said and what went wrong first, other tool traffic last."""

from collections.abc import Sequence
from typing import Any

from agentflows.archive.answers import Hit
from agentflows.archive.engine import Connection
from agentflows.errors import UsageError

KINDS = ("user", "agent", "error", "tool")
"""In order of rank. `tool` is all that the others are not: calls, results, thinking, harness text."""
_AROUND = 100

_SAID = """
SELECT session_id, seq, kind, trust, ts, project, text FROM texts
WHERE list_contains(?, kind) AND {words}
ORDER BY contains(lower(text), ?) DESC, array_position(['user', 'agent', 'error'], kind), ts DESC NULLS LAST,
         session_id, seq
LIMIT ?
"""
_REST = """
SELECT session_id, seq, kind, trust, ts, project, text FROM turns JOIN sessions USING (session_id)
WHERE kind NOT IN ('user', 'agent') AND NOT is_error AND {words}
ORDER BY contains(lower(text), ?) DESC, ts DESC NULLS LAST, session_id, seq
LIMIT ?
"""


def find(cursor: Connection, text: str, *, limit: int, kinds: Sequence[str]) -> list[Hit]:
    """See `Archive.search`."""
    phrase = " ".join(text.lower().split())
    unknown = sorted(set(kinds) - set(KINDS))
    if not phrase or unknown:
        problem = f"unknown kinds {unknown}" if unknown else "nothing to look for"
        msg = f"The search has {problem}. Give some words, and kinds among {', '.join(KINDS)}."
        raise UsageError(msg)
    words = list(dict.fromkeys(phrase.split(" ")))
    condition = " AND ".join("contains(lower(text), ?)" for _ in words)
    said = [kind for kind in kinds if kind != "tool"]
    rows = cursor.execute(_SAID.format(words=condition), [said, *words, phrase, limit]).fetchall()
    if "tool" in kinds and len(rows) < limit:
        left = limit - len(rows)
        rows += cursor.execute(_REST.format(words=condition), [*words, phrase, left]).fetchall()
    return [_hit(row, phrase, words) for row in rows]


def _hit(row: Sequence[Any], phrase: str, words: Sequence[str]) -> Hit:
    text: str = row[6]
    lower = text.lower()
    place = lower.find(phrase)
    length = len(phrase) if place >= 0 else len(words[0])
    place = max(place if place >= 0 else lower.find(words[0]), 0)
    start, end = max(place - _AROUND, 0), min(place + length + _AROUND, len(text))
    snippet = ("…" if start else "") + " ".join(text[start:end].split()) + ("…" if end < len(text) else "")
    return Hit(
        session_id=row[0], seq=row[1], kind=row[2], trust=row[3], at=row[4], project=row[5], snippet=snippet
    )
