"""What all tests share: homes in temporary folders, the example project, the real data when it is there."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentflows.home import Home, open_home
from agentflows.sandbox.ability import find_ability

if TYPE_CHECKING:
    from tests.prefect_server import PrefectSite

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SANDBOX_TESTS = os.environ.get("AGENTFLOWS_SANDBOX_TESTS", "")


def _end_quietly() -> None:
    """DuckDB's bindings list what daemon threads still hold at exit: fifty lines after pytest's last one."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


atexit.register(_end_quietly)


_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 << 30


def _work_in_memory() -> None:
    """Put temporary files into memory where there is room: thousands of commits wait for a disk, and none for a power cut.

    A TMPDIR of the user's own stays. Containers often have 64 MB there, which is not enough.
    """
    if "TMPDIR" in os.environ or not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # read anew at the next question


def pytest_configure() -> None:
    """Heed SIGINT, as the processes that tests interrupt must: what a shell starts in the background ignores it."""
    _work_in_memory()
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take `--kills N`: how many times the crash tests kill at a random moment; `--payloads N` for the attacks."""
    parser.addoption("--kills", type=int, default=3, help="random kills of each crash test (default: 3)")
    parser.addoption(
        "--payloads", type=int, default=40, help="payloads of each attack (default: 40; long: 286)"
    )


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """A key or home of the person who runs the tests must not decide their outcome."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "AGENTFLOWS_")) and name != "AGENTFLOWS_REAL_DATA":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sandbox_here() -> None:
    """Tests that run commands in a sandbox are skipped, loudly, where none can be built; `required` makes that a failure."""
    problems = " ".join(find_ability().problems)
    if problems and SANDBOX_TESTS == "required":
        pytest.fail(f"AGENTFLOWS_SANDBOX_TESTS=required, and there is no sandbox: {problems}")
    if problems:
        pytest.skip(
            f"NO SANDBOX, its tests did not run: {problems} AGENTFLOWS_SANDBOX_TESTS=required makes this a failure"
        )


@pytest.fixture(scope="session")
def prefect_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator["PrefectSite"]:
    """A Prefect server as people install it, with a password; one for all tests of this process that ask for it."""
    from tests.prefect_server import running_site

    with running_site(tmp_path_factory.mktemp("prefect-site")) as site:
        yield site


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An empty home."""
    with open_home(tmp_path / "home") as doors:
        yield doors


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real sessions; tests that need them are skipped, loudly, where they are not."""
    folder = Path(os.environ.get("AGENTFLOWS_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "MANIFEST.tsv").is_file():
        pytest.skip(
            f"no real sessions in {folder}; set AGENTFLOWS_REAL_DATA to the folder that holds MANIFEST.tsv"
        )
    return folder
