"""The outcome flow on a real Prefect server: its graph, its page, its form, and a person's verdict over restarts."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ParameterTypeError
from prefect.settings import PREFECT_API_URL

from agentflows import load_flow, open_home
from agentflows.change import Budget
from agentflows.errors import UsageError
from agentflows.escape import inline
from agentflows.project import load_module
from agentflows.pursuing import Limits, OutcomeRequest, asked, begin, decide, go_on, make_request
from agentflows.rubric import parse_rubric
from tests.conftest import EXAMPLES, ROOT
from tests.flows import reads
from tests.hostile import HOSTILE, forged

pytestmark = pytest.mark.prefect

HUMAN = "# Notes\n\n- **there**: There are notes.\n  check: exists NOTES.md\n- **liked**: Ada likes them. (human)\n"


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """The parameters of the example, in folders of the test's own."""
    shutil.copytree(EXAMPLES / "outcome", tmp_path / "example")
    return {
        "description": f"Write release notes in {tmp_path.name}",
        "rubric": str(tmp_path / "example" / "rubric.md"),
        "agent": str(tmp_path / "example" / "writer.md"),
        "workspace": str(tmp_path / "example" / "workspace"),
        "home": str(tmp_path / "home"),
    }


def test_each_attempt_and_each_grading_is_a_task_run_and_the_page_shows_them(given: dict[str, Any]):
    """An operator sees what was tried, how it was graded, and with which evidence."""
    answer = load_flow("outcome", ROOT)(**given)
    assert (answer["result"], answer["revisions"], answer["evaluations"]) == ("satisfied", 1, 2)
    run, *_ = reads.runs(f"outcome · {given['description'][:60]}")
    artifacts = reads.artifacts()
    assert reads.task_names(run) == {"draft", "grade draft", "revision 1", "grade revision 1", "report"}
    key = answer["outcome_id"].replace("_", "-")
    rows = str(json.loads(str(artifacts[f"{key}-criteria"].data)))
    assert "✗ not met" in rows
    assert "“# Release 1.4.0” (NOTES.md:1)" in rows
    assert "satisfied after 2 attempts" in str(artifacts[key].data)
    assert f"outcomes/{answer['outcome_id']}/1/NOTES.md" in str(artifacts[key].data)
    again = load_flow("outcome", ROOT)(**given)
    assert again == answer


@pytest.mark.parametrize(
    "changed", [{"max_iterations": 21}, {"max_iterations": -1}, {"grading": {"panel": 0}}]
)
def test_bad_values_are_refused_by_the_form(given: dict[str, Any], changed: dict[str, Any]):
    """Before anything runs."""
    with pytest.raises(ParameterTypeError):
        load_flow("outcome", ROOT)(**(given | changed))


def test_what_is_missing_is_named(given: dict[str, Any]):
    """An empty form says what it needs."""
    with pytest.raises(UsageError, match="needs rubric, agent"):
        load_flow("outcome", ROOT)(**(given | {"rubric": "", "agent": " "}))


def test_going_on_changes_the_limits_that_are_given_and_no_others(given: dict[str, Any]):
    """Nobody pays three revisions because a form shows a default, and a ceiling that is typed holds."""
    with open_home(given["home"]) as home:
        words = {name: given[name] for name in ("agent", "workspace")}
        had = Limits(outcome=Budget(tokens=900_000))
        request = make_request("Notes", rubric=HUMAN, max_iterations=0, limits=had, **words)
        with begin(home, request) as run:
            assert go_on(run).result == "waiting"
        name = run.outcome.outcome_id
        load_flow("outcome", ROOT)(outcome_id=name, home=given["home"])
        assert home.state.outcome(name).max_iterations == 0
        load_flow("outcome", ROOT)(
            outcome_id=name,
            budget=Budget(dollars=2),
            writer_budget=Budget(tokens=5),
            max_iterations=1,
            home=given["home"],
        )
        kept = OutcomeRequest.model_validate_json(home.state.outcome_request(name))
    limits = Limits(outcome=Budget(dollars=2, tokens=900_000), writer=Budget(tokens=5))
    assert (kept.max_iterations, kept.limits) == (1, limits)


def test_the_form_asks_of_each_criterion_and_keeps_who_answered(given: dict[str, Any]):
    """A choice for each criterion, the files above them, and a name that is required."""
    flow = load_module("outcome", ROOT)
    with open_home(given["home"]) as home:
        words = {name: given[name] for name in ("agent", "workspace")}
        rubric = HUMAN.replace("likes them", f"likes them {HOSTILE}")
        with begin(home, make_request(f"Notes\n{HOSTILE}", rubric=rubric, **words)) as run:
            assert go_on(run).result == "waiting"
        question = asked(home, run.outcome.outcome_id)
        form = flow.form_of(question)
        schema = form.model_json_schema()
        assert schema["properties"]["criterion_1"]["title"] == f"Ada likes them {HOSTILE}."
        assert sorted(schema["required"]) == ["criterion_1", "reviewer"]
        page = flow.describe(question)
        assert "`NOTES.md`" in page
        assert page.count(inline(HOSTILE)) == 2, "the words of others are shown, and draw nothing"
        whole = flow.markdown(question.outcome, parse_rubric(rubric), folder=run.folder)
        assert forged(f"{page}\n\n{whole}") == []
        flow.record(home, question, form(criterion_1="unmet", comment="too short", reviewer="ada"))
        said = home.state.verdicts(run.outcome.outcome_id)
    assert [(one.met, one.reason, one.reviewer) for one in said] == [("unmet", "too short", "ada")]


