"""Nights whose process is killed with -9: it is noticed, the run can be run again, and nothing is done or paid twice."""

import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentflows.change import DreamReport
from agentflows.home import open_home
from agentflows.store.failpoints import VARIABLE
from agentflows.testing import FakeMessagesAPI, FakeRequest
from tests.conftest import EXAMPLES
from tests.dreaming.model import answer
from tests.dreaming.test_parts import told
from tests.operating.receiver import listening
from tests.prefect_server import PrefectSite, wait_for

# A server, workers, and a process for each run: some three minutes.
pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(1200)]
_ASKED_BEFORE = 8
"""Questions put before the machine is lost."""
_FINAL = {"Completed", "Failed", "Crashed", "Cancelled"}
POINTS = ("ingest.added", "dream.proposed", "dream.saved", "export.file")
"""While sessions are read, in the dream, after it and before the publication, and in the middle of that."""


class Nights:
    """Nights over the example project on a real server, each in a home of its own that begins like all others."""

    def __init__(self, site: PrefectSite, folder: Path, fake: FakeMessagesAPI) -> None:
        self.site, self.folder, self.fake, self._known = site, folder, fake, 0
        shutil.copytree(EXAMPLES / "sessions", folder / "logs")
        with open_home(folder / "template") as home:
            home.state.create_store("team", actor=home.actor("tester"))
            home.state.import_folder("team", EXAMPLES / "memory", actor=home.actor("tester"))
            home.redactor()  # makes the key: placeholders are the same in all

    @property
    def variables(self) -> dict[str, str]:
        """What a run works with."""
        return {
            "ANTHROPIC_BASE_URL": self.fake.url,
            "ANTHROPIC_API_KEY": self.fake.api_key,
            "AGENTFLOWS_CONCURRENCY": "1",
        }

    def start(self, name: str, **more: str) -> str:
        """Ask for a night in the home of that name, with more variables; the run's id."""
        shutil.copytree(self.folder / "template", self.folder / name)
        found = self.site.call("GET", "/deployments/name/nightly/nightly")["id"]
        given = {"logs": "logs", "publish_to": f"mounted-{name}", "home": name}
        places = {word: str(self.folder / place) for word, place in given.items()}
        body = {
            "parameters": {"store": "team", "engine": "claude", "commit": "auto"} | places,
            "job_variables": {"env": self.variables | more},
        }
        return self.site.call("POST", f"/deployments/{found}/create_flow_run", body)["id"]

    def again(self, run: str) -> None:
        """Run it again, as the button on its page does, without what killed it."""
        self._schedule(run, timedelta(hours=1))  # the variables of a run that ended cannot be changed
        self.site.call("PATCH", f"/flow_runs/{run}", {"job_variables": {"env": self.variables}})
        self._schedule(run, timedelta())

    def _schedule(self, run: str, after: timedelta) -> None:
        wanted = {
            "type": "SCHEDULED",
            "name": "AwaitingRetry",
            "message": "Retry from the UI",
            "state_details": {"scheduled_time": (datetime.now(UTC) + after).isoformat()},
        }
        said = self.site.call("POST", f"/flow_runs/{run}/set_state", {"state": wanted})
        assert said["status"] == "ACCEPT", said

    def ended(self, run: str, how: str) -> None:
        """Wait until a run has ended, and make sure how."""

        def over() -> str:
            name = self.site.call("GET", f"/flow_runs/{run}")["state"]["name"]
            return name if name in _FINAL else ""

        assert wait_for(f"the end of {run}", over) == how, self.site.log("worker.log")

    def let_go(self, run: str) -> None:
        """Wait until the worker is done with a run: some seconds after it reported a crash it does so again, of a retry too."""
        of_it = {"id": [f"prefect.flow-run.{run}"]}
        wait_for("the worker", lambda: self.events("prefect.worker.executed-flow-run", related=of_it))

    def events(self, name: str, **wanted: Any) -> list[dict[str, Any]]:
        """The events of a name."""
        asked = {"filter": {"event": {"name": [name]}, **wanted}}
        return self.site.call("POST", "/events/filter", asked)["events"]

    def asked(self) -> Counter[str]:
        """Everything the model was asked since the last look."""
        all_of_them = self.fake.requests
        found = Counter(request.last_text for request in all_of_them[self._known :])
        self._known = len(all_of_them)
        return found

    def stands(self, name: str) -> dict[str, Any]:
        """All that a night left."""
        mounted = self.folder / f"mounted-{name}"
        with open_home(self.folder / name) as home:
            return {
                "archive": home.archive.fingerprint(),
                "dreams": [content(home.state.dream(one.dream_id)) for one in home.state.dreams()],
                "versions": home.state.get_store("team").version,
                "files": {
                    path.name: path.read_text("utf-8") for path in mounted.rglob("*") if path.suffix == ".md"
                },
                "names": sorted(path.name for path in mounted.rglob("*")),
            }

    def published(self, run: str) -> list[str]:
        """How the publications of a run ended."""
        asked = {"task_runs": {"flow_run_id": {"any_": [run]}, "name": {"any_": ["publish team"]}}}
        return [one["state"]["name"] for one in self.site.call("POST", "/task_runs/filter", asked)]


