"""Re-checking: entries of a store that somebody should look at again, why, and in which sessions to look.

Being queued is a question, never a verdict: nothing is retired for being old or unused.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from agentflows.change import Quote
from agentflows.dream.nominate import differs
from agentflows.lineage.records import Records, since
from agentflows.lineage.validity import Ages, Validity
from agentflows.memory import sha256
from agentflows.signature import specifics
from agentflows.store import Evidence

if TYPE_CHECKING:
    from agentflows.archive import Archive

Due = Literal["lapsed", "evidence_gone", "contradicted_once", "old"]
"""Why an entry is queued.

* `lapsed`: the last day it was true is past
* `evidence_gone`: sessions it rested on were forgotten, left the archive, or say something else now
* `contradicted_once`: one session spoke against it, which is too little to change it
* `old`: sessions worked on the same subject `OLD` or longer after it was last confirmed
"""
OLD = timedelta(days=90)
_SESSIONS = 5
"""Sessions named for one entry."""
_ALL = 1_000_000_000
_ASKED = 100
"""Entries asked about in one query over the archive; the longest unconfirmed first."""


class Recheck(BaseModel):
    """One entry to look at again."""

    model_config = ConfigDict(frozen=True)

    entry_id: str
    path: str
    text: str
    due: Due
    why: str
    sessions: tuple[str, ...] = ()
    """Where to look; () where nothing is left to look at."""
    quotes: tuple[Quote, ...] = ()
    """What was said that makes it due."""
    validity: Validity


@dataclass(frozen=True, slots=True)
class _Asked:
    """An entry that nothing confirmed for long, and words by which its subject is known."""

    age: Validity
    words: tuple[str, ...]
    confirmed: datetime
    known: frozenset[str]


def queue(records: Records, archive: "Archive", *, today: date | None = None) -> list[Recheck]:
    """The entries of a store that should be looked at again, the surest reason first, each once.

    Raises:
        ArchiveError: the archive cannot be read.
    """
    today = today or datetime.now(UTC).date()
    ages = Ages(records)
    standing = ages.standing()
    found = [
        *_lapsed(records, standing, today),
        *_gone(records, archive, standing),
        *_contradicted(records, standing),
        *_old(records, archive, standing),
    ]
    first: dict[str, Recheck] = {}
    for one in found:
        first.setdefault(one.entry_id, one)
    return list(first.values())


def _made(
    age: Validity, due: Due, why: str, sessions: Iterable[str], quotes: Sequence[Quote] = ()
) -> Recheck:
    return Recheck(
        entry_id=age.entry_id,
        path=age.path,
        text=age.text,
        due=due,
        why=why,
        sessions=tuple(dict.fromkeys(sessions))[:_SESSIONS],
        quotes=tuple(quotes),
        validity=age,
    )


def _lapsed(records: Records, standing: Sequence[Validity], today: date) -> Iterable[Recheck]:
    for age in standing:
        if age.lapsed(today):
            why = f"it held until {age.valid_to} ({age.to_why}), and that is past"
            quotes = [quote for quote in _quotes(records, age) if quote.address in age.to_why]
            yield _made(age, "lapsed", why, (row.root_id for row in _rows(records, age)), quotes)


def _gone(records: Records, archive: "Archive", standing: Sequence[Validity]) -> Iterable[Recheck]:
    altered = _altered(archive, [row for age in standing for row in _rows(records, age)])
    for age in standing:
        rows = _rows(records, age)
        forgotten = sorted(_forgotten(records, age))
        lost = sorted({row.session_id for row in rows if _place(row) in altered})
        left = [row.root_id for row in rows if _place(row) not in altered]
        told = [f"{', '.join(forgotten[:3])} was forgotten"] if forgotten else []
        told += [f"{', '.join(lost[:3])} is not in the archive as it was quoted"] if lost else []
        if told:
            count = len(set(left))
            why = f"{'; '.join(told)}; {count or 'no'} {'session' if count == 1 else 'sessions'} left that it rests on"
            yield _made(age, "evidence_gone", why, left)


def _forgotten(records: Records, age: Validity) -> set[str]:
    """The sessions counted for an entry that were forgotten after they were."""
    maker = records.maker(age.path, age.text)
    changes = [*records.reinforcements(age.path, age.text), *([maker] if maker else [])]
    return {
        root
        for one in changes
        for root in records.reports.sessions(one.change) & since(records.forgotten, one.dreamt_at)
    }


def _altered(archive: "Archive", rows: Sequence[Evidence]) -> set[tuple[str, int, int, int]]:
    """The quotes that the archive does not hold any more, letter for letter."""
    places = sorted({_place(row) for row in rows})
    if not places:
        return set()
    values = ", ".join(f"({_text(name)}, {seq}, {start}, {end})" for name, seq, start, end in places)
    query = (
        f"SELECT p.session_id, p.seq, p.first, p.last, substr(t.text, p.first + 1, p.last - p.first) "
        f"FROM (VALUES {values}) p(session_id, seq, first, last) JOIN turns t USING (session_id, seq)"
    )
    there = {tuple(row[:4]): str(row[4]) for row in archive.sql(query, limit=_ALL).rows}
    return {_place(row) for row in rows if sha256(there.get(_place(row), "")) != row.quote_sha256}


def _place(row: Evidence) -> tuple[str, int, int, int]:
    return row.session_id, row.seq, row.start, row.end


def _contradicted(records: Records, standing: Sequence[Validity]) -> Iterable[Recheck]:
    """Entries that one session spoke against, as dreams counted it."""
    heard = _heard(records)
    for age in standing:
        rows = _rows(records, age)
        keys = sorted({_base(key) for row in rows for key in row.pattern_key.split("\n") if key})
        roots = {row.root_id for row in rows}
        for session, claim in (one for key in keys for one in heard.get(key, ())):
            if session not in roots and (not claim or differs(age.text, claim)):
                said = f" (“{' '.join(claim.split())[:120]}”)" if claim else ""
                why = f"one session, {session}, spoke against it{said}, which is too little to change it"
                yield _made(age, "contradicted_once", why, [session])
                break


def _heard(records: Records) -> dict[str, list[tuple[str, str]]]:
    """By a pattern's key without its value: the one session that spoke against it, or said something else, and what."""
    found: dict[str, list[tuple[str, str]]] = {}
    for dream in records.state.dreams(records.store.store_id):
        report = records.reports.report(dream.dream_id)
        for pattern in report.patterns if report else ():
            if len(pattern.sessions_against) == 1:
                found.setdefault(_base(pattern.key), []).append((pattern.sessions_against[0], ""))
        for refusal in report.refusals if report else ():
            if refusal.gate == "support" and refusal.session_id and refusal.key:
                found.setdefault(_base(refusal.key), []).append((refusal.session_id, refusal.claim))
    return found


