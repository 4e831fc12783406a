"""Ingesting a folder as it is: files that went away, and files an older reader read."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from agentflows import readers
from agentflows.errors import NotFoundError, ReaderError
from agentflows.home import open_home
from agentflows.ingesting import batches, ingest_files
from agentflows.readers import discover
from tests.command_server import heed_rights
from tests.conftest import EXAMPLES

T = TypeVar("T")

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


def test_a_folder_that_cannot_be_looked_into_does_not_stop_the_others(tmp_path: Path):
    """A file that cannot be read does not, and a nightly ingest should not fail for one folder of somebody else."""
    logs = tmp_path / "logs"
    (logs / "closed").mkdir(parents=True)
    shutil.copy(LOG, logs / "a.jsonl")
    shutil.copy(LOG, logs / "closed" / "b.jsonl")
    (logs / "closed").chmod(0)
    try:
        with open_home(tmp_path / "home") as home:
            report = with_rights_heeded(lambda: ingest_files(home, discover(logs)))
            assert (report.files, report.added, report.quarantined) == (2, 1, 1)
            [bad] = home.archive.quarantine()
        assert bad.file == str(logs / "closed")
        assert "cannot be read: Permission denied" in bad.reason
        (logs / "closed").rename(tmp_path / "alone")
        with pytest.raises(ReaderError, match=r"The folder .*alone cannot be read"):
            with_rights_heeded(lambda: discover(tmp_path / "alone"))
    finally:
        for closed in (logs / "closed", tmp_path / "alone"):
            if closed.exists():
                closed.chmod(0o700)


def with_rights_heeded(work: Callable[[], T]) -> T:
    """What comes of it where even root is bound by the rights on files: a thread's own capabilities end with it."""

    def bound() -> T:
        if not os.getuid():
            heed_rights()
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(bound).result()


def test_what_is_passed_over_is_counted(tmp_path: Path):
    """Who keeps logs behind a link, or as .ndjson, would take them for read."""
    logs = tmp_path / "logs"
    logs.mkdir()
    shutil.copy(LOG, logs / "a.jsonl")
    (logs / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    for name in ("b.ndjson", "c.JSONL"):
        shutil.copy(LOG, logs / name)
    found = readers.survey(logs)
    assert [file.name for file in found.files] == ["a.jsonl"]
    assert found.passed_over == "not read: 1 link to a folder and 2 files with other endings"
    (logs / "a.jsonl").unlink()
    with pytest.raises(NotFoundError, match="2 files with other endings"):
        readers.survey(logs)
