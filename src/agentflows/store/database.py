"""One way into the state database: a write transaction, a read transaction, errors a person can act on.

SQLite runs in WAL mode with one writer at a time (`BEGIN IMMEDIATE`) beside any number of readers;
PostgreSQL runs the same transactions with row locks. Readers see one snapshot throughout.

What was written is on disk when `write` is left. SQLite would bring its log to disk inside each transaction while all
others wait; here it only appends (`synchronous=NORMAL`, which still orders everything around checkpoints), and the log
is brought to disk afterwards, once for all threads whose transactions are in it.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlmodel import Session

from agentflows.errors import ConflictError, CorruptionError, SettingsError, StoreError
from agentflows.gathering import Gathering
from agentflows.store.rows import Row

BUSY_MILLISECONDS = 30_000
"""How long a writer waits for another process's transaction, which takes milliseconds."""
CHUNK = 500
"""Values bound in one statement: below every driver's limit."""

_READERS = 8
"""Connections that read one SQLite file at once; more threads than that take turns."""

_WRITER_PRAGMAS = ("foreign_keys=ON", "secure_delete=ON")
_READER_PRAGMAS = ("foreign_keys=ON", "query_only=ON")

_ADVICE: tuple[tuple[str, type[StoreError], str], ...] = (
    ("disk is full", StoreError, "The disk is full. Free some space and run again."),
    (
        "disk i/o error",
        StoreError,
        "The disk refused the write. Check its space, quota and health, then run again.",
    ),
    ("no space left", StoreError, "The disk is full. Free some space and run again."),
    (
        "readonly database",
        StoreError,
        "It cannot be written by this user. Check the owner and rights of the file.",
    ),
    ("unable to open", StoreError, "It cannot be opened. Check that its folder exists and the rights on it."),
    ("permission denied", StoreError, "This user has no right to it. Check the rights."),
    (
        "database is locked",
        StoreError,
        "Another process held it for too long. Run again when that one is done.",
    ),
    (
        "malformed",
        CorruptionError,
        "It is damaged. Restore the file from a backup; nothing of it was served.",
    ),
    (
        "not a database",
        CorruptionError,
        "The file is no SQLite database, or damaged. Restore it from a backup.",
    ),
    (
        "could not decode",
        CorruptionError,
        "It is damaged. Restore the file from a backup; nothing was served.",
    ),
    ("deadlock", ConflictError, "Two writers waited for each other and this one gave way. Run again."),
    ("could not serialize", ConflictError, "Another process wrote at the same time. Run again."),
    ("connection", StoreError, "The server cannot be reached. Check that it runs and AGENTFLOWS_STATE_URL."),
)


class Log:
    """SQLite's log of what was written last, beside the file. Safe for several threads.

    Args:
        file: the database.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._path = f"{os.path.realpath(file)}-wal"  # where SQLite has it, also behind a link
        self._error = ""
        self._syncing = Gathering[None, None](self._sync)

    def bring_to_disk(self) -> None:
        """Return when all that was written before this call is on disk.

        Raises:
            StoreError: it cannot be.
        """
        self._syncing.ask(None)

    def check(self) -> None:
        """Let nothing be written after what may be lost.

        Raises:
            StoreError: the log could not be brought to disk earlier.
        """
        if self._error:
            raise StoreError(self._error)

    def _sync(self, asked: Sequence[None]) -> list[None]:
        try:
            log = os.open(self._path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
            try:
                getattr(os, "fdatasync", os.fsync)(log)
            finally:
                os.close(log)
        except FileNotFoundError:  # folded into the file, and on disk with it
            pass
        except OSError as error:  # the system may have dropped what it could not write: do not build on it
            self._error = (
                f"What was last written to the state database {self._file} may not be on disk ({error.strerror or error}). "
                "Check the disk's space and health, then run again."
            )
            raise StoreError(self._error) from error
        return list(asked)


class Database:
    """Engines and transactions for one URL. Safe for several threads."""

    def __init__(self, url: str) -> None:
        """Get ready to connect; a SQLite file is created where it is missing.

        Raises:
            SettingsError: the URL is not one of SQLite (a file) or PostgreSQL, or PostgreSQL's driver is missing.
            StoreError: the file cannot be created.
        """
        self._url = _parse(url)
        self.place = self._url.render_as_string(hide_password=True)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        # SQLite has one writer: threads of this process take turns here instead of polling the file.
        self._turn = threading.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            _create_private(file := Path(str(self._url.database)))
            self._log = Log(file)
            self._writer = _sqlite_engine(self._url, _WRITER_PRAGMAS, "BEGIN IMMEDIATE", connections=1)
            self._reader = _sqlite_engine(self._url, _READER_PRAGMAS, "BEGIN", connections=_READERS)
        else:
            self._log = None  # the server's commit is on disk, and gathers what several commit at once
            self._writer = _postgres_engine(self._url)
            self._reader = self._writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @contextmanager
    def write(self) -> Generator[Session, None, None]:
        """A transaction that may write: all of it or nothing, and on disk when this is left.

        Raises:
            StoreError: the database refused; the message says what to do. Nothing was written.
        """
        if self._log:
            self._log.check()
        with (
            self._turn,
            self._explained(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
        if self._log:
            self._log.bring_to_disk()

    @contextmanager
    def read(self) -> Generator[Session, None, None]:
        """A snapshot to read from.

        Raises:
            StoreError: the database refused; the message says what to do.
        """
        with self._explained(), Session(self._reader, expire_on_commit=False) as session, session.begin():
            yield session

    def now(self, session: Session) -> float:
        """The database's own time, in seconds since 1970: one clock for all who share it."""
        statement = (
            "SELECT (julianday('now') - 2440587.5) * 86400.0"
            if self.is_sqlite
            else "SELECT extract(epoch FROM clock_timestamp())"
        )
        return float(session.connection().exec_driver_sql(statement).scalar_one())

    def truncate_log(self) -> None:
        """Fold SQLite's log into the file and empty it, so that deleted text is nowhere on disk."""
        if not self.is_sqlite:
            return
        connection = sqlite3.connect(str(self._url.database), timeout=BUSY_MILLISECONDS / 1000)
        try:
            connection.execute("PRAGMA secure_delete=ON")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            connection.close()
        if busy:
            msg = (
                f"The log of {self.place} is in use by another process, so deleted text may still stand in it. "
                "Run again when no other agentflows process runs."
            )
            raise StoreError(msg)

    def close(self) -> None:
        """Close every connection."""
        self._writer.dispose()
        self._reader.dispose()

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise explain(error, self.place) from error
        except UnicodeDecodeError as error:  # the driver's own, where names of tables or columns are damaged
            msg = f"The state database {self.place} is damaged. Restore the file from a backup; nothing was served."
            raise CorruptionError(msg) from error
        except OSError as error:
            msg = f"The state database {self.place} could not be used: {error}. Nothing was written."
            raise StoreError(msg) from error