def test_a_form_that_comes_back_after_one_of_its_criteria_was_decided_elsewhere_says_the_rest(
    given: dict[str, Any],
):
    """Each field keeps its criterion, whatever else was decided while the form was open; no Retry repairs a form."""
    flow = load_module("outcome", ROOT)
    rubric = "# Notes\n\n- **one**: Ada likes them. (human)\n- **two**: Bob likes them. (human)\n"
    answer = {"criterion_1": "met", "criterion_2": "unmet", "comment": "too short", "reviewer": "ada"}
    with open_home(given["home"]) as home:
        words = {name: given[name] for name in ("agent", "workspace")}
        with begin(home, make_request("Notes", rubric=rubric, **words)) as run:
            assert go_on(run).result == "waiting"
        name = run.outcome.outcome_id
        assert {"criterion_1", "criterion_2"} <= flow.form_of(asked(home, name)).model_fields.keys()
        decide(home, name, "met", criteria=["one"], reviewer="bob")
        question = asked(home, name)
        flow.record(home, question, flow.form_of(question)(**answer))
        said = home.state.verdicts(name)
    assert {one.criterion_id: (one.met, one.reviewer) for one in said} == {
        "one": ("met", "bob"),
        "two": ("unmet", "ada"),
    }


def test_unmet_without_a_comment_is_asked_again_with_what_was_filled_in(given: dict[str, Any]):
    """A revision that is told nothing costs as much as one that is told what to change; the command refuses the same."""
    flow = load_module("outcome", ROOT)
    with open_home(given["home"]) as home:
        words = {name: given[name] for name in ("agent", "workspace")}
        with begin(home, make_request("Notes", rubric=HUMAN, **words)) as run:
            go_on(run)
        question = asked(home, run.outcome.outcome_id)
    said = flow.form_of(question)(criterion_1="unmet", comment=" ", reviewer="ada")
    assert flow.is_blank(question, said)
    fields = flow.form_of(question, said.model_dump()).model_json_schema()["properties"]
    assert (fields["criterion_1"]["default"], fields["reviewer"]["default"]) == ("unmet", "ada")
    assert "needs a comment" in fields["comment"]["title"]
    assert "needs a comment" in flow.describe(question, is_again=True)
    for answer in ({"criterion_1": "met"}, {"criterion_1": "unmet", "comment": "too short"}):
        assert not flow.is_blank(question, flow.form_of(question)(reviewer="ada", **answer))


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


@pytest.mark.slow  # a worker starts three times: some 45 s
def test_a_run_suspends_for_a_person_and_a_new_process_goes_on_with_the_answer(
    given: dict[str, Any], tmp_path: Path
):
    """The form is filled in, asked again for a comment, and whatever was done before is not done again."""
    (tmp_path / "example" / "rubric.md").write_text(HUMAN)
    prefect("work-pool", "create", "agentflows", "--type", "process")
    deployed = prefect("--no-prompt", "deploy", "--name", "outcome")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    run = cast("FlowRun", run_deployment("outcome/outcome", parameters=given, timeout=0))
    worked = prefect("worker", "start", "--pool", "agentflows", "--run-once")
    assert worked.returncode == 0, worked.stdout + worked.stderr
    with get_client(sync_client=True) as client:
        suspended = client.read_flow_run(run.id)
        assert suspended.state_name == "Suspended", worked.stdout + worked.stderr
        with open_home(given["home"]) as home:
            (waiting,) = home.state.outcomes()
        assert (waiting.result, len(waiting.attempts)) == ("waiting", 1)
        for answer in ({"criterion_1": "unmet"}, {"criterion_1": "met", "comment": "fine"}):
            resumed = client.resume_flow_run(run.id, run_input={"reviewer": "ada", **answer})
            assert resumed.status.value == "ACCEPT", resumed.details
            worked = prefect("worker", "start", "--pool", "agentflows", "--run-once")
            assert worked.returncode == 0, worked.stdout + worked.stderr
    with open_home(given["home"]) as home:
        (ended,) = home.state.outcomes()
    assert (ended.result, len(ended.attempts)) == ("satisfied", 1)
    assert ended.evaluations[0].criteria[1].reason == "ada: fine"
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
        assert client.filter_flow_run_input(run.id, "", 200, set()) == [], "the record is the verdict"
    assert found[0].state_name == "Completed"
