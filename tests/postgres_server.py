"""A private PostgreSQL server for tests: made in a temporary folder, on loopback, gone at the end.

Use it from a `conftest.py`: `from tests.postgres_server import postgres_server` (and name it in `__all__`), then ask for
the fixture `postgres_server` and call `new_database()` for the URL of an empty database.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import pytest

from tests.free_port import free_port

ACCOUNTS = ("postgres", "nobody")
"""PostgreSQL refuses to run as root: then it runs as the first of these that exists."""


def find_programs() -> Path | None:
    """The folder with `initdb` and `postgres`, or None where PostgreSQL is not installed."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = sorted(glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda name: float(name.split("/")[4]))  # noqa: PTH207
    return Path(found[-1]).parent if found else None


class PostgresServer:
    """A running server; a context manager."""

    def __init__(self, programs: Path) -> None:
        self._account: dict[str, Any] = _unprivileged()
        self._folder = Path(tempfile.mkdtemp(prefix="agentflows-pg-"))
        if self._account:
            os.chown(self._folder, self._account["user"], self._account["group"])
        self._programs = programs
        self._count = 0
        self.port = free_port()

    def new_database(self) -> str:
        """The URL of a database made now."""
        self._count += 1
        name = f"test_{self._count}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://agentflows@127.0.0.1:{self.port}/{name}"

    def __enter__(self) -> Self:
        data = self._folder / "data"
        self._run(
            "initdb", "-D", data, "-U", "agentflows", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"
        )
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
        )
        options = [part for setting in settings for part in ("-c", setting)]
        self._log = (self._folder / "log").open("wb")
        self._server = subprocess.Popen(
            [self._programs / "postgres", "-D", data, *options],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=self._folder,
            **self._account,
        )
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.send_signal(signal.SIGINT)  # its "fast" shutdown, by the pid of our own child
        try:
            self._server.wait(30)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder, **self._account)

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self._address("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self._folder / "log").read_text()) from None
                time.sleep(0.1)
            else:
                return

    def _address(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=agentflows dbname={database}"


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    for name in ACCOUNTS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    pytest.skip(f"PostgreSQL does not run as root and none of the accounts {ACCOUNTS} exists")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole run."""
    programs = find_programs()
    if programs is None:
        pytest.skip(
            "PostgreSQL is not installed: looked for initdb on PATH and in /usr/lib/postgresql/*/bin. "
            "Install it (apt-get install postgresql) to run these tests."
        )
    with PostgresServer(programs) as server:
        yield server
