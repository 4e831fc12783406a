"""The lake: what the folder holds now, and DuckDB connections that show it."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, Literal, TypeVar

import duckdb
import orjson

from agentflows.archive import engine
from agentflows.archive.engine import Connection
from agentflows.archive.files import Files, FileStat
from agentflows.archive.manifest import FOLDER, Batch, Part, Snapshot, from_json, resolve
from agentflows.archive.rows import SESSION_COLUMNS, TURN_COLUMNS, to_session, to_turn
from agentflows.errors import ArchiveError
from agentflows.session import Session, Turn

REMOVED = "removed"
"""Folder of one small file per session that was removed: it stays out, whatever is added later."""
_ATTEMPTS = 4
_LISTINGS = 10

Result = TypeVar("Result")


class Lake:
    """One process's view of an archive. Safe to share between threads."""

    def __init__(self, files: Files, *, threads: int, memory_limit: str, part_chars: int) -> None:
        self.files = files
        self.part_chars = part_chars
        self._threads = threads
        self._memory_limit = memory_limit
        self._guard = threading.RLock()
        self._batches: dict[str, Batch] = {}
        self._tombstones: dict[str, str] = {}
        self._snapshot: Snapshot | None = None
        self._looked_at = 0.0
        self._changes = -1
        self._connection: Connection | None = None
        self._shown: Snapshot | None = None
        self._safe: tuple[Snapshot, Connection] | None = None

    # -- what is there --

    def snapshot(self, *, fresh: bool = False) -> Snapshot:
        """What the archive holds at this moment; where looking is a request, perhaps a second ago, unless `fresh`."""
        with self._guard:
            if self._snapshot and not fresh and self._stands():
                return self._snapshot
            for _ in range(_ATTEMPTS):
                with suppress(FileNotFoundError):  # a compaction swapped it away since the listing
                    self._changes = self.files.changes
                    found = self._look()
                    self._looked_at = time.monotonic()
                    return found
        msg = f"The archive at {self.files.root!r} changes faster than it can be listed. Try again."
        raise ArchiveError(msg)

    def _stands(self) -> bool:
        is_young = time.monotonic() - self._looked_at < self.files.look_every
        return is_young and self._changes == self.files.changes

    def _look(self) -> Snapshot:
        manifests = self._listed()
        tombstones = _visible(self.files.list(REMOVED))
        if (
            self._snapshot
            and manifests.keys() == self._batches.keys()
            and tombstones.keys() == self._tombstones.keys()
        ):
            return self._snapshot
        fetched = self.files.read_small(
            {f"{FOLDER}/{name}": stat for name, stat in manifests.items() if name not in self._batches}
            | {f"{REMOVED}/{name}": stat for name, stat in tombstones.items() if name not in self._tombstones}
        )
        self._batches = {
            name: self._batches.get(name) or from_json(path, fetched[path])
            for name in manifests
            for path in [f"{FOLDER}/{name}"]
        }
        self._tombstones = {
            name: self._tombstones.get(name) or orjson.loads(fetched[f"{REMOVED}/{name}"])["session_id"]
            for name in tombstones
        }
        parts = [part for batch in self._batches.values() for part in batch.parts]
        self.files.know(
            {part.path(table): entry for part in parts for table, entry in part.files.items()},
            [*(f"{FOLDER}/{name}" for name in manifests), *(f"{REMOVED}/{name}" for name in tombstones)],
        )
        self._snapshot = resolve(self._batches.values(), frozenset(self._tombstones.values()))
        return self._snapshot

    def _listed(self) -> dict[str, FileStat]:
        """The manifests. One listing can miss both sides of a swap; two alike cannot, nor can one like the last."""
        found = _visible(self.files.list(FOLDER))
        known = self._batches.keys() if self._snapshot else None
        for _ in range(_LISTINGS):
            if found.keys() == known:
                return found
            known = found.keys()
            found = _visible(self.files.list(FOLDER))
        return found

    def manifests(self) -> list[Batch]:
        """What all manifests say, those of replaced parts included."""
        self.snapshot(fresh=True)
        return list(self._batches.values())

    def remember_removed(self, session_ids: Sequence[str]) -> None:
        """Make sessions invisible to every reader, at once and for good."""
        for session_id in session_ids:
            name = sha256(session_id.encode()).hexdigest()[:40]
            self.files.write(f"{REMOVED}/{name}.json", orjson.dumps({"session_id": session_id}))

    # -- questions --

    def query(self, ask: Callable[[Connection, Snapshot], Result]) -> Result:
        """Ask over what is there now; asked again when a compaction removed files meanwhile.

        Raises:
            ArchiveError: DuckDB failed.
        """
        for attempt in range(_ATTEMPTS):
            before = self.snapshot()
            try:
                snapshot = self._show()
                with engine.cursor(self._open()) as cursor:
                    return ask(cursor, snapshot)
            except (duckdb.Error, FileNotFoundError) as error:
                if not self.is_gone(error):
                    raise self.explained(error) from error
                if attempt == _ATTEMPTS - 1 or self.snapshot(fresh=True) is before:
                    found = _first_line(self.files.trouble(str(error)) or error)
                    msg = f"A file of the archive at {self.files.root!r} cannot be read: {found}. `agentflows archive verify` names what is damaged."
                    raise ArchiveError(msg) from error
        raise AssertionError  # the last attempt returned or raised

    def is_gone(self, error: Exception) -> bool:
        """Whether a file could not be read that a compaction may have removed meanwhile."""
        kinds = (duckdb.IOException, duckdb.HTTPException, FileNotFoundError)
        return isinstance(error, kinds) or isinstance(self.files.trouble(str(error)), FileNotFoundError)

    def explained(self, error: Exception) -> ArchiveError:
        """What DuckDB met, in our words: the store's answer where that was the reason."""
        trouble = self.files.trouble(str(error))
        if isinstance(trouble, ArchiveError):
            return trouble
        found = _first_line(trouble or error)
        hint = " `agentflows archive verify` names what is damaged." if ".parquet" in found else ""
        return ArchiveError(f"The archive could not answer: {found}.{hint}")

    def _open(self) -> Connection:
        with self._guard:
            if self._connection is None:
                self._connection = engine.connect(
                    self.files, threads=self._threads, memory_limit=self._memory_limit
                )
            return self._connection

    def _show(self) -> Snapshot:
        with self._guard:
            snapshot = self.snapshot()
            if self._shown is not snapshot:
                connection = self._open()
                engine.show(connection, self.files, snapshot)
                if self._shown is None:
                    engine.define_macros(connection)
                self._shown = snapshot
            return snapshot

    def locked_connection(self) -> Connection:
        """A connection for SQL that a user or an agent wrote: these files, nothing else, settings locked."""
        with self._guard:
            snapshot = self.snapshot()
            if self._safe is None or self._safe[0] is not snapshot:
                connection = engine.connect(
                    self.files, threads=self._threads, memory_limit=self._memory_limit
                )
                engine.show(connection, self.files, snapshot)
                engine.define_macros(connection)
                engine.define_patterns(connection)
                tables = ("sessions", "turns", "steps", "texts", "quarantine")
                engine.lock(
                    connection,
                    [url for table in tables for url in engine.table_urls(self.files, snapshot, table)],
                )
                self._safe = (snapshot, connection)
            return self._safe[1]

    def close(self) -> None:
        """Let go of the connections. The lake opens them again when it is asked again."""
        with self._guard:
            if self._connection:
                self._connection.close()
            if self._safe:
                self._safe[1].close()
            self._connection, self._shown, self._safe = None, None, None

    # -- one part --

    def read(self, part: Part, session_ids: Sequence[str]) -> dict[str, Session]:
        """Sessions as one part holds them, by id."""
        with self._reading(part) as cursor:
            return read_sessions(cursor, self.files, part, session_ids)

    def turn_lines(self, part: Part, session_ids: Sequence[str]) -> set[int]:
        """The source lines that turns of these sessions came from; 0 stands for unknown."""
        if "turns" not in part.files or not session_ids:
            return set()
        with self._reading(part) as cursor:
            rows = cursor.execute(
                "SELECT DISTINCT line FROM read_parquet(?) WHERE session_id IN (SELECT unnest(?::VARCHAR[]))",
                [self.files.url(part.path("turns")), list(session_ids)],
            ).fetchall()
        return {row[0] for row in rows}

    def source_rows(
        self, part: Part, table: Literal["raw", "quarantine"], columns: str, source: str
    ) -> Iterator[tuple[Any, ...]]:
        """The stored lines of one source, in order, a few thousand in memory at a time."""
        if table not in part.files:
            return
        with self._reading(part) as cursor:
            cursor.execute(
                f"SELECT {columns} FROM read_parquet(?) WHERE source_sha256 = ? ORDER BY line",
                [self.files.url(part.path(table)), source],
            )
            while rows := cursor.fetchmany(2_000):
                yield from rows

    @contextmanager
    def _reading(self, part: Part) -> Generator[Connection]:
        try:
            with engine.cursor(self._open()) as cursor:
                yield cursor
        except (duckdb.Error, FileNotFoundError) as error:
            trouble = self.files.trouble(str(error))
            if isinstance(trouble, ArchiveError):
                raise trouble from error
            msg = f"The archive's part {part.name} cannot be read: {_first_line(trouble or error)}. `agentflows archive verify` names what is damaged."
            raise ArchiveError(msg) from error


