"""Doctor before a real Prefect server."""

from importlib import metadata
from pathlib import Path

import httpx2
import pytest
from prefect.settings import PREFECT_API_URL

from agentflows import doctor

pytestmark = pytest.mark.prefect


def test_a_server_is_asked_for_version_pool_and_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """From no pool over a pool without a worker to one that is at work."""
    url = PREFECT_API_URL.value() or ""
    monkeypatch.setenv("PREFECT_API_URL", url)
    found = doctor(tmp_path, timeout_seconds=30)
    assert found.of("prefect").status == "ok"
    assert f"version {metadata.version('prefect')}" in found.of("prefect").found
    httpx2.delete(f"{url}/work_pools/agentflows", timeout=30)
    assert "prefect work-pool create agentflows" in doctor(tmp_path, timeout_seconds=30).of("work pool").fix
    httpx2.post(
        f"{url}/work_pools/", json={"name": "agentflows", "type": "process"}, timeout=30
    ).raise_for_status()
    assert "prefect worker start" in doctor(tmp_path, timeout_seconds=30).of("work pool").fix
    beat = f"{url}/work_pools/agentflows/workers/heartbeat"
    httpx2.post(beat, json={"name": "one", "heartbeat_interval_seconds": 30}, timeout=30).raise_for_status()
    assert doctor(tmp_path, timeout_seconds=30).of("work pool").found == "'agentflows', 1 worker"
    httpx2.patch(f"{url}/work_pools/agentflows", json={"is_paused": True}, timeout=30).raise_for_status()
    assert "is paused" in doctor(tmp_path, timeout_seconds=30).of("work pool").found
    httpx2.delete(f"{url}/work_pools/agentflows", timeout=30).raise_for_status()
