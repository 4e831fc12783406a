"""Logs that are missing, empty, foreign, cut short or forbidden: said in one line, or quarantined and counted."""

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentflows.errors import NotFoundError, ReaderError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.badinput.command import run
from tests.conftest import EXAMPLES

LOG = max((EXAMPLES / "sessions").rglob("*.jsonl"), key=lambda path: path.stat().st_size)
Server = dict[str, str]


def untouched(folder: Path) -> None:
    """Nothing was archived."""
    with open_home(folder) as home:
        assert home.archive.stats().sessions == 0


@pytest.mark.prefect
@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("missing", 2, ("nothing there", "Check the path")),
        ("empty folder", 2, ("found none", "Name another folder")),
        ("unknown format", 1, ("in no format", "--source")),
    ],
)
def test_what_cannot_be_read_at_all_is_one_line(
    tmp_path: Path, server: Server, what: str, code: int, says: tuple[str, ...]
):
    """It names the path, what was expected, and what to do; nothing is archived."""
    logs = tmp_path / "logs"
    if what == "empty folder":
        logs.mkdir()
    elif what == "unknown format":
        logs.write_text("Dear diary,\n")
    done = run(tmp_path / "home", "ingest", logs, variables=server)
    done.failed(code, "logs", *says)
    untouched(tmp_path / "home")


@pytest.mark.prefect
def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path, server: Server):
    """The cut line is quarantined with its number and reported; that is no failure."""
    logs = tmp_path / "logs"
    logs.mkdir()
    whole = LOG.read_bytes()
    (logs / "cut.jsonl").write_bytes(whole[: len(whole) * 2 // 3])
    done = run(tmp_path / "home", "ingest", logs, "--json", variables=server)
    report = done.json()
    assert (done.code, report["added"], report["quarantined"]) == (0, 1, 1)
    with open_home(tmp_path / "home") as home:
        (bad,) = home.archive.quarantine()
        assert "truncated" in bad.reason
        assert bad.line == report["lines"]


def ingest(home: Home, *paths: Path, alone: bool = False) -> None:
    ingest_files(home, list(paths), alone=alone)


def test_a_truncated_gzip_gives_all_before_the_cut(home: Home, tmp_path: Path):
    """And the cut is on record."""
    packed = gzip.compress(LOG.read_bytes())
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    report = ingest_files(home, [tmp_path / "cut.jsonl.gz"])
    assert (report.added, report.quarantined) == (1, 1)
    assert "gzip" in home.archive.quarantine()[0].reason


@pytest.mark.parametrize("data", [os.urandom(5_000), b"\0" * 5_000, b"\xff\xfe{\0}\0", b"[" * 100_000])
def test_a_binary_file_alone_is_an_error_and_among_others_quarantined(
    home: Home, tmp_path: Path, data: bytes
):
    """One foreign file does not stop a folder; named itself, it is what the user meant, so it is said."""
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(data)
    with pytest.raises(ReaderError, match="in no format agentflows knows"):
        ingest(home, bad, alone=True)
    assert home.archive.stats().sessions == 0
    report = ingest_files(home, [bad, LOG])
    assert (report.added, report.quarantined) == (1, 1)


def test_an_empty_file_is_nothing(home: Home, tmp_path: Path):
    """No lines, none quarantined, no session, no error."""
    (tmp_path / "empty.jsonl").touch()
    report = ingest_files(home, [tmp_path / "empty.jsonl"])
    assert (report.files, report.lines, report.added, report.quarantined) == (1, 0, 0, 0)


def test_a_path_below_a_file_does_not_exist(tmp_path: Path):
    """The system calls it "not a directory"; the user mistyped a path."""
    (tmp_path / "file").touch()
    with pytest.raises((NotFoundError, ReaderError), match="file"):
        discover(tmp_path / "file" / "logs")


def test_a_file_that_vanished_is_named(home: Home, tmp_path: Path):
    """Between the listing and the reading: the others are read, and the one is on record."""
    report = ingest_files(home, [tmp_path / "gone.jsonl", LOG])
    assert (report.added, report.quarantined) == (1, 1)
    assert "gone.jsonl cannot be read" in home.archive.quarantine()[0].reason


# -- no permission ----------------------------------------------------------------------------------------


@pytest.fixture
def closed() -> Iterator[Callable[[Path], None]]:
    """Takes every right on a path and all below it; gives them back afterwards."""
    taken: list[Path] = []

    def close(path: Path) -> None:
        taken.append(path)
        for one in [*sorted(path.rglob("*"), reverse=True), path]:
            one.chmod(0)

    yield close
    for path in taken:
        path.chmod(0o700)
        for one in sorted(path.rglob("*")):
            one.chmod(0o700)
            assert one.exists()


@pytest.mark.parametrize("words", [["memory", "list"], ["archive", "stats"], ["review", "approve", "last"]])
@pytest.mark.parametrize("part", ["", "state.db", "archive"])
def test_a_home_that_may_not_be_read_is_one_line(
    folder: Path, closed: Callable[[Path], None], words: list[str], part: str
):
    """It names the place and says to check the rights; what can be done without it is done."""
    closed(folder / part)
    done = run(folder, *words, is_bound=True)
    needs = {"state.db": words[0] != "archive", "archive": words[0] == "archive", "": True}
    if not needs[part]:
        assert done.code == 0, done.err
        return
    assert done.code in {1, 2}
    assert str(folder) in done.error
    assert any(word in done.error.lower() for word in ("rights", "permission", "may read"))


def test_a_home_that_may_not_be_made_is_one_line(tmp_path: Path):
    """It says where it tried, and how to name another place."""
    place = tmp_path / "place"
    place.mkdir(mode=0o555)
    done = run(place / "home", "memory", "list", is_bound=True)
    done.failed(2, str(place), "Permission denied", "--home")
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    "words", [["review", "approve", "last"], ["memory", "restore", "0", "--store", "example"]]
)
def test_a_home_that_may_not_be_written_is_one_line(folder: Path, words: list[str]):
    """And nothing is half-written."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run(folder, *words, is_bound=True)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700)
    assert done.code == 1
    assert any(word in done.error.lower() for word in ("rights", "permission"))
    with open_home(folder) as home:
        assert home.state.verify("example") == 2


@pytest.mark.prefect
def test_a_log_that_may_not_be_read_is_named_or_quarantined(tmp_path: Path, server: Server):
    """Alone it is an error; among others it is counted, with the reason, and stops nobody."""
    logs = tmp_path / "logs"
    logs.mkdir()
    shutil.copy(LOG, logs / "open.jsonl")
    shutil.copy(LOG, logs / "secret.jsonl")
    (logs / "secret.jsonl").chmod(0)
    alone = run(tmp_path / "home", "ingest", logs / "secret.jsonl", is_bound=True, variables=server)
    alone.failed(1, "secret.jsonl cannot be read", "Check its permissions")
    both = run(tmp_path / "home", "ingest", logs, "--json", is_bound=True, variables=server)
    assert (both.code, both.json()["added"], both.json()["quarantined"]) == (0, 1, 1)
    with open_home(tmp_path / "home") as home:
        (bad,) = home.archive.quarantine()
        assert (bad.file, "Permission denied" in bad.reason) == (str(logs / "secret.jsonl"), True)
