"""A job over several worker processes: each turn a flow run on a work pool, the state in PostgreSQL, one machine lost."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from prefect.client.orchestration import get_client

from agentflows import load_flow, open_home
from agentflows.home import Home
from agentflows.store import Holder
from agentflows.testing import FakeRequest, Reply
from tests.conftest import ROOT
from tests.flows.site import WAIT_SECONDS, Site, opened
from tests.postgres_server import PostgresServer, postgres_server
from tests.s3_server import S3Server, s3, s3_server

__all__ = ["postgres_server", "s3", "s3_server"]
pytestmark = [pytest.mark.prefect, pytest.mark.postgres]


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


@pytest.mark.slow  # two jobs on a worker: some 60 s
def test_a_worker_whose_endpoint_is_down_leaves_the_turn_to_be_gone_on_with(
    tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """Its run failed, and whoever leads took the turn for failed: what was paid for it was paid again."""
    down = [True]

    def breaks(request: FakeRequest) -> Any:
        said = writes(request)
        return Reply.error(529, should_retry=False) if down[0] and isinstance(said, str) else said

    with opened(tmp_path, postgres_server.new_database(), monkeypatch) as site:
        site.fake.script(breaks)
        given = site.team(["p1"])
        site.start_worker("one")
        stopped = load_flow("orchestrate", ROOT)(**given)
        down[0] = False
        again = load_flow("orchestrate", ROOT)(**given)
        with open_home() as home:
            job = home.state.job(stopped["job_id"])
    assert (stopped["status"], again["status"]) == ("stopped", "succeeded")
    assert again["job_id"] == stopped["job_id"]
    assert [turn.ending for turn in job.turns] == ["succeeded"]
    assert len(site.fake.requests) == 3, "the first reply once, the last one again"


class Losing:
    """Loses the machine on which the second reply of the victim's turn is awaited: its worker and its run are killed."""

    def __init__(self, victim: str, workers: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
        self.victim, self._workers = victim, workers
        self._asked, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._lose)
        self.lost = ""
        """The name of the worker."""

    def answer(self, request: FakeRequest) -> Any:
        """What the endpoint says; it keeps the victim waiting until it is dead."""
        reply = writes(request)
        if page(request) == self.victim and isinstance(reply, str) and not self._go.is_set():
            self._asked.set()
            self._go.wait(WAIT_SECONDS)
        return reply

    def _lose(self) -> None:
        if self._asked.wait(WAIT_SECONDS):
            with open_home() as home:
                found = holder(home, self.victim)
            if found is not None:
                self.lost = next(
                    name for name, one in self._workers.items() if _is_child(found.process, one.pid)
                )
                self._workers[self.lost].kill()
                os.kill(found.process, signal.SIGKILL)
        self._go.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def asked_once_but_for(site: Site, names: list[str], victim: str) -> bool:
    """Whether each page took its two replies, and the victim's last one was asked for twice."""
    asked = [page(request) for request in site.fake.requests]
    return {name: asked.count(name) for name in names} == {name: 3 if name == victim else 2 for name in names}


@pytest.mark.slow  # three workers: a minute or two, on a busy machine several
@pytest.mark.timeout(900)
def test_three_workers_share_a_job_and_one_lost_machine_costs_one_unfinished_reply(
    tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    """Nine turns; a worker and its run are killed while the second reply of a turn is on its way.

    The turn is done again elsewhere, from its first reply, which is not asked for again.
    """
    names = [f"p{number}" for number in range(1, 10)]
    with opened(tmp_path, postgres_server.new_database(), monkeypatch) as site:
        given = site.team(names)
        losing = Losing("p2", {name: site.start_worker(name) for name in ("one", "two", "three")})
        site.fake.script(losing.answer)
        with losing:
            answer = load_flow("orchestrate", ROOT)(**given)
        with open_home() as home:
            job = home.state.job(answer["job_id"])
    assert losing.lost
    assert (answer["status"], answer["turns"]) == ("succeeded", 9)
    assert {path.stem for path in site.workspace.glob("*.md")} == set(names)
    assert asked_once_but_for(site, names, "p2")
    assert len({turn.thread_id for turn in job.turns}) == 9
    assert "Completed" in flow_run_states()
    assert "Crashed" in flow_run_states()


@pytest.mark.slow  # three workers with a home each and an object store: the same
@pytest.mark.timeout(900)
def test_three_machines_that_share_no_folder_do_a_job_and_one_is_lost(
    tmp_path: Path, postgres_server: PostgresServer, s3: S3Server, monkeypatch: pytest.MonkeyPatch
):
    """State in PostgreSQL, files and transcripts in an object store, a home each; one dies mid-turn."""
    names = [f"p{number}" for number in range(1, 7)]
    bucket = s3.new_bucket()
    others = {
        **s3.variables,
        "AGENTFLOWS_STAGING_URL": f"{bucket}/staging",
        "AGENTFLOWS_ARCHIVE_URL": f"{bucket}/archive",
    }
    with opened(tmp_path, postgres_server.new_database(), monkeypatch, others) as site:
        given = site.team(names)
        (site.workspace / "notes.txt").write_text("of the user")
        started = {name: site.start_worker(name, own_home=True) for name in ("one", "two", "three")}
        losing = Losing("p2", started)
        site.fake.script(losing.answer)
        with losing:
            answer = load_flow("orchestrate", ROOT)(**given)
        with open_home() as home:
            job = home.state.job(answer["job_id"])
            wanted = [turn.session_id for turn in job.turns]
            archived = {one.session_id for one in home.archive.sessions(wanted)}
    assert losing.lost
    assert (answer["status"], answer["turns"]) == ("succeeded", 6)
    assert {path.stem for path in site.workspace.glob("*.md")} == set(names)
    assert asked_once_but_for(site, names, "p2")
    assert archived == set(wanted)
    assert (tmp_path / f"home-{losing.lost}").exists()
    assert not list((tmp_path / "home" / "jobs").rglob("turns/*"))


def _is_child(pid: int, parent: int) -> bool:
    """Whether `parent` is among the ancestors of `pid`."""
    while pid > 1:
        if pid == parent:
            return True
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        pid = int(status[1])
    return False
