"""Where things stand in the web page: one function per kind of thing, each of them safe for any id."""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from agentflows.memory import MemoryStore

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
"""Names that stand in a path as they are, and mean the same to every browser."""


def with_query(path: str, /, **values: object) -> str:
    """The path with those values that say something."""
    given = {name.rstrip("_"): value for name, value in values.items() if value not in {None, "", False}}
    return f"{path}?{urlencode(given)}" if given else path


def store_url(store: MemoryStore | str, part: str = "", /, **values: object) -> str:
    """A store's page, or a part of it; by name where that is unmistakable, else by id."""
    if isinstance(store, MemoryStore):
        is_plain = store.archived_at is None and _PLAIN.fullmatch(store.name)
        store = store.name if is_plain else store.store_id
    return with_query(f"/stores/{quote(store, safe='')}{f'/{part}' if part else ''}", **values)


def file_url(store: MemoryStore | str, path: str, version: int | None = None) -> str:
    """A memory of a store."""
    return store_url(store, "file", path=path, version=version)


def entry_url(store: MemoryStore | str, entry_id: str) -> str:
    """An entry of a store: why it stands there."""
    return store_url(store, "entry", id=entry_id)


def compare_url(store: MemoryStore | str, first: int, last: int) -> str:
    """Two versions of a store, side by side."""
    return store_url(store, "compare", **{"from": str(max(first, 0)), "to": str(last)})


def dream_url(dream_id: str, part: str = "", /, **values: object) -> str:
    """A dream, or a part of it."""
    return with_query(f"/dreams/{quote(dream_id, safe='')}{f'/{part}' if part else ''}", **values)


def session_url(
    session_id: str, seq: int | None = None, start: int | None = None, end: int | None = None
) -> str:
    """A session's transcript; at a turn, with the words of a quote marked."""
    spot = {"at": seq, "start": start, "end": end} if seq is not None else {}
    mark = f"#t{seq}" if seq is not None else ""
    return with_query("/session", id=session_id, **spot) + mark


def turn_url(session_id: str, seq: int, offset: int = 0) -> str:
    """One turn, whole."""
    return with_query("/turn", id=session_id, seq=str(seq), offset=offset or None)


def context_url(session_id: str, seq: int, start: int, end: int, sha256: str) -> str:
    """A quote with the turns around it, alone on a page or as part of one."""
    return with_query("/context", id=session_id, seq=str(seq), start=str(start), end=str(end), sha256=sha256)


def address_url(address: str) -> str:
    """`session_id#seq` as a link; "" for what is no address."""
    session_id, _, seq = address.rpartition("#")
    return session_url(session_id, int(seq)) if session_id and seq.isdecimal() and len(seq) < 10 else ""


def job_url(job_id: str, thread_id: str = "") -> str:
    """A job of a team, or one thread of it."""
    path = f"/jobs/{quote(job_id, safe='')}"
    return with_query(f"{path}/thread", name=thread_id) if thread_id else path


def outcome_url(outcome_id: str) -> str:
    """An outcome."""
    return f"/outcomes/{quote(outcome_id, safe='')}"


def picture_url(name: str, store_id: str) -> str:
    """A picture of a store."""
    return with_query(f"/pictures/{name}.svg", store=store_id)


def pattern_url(name: str) -> str:
    """A named pattern over the archive."""
    return f"/patterns/{quote(name, safe='')}"


def same_page(path: str, query: Mapping[str, str], /, **values: object) -> str:
    """The page that is shown, with some values of its query changed."""
    return with_query(path, **{**query, **values})