def _base(key: str) -> str:
    """Kind, subject, attribute and scope of a pattern's key, without its value."""
    return "|".join(key.split("|")[:4])


def _old(records: Records, archive: "Archive", standing: Sequence[Validity]) -> Iterable[Recheck]:
    asked: list[_Asked] = []
    for age in standing:
        confirmed = age.last_confirmed
        words = _subject(records, age)
        if confirmed and words:
            known = frozenset(records.resting(age.path, age.text))
            asked.append(_Asked(age, words, confirmed, known))
    asked.sort(key=lambda one: (one.confirmed, one.age.entry_id))
    touched = _touching(archive, asked[:_ASKED])
    for number, one in enumerate(asked[:_ASKED]):
        newer = [name for name in touched.get(number, []) if name not in one.known]
        if newer:
            why = (
                f"last confirmed on {one.confirmed:%Y-%m-%d}; {len(newer)} newer "
                f"{'session' if len(newer) == 1 else 'sessions'} worked on {' '.join(one.words)}"
            )
            yield _made(one.age, "old", why, newer)


def _subject(records: Records, age: Validity) -> tuple[str, ...]:
    """Words by which sessions about the same subject are known: its pattern's subject, else names in its text."""
    subjects = {
        key.split("|")[1] for row in _rows(records, age) for key in row.pattern_key.split("\n") if "|" in key
    }
    words = min((subject for subject in subjects if len(subject) > 3), default="")
    if words:
        return tuple(words.lower().split())
    names = sorted(
        (name.lower() for name in specifics(age.text) if len(name) > 3), key=lambda name: (-len(name), name)
    )
    return tuple(names[:1])


def _touching(archive: "Archive", asked: Sequence[_Asked]) -> Mapping[int, list[str]]:
    """For each entry asked about, the sessions `OLD` after its confirmation in which a user names all its words."""
    if not asked:
        return {}
    values = ", ".join(
        f"({number}, [{', '.join(map(_text, one.words))}], TIMESTAMP {_text(f'{one.confirmed:%Y-%m-%d %H:%M:%S}')})"
        for number, one in enumerate(asked)
    )
    query = (
        f"SELECT a.number, t.root_id, max(t.ts) AS last FROM (VALUES {values}) a(number, words, since) "
        f"JOIN texts t ON t.ts > a.since + INTERVAL {OLD.days} DAY AND t.kind = 'user' "
        "AND len(list_filter(a.words, lambda word: NOT contains(lower(t.text), word))) = 0 "
        "GROUP BY ALL ORDER BY a.number, last DESC, t.root_id"
    )
    found: dict[int, list[str]] = {}
    for number, root, _ in archive.sql(query, limit=_ALL, timeout_seconds=120).rows:
        found.setdefault(int(number), []).append(str(root))
    return found


def _text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def _rows(records: Records, age: Validity) -> Sequence[Evidence]:
    return records.evidence(age.path, age.text)


def _quotes(records: Records, age: Validity) -> list[Quote]:
    """The quotes that an entry rests on, as its changes hold them."""
    wanted: Collection[str] = {row.quote_sha256 for row in _rows(records, age)}
    said = (quote for one in records.committed for quote in one.change.quotes if quote.sha256 in wanted)
    return list({(quote.address, quote.start, quote.end): quote for quote in said}.values())
