"""Look for planted words in everything that a Prefect installation keeps: every column of its database, every file."""

import base64
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path


def forms_of(text: str) -> set[bytes]:
    """How a text may stand somewhere: as it is, JSON-escaped once or twice, and in base64 at each of the three offsets."""
    once = json.dumps(text)[1:-1]
    found = {text.encode(), once.encode(), json.dumps(once)[1:-1].encode()}
    for offset in range(3):
        code = base64.b64encode(b"x" * offset + text.encode())
        found.add(code[4 if offset else 0 : len(code) - len(code) % 4 - 4])
    return {form for form in found if len(form) >= 6}


def found_in(data: bytes, planted: Mapping[str, str]) -> set[str]:
    """The names of the planted texts that stand in `data`, in any form."""
    return {name for name, text in planted.items() if any(form in data for form in forms_of(text))}


def columns(database: Path) -> Iterator[tuple[str, bytes]]:
    """`table.column` and all that stands in it, for every column of an SQLite database that may be in use."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            names = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
            for name in names:
                rows = connection.execute(f'SELECT "{name}" FROM "{table}"').fetchall()
                yield f"{table}.{name}", b"\0".join(_bytes(value) for (value,) in rows)


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder that is not part of a database."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".db" not in path.name:
            yield str(path.relative_to(folder)), path.read_bytes()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