def explain(error: SQLAlchemyError, place: str) -> StoreError:
    """The error of this package that says what happened and what to do."""
    found = str(error.orig if isinstance(error, DBAPIError) else error).strip().split("\n")[0]
    for sign, kind, advice in _ADVICE:
        if sign in found.lower():
            return kind(
                f"The state database {place} could not be used ({found}). {advice} Nothing was written."
            )
    if isinstance(error, IntegrityError):
        return ConflictError(
            f"Another process wrote the same thing to {place} at the same time ({found}). Nothing was written. "
            "Run again."
        )
    return StoreError(f"The state database {place} could not be used ({found}). Nothing was written.")


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """The values in portions that one statement can bind."""
    everything = list(values)
    for first in range(0, len(everything), CHUNK):
        yield everything[first : first + CHUNK]


def insert_missing(session: Session, table: type[Row], rows: Sequence[dict[str, Any]]) -> int:
    """Insert rows whose key is not there yet; returns how many were new."""
    build = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    added = 0
    for first in range(0, len(rows), CHUNK):
        insert = build(table).values(list(rows[first : first + CHUNK])).on_conflict_do_nothing()
        key = next(
            iter(inspect(table).primary_key)
        )  # counted by what comes back: psycopg has no row count here
        added += len(session.connection().execute(insert.returning(key)).all())
    return added


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        msg = f"{url!r} is no database URL. Use sqlite:///path/to/state.db or postgresql+psycopg://user@host/name."
        raise SettingsError(msg) from error
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or parsed.database in {None, "", ":memory:"}:
        msg = (
            f"State cannot be kept in {parsed.render_as_string(hide_password=True)!r}. Use a file "
            "(sqlite:///path/to/state.db) or PostgreSQL (postgresql+psycopg://user@host/name)."
        )
        raise SettingsError(msg)
    return parsed


def _create_private(path: Path) -> None:
    """Create the file for its owner only: memories may be confidential."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        msg = (
            f"The state database {str(path)!r} cannot be created ({error.strerror}). Choose another folder with "
            "AGENTFLOWS_HOME, or check the rights and the space of this one."
        )
        raise StoreError(msg) from error


def _postgres_engine(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True)
    except ImportError as error:  # also where psycopg is there and its C library is not
        msg = (
            f"State in PostgreSQL needs the driver psycopg, which cannot be loaded ({str(error).splitlines()[0]}). "
            "Install it: pip install 'agentflows[postgres]'; or unset AGENTFLOWS_STATE_URL for SQLite."
        )
        raise SettingsError(msg) from error


def _sqlite_engine(url: URL, pragmas: Sequence[str], begin: str, *, connections: int) -> Engine:
    engine = create_engine(url, pool_size=connections, max_overflow=0, pool_timeout=BUSY_MILLISECONDS / 1000)

    @event.listens_for(engine, "connect")
    def _connect(dbapi: sqlite3.Connection, _: object) -> None:  # pyright: ignore[reportUnusedFunction]
        dbapi.isolation_level = None  # else the driver opens transactions itself, late and deferred
        dbapi.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        if "query_only=ON" not in pragmas:
            is_ahead = _write_ahead(dbapi) == "wal"
            dbapi.execute(f"PRAGMA synchronous={'NORMAL' if is_ahead else 'FULL'}")
        for pragma in pragmas:
            dbapi.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(begin)

    return engine


def _write_ahead(dbapi: sqlite3.Connection) -> str:
    """Switch to WAL, where the file system allows it, and say what holds now.

    Two processes that do so at once get "locked" at once, whatever the busy timeout.
    """
    deadline = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            return str(dbapi.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
