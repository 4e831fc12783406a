"""The archive's door: all sessions, held as Parquet files and asked through DuckDB."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from agentflows.archive import listing, maintenance, search, sql
from agentflows.archive.adding import Adder, Together
from agentflows.archive.answers import (
    AddReport,
    ArchiveStats,
    CompactReport,
    Hit,
    OverTime,
    PatternQuery,
    RebuildReport,
    Selection,
    Table,
)
from agentflows.archive.engine import Connection, restricted
from agentflows.archive.lake import Lake, read_sessions
from agentflows.archive.manifest import Part, Snapshot
from agentflows.archive.over_time import read_over_time
from agentflows.archive.patterns import PATTERNS
from agentflows.archive.remote import open_files
from agentflows.archive.rows import TURN_COLUMNS, to_turn
from agentflows.archive.signals import Signal, Witnesses, read_signals, read_witnesses
from agentflows.archive.stats import read_stats
from agentflows.archive.writer import PART_CHARS
from agentflows.errors import NotFoundError
from agentflows.session import (
    Quarantined,
    RawLine,
    Session,
    SessionInfo,
    SourceRead,
    Turn,
    Usage,
)

_CHUNK_CHARS = 8_000_000
"""Characters of sessions held at once by `sessions`."""
_CHUNK_SESSIONS = 100

_INFO = """
SELECT session_id, root_id, format, agent, project, task, title, started_at, ended_at, turns, tool_calls,
       errors, chars, verdict, score, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
       content_sha256
