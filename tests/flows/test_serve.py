"""`agentflows serve`: the deployments of a project from one process, on a Prefect server that is there, and what it says."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Self

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL

from agentflows import doctor
from agentflows.deployments import read_deployments
from agentflows.errors import UsageError
from agentflows.project import init_project, load_helper
from tests import command_line
from tests.conftest import EXAMPLES, ROOT
from tests.free_port import free_port

pytestmark = pytest.mark.prefect
_LOOKS = 400
"""Half a second apart; a machine may be busy."""


class Serving:
    """`agentflows serve …` in a folder, once it says that it is ready, until the end of the block."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._log = folder / "serve.log"
        variables = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agentflows", "serve", *words],
                cwd=folder,
                env=os.environ | variables | {"COLUMNS": "200"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        """All it wrote so far."""
        return self._log.read_text("utf-8")

    def __enter__(self) -> Self:
        for _ in range(_LOOKS):
            if "Ctrl-C ends it" in self.said:
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.5)
        self.__exit__()
        pytest.fail(self.said)

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)


def deployments(*names: str) -> list[DeploymentResponse]:
    with get_client(sync_client=True) as client:
        return client.read_deployments(
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=list(names)))
        )


@pytest.fixture
def empty() -> Generator[None]:
    """No deployment that another test left, and none left for others."""

    def remove() -> None:
        with get_client(sync_client=True) as client:
            for one in client.read_deployments(limit=200):
                client.delete_deployment(one.id)

    remove()
    yield
    remove()


@pytest.mark.slow  # a process that serves, a run in it and its end: half a minute
@pytest.mark.usefixtures("empty")
def test_what_is_served_runs_here_and_is_paused_when_this_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The schedules, limits and parameters of the project's own file; a run that is asked for; doctor sees it."""
    project = tmp_path / "project"
    init_project(project)
    text = (project / "prefect.yaml").read_text("utf-8")
    (project / "prefect.yaml").write_text(text.replace('cron: "0 3 * * *"', 'cron: "30 1 * * *"'), "utf-8")
    monkeypatch.chdir(project)
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value() or "")
    with Serving(project, "--only", "nightly", "--only", "impact", "--limit", "2") as served:
        nightly, impact = deployments("nightly")[0], deployments("impact")[0]
        assert [schedule.active for schedule in nightly.schedules].count(True) == 1
        assert (nightly.paused, nightly.work_pool_name, impact.tags) == (False, None, ["agentflows"])
        found = doctor(tmp_path / "home", timeout_seconds=30)
        for _ in range(_LOOKS):  # a deployment counts as served from the first time that work was asked for
            if "agentflows serve is at work on 2" in found.of("work").found:
                break
            time.sleep(0.5)
            found = doctor(tmp_path / "home", timeout_seconds=30)
        assert "agentflows serve is at work on 2" in found.of("work").found
        assert "7 of 9 are not there" in found.of("deployments").found
        assert "not as" not in found.of("deployments").found
        given = {"logs": str(EXAMPLES / "sessions"), "home": str(tmp_path / "home")}
        asked = run_deployment("nightly/nightly", parameters=given, timeout=0)
        assert isinstance(asked, FlowRun)
        assert ended(asked) == "Completed", served.said
    assert served.process.returncode == 0, served.said
    assert "rules: 30 1 * * * Etc/UTC; claude: 0 4 * * 0 Etc/UTC (off)" in served.said
    assert f"/deployments/deployment/{nightly.id}" in served.said
    assert served.said.endswith("Ended. Its schedules are paused until the next `agentflows serve`.\n")
    assert "nanobind" not in served.said
    assert all(one.paused for one in deployments("nightly", "impact"))


def ended(asked: FlowRun) -> str:
    """How a run ended."""
    with get_client(sync_client=True) as client:
        for _ in range(_LOOKS):
            state = client.read_flow_run(asked.id).state
            if state is not None and state.is_final():
                return state.name or ""
            time.sleep(0.5)
    return "still under way"


