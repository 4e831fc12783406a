"""Decoded JSON read without surprises: a field of the wrong type is as good as a missing one."""

from datetime import UTC, datetime
from typing import Any, cast

import orjson

from agentflows.session import Usage

_MILLISECONDS = 1e11
"""Unix times above this are milliseconds: as seconds it is the year 5138."""


def text(value: Any) -> str:
    """A string, else ""."""
    return value if isinstance(value, str) else ""


def table(value: Any) -> dict[str, Any]:
    """An object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def tables(value: Any) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [table(item) for item in items(value) if isinstance(item, dict)]


def number(value: Any) -> float | None:
    """A number, else None; true and false are none."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def label(value: Any) -> str:
    """A string or number as text, else "": identifiers are written both ways."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def moment(value: Any) -> datetime | None:
    """A point in time, UTC and naive, from ISO 8601 or Unix time; None where it is neither or cannot be."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
        seconds = number(value)
        if seconds is None:
            return None
        seconds = seconds / 1000 if abs(seconds) > _MILLISECONDS else seconds
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


def tokens(value: Any) -> Usage | None:
    """Token counts in the words of Anthropic or of OpenAI; None where there are none.

    OpenAI counts what its cache read among the prompt tokens; `Usage.input_tokens` does not.
    """
    usage = table(value)
    if "input_tokens" in usage and "prompt_tokens" not in usage:
        return Usage(
            _count(usage, "input_tokens"),
            _count(usage, "output_tokens"),
            _count(usage, "cache_read_input_tokens"),
            _count(usage, "cache_creation_input_tokens"),
        )
    if "prompt_tokens" not in usage:
        return None
    cached = _count(table(usage.get("prompt_tokens_details")), "cached_tokens")
    prompt = _count(usage, "prompt_tokens")
    return Usage(max(prompt - cached, 0), _count(usage, "completion_tokens"), cached)


def _count(usage: dict[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def cut(words: str, limit: int = 80) -> str:
    """The text on one line, at most `limit` characters."""
    line = " ".join(words[: limit * 8].split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
