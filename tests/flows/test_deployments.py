"""Deployments: `prefect.yaml` deploys without questions, agrees with the flows, and a worker runs what was asked for."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments import run_deployment
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

from agentflows import open_home
from agentflows.deployments import Deployment as Words
from agentflows.ingesting import ingest_files
from agentflows.project import init_project
from agentflows.readers import discover
from tests.conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.prefect

Deployment = dict[str, Any]
DEPLOYMENTS: list[Deployment] = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
EACH = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda item: item["name"])


@EACH
def test_a_deployments_flow_loads_and_takes_its_parameters(deployment: Deployment):
    """Those of the deployment, and those of each of its schedules."""
    flow = load_flow_from_entrypoint(str(ROOT / deployment["entrypoint"]))
    assert flow.name == deployment["name"] == Words.model_validate(deployment).flow_name(ROOT)
    schema = parameter_schema(flow).model_dump()
    own = deployment.get("parameters", {})
    for given in [own, *(own | one.get("parameters", {}) for one in deployment.get("schedules", []))]:
        assert given.keys() <= schema["properties"].keys()
        validate(given, schema, raise_on_error=True, ignore_required=True)
        if not schema["required"]:
            flow.validate_parameters(given)


@EACH
def test_a_deployment_says_what_it_does_and_runs_on_the_one_pool(deployment: Deployment):
    """In the list of deployments its description is all an operator sees; a pool of its own would wait for a worker."""
    assert len(deployment["description"]) > 20
    assert "agentflows" in deployment["tags"]
    assert deployment["work_pool"]["name"] == "agentflows"
    heartbeat = deployment["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
    assert heartbeat == "30", "what the automation for crashed runs counts on"


SCHEDULED = [(item, one) for item in DEPLOYMENTS for one in item.get("schedules", [])]


@pytest.mark.parametrize(
    ("deployment", "schedule"), SCHEDULED, ids=lambda item: item.get("name") or item["cron"]
)
def test_a_schedule_that_may_cost_money_is_off_and_has_a_budget(deployment: Deployment, schedule: Deployment):
    """Deploying must cost nothing; switching on must not cost without end. Every schedule has a zone and a limit."""
    given = deployment.get("parameters", {}) | schedule.get("parameters", {})
    is_free = given.get("engine", "rules") == "rules"
    assert is_free or not schedule["active"]
    assert is_free or given["budget"]["dollars"] > 0
    assert schedule["timezone"]
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


@EACH
def test_a_deployment_that_can_ask_a_model_says_so_and_a_quick_run_of_it_has_an_end(deployment: Deployment):
    """Quick run starts it with nothing filled in: it is free, has a ceiling in money, or does nothing without a task.

    Outcomes and jobs have no ceiling here: where one goes on by its id, it would take the place of its own.
    """
    given = deployment.get("parameters", {})
    form = parameter_schema(load_flow_from_entrypoint(str(ROOT / deployment["entrypoint"]))).properties
    if "engine" in form and given["engine"] != "rules":
        assert given["budget"]["dollars"] > 0
    if given.get("engine") != "rules" and {"budget", "limits"} & form.keys():
        assert "Costs money with a model" in deployment["description"]


def prefect(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The `prefect` command against this test's server; whoever asks it something gets no answer."""
    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value() or ""}
    return subprocess.run(
        [sys.executable, "-m", "prefect", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `agentflows init` lays it down, in a clone, deployed whole."""
    folder = tmp_path_factory.mktemp("project")
    init_project(folder)
    git = ["git", "-C", str(folder), "-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    for words in (
        ["init"],
        ["commit", "--allow-empty", "-m", "one"],
        ["remote", "add", "origin", "https://example.org/a.git"],
    ):
        subprocess.run([*git, *words], check=True, capture_output=True)
    made = prefect("work-pool", "create", "agentflows", "--type", "process", "--overwrite")
    assert made.returncode == 0, made.stderr
    deployed = prefect("--no-prompt", "deploy", "--all", folder=folder)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    return folder


def test_the_server_has_what_the_file_says(project: Path):
    """Schedules with their zone and switch, limits, parameters, the form, and the folder it was deployed from."""
    with get_client(sync_client=True) as client:
        found = {one.name: one for one in client.read_deployments()}
    for wanted in DEPLOYMENTS:
        one = found[wanted["name"]]
        assert (one.entrypoint, one.description) == (wanted["entrypoint"], wanted["description"])
        assert one.version == Words.model_validate(wanted).sha_of_file(project), (
            "doctor would call it out of date"
        )
        assert one.tags == wanted["tags"]
        assert one.parameters == wanted.get("parameters", {})
        told = {str(item.slug): (item.active, item.parameters, item.schedule) for item in one.schedules}
        for schedule in wanted.get("schedules", []):
            active, parameters, when = told[schedule["slug"]]
            assert (active, parameters) == (schedule["active"], schedule.get("parameters", {}))
            assert isinstance(when, CronSchedule)
            assert (when.cron, when.timezone) == (schedule["cron"], schedule["timezone"])
        assert len(told) == len(wanted.get("schedules", []))
        limit = one.global_concurrency_limit.limit if one.global_concurrency_limit else None
        assert limit == wanted.get("concurrency_limit", {}).get("limit")
        steps = one.pull_steps or []
        assert steps[0]["prefect.deployments.steps.set_working_directory"] == {"directory": str(project)}
        form = load_flow_from_entrypoint(str(ROOT / wanted["entrypoint"]))
        assert (one.parameter_openapi_schema or {})["properties"] == parameter_schema(form).properties


@pytest.mark.slow  # the tests of the browser run deployments, too
def test_a_worker_runs_a_dream_asked_for_by_name(project: Path, tmp_path: Path):
    """`run_deployment`, and a worker started anywhere: the dream waits for review in the home it was given."""
    with open_home(tmp_path) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
    given = {"store": "team", "engine": "rules", "home": str(tmp_path)}
    asked = run_deployment("dream/dream", parameters=given, timeout=0)
    assert isinstance(asked, FlowRun)
    worked = prefect("worker", "start", "--pool", "agentflows", "--run-once", folder=tmp_path)
    assert worked.returncode == 0, worked.stdout + worked.stderr
    with open_home(tmp_path) as home:
        dreams = home.state.dreams()
        assert [(dream.status, dream.store_name) for dream in dreams] == [("completed", "team")]
        assert home.state.changes(status="held")
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(asked.id).state_name == "Completed"
