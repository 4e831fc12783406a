"""Answers that were paid for once: text under a key, kept as soon as it is known."""

from collections.abc import Mapping, Sequence

from sqlmodel import col, delete, select

from agentflows.memory import sha256
from agentflows.store.database import chunks, insert_missing
from agentflows.store.opened import Opened
from agentflows.store.tables import CacheRow


class Cache(Opened):
    """The part of `State` that remembers answers."""

    def cached(self, keys: Sequence[str]) -> dict[str, str]:
        """Key → text for those that are known; any number of keys.

        A row that is not what was written counts as unknown: the answer is found again, never served damaged.
        """
        found: dict[str, str] = {}
        with self._db.read() as session:
            for some in chunks(dict.fromkeys(keys)):
                rows = session.exec(select(CacheRow).where(col(CacheRow.key).in_(some))).all()
                found |= {row.key: row.value for row in rows if row.sha256 == _seal(row.key, row.value)}
        return found

    def cache(self, rows: Mapping[str, str]) -> None:
        """Keep answers, in one transaction; a later answer takes the place of an earlier one."""
        if not rows:
            return
        made = [
            {"key": key, "value": value, "sha256": _seal(key, value), "created_at": self._now()}
            for key, value in rows.items()
        ]
        with self._db.write() as session:
            for some in chunks(rows):
                session.connection().execute(delete(CacheRow).where(col(CacheRow.key).in_(some)))
            insert_missing(session, CacheRow, made)

    def uncache(self, prefix: str) -> None:
        """Forget what is kept under keys that begin so."""
        with self._db.write() as session:
            session.connection().execute(
                delete(CacheRow).where(col(CacheRow.key).startswith(prefix, autoescape=True))
            )


def _seal(key: str, value: str) -> str:
    return sha256(f"{key}\x00{value}")
