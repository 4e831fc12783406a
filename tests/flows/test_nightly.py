"""A night on a real Prefect server: ingest → dream → publish, retries, and nights that fail half-way."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun

from agentflows import approve, load_flow, open_home
from agentflows.errors import AgentflowsError
from agentflows.notices import PART
from agentflows.project import load_module
from agentflows.publishing import publish
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.conftest import EXAMPLES, ROOT
from tests.dreaming.model import answer
from tests.flows import reads
from tests.hostile import HOSTILE, forged

pytestmark = pytest.mark.prefect


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """The parameters of a night over the example project, with folders of its own."""
    shutil.copytree(EXAMPLES / "sessions", tmp_path / "logs")
    with open_home(tmp_path / "home") as home:
        home.state.create_store("team", actor=home.actor("tester"))
        home.state.import_folder("team", EXAMPLES / "memory", actor=home.actor("tester"))
    names = {"logs": "logs", "publish_to": "mounted", "home": "home"}
    return {"store": "team"} | {name: str(tmp_path / folder) for name, folder in names.items()}


def sub_flows(name: str) -> list[FlowRun]:
    """Runs that were made by the newest run of that name, oldest first."""
    with get_client(sync_client=True) as client:
        of = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[reads.runs(name)[0].id]))
        return sorted(client.read_flow_runs(flow_run_filter=of), key=lambda run: str(run.created))


def page(key: str) -> str:
    """The newest text of an artifact."""
    return str(reads.artifacts()[key].data)


def test_a_night_reads_dreams_and_publishes_and_the_next_does_nothing_twice(given: dict[str, Any]):
    """What a person approved by day is what agents mount after the next night."""
    first = load_flow("nightly")(**given)
    mounted = Path(given["publish_to"])
    before = (mounted / "CLAUDE.md").read_text("utf-8")
    assert first["ingest"]["added"] == 33
    assert first["dream"]["held"]
    assert first["publish"]["written"] == len(list((EXAMPLES / "memory").rglob("*.md")))
    assert f"{first['dream']['held']} changes wait for you" in page("nightly-team")
    with open_home(given["home"]) as home:
        approve(home.state, first["dream"]["dream_id"], reviewer="ada", scan=home.secret_in)
    second = load_flow("nightly")(**given)
    assert (second["ingest"]["added"], second["ingest"]["unchanged_files"]) == (0, 33)
    assert "33 files (33 seen before): 0 sessions added" in page("nightly-team")
    assert second["publish"]["version"] > first["publish"]["version"]
    assert (mounted / "CLAUDE.md").read_text("utf-8") != before
    third = load_flow("nightly")(**given)
    assert third["dream"]["dream_id"] == second["dream"]["dream_id"]
    assert (third["publish"]["written"], third["publish"]["removed"]) == (0, 0)
    parts = sub_flows("nightly · team")
    assert [run.name for run in parts] == [f"ingest · {given['logs']}", "dream · team"]
    assert [run.tags for run in parts] == [[PART], [PART]], (
        "so that one whose process is gone is noticed, too"
    )


def test_a_file_that_somebody_changed_stops_the_publication_and_nothing_else(given: dict[str, Any]):
    """The night fails and says at what; what the file says is left to a person, and then the next night goes on."""
    mine = Path(given["publish_to"]) / "CLAUDE.md"
    with open_home(given["home"]) as home:
        publish(home, "team", given["publish_to"])
        published = mine.read_text("utf-8")
        mine.write_text("Written by an agent that took it for its own.\n", "utf-8")
    with pytest.raises(AgentflowsError, match=r"failed at publish: .*CLAUDE\.md.*done: ingest, dream"):
        load_flow("nightly")(**given)
    assert mine.read_text("utf-8") == "Written by an agent that took it for its own.\n"
    assert "**The night failed at publish.**" in page("nightly-team")
    mine.write_text(published, "utf-8")
    with open_home(given["home"]) as home:
        assert publish(home, "team", given["publish_to"]).written == ()


@pytest.mark.slow  # nights that are killed and gone on with are in tests/operating
def test_a_retry_goes_on_with_the_step_that_failed(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    """Prefect retries the whole run: what it finished is known by the run's id, and no reply is paid twice."""
    refusing = True

    def script(request: FakeRequest) -> Any:
        nonlocal refusing
        if refusing and len(fake.requests) > 5:
            refusing = False
            return Reply.error(403, "not now")
        return answer(request)

    with FakeMessagesAPI().script(script) as fake:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", fake.api_key)
        monkeypatch.setenv("AGENTFLOWS_CONCURRENCY", "1")
        night = load_flow("nightly").with_options(retries=1)
        found = night(**given, engine="claude")
        asked = [request.last_text for request in fake.requests]
    assert found["dream"]["status"] == "completed"
    assert [run.name for run in sub_flows("nightly · team")] == [
        f"ingest · {given['logs']}",
        "dream · team",
        "dream · team",
    ]
    assert "(before this run was started again)" in page("nightly-team")
    assert len(asked) - len(set(asked)) <= 1, "only the question that was refused is asked again"


def test_a_night_without_logs_publishes_and_says_what_failed(given: dict[str, Any]):
    """A folder that is not mounted costs no approved memory its way to the agents."""
    shutil.rmtree(given["logs"])
    with pytest.raises(AgentflowsError, match=r"failed at ingest: .*done: publish"):
        load_flow("nightly")(**given)
    assert (Path(given["publish_to"]) / "CLAUDE.md").is_file()
    assert "the new sessions could not be read" in page("nightly-team")


def test_a_first_night_over_nothing_is_no_failure(tmp_path: Path):
    """An installation whose agents left nothing to learn from: the run is green and says so."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "broken.jsonl").write_text("no JSON\n", "utf-8")
    found = load_flow("nightly")(store="empty", logs=str(tmp_path / "logs"), home=str(tmp_path / "home"))
    assert set(found) == {"ingest"}
    assert "the archive is empty" in page("nightly-empty")


def test_an_endpoints_words_draw_nothing_on_the_page_of_the_night(tmp_path: Path):
    """An error says what a server said; on Prefect's page that is words, and no picture from elsewhere."""
    flow = load_module("nightly", ROOT)
    with open_home(tmp_path) as home:
        night = flow.Night(home, f"team {HOSTILE}")
        night.told = dict.fromkeys(flow.STEPS, f"failed: {HOSTILE}")
        page = flow.markdown(night)
    assert forged(page) == []
    assert page.count("evil.example") == 8, "what is said is shown"
