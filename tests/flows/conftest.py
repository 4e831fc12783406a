"""One Prefect server for all flow tests: it takes 10–20 s to start."""

from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL, temporary_settings
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session", autouse=True)
def _prefect_server() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """A temporary server with a database of its own, which does not keep events waiting for five seconds."""
    with (
        temporary_settings({PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL: 0.2}),
        prefect_test_harness(server_startup_timeout=180),
    ):
        yield
