"""The kill switch on a real worker: cancelled in Prefect or stopped by its id, a job leaves no process and goes on later."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.states import Cancelling

from agentflows import load_flow, open_home
from agentflows.team import Orchestration
from tests.conftest import ROOT
from tests.flows.site import WAIT_SECONDS, Site, opened
from tests.postgres_server import PostgresServer, postgres_server

__all__ = ["postgres_server"]
pytestmark = [pytest.mark.prefect, pytest.mark.postgres]
T = TypeVar("T")

SLEEPER = '''
"""A specialist that starts a program of its own and takes long, the first time."""
import subprocess
import time
from pathlib import Path

def sleep(task, feedback, workspace, memory):
    mark = Path(task.split()[-1])
    if not (mark / "go").exists():
        subprocess.Popen(["sleep", "3600"], cwd=workspace)
        time.sleep(3600)
    (Path(workspace) / f"{task.split()[0]}.txt").write_text("done")
    return "done"
'''


def wait_for(condition: Callable[[], T | None], what: str) -> T:
    """What the condition gives, as soon as it gives something."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.2)
    message = f"{what} did not come"
    raise AssertionError(message)


def given(site: Site, dispatch: str) -> dict[str, Any]:
    """A team of one sleeper, and a plan in which it has two turns at once."""
    team = site.folder / "team"
    team.mkdir()
    (team / "sleepers.py").write_text(SLEEPER)
    (team / "sleeper.md").write_text(
        "---\nname: sleeper\nrunner: python\nfunction: sleepers:sleep\n---\nSleep.\n"
    )
    tasks = "".join(f"  - {{id: {name}, agent: sleeper, task: {name} {site.folder}}}\n" for name in "ab")
    (site.folder / "plan.yaml").write_text(f"title: Sleep\nsubtasks:\n{tasks}")
    return {
        "team": str(team),
        "plan": str(site.folder / "plan.yaml"),
        "workspace": str(site.workspace),
        "dispatch": dispatch,
    }


def sleepers(folder: Path) -> list[int]:
    """Processes of agents, and what they started, that work below the folder."""
    pids: list[int] = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                where = (place / "cwd").readlink()
                words = (place / "cmdline").read_bytes()
            except OSError:
                continue
            if folder in where.parents and (b"runners.child" in words or b"sleep\x003600" in words):
                pids.append(int(place.name))
    return pids


def the_job() -> Orchestration:
    with open_home() as home:
        (job,) = home.state.jobs()
        return job


def cancelled(run_id: UUID, _: Orchestration) -> None:
    """As the UI does it."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Cancelling())


def final(run_id: UUID) -> State | None:
    """The state of a flow run, once it is over."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
    return state if state is not None and state.is_final() else None


def turn_runs() -> list[UUID]:
    """Flow runs that carry out a turn."""
    with get_client(sync_client=True) as client:
        return [one.id for one in client.read_flow_runs(limit=100) if one.name.startswith("sleeper-")]


def let_go() -> Orchestration | None:
    """The job, once nobody works on it."""
    job = the_job()
    return None if job.status in {"pending", "running"} else job


def stopped(_: UUID, job: Orchestration) -> None:
    """As `agentflows threads JOB stop` does it."""
    with open_home() as home:
        home.state.stop_job(job.job_id, "enough")


@pytest.mark.timeout(600)
@pytest.mark.slow  # a worker, a flow run, and with `deployment` a process per turn: half a minute or more each
@pytest.mark.parametrize("end", [cancelled, stopped])
@pytest.mark.parametrize("dispatch", ["tasks", "deployment"])
def test_a_job_in_a_worker_that_is_ended_leaves_no_process_and_goes_on_later(
    tmp_path: Path,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    dispatch: str,
    end: Callable[[UUID, Orchestration], None],
):
    """Whoever ends it: agents and what they started are gone, the record says so, and a re-run does the work."""
    with opened(tmp_path, postgres_server.new_database(), monkeypatch) as site:
        parameters = given(site, dispatch)
        site.start_worker("one", limit=5)
        run: Any = run_deployment("orchestrate/orchestrate", parameters=parameters, timeout=0)
        wait_for(lambda: len(sleepers(tmp_path)) == 4, "two agents and their programs")
        end(run.id, the_job())
        wait_for(lambda: not sleepers(tmp_path), "the end of all agents")
        job = wait_for(let_go, "the record")
        assert job.status in {"stopped", "interrupted"}
        ended = wait_for(lambda: final(run.id), "the run's end")
        for turn in turn_runs():
            wait_for(lambda one=turn: final(one), "the end of a turn's run")
        assert ended.is_cancelled() is (end is cancelled)
        assert not list(site.workspace.iterdir())
        (tmp_path / "go").touch()
        if dispatch == "tasks":
            answer = load_flow("orchestrate", ROOT)(job=job.job_id)
        else:
            answer = load_flow("orchestrate", ROOT)(**parameters)
        assert (answer["job_id"], answer["status"]) == (job.job_id, "succeeded")
        assert sorted(path.name for path in site.workspace.iterdir()) == ["a.txt", "b.txt"]
        assert not sleepers(tmp_path)
