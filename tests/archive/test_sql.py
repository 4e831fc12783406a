"""SQL from outside sees the archive and nothing else."""

from pathlib import Path

import pytest

from agentflows.archive import Archive
from agentflows.errors import QueryError
from tests.archive.builders import plausible, source


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """Three sessions in two batches."""
    archive.add([source(plausible(1)), source(plausible(2))])
    archive.add([source(plausible(3))])
    return archive


def test_views_answer(filled: Archive):
    """The plain case."""
    table = filled.sql("SELECT tool, count(*) AS calls FROM steps GROUP BY tool ORDER BY tool")
    assert table.columns == ("tool", "calls")
    assert [row[0] for row in table.rows] == ["Bash", "Edit", "Grep", "Read"]
    assert not table.truncated


def test_every_pattern_is_a_view_and_a_macro(filled: Archive):
    """What Python can ask, SQL can ask."""
    ids = ["session-00001", "session-00003"]
    for pattern in filled.patterns():
        whole = filled.sql(f"SELECT * FROM pattern_{pattern.name}", limit=100_000)
        assert list(whole.columns) == list(pattern.columns)
        assert [dict(zip(whole.columns, row, strict=True)) for row in whole.rows] == filled.pattern(
            pattern.name
        )
        part = filled.sql(f"SELECT * FROM pattern_{pattern.name}_of({ids})", limit=100_000)
        assert len(part.rows) == len(filled.pattern(pattern.name, session_ids=ids))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '/tmp/agentflows-escape.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/agentflows-escape.csv'",
        "ATTACH '/tmp/agentflows-escape.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 64",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA enable_external_access",
        "CREATE TABLE mine AS SELECT 1",
        "DROP VIEW sessions",
        "DELETE FROM sessions",
        "CALL duckdb_settings()",
        "EXPORT DATABASE '/tmp/agentflows-escape'",
        "SELECT 1; SELECT 2",
        "WITH gone AS (DELETE FROM flagged RETURNING *) SELECT * FROM gone",
        "WITH more AS (INSERT INTO flagged VALUES ('x') RETURNING *) SELECT * FROM more",
        "SELECT * FROM secret_rows",
        "SELEC 1",
        "",
    ],
)
def test_everything_but_reading_the_archive_is_refused(filled: Archive, query: str):
    """An agent's SQL is untrusted text."""
    secret_rows = [1, 2, 3]  # DuckDB would find a variable of this name, were it allowed to look
    assert secret_rows
    with pytest.raises(QueryError):
        filled.sql(query)
    assert not list(Path("/tmp").glob("agentflows-escape*"))


def test_raw_lines_are_not_within_reach_of_sql(filled: Archive):
    """Only what the views show may be opened."""
    raw = next(Path(filled.root, "raw").iterdir())
    with pytest.raises(QueryError, match="disabled by configuration"):
        filled.sql(f"SELECT * FROM read_parquet('{raw}')")


def test_rows_over_the_limit_are_cut_and_said_so(filled: Archive):
    """A terminal is no place for a million rows."""
    table = filled.sql("SELECT * FROM range(10)", limit=3)
    assert (table.rows, table.truncated) == ([(0,), (1,), (2,)], True)
    assert not filled.sql("SELECT * FROM range(3)", limit=3).truncated


def test_a_runaway_query_is_stopped(filled: Archive):
    """One bad join must not hold the process."""
    with pytest.raises(QueryError, match=r"stopped after 0\.2 s"):
        filled.sql(
            "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * 7 = b.range",
            timeout_seconds=0.2,
        )
    assert filled.sql("SELECT 1").rows == [(1,)]


def test_sql_sees_what_was_added_since(filled: Archive):
    """The locked connection is made anew when the archive moves on."""
    assert filled.sql("SELECT count(*) FROM sessions").rows == [(3,)]
    filled.add([source(plausible(4))])
    assert filled.sql("SELECT count(*) FROM sessions").rows == [(4,)]


def test_an_error_names_the_problem_and_the_views(filled: Archive):
    """Whoever typed it can mend it."""
    with pytest.raises(QueryError, match=r"sesions.*The views are sessions, roots"):
        filled.sql("SELECT * FROM sesions")
