"""Which layout a state database has, without moving it forward."""

from sqlalchemy import inspect
from sqlmodel import select

from agentflows.store.database import Database
from agentflows.store.rows import table_name
from agentflows.store.tables import SchemaRow


def read_layout(url: str) -> tuple[int | None, str]:
    """The layout, None for a database without tables, and where it is, without a password.

    A SQLite file that is missing is created: look first.

    Raises:
        SettingsError: the URL is not one of SQLite (a file) or PostgreSQL.
        StoreError: it cannot be opened.
    """
    database = Database(url)
    try:
        with database.read() as session:
            if not inspect(session.connection()).has_table(table_name(SchemaRow)):
                return None, database.place
            return session.exec(select(SchemaRow.version)).first(), database.place
    finally:
        database.close()
