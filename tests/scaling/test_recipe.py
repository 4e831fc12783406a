"""The page on several machines, done as it stands: PostgreSQL, a Prefect server on it, S3, a worker and a Dask cluster."""

import urllib.request
from pathlib import Path

import psycopg
import pytest

from tests.conftest import ROOT
from tests.docs.pages import read_page
from tests.docs.starts import check_page
from tests.free_port import free_port
from tests.postgres_server import PostgresServer, find_programs
from tests.s3_server import S3Server

PAGE = "docs/scaling-out.md"
SECONDS = 800
# A server, a worker and a cluster are started: two minutes on a machine with nothing else to do.
pytestmark = [pytest.mark.prefect, pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_page_does_what_it_says(
    postgres_server: PostgresServer,
    s3_server: S3Server,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
):
    """Its dreams are read by a worker with a home of its own, and by a Dask cluster."""
    request = urllib.request.Request(f"{s3_server.url}/agents", method="PUT")
    urllib.request.urlopen(request, timeout=30).close()
    server, dask = free_port(), free_port()
    programs = find_programs()
    assert programs is not None
    names = {
        "psql ": f"{programs / 'psql'} ",
        "db.internal:5432": f"127.0.0.1:{postgres_server.port}",
        "prefect.internal --port 4200": f"127.0.0.1 --port {server}",
        "prefect.internal:4200": f"127.0.0.1:{server}",
        "http://s3.internal:9000": s3_server.url,
        "dask.internal --port 8786": f"127.0.0.1 --port {dask}",
        "dask.internal:8786": f"127.0.0.1:{dask}",
        "/srv/agentflows": str(tmp_path / "worker"),
    }
    page = read_page(ROOT / PAGE).told(names)
    variables = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    check_page(page, tmp_path, tmp_path_factory, seconds=SECONDS, **variables)
    assert not any(".internal" in step.text for step in page.to_run)
    assert (tmp_path / "worker" / "copies").is_dir(), "the worker read from the bucket into a home of its own"
    with psycopg.connect(f"postgresql://agentflows@127.0.0.1:{postgres_server.port}/prefect") as database:
        runs = database.execute(
            "SELECT flow.name, flow_run.state_type::text FROM flow_run JOIN flow ON flow.id = flow_run.flow_id "
            "WHERE flow_run.state_type <> 'SCHEDULED'"  # the nights to come, which `prefect deploy` plans
        ).fetchall()
    assert set(runs) == {
        ("ingest", "COMPLETED"),
        ("dream", "COMPLETED"),
        ("dream-batch", "COMPLETED"),
        ("dream-parts", "COMPLETED"),
    }
