# pyright: reportIncompatibleVariableOverride=false
# SQLModel types `metadata` as an instance variable of its metaclass.
"""What every table stands on: sealed rows, times and texts that both databases keep as they were.

Every row that carries meaning is sealed: `seal` is a sha256 over all its other columns, made on each
write and checked on each read, because SQLite's own `integrity_check` misses most flipped bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, cast

from sqlalchemy import DateTime, Dialect, LargeBinary, MetaData, String, event
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

from agentflows.errors import CorruptionError


def naive_utc(moment: datetime) -> datetime:
    """The same moment in UTC without a zone: how every time is stored and returned."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def corrupt(what: str) -> CorruptionError:
    """The error for content that is not what was written, with the way out."""
    msg = (
        f"{what} is not what was written: the state database is damaged. Nothing of it was served. "
        "Restore the database file from a backup, or create a new store and import an export of this one."
    )
    return CorruptionError(msg)


class Moment(TypeDecorator[datetime]):
    """A UTC time: `timestamp` in PostgreSQL, fixed-width ISO text in SQLite, where it sorts as it should."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        return dialect.type_descriptor(DateTime() if dialect.name == "postgresql" else String(26))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write."""
        if value is None:
            return None
        value = naive_utc(value)
        return value if dialect.name == "postgresql" else value.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read; a text that is no time is damage."""
        if value is None or isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(value)
        except (TypeError, ValueError) as error:
            what = f"A time ({value!r})"
            raise corrupt(what) from error


class Utf8(TypeDecorator[str]):
    """Any text, NUL included, which PostgreSQL refuses in `text`: there it is `bytea`."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        return dialect.type_descriptor(LargeBinary() if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Write."""
        return value.encode() if value is not None and dialect.name == "postgresql" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Read; what is neither text nor UTF-8 is damage."""
        if dialect.name == "postgresql" and isinstance(value, bytes):
            return value.decode()
        if value is None or isinstance(value, str):
            return value
        what = "A memory's content"
        raise corrupt(what)


class Row(SQLModel):
    """Base of all tables, with metadata of its own: other users of SQLModel share none of it."""

    metadata: ClassVar[MetaData] = MetaData()


class Sealed(Row):
    """A row that proves on every read that it is what was written."""

    seal: str = ""

    def digest(self) -> str:
        """What `seal` must be."""
        values = values_of(self)
        del values["seal"]
        return seal_of(type(self), values)

    def sealed(self) -> Self:
        """Seal it by hand, for rows that are written in bulk."""
        self.seal = self.digest()
        return self


def seal_of(table: type["Sealed"], values: Mapping[str, Any]) -> str:
    """The seal of a row of these columns, which are all but the seal."""
    body = [table_name(table), values]
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return naive_utc(value).isoformat(timespec="microseconds")
    return repr(value)


@event.listens_for(Sealed, "load", propagate=True)
@event.listens_for(Sealed, "refresh", propagate=True)
def _check_seal(row: Sealed, *_: object) -> None:
    if row.seal != row.digest():
        what = f"A row of the table {table_name(type(row))!r}"
        raise corrupt(what)


@event.listens_for(Sealed, "before_insert", propagate=True)
@event.listens_for(Sealed, "before_update", propagate=True)
def _make_seal(_mapper: object, _connection: object, row: Sealed) -> None:
    row.seal = row.digest()


def values_of(row: Row) -> dict[str, Any]:
    """A row's columns by name, for an insert in bulk."""
    return {name: getattr(row, name) for name in type(row).model_fields}


def table_name(table: type[Row]) -> str:
    """What the table is called in SQL."""
    return str(cast("Any", table).__tablename__)
