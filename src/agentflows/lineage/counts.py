"""Counts: the note on support that an entry ends in, `(seen in 12 sessions, last on 2026-02-18)`, told anew."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime

from agentflows.change import Pattern
from agentflows.dream.proposals import support_note

_NOTE = re.compile(
    r"\((?:seen|said|asked) in (\d+) sessions?(?: from \d+ sources?)?(?:, last on (\d{4}-\d\d-\d\d))?\)"
)


def without_counts(text: str) -> str:
    """The text with its notes taken out: the same entry before and after it was counted anew."""
    return _NOTE.sub("", text)


def has_count(text: str) -> bool:
    """Whether the text says in how many sessions something was seen."""
    return bool(_NOTE.search(text))


def recounted(text: str, pattern: Pattern, *, counted: Collection[str], gone: str) -> str | None:
    """The text with this pattern's note saying what it says without the session `gone`.

    `counted` are the sessions that the note counts, `gone` among them. None where the text has no note that
    counts them, or two that might: then its words are left alone.
    """
    left = sorted(set(counted) - {gone})
    notes = [found for found in _NOTE.finditer(text) if _is_of(found, pattern, sorted(counted))]
    if len(notes) != 1 or not left:
        return None
    note = notes[0]
    fresh = support_note(_counting(pattern, left, _last(note, pattern, left, gone)))
    return text[: note.start()] + fresh + text[note.end() :]


def _is_of(note: re.Match[str], pattern: Pattern, counted: Sequence[str]) -> bool:
    return support_note(_counting(pattern, counted, _day(note))) == note.group()


def _day(note: re.Match[str]) -> datetime | None:
    return datetime.fromisoformat(note.group(2)) if note.group(2) else None


def _counting(pattern: Pattern, sessions: Sequence[str], last: datetime | None) -> Pattern:
    return pattern.model_copy(update={"sessions": tuple(sessions), "last_at": last})


def _last(note: re.Match[str], pattern: Pattern, left: Collection[str], gone: str) -> datetime | None:
    """The day it was last seen. Only quotes have a day, so another is given only where the day's quote goes."""
    last = _day(note)
    if last is None:
        return None
    dated = [(quote.root_id or quote.session_id, quote.at) for quote in pattern.quotes if quote.at]
    theirs = [at for root, at in dated if root in left]
    is_theirs = any(at.date() == last.date() for root, at in dated if root == gone)
    return max(theirs) if is_theirs and theirs else last
