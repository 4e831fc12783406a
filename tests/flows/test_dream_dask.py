"""A dream whose sessions are read on a Dask cluster, inside one run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import TaskRunSort

from agentflows import load_flow, open_home
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES, ROOT
from tests.dreaming.test_parts import told

pytestmark = pytest.mark.prefect


def test_a_dream_on_dask_is_the_dream_it_is_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each part is a task run in a process of the cluster; what it read is in the state database."""
    monkeypatch.setenv("AGENTFLOWS_BATCH_SESSIONS", "12")
    monkeypatch.setenv("AGENTFLOWS_DASK_WORKERS", "1")
    with open_home(tmp_path / "one") as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        store = home.state.create_store("team", actor=home.actor("tester"))
    subprocess.run(["cp", "-r", tmp_path / "one", tmp_path / "two"], check=True)
    with open_home(tmp_path / "one") as home:
        alone = dream_over(home, DreamRequest(store="team", engine="rules"))
    answer = load_flow("dream", ROOT)(
        store="team", engine="rules", dispatch="dask", home=str(tmp_path / "two")
    )
    with open_home(tmp_path / "two") as home:
        assert home.state.get_store("team").store_id == store.store_id
        assert told(home.state.dream(answer["dream_id"])) == told(alone)
    with get_client(sync_client=True) as client:
        names = {run.name for run in client.read_task_runs(sort=TaskRunSort.EXPECTED_START_TIME_DESC)}
    assert {f"review sessions: part {number}" for number in (1, 2, 3)} <= names


def test_without_the_extra_the_message_names_it(tmp_path: Path):
    """`pip install agentflows` alone has no Dask; nothing is read, and the other ways are named."""
    code = (
        "import sys; sys.modules['prefect_dask'] = None; sys.modules['prefect_dask.task_runners'] = None\n"
        "from agentflows import load_flow, open_home\n"
        "from agentflows.dreaming import DreamRequest, DreamRun\n"
        "from agentflows.project import load_module\n"
        "with open_home() as home:\n"
        "    run = DreamRun.start(home, DreamRequest(engine='rules')); run.mine(); run.recall()\n"
        "    load_module('dream_batch').read_elsewhere(run, 'dask', '', print)\n"
    )
    with open_home(tmp_path) as home:
        ingest_files(home, discover(EXAMPLES / "sessions")[:2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"AGENTFLOWS_HOME": str(tmp_path)},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "SettingsError" in done.stderr
    assert "pip install 'agentflows[dask]'" in done.stderr
