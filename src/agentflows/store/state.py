"""The state database, whole: stores, dreams, decisions, evidence, caches, budgets and leases."""

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict
from sqlmodel import col, select

from agentflows.store.abandoned import Abandoned
from agentflows.store.agreeing import Agreements
from agentflows.store.batching import BatchLog
from agentflows.store.caching import Cache
from agentflows.store.decisions import Decisions
from agentflows.store.edits import Scan
from agentflows.store.evidence import EvidenceLog
from agentflows.store.folders import Folders
from agentflows.store.forgetting import Forgetting
from agentflows.store.impacts import ImpactFlags
from agentflows.store.jobs import Jobs
from agentflows.store.leases import Leases
from agentflows.store.listing import Listings
from agentflows.store.opened import StoreRef, find_store
from agentflows.store.outcomes import Outcomes
from agentflows.store.pins import Pins
from agentflows.store.schema import open_database
from agentflows.store.spending import Spending
from agentflows.store.tables import AuditRow


class AuditEntry(BaseModel):
    """Who did what to a store, written in the same transaction as the deed."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    actor_kind: str
    actor_name: str
    action: str
    """`create_store`, `commit`, `restore`, `copy_store`, `archive_store`, `redact`, `approved`, `rejected`,
    `pin`, `unpin`, `forget`, `impact_worse`, `impact_withdrawn`, `impact_restored`."""
    store_id: str
    store_version: int | None
    dream_id: str
    detail: str


class State(
    Folders,
    Listings,
    Decisions,
    EvidenceLog,
    Pins,
    Forgetting,
    ImpactFlags,
    Cache,
    Spending,
    Leases,
    Jobs,
    Abandoned,
    BatchLog,
    Outcomes,
    Agreements,
):
    """One state database, open. Use it as a context manager, or call `close`.

    Any number of processes and threads may have the same database open. Every method is one transaction:
    what it raises, it did not write. All times are UTC, without a zone.
    """

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], datetime] | None = None,
        scan: Scan | None = None,
        scan_files: Scan | None = None,
    ) -> None:
        """Open `sqlite:///path` or `postgresql+psycopg://…`, and make its tables where they are missing.

        `now` is the clock for what is recorded and for what expires. `scan` is what every commit is asked, and
        `scan_files` what `import_folder` is, when they are given no scan of their own: the state of a home has both,
        one that is opened by itself has none unless it is given one. To scan for nothing, pass `lambda _: ""`.

        Raises:
            SettingsError: the URL is not one of the two.
            StoreError: the database cannot be opened, or a newer agentflows made it.
        """
        super().__init__(open_database(url), now, scan, scan_files)

    def audit(self, store: StoreRef | None = None, *, offset: int = 0, limit: int = 100) -> list[AuditEntry]:
        """Who did what, newest first; to one store, or to all."""
        with self._db.read() as session:
            statement = (
                select(AuditRow)
                .order_by(col(AuditRow.at).desc(), col(AuditRow.audit_id).desc())
                .offset(offset)
                .limit(limit)
            )
            if store is not None:
                statement = statement.where(AuditRow.store_id == find_store(session, store).store_id)
            rows = session.exec(statement).all()
        return [
            AuditEntry.model_validate({name: getattr(row, name) for name in AuditEntry.model_fields})
            for row in rows
        ]

    def close(self) -> None:
        """Close every connection. A closed state is not used again."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<State {self._db.place}>"
