"""The dream flow on a real Prefect server, over the example project."""

from pathlib import Path
from typing import Any

import pytest

from agentflows import load_flow, open_home, run_dream, run_ingest
from agentflows.errors import DreamError
from agentflows.testing import FakeMessagesAPI
from tests.conftest import EXAMPLES
from tests.dreaming.model import answer
from tests.flows import reads

pytestmark = pytest.mark.prefect


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the example sessions and memory."""
    folder = tmp_path_factory.mktemp("harbor")
    run_ingest(EXAMPLES / "sessions", home=folder)
    with open_home(folder) as home:
        home.state.create_store("example", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
    return folder


def test_every_step_of_a_dream_is_a_task_run(harbor: Path):
    """An operator sees in Prefect which step took how long and where it stopped."""
    run_dream("example", home=harbor)
    assert {
        "snapshot store and select sessions",
        "mine 33 sessions",
        "review sessions: batch 1",
        "check quotes",
        "find patterns",
        "prune and propose",
        "refute",
        "check invariants",
        "commit or hold",
        "report",
    } <= reads.task_names(reads.runs("dream · example")[0])


def test_the_report_is_on_the_page_of_the_run(harbor: Path):
    """The diff with its quotes, the changes and the ledger are artifacts."""
    report = run_dream("example", home=harbor)
    artifacts = reads.artifacts()
    kinds = ("", "-changes", "-ledger", "-pictures")
    assert {f"dream-example{kind}" for kind in kinds} <= artifacts.keys()
    assert report.changes[0].quotes[0].address in str(artifacts["dream-example"].data)
    assert str(artifacts["dream-example-pictures"].data).count("](data:image/svg+xml;base64,") == 2


def test_the_same_dream_twice_is_one_dream(harbor: Path):
    """Nothing is proposed, paid or committed twice."""
    first = run_dream("example", home=harbor)
    second = run_dream("example", home=harbor)
    assert second == first


def test_an_empty_archive_says_what_to_do(tmp_path: Path):
    """The error names the command that fills it."""
    with pytest.raises(DreamError, match="agentflows ingest"):
        load_flow("dream")(store="team", home=str(tmp_path))


def test_no_text_of_a_session_is_stored_by_prefect_outside_its_artifacts(harbor: Path):
    """Contents never travel as parameters or results: only ids and counts do."""
    run_dream("example", home=harbor)
    runs = reads.runs("dream · example")
    assert runs
    assert all("integer cents" not in str(run.parameters) + str(run.state) for run in runs)


def test_a_scheduled_run_goes_on_with_the_batch_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The first ends as `pending` when its wait is over; the next collects, and hands nothing in again."""
    with FakeMessagesAPI(batch_polls=2).script(answer) as fake:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", fake.api_key)
        monkeypatch.setenv("AGENTFLOWS_BATCH_POLL_SECONDS", "0.01")
        run_ingest(EXAMPLES / "sessions", home=tmp_path)
        given: dict[str, Any] = {"engine": "claude", "calls": "batch", "home": str(tmp_path)}
        monkeypatch.setenv("AGENTFLOWS_BATCH_WAIT_SECONDS", "0")
        assert load_flow("dream")(**given)["status"] == "pending"
        monkeypatch.setenv("AGENTFLOWS_BATCH_WAIT_SECONDS", "60")
        assert load_flow("dream")(**given)["status"] == "completed"
        assert len(fake.batches) == 2, "one for the sessions, one for the patterns"
    assert {"dream-patterns": 100.0, "dream-tried": 100.0}.items() <= drawn().items()


def drawn() -> dict[str, float]:
    """How far the bars are that runs drew, by key."""
    return {key: float(str(one.data)) for key, one in reads.artifacts().items() if one.type == "progress"}


def test_each_probe_with_each_memory_is_a_task_run(harbor: Path):
    """A replay that takes long or breaks is seen where it does; how far it is, and reading was, is drawn."""
    report = run_dream("example", home=harbor, probes=str(EXAMPLES / "probes"))
    assert "Replayed 2 probes: 1 improved, 0 flipped." in report.notes
    names = reads.task_names(reads.runs("dream · example")[0])
    assert {
        "ingest-batches": 100.0,
        "dream-sessions": 100.0,
        "dream-probes": 100.0,
    }.items() <= drawn().items()
    assert {
        f"replay {probe}, {memory} memory"
        for probe in ("depot-times", "invoice-total")
        for memory in ("present", "candidate")
    } <= names
