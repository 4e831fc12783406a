"""Rows written and read without the ORM, sealed and checked all the same: for what happens at every step of an agent.

The ORM takes some ten times as long for one row, which a job of two hundred threads pays thousands of times.
"""

import functools
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.dml import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite.dml import Insert as SqliteInsert
from sqlmodel import Session

from agentflows.store.rows import Row, Sealed, corrupt, seal_of

Upsert = SqliteInsert | PostgresInsert


def table_of(table: type[Row]) -> Table:
    """The table in SQLAlchemy's own terms."""
    return cast("Any", table).__table__


def put_row(
    session: Session, table: type[Row], values: Mapping[str, Any], *, but: ColumnElement[bool] | None = None
) -> None:
    """Write one row, whole, in the place of one of the same key.

    Args:
        session: of a write transaction.
        table: where.
        values: all columns but the seal.
        but: a row of which this is true stays as it is.
    """
    row = dict(values)
    if issubclass(table, Sealed):
        row["seal"] = seal_of(table, values)
    connection = session.connection()
    connection.execute(_upsert(table_of(table), connection.dialect.name, but), row)


def find_row(session: Session, table: type[Row], key: Mapping[str, Any]) -> dict[str, Any] | None:
    """The columns of the row of that key, by name, without its seal.

    Raises:
        CorruptionError: it is not what was written.
    """
    made = table_of(table)
    asked = {f"key_{name}": value for name, value in key.items()}
    found = session.connection().execute(_by_key(made), asked).first()
    if found is None:
        return None
    values = dict(zip(made.columns.keys(), found, strict=True))
    if issubclass(table, Sealed) and values.pop("seal") != seal_of(table, values):
        what = f"A row of the table {made.name!r}"
        raise corrupt(what)
    return values


@functools.cache
def _upsert(table: Table, dialect: str, but: ColumnElement[bool] | None) -> Upsert:
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
    key = [column.name for column in table.primary_key]
    others = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in key}
    where = None if but is None else but.is_not(True)
    return insert.on_conflict_do_update(index_elements=key, set_=others, where=where)


@functools.cache
def _by_key(table: Table) -> Select[Any]:
    key = [column == bindparam(f"key_{column.name}") for column in table.primary_key]
    return select(*table.columns).where(*key)
