"""The page over a home whose state is in PostgreSQL: the same, to a commit."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from agentflows.home import Home, open_home
from tests.postgres_server import PostgresServer, postgres_server
from tests.web.homes import held_changes
from tests.web.reading import Page, barriers, crawl
from tests.web.test_reviewing import commit, confirmed, reading, send

__all__ = ["postgres_server"]
pytestmark = pytest.mark.postgres


def test_everything_is_read_and_decided(
    postgres_server: PostgresServer, tmp_path: Path, writing: Callable[[Home], TestClient]
):
    """Lists, a review over several pages, a commit, its history."""
    with open_home(tmp_path / "home", state_url=postgres_server.new_database()) as home:
        held_changes(home, 30)
        client = writing(home)
        page = send(client, "drm_many", reading(client, "drm_many").fields(), bulk="approve-rest")
        page = send(client, "drm_many", page.fields(), go="confirm")
        done = commit(client, "drm_many", confirmed(page))
        assert "30 changes committed" in done.text
        for link, answer in crawl(client, each=2).items():
            assert answer.status_code == 200, link
            assert not answer.headers["content-type"].startswith("text/html") or not barriers(
                Page(answer.text)
            ), link
