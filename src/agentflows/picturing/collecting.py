"""Collecting: what each picture is drawn from, out of the archive and the state database."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from agentflows.archive import OverTime
from agentflows.change import Cost
from agentflows.home import Home
from agentflows.impact import measure, success_of
from agentflows.memory import MemoryStore, parse_entries
from agentflows.pictures import (
    Count,
    Coverage,
    Covered,
    Grown,
    Growth,
    Mark,
    Recurring,
    Row,
    Spending,
    Spent,
    SpentOn,
    Success,
)

_ALL = 1_000_000_000
_MIXED = (
    ("error_signatures", "Errors", 6),
    ("user_corrections", "Corrections and rules", 4),
    ("tool_sequences", "Sequences of steps", 4),
)
"""What a picture of everything that recurs shows, and how many of each."""


def picture_pattern(
    home: Home, name: str, *, store: str = "", top: int = 12, session_ids: Sequence[str] | None = None
) -> Recurring:
    """How often what one pattern query finds came up, with the versions of a store where one is named.

    Raises:
        NotFoundError: there is no such pattern or store, or the pattern counts nothing that comes up over time.
    """
    found = home.archive.over_time(name, top=top, session_ids=session_ids)
    return Recurring(
        title=found.title,
        rows=tuple(_rows(found, "")),
        all_sessions=_counts(found.all_sessions),
        undated=found.undated,
        marks=_marks(home, store),
    )


def picture_recurring(home: Home, *, store: str = "", session_ids: Sequence[str] | None = None) -> Recurring:
    """How often errors, corrections, rules and sequences of steps came up that two sessions or more show.

    Raises:
        NotFoundError: there is no such store.
    """
    all_found = [
        (group, home.archive.over_time(name, top=top, at_least=2, session_ids=session_ids))
        for name, group, top in _MIXED
    ]
    _, first = all_found[0]
    return Recurring(
        title="What recurs",
        rows=tuple(row for group, found in all_found if found.top for row in _rows(found, group)),
        all_sessions=_counts(first.all_sessions),
        undated=first.undated,
        marks=_marks(home, store),
    )


def _rows(found: OverTime, group: str) -> Iterable[Row]:
    for one in found.top:
        yield Row(label=one.label, group=group, sessions=one.sessions, counts=_counts(one.at))
    if found.rest is not None:
        yield Row(
            label=f"{found.others:,} other{'' if found.others == 1 else 's'}",
            group=group,
            sessions=found.rest.sessions,
            counts=_counts(found.rest.at),
            is_rest=True,
        )


def _counts(at: dict[datetime, int]) -> tuple[Count, ...]:
    return tuple(Count(start, sessions) for start, sessions in sorted(at.items()))


def _marks(home: Home, store: str) -> tuple[Mark, ...]:
    """The versions of a store, the first moment of each."""
    if not store:
        return ()
    found = home.state.get_store(store)
    worse = _worse(home, found)
    at = {row.store_version: row.created_at for row in home.state.versions(found.store_id, limit=_ALL)}
    return tuple(
        Mark(at=at[version], label=f"v{version}", verdict="worse" if version in worse else "")
        for version in sorted(at)
    )


def _worse(home: Home, store: MemoryStore) -> set[int]:
    flags = home.state.impact_flags(store.store_id)
    return {flag.worse.version for flag in flags if flag.status == "open"}


def picture_success(home: Home, store: str) -> Success:
    """How sessions ended before and after each version of a store.

    Raises:
        NotFoundError: there is no such store.
    """
    return success_of(measure(home.state, home.archive, store))


def picture_cost(home: Home, store: str = "", *, each: Literal["run", "day"] = "run") -> Spending:
    """What dreams cost, those of one store or all, beside all outcomes and jobs of teams; one by one or by day.

    Outcomes and jobs belong to no store. One that is part of another (a job's turn with a rubric, a dream's probe) is
    paid from that one's budget, and counted there.

    Raises:
        NotFoundError: there is no such store.
    """
    state = home.state
    began: dict[SpentOn, dict[str, datetime]] = {
        "dream": {dream.dream_id: dream.created_at for dream in state.dreams(store or None)},
        "outcome": {name: at for name, at, request in state.outcome_begins() if not _is_part(request)},
        "job": state.job_begins(),
    }
    spent = [one for kind, begins in began.items() for one in _spent(home, kind, begins)]
    whose = f" over {state.get_store(store).name}" if store else ""
    also = [words for kind, words in _ALSO.items() if began[kind]]
    what = f"dreams{whose}" + (f", {' and '.join(also)}" if also else "")
    title = f"What {what} cost{', day by day' if each == 'day' else ''}"
    return Spending(title=title, each=each, spent=tuple(sorted(spent, key=lambda one: (one.at, one.label))))


_ALSO: dict[SpentOn, str] = {"outcome": "outcomes", "job": "jobs of teams"}


def _is_part(request: str) -> bool:
    return bool(json.loads(request or "{}").get("within"))


def _spent(home: Home, kind: SpentOn, begins: Mapping[str, datetime]) -> Iterator[Spent]:
    costs = home.state.spent_by(kind)
    for name, at in begins.items():
        cost = costs.get(name, Cost())
        yield Spent(
            at=at,
            label=name,
            kind=kind,
            dollars=cost.dollars,
            calls=cost.calls,
            input_tokens=cost.usage.input_tokens,
            cached_tokens=cost.usage.cache_read_tokens,
            written_tokens=cost.usage.cache_write_tokens,
            output_tokens=cost.usage.output_tokens,
        )


def picture_growth(home: Home, store: str) -> Growth:
    """How many entries each version of a store holds, and what it added and removed.

    Raises:
        NotFoundError: there is no such store.
    """
    found = home.state.get_store(store)
    worse = _worse(home, found)
    entries: Counter[str] = Counter()
    held: dict[str, tuple[Counter[str], int]] = {}
    """By memory: its entries' texts and its size."""
    versions: list[Grown] = []
    rows = home.state.versions(found.store_id, limit=_ALL)[::-1]
    for number in sorted({row.store_version for row in rows}):
        changed = [row for row in rows if row.store_version == number]
        before = entries.copy()
        for row in changed:
            old, _ = held.pop(row.memory_id, (Counter[str](), 0))
            entries -= old
            if row.operation != "deleted":
                content = row.content or ""
                texts = Counter(
                    entry.text for entry in parse_entries(row.path, content) if entry.kind != "heading"
                )
                held[row.memory_id] = texts, len(content.encode())
                entries += texts
        versions.append(
            Grown(
                version=number,
                at=changed[0].created_at,
                by=changed[0].created_by.name,
                entries=entries.total(),
                bytes=sum(size for _, size in held.values()),
                added=(entries - before).total(),
                removed=(before - entries).total(),
                verdict="worse" if number in worse else "",
            )
        )
    return Growth(title=f"How the memory {found.name} grew", versions=tuple(versions))


def picture_coverage(home: Home, store: str) -> Coverage:
    """Which sessions the dreams over a store read.

    Raises:
        NotFoundError: there is no such store.
    """
    found = home.state.get_store(store)
    dreams = [
        Covered(
            at=dream.created_at,
            label=dream.dream_id,
            read=coverage.read,
            known=coverage.from_cache,
            unread=coverage.unread,
            failed=coverage.failed,
            archived=coverage.archived,
        )
        for dream, coverage in home.state.coverages(found.store_id)
    ]
    return Coverage(title=f"Sessions that dreams over {found.name} read", dreams=tuple(dreams))
