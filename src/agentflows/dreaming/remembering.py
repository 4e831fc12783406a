"""What a store has said up to a version: the lines that a session may have read in a copy of it."""

from datetime import datetime

from agentflows.dream import Remembered
from agentflows.store import State

_PAGE = 50


def remembered(state: State, store_id: str, version: int) -> Remembered:
    """Every line that ever stood in the store.

    What a dream wrote can have been read from then on. What people wrote may be older than the store.
    """
    lines: dict[str, datetime | None] = {}
    offset = 0
    while page := state.versions(store_id, offset=offset, limit=_PAGE):
        offset += len(page)
        for one in page:  # the newest first, so the first to say a line has the last word
            if one.store_version <= version and one.content:
                since = one.created_at if one.dream_id else None
                lines |= dict.fromkeys(one.content.splitlines(), since)
    return Remembered(lines)
