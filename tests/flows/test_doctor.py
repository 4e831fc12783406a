"""Doctor before a real Prefect server."""

import time
from collections.abc import Callable, Generator
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from agentflows import doctor
from agentflows.deployments import Deployment, read_deployments
from agentflows.diagnosis import Check
from agentflows.notices import CRASHED
from agentflows.project import bundled

pytestmark = pytest.mark.prefect

Look = Callable[[str], Check]


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """The API of a server without pool and deployments; what a test makes there goes with it."""
    found = PREFECT_API_URL.value() or ""
    monkeypatch.setenv("PREFECT_API_URL", found)

    def remove() -> None:
        httpx2.delete(f"{found}/work_pools/agentflows", timeout=30)
        with get_client(sync_client=True) as client:
            for one in client.read_deployments(limit=200):
                client.delete_deployment(one.id)
            for automation in client.read_automations():
                client.delete_automation(automation.id)

    remove()
    yield found
    remove()


@pytest.fixture
def look(url: str, tmp_path: Path) -> Look:
    """What doctor finds of one part."""
    assert url
    return lambda name: doctor(tmp_path, timeout_seconds=30).of(name)


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    for _ in range(20):
        answer = httpx2.post(url, json=body, timeout=30)
        if answer.status_code != 503:
            answer.raise_for_status()
            return answer.json() if answer.content else {}
        time.sleep(0.5)  # over SQLite, while another writes; Prefect's client tries again, too
    pytest.fail(f"{url} is not there")


def test_a_server_is_asked_for_version_pool_and_workers(url: str, look: Look):
    """From no pool over a pool without a worker to one that is at work; two over a SQLite file are a warning."""
    assert look("prefect").status == "ok"
    assert f"version {metadata.version('prefect')}" in look("prefect").found
    assert "prefect work-pool create agentflows" in look("work pool").fix
    post(f"{url}/work_pools/", {"name": "agentflows", "type": "process"})
    assert "prefect worker start" in look("work pool").fix
    beat = f"{url}/work_pools/agentflows/workers/heartbeat"
    post(beat, {"name": "one", "heartbeat_interval_seconds": 30})
    assert look("work pool").found == "'agentflows', 1 worker"
    with pytest.raises(KeyError):
        look("workers")
    post(beat, {"name": "two", "heartbeat_interval_seconds": 30})
    assert look("work pool").found == "'agentflows', 2 workers"
    assert "AGENTFLOWS_STATE_URL" in look("workers").fix
    httpx2.patch(f"{url}/work_pools/agentflows", json={"is_paused": True}, timeout=30).raise_for_status()
    assert "is paused" in look("work pool").found


def test_a_server_that_anybody_may_use_is_a_warning(look: Look):
    """A run of an agent is a command on this machine: whoever may start one may do much."""
    found = look("security")
    assert found.status == "warning"
    assert "no CSRF protection; pages of any origin may read its answers; no password" in found.found
    assert "PREFECT_SERVER_API_AUTH_STRING" in found.fix


def test_what_is_deployed_is_held_against_the_project(url: str, look: Look):
    """Nothing there, one that is another version of its file, one that was deleted, and all as the file has them."""
    wanted = read_deployments(bundled())
    count = len(wanted)
    assert f"{count} of {count} are not there (nightly, ingest" in look("deployments").found

    def deploy(one: Deployment, version: str) -> str:
        flow = post(f"{url}/flows/", {"name": one.name})["id"]
        schedules = [
            {
                "schedule": {"cron": when.cron, "timezone": when.timezone},
                "active": when.active,
                "slug": when.slug,
                "parameters": when.parameters,
            }
            for when in one.schedules
        ]
        made = {
            "name": one.name,
            "flow_id": flow,
            "version": version,
            "parameters": one.parameters,
            "schedules": schedules,
            "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": "."}}],
        }
        return str(post(f"{url}/deployments/", made)["id"])

    ids = {
        one.name: deploy(one, "0" * 32 if one.name == "impact" else one.sha_of_file(bundled()))
        for one in wanted
    }
    found = look("deployments")
    assert (found.status, f"1 are not as {bundled()} has them (impact)" in found.found) == ("warning", True)
    assert "prefect --no-prompt deploy --all" in found.fix
    with get_client(sync_client=True) as client:
        client.delete_deployment(UUID(ids["impact"]))
    assert f"1 of {count} are not there (impact)" in look("deployments").found
    impact = next(one for one in wanted if one.name == "impact")
    deploy(impact, "96cedae1")  # the commit, where a prefect.yaml from before says no version_type
    found = look("deployments")
    assert (found.status, "scheduled: impact (0 6 * * 1 Etc/UTC)" in found.found) == ("ok", True)


def test_deployments_of_others_by_the_same_names_change_nothing(url: str, tmp_path: Path):
    """A server that is shared has an `ingest` of somebody else, too: it is neither ours nor out of date."""

    def found() -> dict[str, str]:
        parts = {"deployments", "work", "work pool", "schedules"}
        return {
            one.name: one.found for one in doctor(tmp_path, timeout_seconds=30).checks if one.name in parts
        }

    before = found()
    theirs = post(f"{url}/flows/", {"name": "theirs"})["id"]
    schedules = [{"schedule": {"cron": "0 3 * * *", "timezone": "Etc/UTC"}, "active": True}]
    post(f"{url}/deployments/", {"name": "ingest", "flow_id": theirs, "schedules": schedules})
    assert found() == before
    assert before.keys() == {"deployments", "work pool"}


def test_schedules_that_start_nothing_are_a_warning(url: str, look: Look):
    """A server whose scheduler fails shows the schedule as on, and no night ever begins."""
    wanted = next(one for one in read_deployments(bundled()) if one.name == "nightly")
    made: dict[str, Any] = {
        "name": wanted.name,
        "flow_id": post(f"{url}/flows/", {"name": wanted.name})["id"],
        "schedules": [{"schedule": {"cron": "0 3 * * *", "timezone": "Etc/UTC"}, "active": False}],
    }
    post(f"{url}/deployments/", made)
    with pytest.raises(KeyError):
        look("schedules")  # nothing is on
    made["schedules"][0]["active"] = True
    found = post(f"{url}/deployments/", made)
    first = look("schedules")
    assert first.status == "ok" or "no run is planned of nightly" in first.found
    post(f"{url}/deployments/{found['id']}/schedule", {"min_runs": 1})
    assert look("schedules").found.startswith("next, in UTC: nightly 2")


def test_whether_anything_notices_crashed_runs_is_said(url: str, look: Look):
    """Without the automation a run that was killed is shown as running for ever."""
    assert look("crashes").fix == "agentflows automations"
    trigger = {"type": "event", "posture": "Reactive", "expect": ["x"], "threshold": 1, "within": 0}
    automation = {"name": CRASHED, "enabled": False, "trigger": trigger, "actions": [{"type": "do-nothing"}]}
    made = post(f"{url}/automations/", automation)
    assert "is switched off" in look("crashes").found
    changed = httpx2.patch(f"{url}/automations/{made['id']}", json={"enabled": True}, timeout=30)
    changed.raise_for_status()
    assert look("crashes").status == "ok"