def read_sessions(
    cursor: Connection, files: Files, part: Part, session_ids: Sequence[str]
) -> dict[str, Session]:
    """Sessions with all their turns, from the files of one part."""
    wanted = list(session_ids)
    where = "WHERE session_id IN (SELECT unnest(?::VARCHAR[]))"
    sessions = cursor.execute(
        f"SELECT {SESSION_COLUMNS} FROM read_parquet(?) {where}", [files.url(part.path("sessions")), wanted]
    ).fetchall()
    turns: dict[str, list[Turn]] = {session_id: [] for session_id in wanted}
    if "turns" in part.files:
        literals = "WHERE session_id IN (" + ", ".join("?" for _ in wanted) + ")"
        cursor.execute(
            f"SELECT {TURN_COLUMNS} FROM read_parquet(?) {literals} ORDER BY session_id, seq",
            [files.url(part.path("turns")), *wanted],
        )
        while rows := cursor.fetchmany(2_000):
            for row in rows:
                turns[row[0]].append(to_turn(row))
    return {row[0]: to_session(row, tuple(turns[row[0]])) for row in sessions}


def _visible(found: dict[str, FileStat]) -> dict[str, FileStat]:
    return {name: stat for name, stat in found.items() if name.endswith(".json") and not name.startswith(".")}


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
