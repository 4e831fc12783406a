"""Opening a database: new, older, newer, not ours, out of reach."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from agentflows.errors import CorruptionError, SettingsError, StoreError
from agentflows.store import State
from agentflows.store.database import Database
from agentflows.store.rows import Row
from agentflows.store.schema import Migration, prepare_schema
from agentflows.store.tables import SCHEMA_VERSION
from tests.store import workers
from tests.store.samples import team


def prepared(url: str, wanted: int, migrations: Mapping[int, Migration]) -> None:
    database = Database(url)
    try:
        prepare_schema(database, wanted=wanted, migrations=migrations)
    finally:
        database.close()


def add_column(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE store ADD COLUMN colour VARCHAR NOT NULL DEFAULT 'blue'"))


def fail(connection: Connection) -> None:
    add_column(connection)
    message = "the step failed"
    raise StoreError(message)


def test_an_older_database_moves_forward_with_its_data(url: str):
    """Upgrading the package is all a user does."""
    with State(url) as state:
        team(state)
    prepared(url, SCHEMA_VERSION + 2, {SCHEMA_VERSION: add_column, SCHEMA_VERSION + 1: lambda _: None})
    database = Database(url)
    with database.read() as session:
        assert session.connection().execute(text("SELECT colour FROM store")).scalar_one() == "blue"
        assert (
            session.connection().execute(text("SELECT version FROM schema_version")).scalar_one()
            == SCHEMA_VERSION + 2
        )
    database.close()


def test_a_step_that_fails_leaves_the_database_as_it_was(url: str):
    """All steps, or none: the older package still opens it."""
    with State(url) as state:
        store = team(state)
    with pytest.raises(StoreError, match="the step failed"):
        prepared(url, SCHEMA_VERSION + 2, {SCHEMA_VERSION: lambda _: None, SCHEMA_VERSION + 1: fail})
    with pytest.raises(StoreError, match=f"no step from it to {SCHEMA_VERSION + 1}"):
        prepared(url, SCHEMA_VERSION + 1, {})
    with State(url) as state:
        assert state.get_store("team") == store


def test_a_newer_database_is_refused_with_the_way_out(url: str):
    """An older package must not write into what it does not understand."""
    State(url).close()
    prepared(url, SCHEMA_VERSION + 1, {SCHEMA_VERSION: lambda _: None})
    with pytest.raises(StoreError, match=f"has layout {SCHEMA_VERSION + 1}.*upgrade"):
        State(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "not a url", ""])
def test_only_a_file_or_postgresql_is_taken(url: str):
    """The message names both forms."""
    with pytest.raises(SettingsError, match=r"sqlite:///path.*postgresql\+psycopg://"):
        State(url)


def test_a_password_is_in_no_message():
    """Errors end in logs."""
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        State("postgresql://ada:hunter2@127.0.0.1:9/none?connect_timeout=2")
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    """And left alone."""
    path = tmp_path / "state.db"
    path.write_text("these are my notes " * 100)
    with pytest.raises(CorruptionError, match="no SQLite database"):
        State(f"sqlite:///{path}")
    assert path.read_text().startswith("these are my notes")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path):
    """Rights, a full disk, or a file in the way."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="AGENTFLOWS_HOME"):
        State(f"sqlite:///{tmp_path}/file/state.db")


def test_the_file_is_its_owners_alone(tmp_path: Path):
    """Memories may be confidential; the log inherits the rights."""
    with State(f"sqlite:///{tmp_path}/new/folder/state.db") as state:
        team(state)
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new" / "folder").iterdir()}
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}


def test_a_file_that_may_not_be_written_is_said():
    """One line that names the rights, and the file as it was. Tried as a user who is not root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with State(f"sqlite:///{folder / 'state.db'}") as state:
            store = team(state)
        folder.chmod(0o555)
        (folder / "state.db").chmod(0o444)
        assert (
            workers.finish(workers.start(workers.write_without_right, f"sqlite:///{folder / 'state.db'}"))
            == 0
        )
        folder.chmod(0o755)
        (folder / "state.db").chmod(0o644)
        with State(f"sqlite:///{folder / 'state.db'}") as state:
            assert state.get_store("team") == store


def test_our_tables_are_ours_alone():
    """Another user of SQLModel in the same process gets none of them."""
    assert not SQLModel.metadata.tables
    assert "store" in Row.metadata.tables


def test_a_state_says_where_it_is_without_its_password(sqlite_url: str):
    """For logs and debuggers."""
    with State(sqlite_url) as state:
        assert repr(state) == f"<State {sqlite_url}>"
