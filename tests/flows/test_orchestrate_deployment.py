"""A job over several worker processes: each turn a flow run on a work pool, the state in PostgreSQL, one machine lost."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from agentflows import load_flow, open_home
from agentflows.home import Home
from agentflows.store import Holder
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.conftest import ROOT
from tests.postgres_server import PostgresServer, postgres_server

__all__ = ["postgres_server"]
pytestmark = [pytest.mark.prefect, pytest.mark.postgres]

POOL = "orchestrate-test"
WAIT_SECONDS = 200


def prefect(*words: str) -> None:
    """Run the `prefect` command against this test's server."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *words],
        cwd=ROOT,
        env=os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "AGENTFLOWS_PROJECT": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Site:
    """Folders, a state database, an endpoint and a work pool of the test's own, all reached as several machines would."""

    def __init__(self, folder: Path, state_url: str, fake: FakeMessagesAPI) -> None:
        self.folder, self.fake = folder, fake
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.settings = {
            "AGENTFLOWS_HOME": str(folder / "home"),
            "AGENTFLOWS_STATE_URL": state_url,
            "ANTHROPIC_BASE_URL": fake.url,
            "ANTHROPIC_API_KEY": fake.api_key,
        }
        self._workers: list[subprocess.Popen[bytes]] = []

    def team(self, names: list[str]) -> dict[str, str]:
        """Write a team of one writer and a plan in which it has a turn for each name."""
        (self.folder / "team").mkdir()
        (self.folder / "team" / "writer.md").write_text(
            "---\nname: writer\ntools: [write]\n---\nYou write pages.\n"
        )
        tasks = "".join(
            f"  - {{id: {name}, agent: writer, task: 'Write {name}.md', outputs: [{name}.md]}}\n"
            for name in names
        )
        (self.folder / "plan.yaml").write_text(f"title: Pages\nsubtasks:\n{tasks}")
        return {
            "team": str(self.folder / "team"),
            "plan": str(self.folder / "plan.yaml"),
            "workspace": str(self.workspace),
            "dispatch": "deployment",
        }

    def start_worker(self, name: str) -> subprocess.Popen[bytes]:
        """Start a worker process that carries out one turn at a time."""
        variables = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "AGENTFLOWS_PROJECT": str(ROOT)}
        with (self.folder / f"{name}.log").open("wb") as log:
            worker = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "prefect",
                    "worker",
                    "start",
                    "--pool",
                    POOL,
                    "--name",
                    name,
                    "--limit",
                    "1",
                ],
                cwd=ROOT,
                env=os.environ | self.settings | variables | {"PREFECT_WORKER_QUERY_SECONDS": "2"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        """End the workers this site started."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGINT)
        for worker in self._workers:
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


@contextmanager
def opened(folder: Path, state_url: str, monkeypatch: pytest.MonkeyPatch) -> Generator[Site]:
    with FakeMessagesAPI() as fake:
        site = Site(folder, state_url, fake)
        for name, value in site.settings.items():
            monkeypatch.setenv(name, value)
        prefect("work-pool", "create", POOL, "--type", "process", "--overwrite")
        prefect("--no-prompt", "deploy", "--name", "orchestrate-turn", "--pool", POOL)
        try:
            yield site
        finally:
            site.close()


def page(request: FakeRequest) -> str:
    """Which page a request is about."""
    return next(word for word in request.text.split() if word.endswith(".md")).removesuffix(".md")


def writes(request: FakeRequest) -> Any:
    """Two replies per turn: the page is written, then the report."""
    if "tool_result" in str(request.body["messages"][-1]):
        return f"{page(request)} is written."
    return Reply.tool_use("write", {"path": f"{page(request)}.md", "content": f"# {page(request)}\n"})


def holder(home: Home, name: str) -> Holder | None:
    """Whoever works on the turn of that sub-task now."""
    for job in home.state.jobs():
        for turn in job.turns:
            if turn.order.subtask_id == name:
                return Holder.read(home.state.holder(f"turn:{turn.job_id}/{turn.thread_id}/{turn.number}"))
    return None


def flow_run_states() -> list[str]:
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(limit=100)
        return [str(run.state_name) for run in runs if run.name.startswith("writer-")]


@pytest.mark.slow  # a worker starts, and a process per turn: some 30 s
def test_a_turn_is_carried_out_by_a_worker_and_its_record_comes_back(
    tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """The lead's process calls no model: the worker does, and the state database is where they meet."""
    with opened(tmp_path, postgres_server.new_database(), monkeypatch) as site:
        site.fake.script(writes)
        given = site.team(["p1", "p2"])
        site.start_worker("one")
        answer = load_flow("orchestrate", ROOT)(**given)
    assert (answer["status"], answer["turns"]) == ("succeeded", 2)
    assert {path.name for path in site.workspace.glob("*.md")} == {"p1.md", "p2.md"}
    assert len(site.fake.requests) == 4


@pytest.mark.slow  # three workers: a minute or two
def test_three_workers_share_a_job_and_one_lost_machine_costs_one_unfinished_reply(
    tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """Nine turns; a worker and its run are killed while the second reply of a turn is on its way.

    The turn is done again elsewhere, from its first reply, which is not asked for again.
    """
    names = [f"p{number}" for number in range(1, 10)]
    asked, go = threading.Event(), threading.Event()
    victim = "p2"

    def script(request: FakeRequest) -> Any:
        answer = writes(request)
        if page(request) == victim and isinstance(answer, str) and not go.is_set():
            asked.set()
            go.wait(WAIT_SECONDS)
        return answer

    with opened(tmp_path, postgres_server.new_database(), monkeypatch) as site:
        site.fake.script(script)
        given = site.team(names)
        workers = {name: site.start_worker(name) for name in ("one", "two", "three")}

        def lose_a_machine() -> None:
            if not asked.wait(WAIT_SECONDS):
                return
            with open_home() as home:
                found = holder(home, victim)
            if found is not None:
                worker = next(one for one in workers.values() if _is_child(found.process, one.pid))
                worker.kill()
                os.kill(found.process, signal.SIGKILL)
                killed.append(found.process)
            go.set()

        killed: list[int] = []
        losing = threading.Thread(target=lose_a_machine)
        losing.start()
        answer = load_flow("orchestrate", ROOT)(**given)
        losing.join()
        with open_home() as home:
            job = home.state.job(answer["job_id"])
    assert killed
    assert (answer["status"], answer["turns"]) == ("succeeded", 9)
    assert {path.stem for path in site.workspace.glob("*.md")} == set(names)
    asked_for = [page(request) for request in site.fake.requests]
    assert {name: asked_for.count(name) for name in names} == {
        name: 3 if name == victim else 2 for name in names
    }
    assert len({turn.thread_id for turn in job.turns}) == 9
    assert sorted(flow_run_states())[:1] == ["Completed"]
    assert flow_run_states().count("Crashed") == 1


def _is_child(pid: int, parent: int) -> bool:
    """Whether `parent` is among the ancestors of `pid`."""
    while pid > 1:
        if pid == parent:
            return True
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        pid = int(status[1])
    return False
