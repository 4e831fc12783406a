"""A Prefect server as people install it: a process with a folder, a database file and a password of its own, and workers.

The flow tests share one that lives in the test's process (`tests/flows/conftest.py`); this one is for what that cannot show:
restarts, a password, the pages. Ask for the fixture `prefect_site`: one server with a password and CSRF protection.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
    temporary_settings,
)

from agentflows.project import prefect_settings
from tests.conftest import ROOT
from tests.free_port import free_port

POOL = "agentflows"
"""The work pool that `prefect.yaml` deploys to."""
_START_SECONDS = 240
_STEP_SECONDS = 240
Found = TypeVar("Found")
_FOREIGN = ("ANTHROPIC_", "AGENTFLOWS_", "PREFECT_")


def wait_for(what: str, look: Callable[[], Found | None], *, seconds: float = _STEP_SECONDS) -> Found:
    """What `look` finds, as soon as that is not nothing.

    Raises:
        AssertionError: it was not found in time; the message says what was waited for.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.2)
    message = f"waited {seconds:.0f} s for {what}"
    raise AssertionError(message)


class PrefectSite:
    """A server, the workers of its pool, and how to reach it. It can be stopped and started again."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        """Prefect's own database is at `database_url`, or a file in `folder`."""
        self.folder = folder
        self.settings = _read(prefect_settings(free_port()))
        """What `agentflows init` lays down."""
        self.api = self.settings["PREFECT_API_URL"]
        self.url = self.api.removesuffix("/api")
        self.password = self.settings["PREFECT_API_AUTH_STRING"]
        self.database = folder / "prefect" / "prefect.db"
        self._database_url = database_url
        self._server: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []
        self._is_deployed = False

    @property
    def environment(self) -> dict[str, str]:
        """The variables of whoever works with this server: a worker, a command, a flow."""
        foreign = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return foreign | {
            "HOME": str(self.folder),  # nightly reads ~/.claude/projects
            "PREFECT_HOME": str(self.folder / "prefect"),
            **self.settings,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        own = {"PREFECT_API_DATABASE_CONNECTION_URL": self._database_url} if self._database_url else {}
        self._server = self._popen("server.log", "server", "start", environment=own)
        wait_for("the Prefect server to answer", self._is_up, seconds=_START_SECONDS)

    def stop(self) -> None:
        """End the workers and the server."""
        ended = [*self._workers, *([self._server] if self._server else [])]
        self._workers, self._server = [], None
        for process in ended:
            end(process)

    def deploy(self) -> None:
        """Make the pool and deploy all of `prefect.yaml`; the second time nothing is left to do."""
        if not self._is_deployed:
            self.prefect("work-pool", "create", POOL, "--type", "process")
            self.prefect("--no-prompt", "deploy", "--all")
            self._is_deployed = True

    def start_worker(self, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker of the pool; `environment` is what it has besides."""
        words = ("worker", "start", "--pool", POOL)
        worker = self._popen("worker.log", *words, environment=environment or {})
        self._workers.append(worker)
        return worker

    def stop_workers(self) -> None:
        """End the workers, as an operator does."""
        ended, self._workers = self._workers, []
        for worker in ended:
            end(worker)

    def prefect(self, *words: str) -> str:
        """What `prefect …` prints.

        Raises:
            AssertionError: it failed.
        """
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *words],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=_STEP_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def client(self) -> Generator[SyncPrefectClient]:
        """Prefect's own client of this server. Not where Chromium is driven: use `call` there."""
        settings: dict[Any, Any] = {
            PREFECT_API_URL: self.api,
            PREFECT_API_AUTH_STRING: self.password,
            PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: True,
        }
        with temporary_settings(settings), get_client(sync_client=True) as client:
            yield client

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the API as the pages make it: with the password, and a CSRF token where something changes."""
        auth = tuple(self.password.split(":", 1))
        headers: dict[str, str] = {}
        with httpx.Client(base_url=self.api, auth=(auth[0], auth[1]), timeout=60) as http:
            if method != "GET":
                name = secrets.token_hex(8)
                token = _answered(http, "GET", f"/csrf-token?client={name}").json()["token"]
                headers = {"Prefect-Csrf-Client": name, "Prefect-Csrf-Token": token}
            answer = _answered(http, method, path, json=body, headers=headers)
            assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
            return answer.json() if answer.content else None

    def log(self, name: str) -> str:
        """What the server or the workers printed: `server.log`, `worker.log`."""
        path = self.folder / name
        return path.read_text("utf-8", errors="replace") if path.exists() else ""

    def _is_up(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, self.log("server.log")
        try:
            return httpx.get(f"{self.api}/health", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def _popen(self, log: str, *words: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "prefect", *words],
                cwd=ROOT,
                env=self.environment | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )


def end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does; by force where that takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answered(http: httpx.Client, method: str, path: str, **words: Any) -> httpx.Response:
    """The answer, once the server has the time for one: a busy machine's database makes it say 503."""

    def tried() -> httpx.Response | None:
        answer = http.request(method, path, **words)
        return answer if answer.status_code != 503 else None

    return wait_for(f"an answer to {method} {path}", lambda: [one] if (one := tried()) is not None else None)[
        0
    ]


def _read(settings: str) -> dict[str, str]:
    """The variables in a file of them."""
    lines = (line for line in settings.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


@contextmanager
def running_site(folder: Path) -> Generator[PrefectSite]:
    """A server that everything is deployed to, without a worker."""
    site = PrefectSite(folder)
    site.start()
    try:
        site.deploy()
        yield site
    finally:
        site.stop()
