"""A dream that nobody sits beside calls a reviewer, and takes back the calls that ask for nothing any more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.states import Suspended

from agentflows import load_flow, open_home, run_ingest
from agentflows.dreaming import DreamRequest, dream_over
from tests.conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.prefect


@pytest.fixture
def deployed() -> Iterator[UUID]:
    """The deployment `review/review`, without anybody who would carry it out."""
    with get_client(sync_client=True) as client:
        made = client.create_deployment(flow_id=client.create_flow_from_name("review"), name="review")
    yield made
    with get_client(sync_client=True) as client:
        client.delete_deployment(made)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the example sessions, and two stores with the example memory."""
    run_ingest(EXAMPLES / "sessions", home=tmp_path)
    with open_home(tmp_path) as doors:
        for name in ("one", "two"):
            doors.state.create_store(name, actor=doors.actor("tester"))
            doors.state.import_folder(name, EXAMPLES / "memory", actor=doors.actor("tester"))
    return tmp_path


def waits(deployment: UUID, home: Path, dream_id: str, name: str | None = None) -> UUID:
    """A review that waits for a person."""
    with get_client(sync_client=True) as client:
        given = {"dream_id": dream_id, "home": str(home)}
        run = client.create_flow_run_from_deployment(deployment, parameters=given, name=name)
        client.set_flow_run_state(run.id, Suspended(timeout_seconds=3600), force=True)
    return run.id


def calls(deployment: UUID) -> dict[UUID, FlowRun]:
    """Every review there is."""
    with get_client(sync_client=True) as client:
        of = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        return {run.id: run for run in client.read_flow_runs(deployment_filter=of)}


@flow
def unattended(**given: Any) -> dict[str, Any]:
    """A dream as a part of another flow, as at night."""
    return load_flow("dream", ROOT)(**given)


@pytest.mark.slow  # two dreams and their reviews
def test_a_later_dream_cancels_the_reviews_of_which_nothing_waits_any_more(deployed: UUID, home: Path):
    """What an earlier dream held and this one proposes is asked once; what still waits elsewhere stays asked."""
    with open_home(home) as doors:
        earlier, other = (
            dream_over(doors, DreamRequest(store=name, engine="rules")).dream.dream_id
            for name in ("one", "two")
        )
    over = waits(deployed, home, earlier)
    newest = waits(deployed, home, "", f"review · one · 13 waiting · {earlier}")  # as a form leaves it empty
    kept = [waits(deployed, home, other), waits(deployed, home, "drm_ofanothermachine")]
    elsewhere = waits(deployed, home / "elsewhere", earlier)
    given = {"store": "one", "engine": "rules", "support": 1, "home": str(home)}
    found = unattended(**given)
    runs = calls(deployed)
    assert found["held"] > 0
    assert {runs[one].state_name for one in (over, newest)} == {"Cancelled"}
    assert "a later one proposes it" in str(runs[over].state)
    assert {runs[one].state_name for one in (*kept, elsewhere)} == {"Suspended"}
    called = [run for run in runs.values() if run.parameters["dream_id"] == found["dream_id"]]
    assert [run.name for run in called] == [f"review · {found['dream_id']}"]
    assert unattended(**given) == found
    assert calls(deployed).keys() == runs.keys(), "the same dream again calls nobody twice"
