"""SQL that a user or an agent wrote: one SELECT over the archive's views, watched by a clock."""

import threading

import duckdb

from agentflows.archive import engine
from agentflows.archive.answers import Table
from agentflows.archive.engine import Connection
from agentflows.archive.lake import Lake
from agentflows.errors import QueryError

_ATTEMPTS = 3


def run(lake: Lake, query: str, *, limit: int | None, timeout_seconds: float) -> Table:
    """Run one SELECT on a locked connection, in a read-only transaction that is rolled back.

    Raises:
        QueryError: it is no single SELECT, fails, or takes too long.
    """
    _check(query)
    for attempt in range(_ATTEMPTS):
        try:
            return _run(lake.locked_connection(), query, limit, timeout_seconds)
        except duckdb.InterruptException as error:
            msg = f"The query was stopped after {timeout_seconds:g} s. Narrow it, or allow it more time."
            raise QueryError(msg) from error
        except duckdb.OutOfMemoryException as error:
            msg = "The query needs more memory than DuckDB may use. Narrow it, or raise AGENTFLOWS_DUCKDB_MEMORY."
            raise QueryError(msg) from error
        except duckdb.Error as error:
            # A file that is gone: a compaction may have swapped it away, and then the next look shows others.
            if attempt < _ATTEMPTS - 1 and lake.is_gone(error):
                lake.snapshot(fresh=True)
                continue
            if lake.files.trouble(str(error)) is not None:
                raise lake.explained(error) from error
            raise QueryError(_message(error)) from error
    raise AssertionError  # the last attempt returned or raised


def _check(query: str) -> None:
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise QueryError(_message(error)) from error
    allowed = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
    if len(statements) != 1 or statements[0].type not in allowed:
        kinds = ", ".join(str(statement.type).rpartition(".")[2] for statement in statements) or "nothing"
        msg = f"Expected one SELECT, found {kinds}. The archive is read-only here."
        raise QueryError(msg)


def _run(connection: Connection, query: str, limit: int | None, timeout_seconds: float) -> Table:
    with engine.cursor(connection) as cursor:
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        clock = threading.Timer(timeout_seconds, cursor.interrupt)
        clock.start()
        try:
            cursor.execute(query)
            columns = tuple(str(column[0]) for column in cursor.description or ())
            rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit + 1)
        finally:
            clock.cancel()
    truncated = limit is not None and len(rows) > limit
    return Table(columns=columns, rows=rows[:limit], truncated=truncated)


def _message(error: duckdb.Error) -> str:
    """DuckDB's own words without its pointer into the text."""
    lines = [line for line in str(error).strip().split("\n\nLINE ")[0].split("\n") if line.strip()]
    return f"The query was refused: {' '.join(lines)} The views are sessions, roots, turns, steps, texts, checks, quarantine and pattern_*."
