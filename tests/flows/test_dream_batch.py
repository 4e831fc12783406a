"""A dream sends its sessions to the work pool; a worker reads them, and the dream goes on with what it read."""

import shutil
import threading
import time
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

from agentflows import load_flow, open_home
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import DreamError
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES, ROOT
from tests.dreaming.test_parts import told
from tests.flows import reads
from tests.flows.site import prefect

pytestmark = pytest.mark.prefect
POOL = "dream-batch-test"
_OF_POOL = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))


@pytest.fixture
def homes(tmp_path: Path) -> list[Path]:
    """Two with the same sessions and the same store."""
    with open_home(tmp_path / "one") as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("team", actor=home.actor("tester"))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    return [tmp_path / "one", tmp_path / "two"]


def work_once() -> None:
    """A worker that takes what waits, as soon as something does."""
    with get_client(sync_client=True) as client:
        while not client.read_flow_runs(work_pool_filter=_OF_POOL):
            time.sleep(0.2)
    prefect("worker", "start", "--pool", POOL, "--run-once")


@pytest.mark.slow  # a process for each part; the parts themselves are in tests/dreaming/test_parts.py
def test_a_dream_on_the_work_pool_is_the_dream_it_is_without(homes: list[Path]):
    """Its sessions are read by a run of `dream-batch` in a process of its own; the same again sends nothing."""
    one, two = homes
    with open_home(one) as home:
        alone = dream_over(home, DreamRequest(store="team", engine="rules"))
    prefect("work-pool", "create", POOL, "--type", "process", "--overwrite")
    prefect("--no-prompt", "deploy", "--name", "dream-batch", "--pool", POOL)
    worker = threading.Thread(target=work_once)
    worker.start()
    dream = load_flow("dream", ROOT)
    answer = dream(store="team", engine="rules", dispatch="deployment", home=str(two))
    worker.join()
    assert dream(store="team", engine="rules", dispatch="deployment", home=str(two)) == answer
    with open_home(two) as home:
        assert told(home.state.dream(answer["dream_id"])) == told(alone)
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(work_pool_filter=_OF_POOL)
    drawn = [one for one in reads.artifacts().values() if one.flow_run_id == runs[0].id]
    assert [(one.key, float(str(one.data))) for one in drawn] == [("dream-batch-sessions", 100.0)]
    assert [(run.name, run.state_name) for run in runs] == [(f"{answer['dream_id']} · part 1", "Completed")]
    assert runs[0].parameters == {
        "dream": answer["dream_id"], "part": 1, "attempt": 0, "home": str(two)
    }, "ids travel, contents do not"  # fmt: skip


def test_without_the_deployment_the_message_says_how_to_make_it(homes: list[Path]):
    """Rather than waiting for ever; the dream is recorded as failed, and the same command goes on."""
    with get_client(sync_client=True) as client:
        for one in client.read_deployments():
            if one.name == "dream-batch":
                client.delete_deployment(one.id)
    with pytest.raises(DreamError, match=r"'dream-batch/dream-batch' was not found .*prefect deploy --all"):
        load_flow("dream", ROOT)(store="team", engine="rules", dispatch="deployment", home=str(homes[0]))
    with open_home(homes[0]) as home:
        assert [dream.status for dream in home.state.dreams()] == ["failed"]
