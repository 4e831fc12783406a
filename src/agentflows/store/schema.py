"""Which layout the database has, and how an older one moves forward."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, inspect
from sqlmodel import Session, select

from agentflows.errors import StoreError
from agentflows.store.database import Database
from agentflows.store.rows import Row, table_name
from agentflows.store.tables import (
    SCHEMA_VERSION,
    AttemptRow,
    BatchRow,
    EvaluationRow,
    HumanVerdictRow,
    JobRow,
    MessageRow,
    OutcomeRow,
    PinRow,
    RunnerStateRow,
    SchemaRow,
    ThreadRow,
    TurnRow,
)

Migration = Callable[[Connection], None]


def _adding(*tables: type[Row]) -> Migration:
    def add(connection: Connection) -> None:
        Row.metadata.create_all(connection, tables=[Row.metadata.tables[table_name(one)] for one in tables])

    return add


MIGRATIONS: Mapping[int, Migration] = {
    1: _adding(PinRow),
    2: _adding(OutcomeRow, AttemptRow, EvaluationRow, HumanVerdictRow, RunnerStateRow),
    3: _adding(BatchRow),
    4: _adding(JobRow, ThreadRow, TurnRow, MessageRow),
}
"""`MIGRATIONS[n]` takes a database from layout n to n + 1, inside one transaction for all steps."""

_ADVISORY_LOCK = 4_207_849_223
"""Any number of our own: processes that open a new PostgreSQL database at once take turns on it."""


def open_database(url: str) -> Database:
    """Open the state database, ready for use.

    Raises:
        SettingsError: the URL is not one of SQLite (a file) or PostgreSQL.
        StoreError: it cannot be opened, or a newer agentflows made it.
    """
    database = Database(url)
    try:
        prepare_schema(database)
    except BaseException:
        database.close()
        raise
    return database


def prepare_schema(
    database: Database,
    *,
    wanted: int = SCHEMA_VERSION,
    migrations: Mapping[int, Migration] = MIGRATIONS,
) -> None:
    """Create the tables of a new database, move an older one forward, and refuse a newer one.

    Raises:
        StoreError: a newer agentflows made it, or a step is missing.
    """
    with database.read() as session:
        found = _found(session)
    if found == wanted:
        return
    if found is not None and found > wanted:
        raise _newer(found, wanted, database.place)
    with database.write() as session:
        connection = session.connection()
        if not database.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        found = _found(session)  # another process may have been first
        if found is None:
            Row.metadata.create_all(connection)
            session.add(SchemaRow(version=wanted, created_at=datetime.now(UTC)))
        else:
            _migrate(session, found, wanted, migrations)


def _found(session: Session) -> int | None:
    if not inspect(session.connection()).has_table(table_name(SchemaRow)):
        return None
    return session.exec(select(SchemaRow.version)).first()


def _migrate(session: Session, found: int, wanted: int, migrations: Mapping[int, Migration]) -> None:
    for version in range(found, wanted):
        if version not in migrations:
            msg = (
                f"The state database has layout {version} and this agentflows has no step from it to {version + 1}. "
                "Install the agentflows that made it, export its stores, and import them into a new database."
            )
            raise StoreError(msg)
        migrations[version](session.connection())
    row = session.exec(select(SchemaRow)).one()
    row.version = wanted
    session.add(row)


def _newer(found: int, wanted: int, place: str) -> StoreError:
    return StoreError(
        f"The state database {place} has layout {found}; this agentflows knows layouts up to {wanted}. A newer "
        "agentflows made it: upgrade this one (pip install -U agentflows), or point AGENTFLOWS_HOME elsewhere."
    )
