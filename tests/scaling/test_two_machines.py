"""Two workers on one PostgreSQL, with the archive on S3 and homes of their own: a dream that loses one of them."""

import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from agentflows import approve
from agentflows.change import DreamReport
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.store import Holder
from agentflows.testing import FakeMessagesAPI, FakeRequest
from tests.conftest import EXAMPLES
from tests.dreaming.model import answer, kind_of
from tests.dreaming.test_parts import told
from tests.scaling.conftest import Installation

# A server, two workers, and a process for each run: a minute and a half on a machine with nothing else to do.
pytestmark = [pytest.mark.prefect, pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(900)]
POOL = "two-machines"
WAIT_SECONDS = 240
PARTS = 3
ASKED_BEFORE = 15
"""Sessions asked about before the machine is lost."""


def copy_of(state_url: str) -> str:
    """The same database at this moment, under another name."""
    server, _, name = state_url.rpartition("/")
    address = f"{server.replace('postgresql+psycopg', 'postgresql')}/postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}".encode())
    return f"{server}/{name}_copy"


def dreamt_alone(installation: Installation, fake: FakeMessagesAPI) -> DreamReport:
    """The dream as one process dreams it, over a copy of the state."""
    with open_home(
        installation.folder / "alone",
        state_url=copy_of(installation.told["AGENTFLOWS_STATE_URL"]),
        archive_url=installation.told["AGENTFLOWS_ARCHIVE_URL"],
        base_url=fake.url,
        api_key=fake.api_key,
    ) as home:
        return dream_over(home, DreamRequest(store="example", engine="claude"))


def asked(fake: FakeMessagesAPI) -> Counter[str]:
    return Counter(one.last_text for one in fake.requests if kind_of(one) == "observations")


def fill(installation: Installation) -> None:
    """Two machines read overlapping logs; one of them makes the store."""
    logs = discover(EXAMPLES / "sessions")
    with installation.home("one") as one, installation.home("two") as two:
        assert ingest_files(one, logs[:20]).added == 20
        report = ingest_files(two, logs)
        assert (report.added, report.unchanged_files) == (13, 20)
        two.state.create_store("example", actor=two.actor("tester"))
        two.state.import_folder("example", EXAMPLES / "memory", actor=two.actor("tester"))


class Losing:
    """Kills a worker, with the run it carries out, while a reply is on its way to that."""

    def __init__(self, installation: Installation, dream_id: str, workers: set[int]) -> None:
        self._installation, self._dream_id, self._workers = installation, dream_id, workers
        self._asked = 0
        self._reached, self._go = threading.Event(), threading.Event()
        self.killed: list[int] = []
        self._thread = threading.Thread(target=self._lose)

    def script(self, request: FakeRequest) -> Any:
        """The model's answers; from some point on they wait until the machine is gone."""
        if kind_of(request) == "observations":
            self._asked += 1
            if self._asked > ASKED_BEFORE and not self._go.is_set():
                self._reached.set()
                self._go.wait(WAIT_SECONDS)
        return answer(request)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._reached.set()
        self._thread.join()

    def _lose(self) -> None:
        self._reached.wait(WAIT_SECONDS)
        with self._installation.home("three") as home:
            found = holder(home, self._dream_id)
        if found is not None:
            worker = next(pid for pid in ancestors(found.process) if pid in self._workers)
            for pid in (worker, found.process):
                os.kill(pid, signal.SIGKILL)
            self.killed = [worker, found.process]
        self._go.set()


def holder(home: Home, dream_id: str) -> Holder | None:
    """Whoever works on the first part that somebody works on."""
    owners = (home.state.holder(f"part:{dream_id}/{number}") for number in range(1, PARTS + 1))
    return next((Holder.read(owner) for owner in owners if owner), None)


def ancestors(pid: int) -> list[int]:
    found: list[int] = []
    while pid > 1:
        found.append(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return found


def test_a_dream_that_loses_a_machine_ends_as_it_would_have_and_once(installation: Installation):
    """Its part is sent again, and only what was on its way is asked again.

    The result is the one that a single process gets; every machine sees it, can review it, and adds to the one archive.
    """
    fill(installation)
    with FakeMessagesAPI().script(answer) as fake:
        installation.told |= {
            "ANTHROPIC_BASE_URL": fake.url,
            "ANTHROPIC_API_KEY": fake.api_key,
            "AGENTFLOWS_PART_SESSIONS": "12",
            "AGENTFLOWS_CONCURRENCY": "2",
        }
        expected = dreamt_alone(installation, fake)
        once = asked(fake)
        installation.prefect.prefect("work-pool", "create", POOL, "--type", "process")
        installation.prefect.prefect("--no-prompt", "deploy", "--name", "dream-batch", "--pool", POOL)
        workers = {installation.start_worker(name, POOL).pid for name in ("one", "two")}
        with Losing(installation, expected.dream.dream_id, workers) as losing:
            fake.script(losing.script)
            words = ("--store", "example", "--engine", "claude", "--dispatch", "deployment")
            installation.run("three", "agentflows", "dream", *words, exit_code=3)
        again = asked(fake)
    assert losing.killed
    assert again.keys() == once.keys()
    repeated = [text for text in again if again[text] > 2 * once[text]]
    assert len(repeated) <= 2, "no more than were on their way to the machine that was lost"
    with installation.home("one") as one, installation.home("two") as two:
        assert [told(one.state.dream(dream.dream_id)) for dream in one.state.dreams()] == [told(expected)]
        held = [change.change_id for change in expected.changes if change.status == "held"]
        approve(two.state, expected.dream.dream_id, reviewer="ada", only=held[:1])
        assert one.state.get_store("example").version == expected.dream.base_version + 1
        assert one.archive.fingerprint() == two.archive.fingerprint()
    assert expected.dream.dream_id in installation.run("two", "agentflows", "review", "list", "--json")
