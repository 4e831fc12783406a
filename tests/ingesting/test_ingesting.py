"""Ingesting a folder as it is: files that went away, and files an older reader read."""

import shutil
from pathlib import Path

import pytest

from agentflows import readers
from agentflows.errors import ReaderError
from agentflows.home import open_home
from agentflows.ingesting import batches, ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES

LOG = next(iter(discover(EXAMPLES / "sessions")))


def test_files_that_went_away_are_counted_and_do_not_stop_the_others(tmp_path: Path):
    """An agent deletes old logs while the nightly ingest runs; links dangle after a disk was unmounted."""
    logs = tmp_path / "logs"
    logs.mkdir()
    shutil.copy(LOG, logs / "b.jsonl")
    shutil.copy(LOG, logs / "c.jsonl")
    (logs / "a.jsonl").symlink_to(tmp_path / "nothing.jsonl")
    files = discover(logs)
    (logs / "c.jsonl").unlink()
    with open_home(tmp_path / "home") as home:
        assert [path.name for batch in batches(files) for path in batch] == ["a.jsonl", "b.jsonl", "c.jsonl"]
        report = ingest_files(home, files)
        assert (report.files, report.added, report.quarantined) == (3, 1, 2)
        assert sorted(Path(line.file).name for line in home.archive.quarantine()) == ["a.jsonl", "c.jsonl"]
        assert all("cannot be read" in line.reason for line in home.archive.quarantine())
        again = ingest_files(home, files)
        assert (again.files, again.unchanged_files, again.added) == (3, 3, 0)
        shutil.copy(discover(EXAMPLES / "sessions")[1], logs / "c.jsonl")
        assert ingest_files(home, files).added == 1


def test_a_file_named_itself_that_went_away_is_an_error(tmp_path: Path):
    """Whoever named it wants it, not a count of zero."""
    gone = tmp_path / "gone.jsonl"
    with (
        open_home(tmp_path / "home") as home,
        pytest.raises(ReaderError, match=r"gone\.jsonl cannot be read"),
    ):
        ingest_files(home, [gone], alone=True)


def test_a_newer_reader_reads_again_what_an_older_one_read(tmp_path: Path):
    """What a reader learnt to see must reach the logs that were ingested before it did."""
    (read,) = readers.read(LOG)
    older = tuple(
        session.model_copy(update={"reader": f"{session.reader.partition('/')[0]}/0"})
        for session in read.sessions
    )
    with open_home(tmp_path / "home") as home:
        home.archive.add([read.model_copy(update={"sessions": older})])
        report = ingest_files(home, [LOG])
        assert (report.unchanged_files, report.reread) == (0, len(older))
        assert {info.session_id for info in home.archive.info()} == {one.session_id for one in older}
        (session,) = home.archive.sessions([older[0].session_id])
        assert session.reader == read.sessions[0].reader
        assert ingest_files(home, [LOG]).unchanged_files == 1
