# pyarrow ships no types, so what DuckDB takes from it is unknown to pyright.
# pyright: reportUnknownMemberType=false
"""DuckDB over the archive's Parquet files: connections in memory, views over what counts.

Every process has its own connection, with its own share of threads and memory. The views are `sessions`,
`roots`, `turns`, `steps`, `texts`, `checks`, `quarantine` and one per named pattern.
"""

import contextlib
import tempfile
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import duckdb

from agentflows.archive.files import Files
from agentflows.archive.manifest import Snapshot
from agentflows.archive.patterns import PATTERNS
from agentflows.archive.patterns.statistics import MACROS
from agentflows.archive.schema import SCHEMAS, SESSION_TABLES, empty_table

Connection = duckdb.DuckDBPyConnection

_SETTINGS: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # a query must not read this process's variables
    "preserve_insertion_order": False,
}

_SESSIONS = """
CREATE OR REPLACE VIEW sessions AS
SELECT session_id, root_id, parent_id, format, reader, agent, project, task, title, started_at, ended_at,
       turns, tool_calls, errors, chars, verdict, score, outcome_source, input_tokens, output_tokens,
       cache_read_tokens, cache_write_tokens,
       input_tokens + output_tokens + cache_read_tokens + cache_write_tokens AS tokens,
       session_id IN (SELECT session_id FROM flagged) AS changed,
       content_sha256, source_sha256, source_file, checks, meta
FROM sessions_rows
"""
_ROOTS = """
CREATE OR REPLACE VIEW roots AS
SELECT root_id,
       coalesce(max(verdict) FILTER (session_id = root_id), 'unknown') AS verdict,
       coalesce(max(task) FILTER (session_id = root_id), '') AS task,
       coalesce(max(project) FILTER (session_id = root_id), any_value(project)) AS project,
       min(started_at) AS started_at, count(*) AS sessions
FROM sessions GROUP BY root_id
"""
_CHECKS = """
CREATE OR REPLACE VIEW checks AS
SELECT session_id, root_id, project, task, verdict, started_at,
       item.name AS name, item.passed AS passed, item.detail AS detail
FROM (SELECT *, unnest(checks) AS item FROM sessions)
"""
_QUARANTINE = """
CREATE OR REPLACE VIEW quarantine AS
SELECT DISTINCT file, line, reason, raw FROM quarantine_rows
"""


def connect(files: Files, *, threads: int, memory_limit: str) -> Connection:
    """A connection in memory that can open the archive's files."""
    settings = {
        **_SETTINGS,
        "threads": threads,
        "memory_limit": memory_limit,
        "temp_directory": tempfile.gettempdir(),
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET parquet_metadata_cache = true")  # files never change
    filesystem = files.filesystem()
    if filesystem is not None:
        connection.register_filesystem(filesystem)
    return connection


def show(connection: Connection, files: Files, snapshot: Snapshot) -> None:
    """(Re)define the views so that they show `snapshot`."""
    connection.execute("BEGIN")
    try:
        _define_views(connection, files, snapshot)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _define_views(connection: Connection, files: Files, snapshot: Snapshot) -> None:
    _table(connection, "flagged", ["session_id"], [(session_id,) for session_id in sorted(snapshot.flagged)])
    urls = {part.name: part for part in snapshot.parts}
    for table in SCHEMAS:
        if table == "raw":
            continue
        of_session = table in SESSION_TABLES
        pairs = [
            (files.url(urls[name].path(table)), key)
            for name, key in (snapshot.dead if of_session else snapshot.dead_sources)
            if table in urls[name].files
        ]
        name = table if table in {"turns", "steps", "texts"} else f"{table}_rows"
        _rows_view(connection, name, table, table_urls(files, snapshot, table), pairs)
    for statement in (_SESSIONS, _ROOTS, _CHECKS, _QUARANTINE):
        connection.execute(statement)


def table_urls(files: Files, snapshot: Snapshot, table: str) -> list[str]:
    """The files of one table, in a fixed order."""
    return [files.url(part.path(table)) for part in snapshot.parts if table in part.files]


def _rows_view(
    connection: Connection, view: str, table: str, urls: Sequence[str], dead: Sequence[tuple[str, str]]
) -> None:
    """A view over the files of one table, without the rows that do not count."""
    if not urls:
        connection.register("nothing", empty_table(table))
        connection.execute(f"CREATE OR REPLACE TABLE empty_{table} AS SELECT * FROM nothing")
        connection.unregister("nothing")
        connection.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM empty_{table}")
        return
    key = "session_id" if table in SESSION_TABLES else "source_sha256"
    columns = ", ".join(SCHEMAS[table].names)
    dirty = sorted({url for url, _ in dead})
    clean = sorted(set(urls) - set(dirty))
    selects = [f"SELECT {columns} FROM read_parquet({_list(clean)})"] if clean else []
    if dirty:
        _table(connection, f"dead_{table}", ["filename", key], dead)
        selects.append(
            f"SELECT {columns} FROM read_parquet({_list(dirty)}, filename = true) "
            f"ANTI JOIN dead_{table} USING (filename, {key})"
        )
    connection.execute(f"CREATE OR REPLACE VIEW {view} AS {' UNION ALL '.join(selects)}")


def _table(
    connection: Connection, name: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]
) -> None:
    """A small table of texts."""
    connection.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(f'{c} VARCHAR' for c in columns)})")
    if rows:
        lists = [list(column) for column in zip(*rows, strict=True)]
        values = ", ".join("unnest(?::VARCHAR[])" for _ in columns)
        connection.execute(f"INSERT INTO {name} SELECT {values}", lists)


def define_macros(connection: Connection) -> None:
    """The statistics that pattern queries call."""
    for macro in MACROS:
        connection.execute(macro)


def define_patterns(connection: Connection) -> None:
    """For each pattern a view and a macro restricted to given sessions, for who writes SQL: DuckDB binds them all, for 0.1 s."""
    for pattern in PATTERNS:
        connection.execute(f"CREATE OR REPLACE VIEW pattern_{pattern.name} AS {pattern.sql}")
        body = restricted(pattern.sql, "SELECT unnest(ids)")
        connection.execute(f"CREATE OR REPLACE MACRO pattern_{pattern.name}_of(ids) AS TABLE {body}")


def restricted(sql: str, ids: str) -> str:
    """The same query over chosen sessions: names of views are given to narrower ones. `ids` is a SELECT."""
    narrow = ", ".join(
        f"{view} AS (SELECT * FROM memory.main.{view} WHERE session_id IN ({ids}))"
        for view in ("sessions", "steps", "texts", "checks")
    )
    roots = "roots AS (SELECT * FROM memory.main.roots WHERE root_id IN (SELECT root_id FROM sessions))"
    return f"WITH {narrow}, {roots} SELECT * FROM ({sql})"


def lock(connection: Connection, urls: Iterable[str]) -> None:
    """Let the connection open these files and nothing else, for good."""
    connection.execute(f"SET allowed_paths = {_list(sorted(urls))}")
    connection.execute("SET temp_directory = ''")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


@contextlib.contextmanager
def cursor(connection: Connection) -> Generator[Connection]:
    """A connection of its own to the same views: one per thread, since results stream."""
    own = connection.cursor()
    try:
        yield own
    finally:
        own.close()


def _list(texts: Iterable[str]) -> str:
    """A SQL list of text literals."""
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"
