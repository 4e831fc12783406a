"""Disks that are full: every command says so in one line, and runs to its end once there is space."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentflows.home import open_home
from tests.badinput.command import run
from tests.conftest import EXAMPLES

Server = dict[str, str]
SPACE = ("space",)


def waiting(folder: Path) -> int:
    """Held changes of the first dream."""
    with open_home(folder) as home:
        return sum(change.status == "held" for change in home.state.changes())


@pytest.mark.parametrize("file_bytes", [4_096, pytest.param(100_000, marks=pytest.mark.slow), 300_000])
def test_an_approval_on_a_full_disk_can_be_made_again(folder: Path, file_bytes: int):
    """A limit on the size of files stands in for the disk. No decision is half-kept."""
    before = waiting(folder)
    run(folder, "review", "approve", "last", file_bytes=file_bytes).failed(1, "state.db", *SPACE)
    with open_home(folder) as home:
        assert home.state.get_store("example").version == 1
        assert home.state.verify("example") == 2
    done = run(folder, "review", "approve", "last", "--json")
    assert done.code == 0
    assert len(done.json()["committed"]) > before // 2  # pyright: ignore[reportArgumentType]


@pytest.mark.prefect
@pytest.mark.slow  # the approval and the ingest stand for it in the short form
@pytest.mark.parametrize("file_bytes", [4_096, 100_000])
def test_a_dream_on_a_full_disk_can_be_dreamt_again(folder: Path, server: Server, file_bytes: int):
    """At its first write, and at its last."""
    words = ["dream", "--store", "example", "--support", "3"]
    run(folder, *words, file_bytes=file_bytes, variables=server).failed(1, "state.db", *SPACE)
    assert run(folder, *words, variables=server).code == 3


@pytest.mark.prefect
def test_an_ingest_on_a_full_disk_can_be_run_again(tmp_path: Path, server: Server):
    """Nothing of the batch is there, then all of it."""
    home = tmp_path / "home"
    words = ["ingest", EXAMPLES / "sessions"]
    run(home, *words, file_bytes=4_096, variables=server).failed(1, str(home), "Free space")
    with open_home(home) as doors:
        assert doors.archive.stats().sessions == 0
        assert doors.archive.verify() == []
    done = run(home, *words, "--json", variables=server)
    assert (done.code, done.json()["added"]) == (0, 33)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of four megabytes, in memory. Only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.getuid() or not mount:
        pytest.skip("only root can mount a small disk to fill; the other tests here limit file sizes instead")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a small disk: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Take all space but `leave` bytes."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(b"\0" * max(0, free.f_bavail * free.f_frsize - leave))
    return ballast


@pytest.mark.prefect
@pytest.mark.parametrize("leave", [0, pytest.param(20_000, marks=pytest.mark.slow)])
def test_nothing_is_lost_on_a_disk_that_is_really_full(
    seeded: Path, small_disk: Path, tmp_path: Path, server: Server, leave: int
):
    """Approve, dream and ingest: each refused while it is full, and each done when there is space again."""
    home = Path(shutil.copytree(seeded, small_disk / "home"))
    log = max((EXAMPLES / "sessions").rglob("*.jsonl"), key=lambda path: path.stat().st_size)
    more = tmp_path / "more.jsonl"
    more.write_bytes(log.read_bytes().replace(log.stem.encode(), b"0" * 8 + log.stem[8:].encode()))
    ballast = fill(small_disk, leave)
    run(home, "review", "approve", "last").failed(1, *SPACE)
    run(home, "dream", "--store", "example", "--support", "3", variables=server).failed(1, *SPACE)
    run(home, "ingest", more, variables=server).failed(1, "Free space")
    ballast.unlink()
    with open_home(home) as doors:
        assert doors.archive.verify() == []
        assert doors.archive.stats().sessions == 33
        assert doors.state.get_store("example").version == 1
        assert doors.state.verify("example") == 2
        assert doors.state.decisions() == []
    assert run(home, "ingest", more, "--json", variables=server).json()["added"] == 1
    assert run(home, "dream", "--store", "example", "--support", "3", variables=server).code == 3
    assert run(home, "review", "approve", "last").code == 0
