"""The orchestrate flow on a real Prefect server: its graph, its page, its form, and what it refuses before any cost."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import parameter_schema

from agentflows import load_flow, open_home
from agentflows.errors import AgentflowsError
from agentflows.orchestrating import JobRequest, begin, make_request
from tests.conftest import EXAMPLES, ROOT
from tests.flows import reads

pytestmark = pytest.mark.prefect


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """The parameters of the example, in folders of the test's own."""
    shutil.copytree(EXAMPLES / "teams", tmp_path / "teams")
    return {
        "task": f"Check {tmp_path.name}",
        "team": str(tmp_path / "teams" / "release"),
        "plan": str(tmp_path / "teams" / "release" / "plan.yaml"),
        "workspace": str(tmp_path / "teams" / "harbor"),
        "home": str(tmp_path / "home"),
    }


def schema() -> dict[str, Any]:
    return parameter_schema(load_flow("orchestrate", ROOT)).model_dump()


def test_each_turn_of_each_thread_is_a_task_run_and_the_page_shows_them(given: dict[str, Any]):
    """An operator sees in the graph who works on what, and on the page what came of it."""
    answer = load_flow("orchestrate", ROOT)(**given | {"task": ""})
    assert (answer["status"], answer["turns"]) == ("succeeded", 7)
    (run,) = [one for one in reads.runs("orchestrate · ") if one.parameters.get("home") == given["home"]]
    names, artifacts = reads.task_names(run), reads.artifacts()
    progress = [one for one in artifacts.values() if one.flow_run_id == run.id and one.type == "progress"]
    assert names == {
        "links-1: links",
        "links-1: mend",
        "todos-1: todos",
        "tests-1: tests",
        "inventory-1: inventory",
        "notes-1: notes",
        "report-1: report",
        "lay out the job",
    }
    assert all(name.isascii() for name in names), "Prefect's older pages draw no other letters in the graph"
    assert run.name == "orchestrate · release by plan.yaml"
    key = answer["job_id"].replace("_", "-")
    rows = json.loads(str(artifacts[f"{key}-turns"].data))
    assert [(row["thread"], row["turn"], row["ending"]) for row in rows if row["thread"] == "links-1"] == [
        ("links-1", "0", "succeeded"),
        ("links-1", "1", "succeeded"),
    ]
    assert "~docs/api.md" in next(row["changed"] for row in rows if row["turn"] == "1")
    assert "Not ready: links lead nowhere" in str(artifacts[key].data)
    assert [float(str(one.data)) for one in progress] == [100.0]


def test_a_cap_given_when_going_on_with_a_job_takes_the_place_of_the_old_one(given: dict[str, Any]):
    """Whoever types one believes that it holds; what is left empty stays."""
    with open_home(given["home"]) as home:
        words = {name: given[name] for name in ("team", "plan", "workspace")}
        with begin(home, make_request("", **words)) as run:
            home.state.stop_job(run.job.job_id, "enough")
        limits = {"max_dollars": 0.01, "at_once": 3}
        answer = load_flow("orchestrate", ROOT)(job=run.job.job_id, limits=limits, home=given["home"])
        kept = JobRequest.model_validate_json(home.state.job_request(run.job.job_id)).team.limits
    assert answer["status"] == "succeeded"
    assert kept == run.request.team.limits.model_copy(update=limits)


def test_the_form_asks_for_what_matters_first_with_words_beside_every_field():
    """Whoever starts a job from the UI has only the form."""
    fields = schema()["properties"]
    order = sorted(fields, key=lambda name: fields[name]["position"])
    assert order[:4] == ["task", "team", "workspace", "plan"]
    assert [name for name, shown in fields.items() if not shown.get("description")] == []
    assert fields["files"]["enum"] == ["staged", "shared"]
    assert fields["dispatch"]["enum"] == ["tasks", "deployment"]


def test_the_limits_of_the_form_have_titles_and_descriptions():
    """A cap nobody understands is left empty."""
    nested = schema()["definitions"]["TeamCaps"]["properties"]
    assert {"max_dollars", "max_tokens", "max_seconds", "at_once", "max_threads"} <= nested.keys()
    assert [
        name for name, shown in nested.items() if not (shown.get("title") and shown.get("description"))
    ] == []


@pytest.mark.parametrize(
    "changed",
    [{"limits": {"at_once": 0}}, {"limits": {"max_dollars": -1}}, {"files": "copied"}, {"dispatch": "both"}],
)
def test_impossible_values_are_refused_by_the_form(given: dict[str, Any], changed: dict[str, Any]):
    """Before anything runs."""
    with pytest.raises(ParameterTypeError):
        load_flow("orchestrate", ROOT)(**(given | changed))
    assert not Path(given["home"]).exists()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"workspace": ""}, "needs a team and a workspace"),
        ({"team": "nowhere"}, "no team folder"),
        ({"plan": "nowhere.yaml"}, "no plan nowhere.yaml"),
        ({"job": "job_nothere"}, "job_nothere"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_before_it_begins(
    given: dict[str, Any], changed: dict[str, Any], says: str
):
    """The run fails with the same line as the command; no job is left behind."""
    with pytest.raises(AgentflowsError, match=says):
        load_flow("orchestrate", ROOT)(**(given | changed))
    with open_home(given["home"]) as home:
        assert home.state.jobs() == []
