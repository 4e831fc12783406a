"""Every test of the state database runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from agentflows.store import State
from tests.postgres_server import PostgresServer, postgres_server

__all__ = ["postgres_server"]

START = datetime(2026, 11, 1, 12, 0, 0)  # noqa: DTZ001 - UTC without a zone, as everywhere in the store


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **by: float) -> None:
        self.time += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, sqlite_url: str) -> str:
    """An empty database's URL."""
    if request.param == "sqlite":
        return sqlite_url
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
def state(url: str, clock: Clock) -> Iterator[State]:
    with State(url, now=clock) as opened:
        yield opened


@pytest.fixture
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file in a folder of its own: `tmp_path` is the test's."""
    return f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}"
