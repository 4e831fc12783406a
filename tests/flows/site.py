"""A work pool on the test's Prefect server, and workers as on several machines: with one home for all, or one each."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from agentflows.testing import FakeMessagesAPI
from tests.conftest import ROOT

POOL = "orchestrate-test"
WAIT_SECONDS = 200


def prefect(*words: str) -> None:
    """Run the `prefect` command against this test's server."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *words],
        cwd=ROOT,
        env=os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value() or ""},
        capture_output=True,
        check=False,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Site:
    """Folders, a state database, an endpoint and a work pool of the test's own, all reached as several machines would."""

    def __init__(
        self, folder: Path, state_url: str, fake: FakeMessagesAPI, others: Mapping[str, str] | None = None
    ) -> None:
        self.folder, self.fake = folder, fake
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.settings = {
            **(others or {}),
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

    def start_worker(self, name: str, *, limit: int = 1, own_home: bool = False) -> subprocess.Popen[bytes]:
        """Start a worker process that carries out `limit` runs at a time, in the home of all, or in one of its own."""
        variables = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "PREFECT_WORKER_QUERY_SECONDS": "2"}
        if own_home:
            variables["AGENTFLOWS_HOME"] = str(self.folder / f"home-{name}")
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
                    str(limit),
                ],
                cwd=ROOT,
                env=os.environ | self.settings | variables,
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
def opened(
    folder: Path, state_url: str, monkeypatch: pytest.MonkeyPatch, others: Mapping[str, str] | None = None
) -> Generator[Site]:
    """The site, its variables set, its pool made and both flows deployed; its workers are ended with it."""
    with FakeMessagesAPI() as fake:
        site = Site(folder, state_url, fake, others)
        for name, value in site.settings.items():
            monkeypatch.setenv(name, value)
        prefect("work-pool", "create", POOL, "--type", "process", "--overwrite")
        for name in ("orchestrate", "orchestrate-turn"):
            prefect("--no-prompt", "deploy", "--name", name, "--pool", POOL)
        try:
            yield site
        finally:
            site.close()
