"""Deployments: `prefect.yaml` deploys without questions, and a worker runs a dream that was asked for by name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL

from agentflows import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.prefect


def prefect(*words: str) -> subprocess.CompletedProcess[str]:
    """The `prefect` command against this test's server."""
    environment = os.environ | {
        "PREFECT_API_URL": PREFECT_API_URL.value() or "",
        "AGENTFLOWS_PROJECT": str(ROOT),
    }
    command = [sys.executable, "-m", "prefect", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, check=False, text=True, timeout=180
    )


def test_a_worker_runs_a_dream_asked_for_by_name(tmp_path: Path):
    """Deploy all, start a worker, `run_deployment`: the dream waits for review in the home it was given."""
    with open_home(tmp_path) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
    assert prefect("work-pool", "create", "agentflows", "--type", "process").returncode == 0
    deployed = prefect("--no-prompt", "deploy", "--all")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    given = {"store": "team", "engine": "rules", "home": str(tmp_path)}
    asked = run_deployment("dream/dream", parameters=given, timeout=0)
    assert isinstance(asked, FlowRun)
    worked = prefect("worker", "start", "--pool", "agentflows", "--run-once")
    assert worked.returncode == 0, worked.stdout + worked.stderr
    with open_home(tmp_path) as home:
        dreams = home.state.dreams()
        assert [(dream.status, dream.store_name) for dream in dreams] == [("completed", "team")]
        assert home.state.changes(status="held")
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(asked.id).state_name == "Completed"
