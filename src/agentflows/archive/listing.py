"""Listings: a page of sessions, and what there is to choose from, however many the archive holds."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from agentflows.archive.engine import Connection
from agentflows.session import SessionInfo

_WORDS = "contains(lower(concat_ws(' ', session_id, title, task, project)), ?)"
_FACETS = ("project", "agent", "format", "verdict")
_MOST = 200
"""Values of one facet that are offered."""


class SessionPage(BaseModel):
    """Some of the sessions that match, the newest first."""

    model_config = ConfigDict(frozen=True)

    sessions: list[SessionInfo]
    total: int
    """How many match."""


def read_facets(cursor: Connection) -> dict[str, dict[str, int]]:
    """Projects, agents, formats and verdicts with their number of sessions, the commonest first."""
    return {
        name: dict(
            cursor.execute(
                f"SELECT coalesce({name}, ''), count(*) FROM sessions GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_MOST}"
            ).fetchall()
        )
        for name in _FACETS
    }


def narrowed(condition: str, values: Sequence[Any], text: str, format_: str) -> tuple[str, list[Any]]:
    """The condition, for sessions whose id, title, task or project hold every word of `text` too."""
    words = text.lower().split()[:20]
    tests = [condition, *([_WORDS] * len(words)), *(["format = ?"] if format_ else [])]
    return " AND ".join(tests), [*values, *words, *([format_] if format_ else [])]