FROM sessions
"""
_INFO_FIELDS = (
    "session_id",
    "root_id",
    "format",
    "agent",
    "project",
    "task",
    "title",
    "started_at",
    "ended_at",
    "turns",
    "tool_calls",
    "errors",
    "chars",
    "verdict",
    "score",
)


class Archive:
    """All sessions. Any number of processes may add and read at once; nobody waits.

    `root` is a folder, or an fsspec URL such as `s3://bucket/archive`. Nothing is created before the first
    `add`; an archive that does not exist is empty. `threads` and `memory_limit` are DuckDB's, for this
    process; `part_chars` is how many characters are gathered in memory before files are written. `cache` is a folder
    for copies of what is behind a URL, up to `cache_bytes` of it; `needs_lock` has `compact`, `remove` and `rebuild`
    refused on S3 where they cannot be kept apart. Every method raises `ArchiveError` when files cannot be read or
    written.
    """

    def __init__(  # noqa: PLR0913 - each is a setting, given by keyword
        self,
        root: str | Path,
        *,
        threads: int = 2,
        memory_limit: str = "2GB",
        part_chars: int = PART_CHARS,
        cache: Path | None = None,
        cache_bytes: int = 0,
        needs_lock: bool = True,
    ) -> None:
        files = open_files(root, cache=cache, cache_bytes=cache_bytes, needs_lock=needs_lock)
        self._lake = Lake(files, threads=threads, memory_limit=memory_limit, part_chars=part_chars)
        self._together = Together(self._lake, archived=self._archived)

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    @property
    def root(self) -> str:
        """The folder or URL."""
        return self._lake.files.root

    def close(self) -> None:
        """Let go of memory and files. Asking again opens them again."""
        self._lake.close()

    # -- adding --

    def add(self, reads: Iterable[SourceRead]) -> AddReport:
        """Add what readers read, a part at a time, in bounded memory.

        A session that grew replaces its earlier version; one that contradicts what is archived is kept
        beside it and flagged; one that says nothing new writes nothing. When this fails halfway, the
        batches published before stay, and running it again adds the rest.
        """
        return Adder(self._lake, archived=self._archived).run(reads)

    def add_with_others(self, reads: Iterable[SourceRead]) -> AddReport:
        """The same for one of many threads that each add a little: what they ask for at once is published together.

        What cannot be added is an error of its own thread alone.
        """
        return self._together.add(reads)

    def has_source(self, sha256: str, *, reader: str = "") -> bool:
        """Whether a file of these very bytes was added before: by this reader and version, when given."""
        seen = self._lake.snapshot().seen.get(sha256)
        return seen is not None and (not reader or not seen or reader in seen)

    def _archived(self, session_id: str) -> Session | None:
        return (
            next(self.sessions([session_id]), None) if session_id in self._lake.snapshot().winners else None
        )

    # -- reading --

    def info(self, where: Selection | None = None) -> list[SessionInfo]:
        """What is known of the sessions that match, by start time (unknown first), then id.

        Raises:
            QueryError: `where.query` is no SQL predicate over `sessions`.
        """
        where = where or Selection()
        condition, values = _condition(where)
        if where.query is not None:
            query = (
                f"SELECT session_id FROM sessions WHERE CASE WHEN ({where.query}\n) THEN true ELSE false END"
            )
            chosen = sql.run(self._lake, query, limit=None, timeout_seconds=60)
            condition += " AND session_id IN (SELECT unnest(?::VARCHAR[]))"
            values.append([row[0] for row in chosen.rows])
        text = f"{_INFO} WHERE {condition} ORDER BY started_at DESC NULLS LAST, session_id DESC"
        if where.limit is not None:
            text += f" LIMIT {int(where.limit)}"
        rows = self._lake.query(lambda cursor, _: cursor.execute(text, values).fetchall())
        return [_info(row) for row in reversed(rows)]

    def page(
        self,
        where: Selection | None = None,
        *,
        text: str = "",
        format: str = "",  # noqa: A002 - the column's name
        offset: int = 0,
        limit: int = 50,
    ) -> listing.SessionPage:
        """Some of the sessions that match, the newest first, and how many match.

        `text` are words that their id, title, task or project hold. `where.query` and `where.limit` do not count here.
        """
        condition, values = listing.narrowed(*_condition(where or Selection()), text, format)

        def ask(cursor: Connection, _: Snapshot) -> listing.SessionPage:
            total = cursor.execute(f"SELECT count(*) FROM sessions WHERE {condition}", values).fetchall()[0][
                0
            ]
            order = "ORDER BY started_at DESC NULLS LAST, session_id DESC"
            some = f"{_INFO} WHERE {condition} {order} LIMIT {int(limit)} OFFSET {int(offset)}"
            rows = cursor.execute(some, values).fetchall()
            return listing.SessionPage(sessions=[_info(row) for row in rows], total=total)

        return self._lake.query(ask)

    def facets(self) -> dict[str, dict[str, int]]:
        """Projects, agents, formats and verdicts with their number of sessions, the commonest first."""
        return self._lake.query(lambda cursor, _: listing.read_facets(cursor))

    def sessions(self, session_ids: Sequence[str]) -> Iterator[Session]:
        """These sessions in this order, exactly as they were added, a bounded number in memory at a time.

        Raises:
            NotFoundError: one of them is not in the archive; raised before the first is given.
        """
        winners = self._lake.snapshot().winners
        missing = [session_id for session_id in session_ids if session_id not in winners]
        if missing:
            raise NotFoundError(_no_session(missing[0]))
        return self._stream(session_ids)

    def _stream(self, session_ids: Sequence[str]) -> Iterator[Session]:
        for chunk in self._chunks(session_ids):
            found = self._load(chunk)
            for session_id in chunk:
                if session_id not in found:
                    raise NotFoundError(_no_session(session_id))
                yield found[session_id]

    def _chunks(self, session_ids: Sequence[str]) -> Iterator[list[str]]:
        winners = self._lake.snapshot().winners
        chunk: list[str] = []
        size = 0
        for session_id in session_ids:
            chunk.append(session_id)
            size += winners[session_id][0].chars if session_id in winners else 0
            if size >= _CHUNK_CHARS or len(chunk) >= _CHUNK_SESSIONS:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk

    def _load(self, session_ids: Sequence[str]) -> dict[str, Session]:
        return self._lake.query(lambda cursor, snapshot: self._read(cursor, snapshot, session_ids))

    def _read(self, cursor: Connection, snapshot: Snapshot, session_ids: Sequence[str]) -> dict[str, Session]:
        by_part: dict[str, tuple[Part, list[str]]] = {}
        for session_id in dict.fromkeys(session_ids):
            if session_id in snapshot.winners:
                part = snapshot.winners[session_id][1]
                by_part.setdefault(part.name, (part, []))[1].append(session_id)
        found: dict[str, Session] = {}
        for part, wanted in by_part.values():
            found.update(read_sessions(cursor, self._lake.files, part, wanted))
        return found

    def turn(self, session_id: str, seq: int) -> Turn:
        """The turn at one address.

        Raises:
            NotFoundError: there is none.
        """
        found = self.turns(session_id, seq, seq)
        if not found:
            msg = f"The session {session_id!r} has no turn {seq}. Turns count from 0."
            raise NotFoundError(msg)
        return found[0]

    def turns(self, session_id: str, first: int, last: int) -> list[Turn]:
        """The turns from `first` to `last`, both included, as far as there are any.

        Raises:
            NotFoundError: there is no such session.
        """

        def ask(cursor: Connection, snapshot: Snapshot) -> list[Turn]:
            if session_id not in snapshot.winners:
                raise NotFoundError(_no_session(session_id))
            part = snapshot.winners[session_id][1]
            if "turns" not in part.files:
                return []
            rows = cursor.execute(
                f"SELECT {TURN_COLUMNS} FROM read_parquet(?) "
                "WHERE session_id = ? AND seq BETWEEN ? AND ? ORDER BY seq",
                [self._lake.files.url(part.path("turns")), session_id, first, last],
            ).fetchall()
            return [to_turn(row) for row in rows]

        return self._lake.query(ask)

    def search(
        self, text: str, *, limit: int = 20, kinds: Sequence[str] = ("user", "agent", "error", "tool")
    ) -> list[Hit]:
        """Turns that contain all words of `text`, in any case.

        Users' and agents' words and errors come first, the rest (`tool`) only when these do not fill the
        limit, and the exact phrase before scattered words.

        Raises:
            UsageError: `text` is blank or a kind is unknown.
        """
        return self._lake.query(lambda cursor, _: search.find(cursor, text, limit=limit, kinds=kinds))

    # -- patterns and SQL --

    @staticmethod
    def patterns() -> list[PatternQuery]:
        """The named pattern queries, with what they mean and their SQL."""
        return list(PATTERNS)

    def pattern(
        self,
        name: str,
        *,
        session_ids: Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Rows of one pattern query over all sessions, or over those given.

        Raises:
            NotFoundError: there is no pattern of that name.
        """
        query = _pattern(name).sql
        tail = f" LIMIT {int(limit)} OFFSET {int(offset)}" if limit is not None else ""

        def ask(cursor: Connection, _: Snapshot) -> list[dict[str, Any]]:
            text = _scope(cursor, session_ids)(query)
            cursor.execute(f"SELECT * FROM ({text}){tail}")
            columns = [column[0] for column in cursor.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

        return self._lake.query(ask)

    def over_time(
        self, name: str, *, session_ids: Sequence[str] | None = None, top: int = 12, at_least: int = 1
    ) -> OverTime:
        """How often what one pattern query finds came up, by when its sessions started, exact over all of them.

        The `top` things in most sessions, and in no fewer than `at_least`, stand by themselves, the rest together. A
        session counts once for each.

        Raises:
            NotFoundError: there is no pattern of that name, or it finds nothing that comes up at a time.
        """
        found = _pattern(name)
        if not found.moments:
            names = ", ".join(pattern.name for pattern in PATTERNS if pattern.moments)
            msg = f"The pattern {name!r} counts nothing that comes up over time. These do: {names}."
            raise NotFoundError(msg)
        return self._lake.query(
            lambda cursor, _: read_over_time(
                cursor, _scope(cursor, session_ids), found, top=top, at_least=at_least
            )
        )

    def signals(self, session_ids: Sequence[str] | None = None) -> list[Signal]:
        """What is known of each session without reading it: errors, rules, corrections, workflows, failed checks."""
        return self._lake.query(lambda cursor, _: read_signals(cursor, _scope(cursor, session_ids)))

    def witnesses(
        self, addresses: Sequence[tuple[str, int]], session_ids: Sequence[str] | None = None
    ) -> Witnesses:
        """Who, of all sessions or of those given, shows the same error or typed the same words as these turns."""
        return self._lake.query(
            lambda cursor, _: read_witnesses(cursor, _scope(cursor, session_ids), addresses)
        )

    def sql(self, query: str, *, limit: int = 1000, timeout_seconds: float = 60) -> Table:
        """Run one SELECT that a user or an agent wrote.

        It sees the archive's views and nothing else: no files, no settings, no writing.

        Raises:
            QueryError: it is refused, fails, or takes longer than `timeout_seconds`.
        """
        return sql.run(self._lake, query, limit=limit, timeout_seconds=timeout_seconds)

    # -- what is in it --

    def stats(self) -> ArchiveStats:
        """Counts over all that counts."""
        return self._lake.query(lambda cursor, snapshot: read_stats(cursor, snapshot, self._lake.files))

    def quarantine(self, *, limit: int = 100) -> list[Quarantined]:
        """Lines that could not be accepted, by file and line."""
        text = "SELECT file, line, reason, raw FROM quarantine ORDER BY file, line, reason, raw LIMIT ?"
        rows = self._lake.query(lambda cursor, _: cursor.execute(text, [limit]).fetchall())
        return [Quarantined(*row) for row in rows]

    def fingerprint(self) -> str:
        """Identity of everything archived: equal exactly when every field of every session is equal."""
        winners = self._lake.snapshot().winners
        digest = sha256()
        for session_id in sorted(winners):
            digest.update(f"{session_id}\x1f{winners[session_id][0].row_sha256}\x1e".encode())
        return digest.hexdigest()

    def verify(self) -> list[str]:
        """Read everything back and compare it with the manifests. Returns what is damaged; [] is sound."""
        return maintenance.verify(self._lake)

    # -- maintenance --

    def remove(self, session_ids: Sequence[str]) -> int:
        """Remove sessions and their sub-agents for good: their turns, their raw lines, every version.

        They vanish for all readers at once, then the files that hold them are rewritten, and later adds
        leave them out. Returns how many sessions of the archive went.
        """
        return maintenance.remove(self._lake, session_ids)

    def compact(self, *, orphan_age: timedelta = timedelta(hours=1)) -> CompactReport:
        """Merge small parts, drop superseded rows, delete what killed processes left behind.

        Readers and adders may be at work meanwhile. Files without a manifest are deleted when nobody on
        this machine is adding, or when they are older than `orphan_age`.
        """
        return maintenance.compact(self._lake, orphan_age=orphan_age)

    def rebuild(self, reread: Callable[[str, str, Sequence[RawLine]], SourceRead]) -> RebuildReport:
        """Read all raw lines again with `reread(file, format, lines)` and put the result in place at once.

        With the same readers every row hash, and so the `fingerprint`, comes out the same.
        """
        return maintenance.rebuild(self._lake, reread)


def _pattern(name: str) -> PatternQuery:
    found = next((pattern for pattern in PATTERNS if pattern.name == name), None)
    if found is None:
        msg = f"There is no pattern {name!r}. There are: {', '.join(pattern.name for pattern in PATTERNS)}."
        raise NotFoundError(msg)
    return found


def _scope(cursor: Connection, session_ids: Sequence[str] | None) -> Callable[[str], str]:
    """What narrows a query over the views to these sessions; nothing when all are meant."""
    if session_ids is None:
        return lambda query: query
    cursor.execute("CREATE TEMP TABLE selected (session_id VARCHAR)")
    cursor.execute("INSERT INTO selected SELECT DISTINCT unnest(?::VARCHAR[])", [list(session_ids)])
    return lambda query: restricted(query, "SELECT session_id FROM temp.selected")


def _condition(where: Selection) -> tuple[str, list[Any]]:
    """The part of a selection that is bound values."""
    tests = {
        "session_id IN (SELECT unnest(?::VARCHAR[]))": None
        if where.session_ids is None
        else list(where.session_ids),
        "started_at >= ?": where.since,
        "started_at < ?": where.until,
        "agent = ?": where.agent,
        "project = ?": where.project,
        "verdict = ?": where.verdict,
        "task = ?": where.task,
    }
    given = {test: value for test, value in tests.items() if value is not None}
    return " AND ".join(["true", *given]), list(given.values())


def _info(row: Sequence[Any]) -> SessionInfo:
    return SessionInfo(
        **dict(zip(_INFO_FIELDS, row[:15], strict=True)), usage=Usage(*row[15:19]), content_sha256=row[19]
    )


def _no_session(session_id: str) -> str:
    return f"The archive has no session {session_id!r}. `archive search` and `archive sql` find ids."
