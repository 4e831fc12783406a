"""One archive per test, in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentflows.archive import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An archive that nothing was added to."""
    with Archive(tmp_path / "archive") as opened:
        yield opened
