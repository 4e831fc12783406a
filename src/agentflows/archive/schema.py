# pyarrow ships no types, so pyright cannot know its members.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
"""The archive's tables: their columns, and how they are laid down as Parquet.

Times are UTC without a zone. `steps` and `texts` are derived from `turns` when they are written, because
pattern queries then read a few narrow columns instead of every tool's output.
"""

import io
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA_VERSION = 1
"""Of the columns below and of the manifest. A newer one is refused, an older one rewritten by `compact`."""

_TIME = pa.timestamp("us")
_TEXT = pa.string()
_COUNT = pa.int64()
_SMALL = pa.int32()

SCHEMAS: dict[str, Any] = {
    "sessions": pa.schema(
        [
            ("session_id", _TEXT),
            ("root_id", _TEXT),
            ("parent_id", _TEXT),
            ("format", _TEXT),
            ("reader", _TEXT),
            ("agent", _TEXT),
            ("project", _TEXT),
            ("task", _TEXT),
            ("title", _TEXT),
            ("started_at", _TIME),
            ("ended_at", _TIME),
            ("turns", _SMALL),
            ("tool_calls", _SMALL),
            ("errors", _SMALL),
            ("chars", _COUNT),
            ("verdict", _TEXT),
            ("score", pa.float64()),
            ("outcome_source", _TEXT),
            ("input_tokens", _COUNT),
            ("output_tokens", _COUNT),
            ("cache_read_tokens", _COUNT),
            ("cache_write_tokens", _COUNT),
            ("content_sha256", _TEXT),
            ("source_sha256", _TEXT),
            ("source_file", _TEXT),
            ("checks", pa.list_(pa.struct([("name", _TEXT), ("passed", pa.bool_()), ("detail", _TEXT)]))),
            ("meta", pa.map_(_TEXT, _TEXT)),
        ]
    ),
    "turns": pa.schema(
        [
            ("session_id", _TEXT),
            ("seq", _SMALL),
            ("kind", _TEXT),
            ("trust", pa.int8()),
            ("text", _TEXT),
            ("ts", _TIME),
            ("thread", _TEXT),
            ("tool", _TEXT),
            ("tool_use_id", _TEXT),
            ("is_error", pa.bool_()),
            ("spans", pa.list_(pa.struct([("start", _SMALL), ("end", _SMALL), ("kind", _TEXT)]))),
            ("origin", _TEXT),
            ("model", _TEXT),
            ("input_tokens", _COUNT),
            ("output_tokens", _COUNT),
            ("cache_read_tokens", _COUNT),
            ("cache_write_tokens", _COUNT),
            ("line", _SMALL),
        ]
    ),
    "steps": pa.schema(
        [
            ("session_id", _TEXT),
            ("root_id", _TEXT),
            ("project", _TEXT),
            ("task", _TEXT),
            ("verdict", _TEXT),
            ("thread", _TEXT),
            ("step", _SMALL),
            ("seq", _SMALL),
            ("result_seq", _SMALL),
            ("tool", _TEXT),
            ("head", _TEXT),
            ("input", _TEXT),
            ("input_hash", _TEXT),
            ("args", pa.list_(_TEXT)),
            ("is_error", pa.bool_()),
            ("err_sig", _TEXT),
            ("body", _TEXT),
            ("ts", _TIME),
            ("origin", _TEXT),
        ]
    ),
    "texts": pa.schema(
        [
            ("session_id", _TEXT),
            ("root_id", _TEXT),
            ("project", _TEXT),
            ("task", _TEXT),
            ("verdict", _TEXT),
            ("thread", _TEXT),
            ("seq", _SMALL),
            ("kind", _TEXT),
            ("trust", pa.int8()),
            ("text", _TEXT),
            ("own", _TEXT),
            ("work_before", _SMALL),
            ("tool", _TEXT),
            ("ts", _TIME),
            ("origin", _TEXT),
        ]
    ),
    "raw": pa.schema(
        [("source_sha256", _TEXT), ("file", _TEXT), ("format", _TEXT), ("line", _SMALL), ("text", _TEXT)]
    ),
    "quarantine": pa.schema(
        [("source_sha256", _TEXT), ("file", _TEXT), ("line", _SMALL), ("reason", _TEXT), ("raw", _TEXT)]
    ),
}
"""Column names and types by table. `own` is a user's text with pasted, recalled and injected stretches
blanked to spaces, so that positions stay those of the turn; it is NULL where nothing was blanked."""

SESSION_TABLES = ("sessions", "turns", "steps", "texts")
"""Tables whose rows belong to a session; the rows of the others belong to a source file."""
WIDE = frozenset({"text", "raw", "own", "input", "body"})
"""Columns too long and too varied for a dictionary or for statistics."""
_ROWS_PER_GROUP = 20_000


def to_parquet(table: str, rows: Iterable[tuple[Any, ...]]) -> bytes:
    """The rows of one table, in the order of its columns, as one Parquet file."""
    schema = SCHEMAS[table]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    narrow: Any = [field.name for field in schema if field.name not in WIDE]
    rows_table: Any = pa.Table.from_arrays(arrays, schema=schema)
    sink = io.BytesIO()
    pq.write_table(
        rows_table,
        sink,
        compression="zstd",
        row_group_size=_ROWS_PER_GROUP,
        use_dictionary=narrow,
        write_statistics=narrow,
    )
    return sink.getvalue()


def empty_table(table: str) -> Any:
    """A table without rows: what a view shows before anything was added."""
    return SCHEMAS[table].empty_table()