@pytest.mark.usefixtures("empty")
def test_what_workers_run_is_not_served_too(tmp_path: Path):
    """Two would take the same runs, and the end of one would pause the schedules of the other."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="agentflows", type="process"), overwrite=True)
        flow = client.create_flow_from_name("impact")
        client.create_deployment(flow_id=flow, name="impact", work_pool_name="agentflows")
    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value() or ""}
    served = command_line.run("serve", "--only", "impact", environment=environment, folder=tmp_path)
    assert served.returncode == 2
    assert "impact: deployed to the work pool 'agentflows'" in served.stderr
    assert not deployments("impact")[0].paused


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("timezone: Etc/UTC", "timezone: Europe/Berln", 'timezone: Invalid timezone: "Europe/Berln"'),
        ('cron: "0 3 * * *"', 'cron: "0 25 * * *"', "Invalid cron string"),
        ("engine: rules", "engine: ruls", "'ruls' is not one of ['auto', 'rules', 'claude']"),
        (
            "{engine: claude, budget",
            "{engines: claude, budget",
            "its flow has no parameter 'engines'; it has store",
        ),
        ("nightly.py:nightly", "nightly.py:nocturnal", "Flow function with name 'nocturnal' not found"),
    ],
)
def test_a_slip_in_the_file_is_one_line_and_deploys_nothing(tmp_path: Path, old: str, new: str, says: str):
    """The first thing an operator edits is the time zone. What the server has already would go on with nobody at work."""
    init_project(tmp_path)
    path = tmp_path / "prefect.yaml"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    wanted = [one for one in read_deployments(tmp_path) if one.name in {"impact", "nightly"}]
    serve = load_helper("_serve", tmp_path).serve
    with pytest.raises(UsageError) as refused:
        serve(tmp_path, wanted[::-1], limit=None, told=print, ready=print)
    assert f"{path}: the deployment 'nightly' cannot be used: " in str(refused.value)
    assert says in str(refused.value)
    assert deployments("impact", "nightly") == []


@pytest.mark.usefixtures("empty")
def test_a_deployment_of_others_by_the_same_name_is_no_hindrance():
    """Nobody deletes what is not theirs to serve their own."""
    (impact,) = [one for one in read_deployments(ROOT) if one.name == "impact"]
    script = load_helper("_serve", ROOT)
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="theirs", type="process"), overwrite=True)
        client.create_deployment(
            flow_id=client.create_flow_from_name("theirs"), name="impact", work_pool_name="theirs"
        )
        script._check_unpooled(ROOT, [impact])
        client.create_deployment(
            flow_id=client.create_flow_from_name("impact"), name="impact", work_pool_name="theirs"
        )
    with pytest.raises(UsageError, match="deployed to the work pool 'theirs'"):
        script._check_unpooled(ROOT, [impact])


def test_asked_to_end_while_it_starts_a_server_it_leaves_none_behind(tmp_path: Path):
    """A supervisor that stops a service in its first seconds would leave a server that nobody ends any more."""
    port = free_port()
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    told = {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(tmp_path),
        "COLUMNS": "200",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "agentflows", "serve", "--with-server", "--home", str(tmp_path / "home")],
        cwd=tmp_path,
        env=bare | told,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        server = next(found for _ in range(_LOOKS) if (found := serving_at(port)))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    left = [pid for pid in serving_at(port) if pid in server]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def serving_at(port: int) -> list[int]:
    """Processes of a Prefect server on that port; a short pause where there is none."""
    found: list[int] = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                words = (place / "cmdline").read_bytes().split(b"\0")
                if b"--port" in words and str(port).encode() in words:
                    found.append(int(place.name))
    if not found:
        time.sleep(0.1)
    return found


def test_without_a_server_it_says_what_to_do(tmp_path: Path):
    """None named, one that is away, one elsewhere that is to be started here, and a name that is no deployment."""
    bare = {
        name: value
        for name, value in command_line.foreign_variables().items()
        if not name.startswith("PREFECT_")
    }
    bare["PREFECT_HOME"] = str(tmp_path)
    none = command_line.run("serve", environment=bare)
    assert (none.returncode, "agentflows serve --with-server" in none.stderr) == (1, True)
    away = command_line.run("serve", environment=bare | {"PREFECT_API_URL": "http://127.0.0.1:9/api"})
    assert (away.returncode, "127.0.0.1:9/api (PREFECT_API_URL) does not answer" in away.stderr) == (1, True)
    remote = bare | {"PREFECT_API_URL": "http://192.0.2.1:4200/api", "HTTP_PROXY": "http://127.0.0.1:9"}
    far = command_line.run("serve", "--with-server", environment=remote)
    assert (far.returncode, "on this machine only" in far.stderr) == (1, True)
    wrong = command_line.run("serve", "--only", "dreams", environment=bare)
    assert (wrong.returncode, "It has: nightly, ingest, dream" in wrong.stderr) == (2, True)
