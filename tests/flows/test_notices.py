"""What an operator is told when a budget is reached: one event for each run that it ended, cut short or refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter
from prefect.events.schemas.events import Event

from agentflows import load_flow, open_home, run_ingest
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import AgentflowsError, BudgetError, UnaffordableError
from agentflows.notices import BUDGET, HELD
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.conftest import EXAMPLES, ROOT
from tests.prefect_server import wait_for

pytestmark = pytest.mark.prefect

SECRET_PLAN = "the heron plan"
"""Stands in every task and session of these tests, and in no event."""
WRITER = "---\nname: writer\ndescription: Writes.\ntools: [write]\n---\nYou write.\n"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMessagesAPI]:
    """An endpoint that flows use."""
    with FakeMessagesAPI() as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", api.api_key)
        yield api


def told(resource: str) -> Event:
    """The one event that names a resource, as soon as the server has it."""
    found = wait_for(f"an event of {resource}", lambda: of(resource))
    assert len(found) == 1
    own = found[0].model_dump_json(
        exclude={"related"}
    )  # Prefect puts the run's name there: 60 characters of a task
    assert SECRET_PLAN not in own
    return found[0]


def of(resource: str, name: str = BUDGET) -> list[Event]:
    """The events of a resource."""
    with get_client(sync_client=True) as client:
        wanted = EventFilter(event=EventNameFilter(name=[name]), resource=EventResourceFilter(id=[resource]))
        return list(client.read_events(wanted, limit=50).events)


def test_a_dream_that_its_budget_refuses_is_told_and_so_is_the_night_it_was_part_of(
    tmp_path: Path, fake: FakeMessagesAPI
):
    """Nothing was spent and there is no dream yet: the store and the ceilings are named."""
    home = str(tmp_path / "home")
    run_ingest(EXAMPLES / "sessions", home=home)
    given: dict[str, Any] = {"engine": "claude", "instructions": SECRET_PLAN, "home": home}
    with pytest.raises(BudgetError):
        load_flow("dream", ROOT)(store="tight", budget={"tokens": 9}, **given)
    assert told("agentflows.store.tight").payload == {
        "kind": "dream",
        "store": "tight",
        "tokens": 0,
        "dollars": 0.0,
        "refused": True,
        "budget_tokens": 9,
    }
    with pytest.raises(AgentflowsError, match="failed at dream"):
        load_flow("nightly", ROOT)(
            store="night", logs=str(EXAMPLES / "sessions"), budget={"dollars": 0.0001}, **given
        )
    assert told("agentflows.store.night").payload["budget_dollars"] == 0.0001
    assert fake.requests == []


@pytest.mark.slow  # two dreams more
def test_held_changes_of_a_dream_whose_run_died_before_it_said_so_are_told_once(tmp_path: Path):
    """By the next run of the same dream: else they wait for somebody who never hears of them, and expire."""
    run_ingest(EXAMPLES / "sessions", home=str(tmp_path))
    with open_home(tmp_path) as home:
        died = dream_over(home, DreamRequest(store="team", engine="rules"))
    name = f"agentflows.dream.{died.dream.dream_id}"
    given: dict[str, Any] = {"store": "team", "engine": "rules", "home": str(tmp_path)}
    found, again = load_flow("dream", ROOT)(**given), load_flow("dream", ROOT)(**given)
    assert found["dream_id"] == again["dream_id"] == died.dream.dream_id
    emit_event(event=HELD, resource={"prefect.resource.id": f"{name}.last"})
    assert wait_for("the last event", lambda: of(f"{name}.last", HELD))
    (event,) = of(name, HELD)
    assert event.payload == {"dream_id": found["dream_id"], "store": "team", "held": found["held"]}


def test_an_outcome_that_a_budget_ends_is_told_by_its_id(tmp_path: Path, fake: FakeMessagesAPI):
    """What was spent is said, and no word of the task."""
    fake.when("You write", wrote)
    found = load_flow("outcome", ROOT)(**task_of(tmp_path), grader_budget={"tokens": 3_000})
    assert found["stop_reason"] == "budget"
    assert told(f"agentflows.outcome.{found['outcome_id']}").payload == {
        "kind": "outcome",
        "id": found["outcome_id"],
        "tokens": found["tokens"],
        "dollars": found["dollars"],
        "refused": False,
    }


def wrote(request: FakeRequest) -> Reply:
    """A page, and then a word."""
    is_done = request.body["messages"][-1]["role"] == "user" and len(request.body["messages"]) > 1
    return (
        Reply.text("done") if is_done else Reply.tool_use("write", {"path": "notes.md", "content": "Sun.\n"})
    )


def task_of(folder: Path) -> dict[str, Any]:
    """The parameters of an outcome that a model judges."""
    (folder / "rubric.md").write_text(f"# Notes\n\n- **good**: It tells {SECRET_PLAN}.\n")
    (folder / "writer.md").write_text(WRITER)
    (folder / "workspace").mkdir()
    names = {"rubric": "rubric.md", "agent": "writer.md", "workspace": "workspace", "home": "home"}
    return {"description": f"Tell {SECRET_PLAN}"} | {name: str(folder / path) for name, path in names.items()}


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    """The parameters of a job with two threads of two turns each."""
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "writer.md").write_text(WRITER)
    tasks = "".join(
        f"  - {{id: {name}, agent: writer, task: 'Tell {SECRET_PLAN}'{follows}}}\n"
        for name, follows in (("a", ""), ("b", ""), ("c", ", follows: a"), ("d", ", follows: b"))
    )
    (tmp_path / "plan.yaml").write_text(f"title: Pages\nsubtasks:\n{tasks}")
    (tmp_path / "workspace").mkdir()
    names = {"team": "team", "plan": "plan.yaml", "workspace": "workspace", "home": "home"}
    return {name: str(tmp_path / path) for name, path in names.items()}


def test_a_job_whose_turns_reach_their_caps_is_told_once_and_one_that_is_refused_by_its_team(
    job: dict[str, Any], fake: FakeMessagesAPI
):
    """Two threads run out of tokens, and one message says so; what can certainly not be afforded has no id yet."""
    fake.script(lambda _: Reply.text("done").counting(input_tokens=9_000, output_tokens=1_000))
    found = load_flow("orchestrate", ROOT)(**job, limits={"max_thread_tokens": 25_000})
    assert (found["endings"]["succeeded"], found["endings"]["failed"]) == (2, 2)
    with pytest.raises(UnaffordableError, match="Nothing was started"):
        load_flow("orchestrate", ROOT)(**job, limits={"max_tokens": 1}, key="again")
    assert told("agentflows.team.team").payload == {
        "kind": "job",
        "team": "team",
        "tokens": 0,
        "dollars": 0.0,
        "refused": True,
        "budget_tokens": 1,
    }
    assert told(f"agentflows.job.{found['job_id']}").payload == {
        "kind": "job",
        "id": found["job_id"],
        "tokens": 20_000,
        "dollars": found["dollars"],
        "refused": False,
    }
