"""Others swap files for links while we read: the figure SYMLINK_RACE."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from agentflows.errors import WorkspaceError
from agentflows.sandbox import Workspace
from agentflows.sandbox.beneath import (
    _open_by_component,  # pyright: ignore[reportPrivateUsage]
    has_openat2,
    open_beneath,
)

SWAP = """
import os, sys
os.chdir(sys.argv[1])
os.symlink(sys.argv[2], "link")
print("up", flush=True)
while True:
    os.rename("folder", "away"); os.rename("link", "folder")
    os.rename("folder", "link"); os.rename("away", "folder")
"""


@contextmanager
def swapping(root: Path, outside: Path) -> Generator[None]:
    """Another process makes `folder` a link to outside and a folder again, as fast as it can."""
    swapper = subprocess.Popen([sys.executable, "-c", SWAP, str(root), str(outside)], stdout=subprocess.PIPE)
    try:
        assert swapper.stdout
        with swapper.stdout:
            swapper.stdout.readline()
            yield
    finally:
        swapper.kill()
        swapper.wait()


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Path, Path]:
    """The same name inside and outside, with different words."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "folder").mkdir(parents=True)
    outside.mkdir()
    (root / "folder" / "file").write_text("inside")
    (outside / "file").write_text("OUTSIDE")
    return root, outside


@dataclass
class Tally:
    """What many reads gave."""

    tried: int = 0
    inside: int = 0
    outside: int = 0


def _race(read: Callable[[], str], count: int) -> Tally:
    """At least `count` reads, and as many more as it takes for some to succeed: else the swapper was asleep."""
    tally = Tally()
    until = time.monotonic() + 60
    while tally.tried < count or (tally.inside < count // 20 and time.monotonic() < until):
        tally.tried += 1
        with suppress(WorkspaceError, OSError):
            text = read()
            tally.inside += text == "inside"
            tally.outside += text == "OUTSIDE"
    return tally


def _whole(fd: int) -> str:
    try:
        return os.read(fd, 100).decode()
    finally:
        os.close(fd)


@pytest.mark.parametrize("count", [2_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_no_read_leaves_the_workspace_in_a_race(
    tree: tuple[Path, Path], count: int, capsys: pytest.CaptureFixture[str]
):
    """Neither with openat2 nor component by component; resolving first and opening then is shown to lose."""
    root, outside = tree
    files = Workspace(root)
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)

    def resolved() -> str:
        path = (root / "folder" / "file").resolve()
        return path.read_text() if root in path.parents else ""

    ways: dict[str, Callable[[], str]] = {
        "tool": lambda: files.read("folder/file"),
        "openat2": lambda: _whole(open_beneath(top, "folder/file", os.O_RDONLY)),
        "components": lambda: _whole(_open_by_component(top, "folder/file", os.O_RDONLY, 0)),
        "resolve-then-open": resolved,
    }
    with swapping(root, outside):
        tallies = {name: _race(way, count) for name, way in ways.items()}
    os.close(top)
    naive = tallies.pop("resolve-then-open")
    bad = sum(tally.outside for tally in tallies.values())
    with capsys.disabled():
        tried = sum(tally.tried for tally in tallies.values())
        line = f"SYMLINK_RACE tried={tried} bad={bad}; resolve, then open: tried={naive.tried} bad={naive.outside}"
        print(f"\n{line}")  # noqa: T201 - the figure
    assert bad == 0
    assert min(tally.inside for tally in tallies.values()) >= count // 20, "the race was not a race"


def test_writes_do_not_leave_the_workspace_in_a_race(tree: tuple[Path, Path]):
    """Nor does a write land outside."""
    root, outside = tree
    files = Workspace(root)
    written = 0
    with swapping(root, outside):
        for number in range(500):
            with suppress(WorkspaceError):
                files.write("folder/new", f"{number}")
                written += 1
    assert written > 0
    assert [path.name for path in outside.iterdir()] == ["file"]


def test_one_of_two_writers_is_told(tmp_path: Path):
    """Counters of many users on one file add up: every write that was not refused was over what was read."""
    (tmp_path / "counter").write_text("0")
    done: list[int] = []

    def count(users: Workspace) -> None:
        for _ in range(200):
            with suppress(WorkspaceError):
                value = int(users.read("counter"))
                users.write("counter", str(value + 1))
                done.append(1)

    threads = [Thread(target=count, args=(Workspace(tmp_path),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert int((tmp_path / "counter").read_text()) == len(done) > 0


@pytest.mark.parametrize("path", ["link", "folder-link/file", "folder/link"])
def test_both_ways_of_opening_refuse_the_same_links(tree: tuple[Path, Path], path: str):
    """The fallback is not a weaker wall."""
    root, outside = tree
    (root / "link").symlink_to(outside / "file")
    (root / "folder-link").symlink_to(outside)
    (root / "folder" / "link").symlink_to(outside)
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for opener in (open_beneath, _open_by_component):
        for flags in (os.O_RDONLY, os.O_RDONLY | os.O_DIRECTORY, os.O_WRONLY | os.O_CREAT):
            with pytest.raises(OSError, match="symbolic links"):
                opener(top, path, flags, 0o600 if flags & os.O_CREAT else 0)
    os.close(top)
    assert has_openat2()
