"""An installation of several machines: PostgreSQL for the state and for Prefect, the archive on S3, one Prefect server."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agentflows.home import Home, open_home
from tests.conftest import ROOT
from tests.postgres_server import PostgresServer, postgres_server
from tests.prefect_server import PrefectSite, end
from tests.s3_server import S3Server, s3_server

__all__ = ["postgres_server", "s3_server"]


@pytest.fixture(scope="module")
def prefect(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrefectSite]:
    """A Prefect server whose own database is PostgreSQL."""
    database = postgres_server.new_database().replace("postgresql+psycopg", "postgresql+asyncpg")
    site = PrefectSite(tmp_path_factory.mktemp("prefect"), database)
    site.start()
    try:
        yield site
    finally:
        site.stop()


class Installation:
    """What all its machines are told, and the machines: folders that share nothing but that."""

    def __init__(self, folder: Path, prefect: PrefectSite, variables: Mapping[str, str]) -> None:
        self.folder, self.prefect = folder, prefect
        self.told = dict(variables)
        self._workers: list[subprocess.Popen[bytes]] = []

    def variables(self, machine: str) -> dict[str, str]:
        """The environment of one machine."""
        home = self.folder / machine
        own = {"AGENTFLOWS_HOME": str(home), "PREFECT_HOME": str(home / "prefect")}
        return self.prefect.environment | self.told | own

    def home(self, machine: str) -> Home:
        """Its doors, opened here; the AWS variables are those of this process."""
        names = ("AGENTFLOWS_STATE_URL", "AGENTFLOWS_ARCHIVE_URL")
        return open_home(
            self.folder / machine,
            **{name.removeprefix("AGENTFLOWS_").lower(): self.told[name] for name in names},
        )

    def run(self, machine: str, *words: str, exit_code: int = 0) -> str:
        """What a command on it prints."""
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=self.variables(machine),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=280,
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout

    def start_worker(self, machine: str, pool: str) -> subprocess.Popen[bytes]:
        """A worker on it, which carries out two runs at once."""
        words = ["worker", "start", "--pool", pool, "--name", machine, "--limit", "2"]
        (self.folder / machine).mkdir(exist_ok=True)
        with (self.folder / f"{machine}.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "prefect", *words],
                cwd=ROOT,
                env=self.variables(machine),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        """End the workers it started."""
        for worker in self._workers:
            end(worker)


@pytest.fixture
def installation(
    tmp_path: Path,
    prefect: PrefectSite,
    postgres_server: PostgresServer,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Installation]:
    """An empty one."""
    shared = s3_server.variables | {
        "AGENTFLOWS_STATE_URL": postgres_server.new_database(),
        "AGENTFLOWS_ARCHIVE_URL": f"{s3_server.new_bucket()}/team/archive",
    }
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    found = Installation(tmp_path, prefect, shared)
    try:
        yield found
    finally:
        found.close()
