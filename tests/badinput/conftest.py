"""Homes to spoil, made once and copied, and one Prefect server for every command that runs a flow."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES

_START_SECONDS = 180


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example project's sessions and memory, and a dream that waits for review. Copy it."""
    folder = tmp_path_factory.mktemp("badinput") / "home"
    with open_home(folder) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("example", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
        dream_over(home, DreamRequest(store="example", engine="rules"))
    return folder


@pytest.fixture
def folder(seeded: Path, tmp_path: Path) -> Path:
    """A home of the test's own."""
    return Path(shutil.copytree(seeded, tmp_path / "home"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables by which a command finds a Prefect server that runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "0",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-services", "--port", str(port)]
    process = subprocess.Popen(
        command, env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/api"
    try:
        _wait(f"{url}/health", process)
        yield variables | {"PREFECT_API_URL": url}
    finally:
        process.terminate()
        process.wait(60)


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    message = "the Prefect server did not start"
    raise AssertionError(message)