def content(report: DreamReport) -> dict[str, Any]:
    """All that a dream says, but for which sessions the run before had read already."""
    dump: dict[str, Any] = told(report)
    cover = dump["coverage"]
    dump["coverage"] = cover | {"read": cover["read"] + cover["from_cache"], "from_cache": 0}
    return dump


@pytest.fixture
def nights(prefect_site: PrefectSite, tmp_path: Path) -> Iterator[Nights]:
    """Nights, with an endpoint of their own."""
    with FakeMessagesAPI().script(answer) as fake:
        yield Nights(prefect_site, tmp_path, fake)
        prefect_site.stop_workers()


def test_a_night_killed_anywhere_and_run_again_is_the_night_it_would_have_been(nights: Nights):
    """The same archive, dream, store and files; every question is asked once, and what was done is published once."""
    nights.site.start_worker()
    nights.ended(nights.start("undisturbed"), "Completed")
    once, expected = nights.asked(), nights.stands("undisturbed")
    assert expected["dreams"][0]["changes"], "the dream learns something"
    for point in POINTS:
        run = nights.start(point, **{VARIABLE: f"{point}:kill"})
        nights.ended(run, "Crashed")
        nights.let_go(run)
        nights.again(run)
        nights.ended(run, "Completed")
        found = nights.stands(point)
        assert [name for name in expected if found[name] != expected[name]] == [], point
        assert nights.asked() == once, point
        assert nights.published(run).count("Completed") == 1, point
    assert "nanobind" not in nights.site.log("worker.log")


class Losing:
    """Ends a worker and all it started, as a machine that loses its power does, while a question is on its way."""

    def __init__(self, nights: Nights, worker: subprocess.Popen[bytes]) -> None:
        self._nights, self._worker = nights, worker
        self._run = ""
        self._asked = self.killed = 0

    def watch(self, run: str) -> None:
        """The run to lose it in; it must have given a sign of life, or nobody would miss it."""
        self._run = run
        self._nights.fake.script(self._script)

    def _script(self, request: FakeRequest) -> Any:
        self._asked += 1
        if self._asked == _ASKED_BEFORE:
            wait_for("a sign of life", self._is_alive)
            lost = [self._worker.pid, *descendants(self._worker.pid)]
            self.killed = len(lost)
            for pid in lost:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return answer(request)

    def _is_alive(self) -> bool:
        mine = {"id": [f"prefect.flow-run.{self._run}"]}
        return bool(self._nights.events("prefect.flow-run.heartbeat", resource=mine))


def descendants(pid: int) -> list[int]:
    """The processes it started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                parent = int((place / "stat").read_text().rsplit(")", 1)[1].split()[1])
                parents.setdefault(parent, []).append(int(place.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def test_a_lost_machine_is_noticed_and_told_and_its_night_goes_on_elsewhere(nights: Nights):
    """Its run counts as crashed without anybody looking; run again, it pays for no reply twice that it had heard."""
    site = nights.site
    nights.ended(start_with_worker(nights, "undisturbed"), "Completed")
    once, expected = nights.asked(), nights.stands("undisturbed")
    site.stop_workers()
    losing = Losing(nights, site.start_worker())
    with site.client(), listening(site.environment) as receiver:
        run = nights.start("lost")
        losing.watch(run)
        nights.ended(run, "Crashed")
        assert losing.killed > 1, "the worker and its run"
        told = receiver.hears("agentflows: A run failed or crashed")
        assert told == f"nightly is Crashed: run {run}, {site.url}/runs/flow-run/{run}"
        site.start_worker()
        nights.again(run)
        nights.ended(run, "Completed")
        assert '"held": 2' in receiver.hears("agentflows: Changes wait for review")
    assert nights.stands("lost") == expected
    asked = nights.asked()
    assert asked.keys() == once.keys()
    assert asked.total() - once.total() <= 1, "only the question that was on its way is asked again"
    assert nights.published(run) == ["Completed"]


def start_with_worker(nights: Nights, name: str) -> str:
    """A worker, and a night for it."""
    nights.site.start_worker()
    return nights.start(name)
