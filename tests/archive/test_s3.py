# pyright: reportPrivateUsage=false
"""An archive on S3 does what one in a folder does; several processes work on it at once; and it says what is wrong."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from agentflows.archive import Archive, Selection
from agentflows.archive.copies import Copies
from agentflows.archive.lock import LOCK
from agentflows.archive.s3 import S3Files
from agentflows.errors import ArchiveError, QueryError, SettingsError
from agentflows.session import RawLine, SourceRead
from tests.archive.builders import plausible, source
from tests.archive.test_processes import ROOT, SPAWN, add_range, read_often
from tests.s3_server import S3Server, s3, s3_server

__all__ = ["s3", "s3_server"]

SESSIONS = [plausible(number, steps=8) for number in range(8)]
IDS = [item.session_id for item in SESSIONS]


def in_batches(archive: Archive) -> None:
    """All of them, in four batches."""
    for first in range(0, 8, 2):
        archive.add(map(source, SESSIONS[first : first + 2]))


@pytest.fixture
def archive(s3: S3Server, tmp_path: Path):
    """An empty one in a bucket, with copies in a folder of this machine."""
    with Archive(
        f"{s3.new_bucket()}/team/archive", cache=tmp_path / "copies", cache_bytes=10_000_000
    ) as found:
        yield found


def another(archive: Archive, folder: Path | None = None, **settings: object) -> Archive:
    """The same archive as another machine has it."""
    return Archive(archive.root, cache=folder, cache_bytes=10_000_000, **settings)  # pyright: ignore[reportArgumentType]


def read_again(_file: str, _format: str, _lines: Sequence[RawLine]) -> SourceRead:
    return next(item for item in map(source, SESSIONS) if item.file == _file)


def test_it_answers_as_a_folder_does(archive: Archive, tmp_path: Path):
    """Whatever is asked, and in whatever order the files lie, the bytes are the same."""
    with Archive(tmp_path / "folder") as folder:
        for held in (archive, folder):
            held.add(map(source, SESSIONS[:5]))
            held.add(map(source, SESSIONS[5:]))
        assert archive.fingerprint() == folder.fingerprint()
        assert list(archive.sessions(IDS)) == SESSIONS
        assert archive.info(Selection(verdict="failure")) == folder.info(Selection(verdict="failure"))
        assert archive.search("issue") == folder.search("issue")
        assert archive.turns(IDS[3], 0, 4) == folder.turns(IDS[3], 0, 4)
        assert archive.signals(IDS[:4]) == folder.signals(IDS[:4])
        for query in Archive.patterns():
            assert archive.pattern(query.name) == folder.pattern(query.name)
        query = "SELECT session_id, count(*) FROM steps GROUP BY 1 ORDER BY 1"
        assert archive.sql(query) == folder.sql(query)
        assert archive.stats().model_dump(exclude={"bytes"}) == folder.stats().model_dump(exclude={"bytes"})


def test_it_is_compacted_forgotten_from_rebuilt_and_verified(archive: Archive, tmp_path: Path):
    """Each swaps objects that another machine may be reading; that one sees the result when it looks again."""
    in_batches(archive)
    with another(archive, tmp_path / "other") as other:
        assert len(other.info()) == 8
        assert archive.compact().parts_after == 1
        assert list(other.sessions(IDS)) == SESSIONS
        assert archive.remove([IDS[0]]) == 1
        assert archive.rebuild(read_again).same == 7
        assert archive.verify() == []
        assert archive.stats().parts == 1
        assert archive.add([source(SESSIONS[0], file="again")]).removed == 1
    with another(archive) as other:
        assert [info.session_id for info in other.info()] == IDS[1:]


def test_adders_a_reader_and_a_compactor_work_at_once(archive: Archive):
    """Nobody waits, nothing is lost, nothing is seen twice: nobody ever writes over what another wrote."""
    counts: list[int] = []
    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
        adders = [pool.submit(add_range, archive.root, range(start, start + 5)) for start in (0, 5)]
        while not all(adder.done() for adder in adders):
            counts += read_often(archive.root, 1)
            archive.compact()
        assert sum(adder.result().added for adder in adders) == 10
    assert counts == sorted(counts)
    expected = [plausible(number, steps=4) for number in range(10)]
    assert list(archive.sessions([item.session_id for item in expected])) == expected
    archive.compact()
    assert archive.verify() == []


KILLED = """
import os, signal, sys
from agentflows.archive import Archive
from tests.archive.builders import plausible, source
archive = Archive(sys.argv[1])
write = archive._lake.files.write
def dying(path, data):
    if path.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, data)
archive._lake.files.write = dying
archive.add([source(plausible(100))])
"""


@pytest.mark.parametrize("folder", ["raw/", "manifest/"])
def test_a_killed_adder_leaves_what_compaction_removes(archive: Archive, folder: str):
    """Objects that no manifest names count for nothing; they go when they are old enough."""
    archive.add([source(SESSIONS[0])])
    done = subprocess.run([sys.executable, "-c", KILLED, archive.root, folder], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert [info.session_id for info in archive.info()] == IDS[:1]
    assert archive.compact().orphans == 0
    assert archive.compact(orphan_age=timedelta(seconds=-60)).orphans > 0
    assert archive.verify() == []
    assert archive.add([source(plausible(100))]).added == 1


# -- the lock ------------------------------------------------------------------------------------


def test_maintenance_is_refused_while_another_is_at_it(archive: Archive):
    """The message names who, and how long its lock would run if it died."""
    archive.add([source(SESSIONS[0])])
    with another(archive) as other, archive._lake.files.maintaining():
        with pytest.raises(ArchiveError, match=r"process \d+ on .* lock runs out in \d+ s"):
            other.compact()
        assert other.add([source(SESSIONS[1])]).added == 1
    assert archive.compact().parts_after == 1


def test_one_of_many_has_the_lock(archive: Archive):
    """It is written only on the condition that it is what was read."""
    inside, most, done = [0], [0], [0]

    def enter(_: int) -> None:
        files = S3Files(archive.root, Copies(None, archive.root, 0))
        while True:
            try:
                with files.maintaining():
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1
                    done[0] += 1
                    return
            except ArchiveError:
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(enter, range(5)))
    assert (most[0], done[0]) == (1, 5)


def test_the_lock_of_a_process_that_died_runs_out(archive: Archive):
    """Its age is told by the store's clock, and whoever takes it over does so once."""
    files = archive._lake.files
    assert isinstance(files, S3Files)
    files.put_if(LOCK, b"x", Metadata={"who": "a process that died"}, IfNoneMatch="*")
    with pytest.raises(ArchiveError, match="a process that died"):
        archive.compact()
    files.lock.seconds = 0.0
    assert archive.compact().parts_after == 0


def test_a_holder_that_is_slow_keeps_its_lock(archive: Archive):
    """It is written anew for as long as its holder lives."""
    files = archive._lake.files
    assert isinstance(files, S3Files)
    files.lock.renew_every = 0.05
    with files.maintaining():
        first = files.head(LOCK)
        while files.head(LOCK) == first:
            pass
        with another(archive) as other, pytest.raises(ArchiveError, match="runs out"):
            other.compact()


class Cut(S3Files):
    """A network that is cut: what is written does not arrive, or arrives, and its answer does not."""

    cut = ""
    tries = 0

    def put_if(self, path: str, data: bytes, **condition: Any) -> str:
        self.tries += 1
        if self.cut == "request":
            raise EndpointConnectionError(endpoint_url="http://store")
        etag = super().put_if(path, data, **condition)
        if self.cut == "answer":
            raise EndpointConnectionError(endpoint_url="http://store")
        return etag

    def try_again(self) -> None:
        """Return once the lock was tried again."""
        before = self.tries
        while self.tries < before + 2:  # the first may have begun before
            time.sleep(0.01)


@pytest.mark.parametrize("cut", [pytest.param("request", marks=pytest.mark.slow), "answer"])
def test_a_holder_that_was_cut_off_for_a_while_keeps_its_lock(archive: Archive, cut: str):
    """What botocore raises is no OSError, and a write whose answer was lost is the holder's own."""
    files = Cut(archive.root, Copies(None, archive.root, 0))
    files.lock.renew_every = 0.05
    with files.maintaining():
        files.cut = cut
        files.try_again()
        files.cut = ""
        files.try_again()
        first = files.head(LOCK)
        while files.head(LOCK) == first:
            pass
        files.check_maintaining()
        files.cut = "request"  # to the end: what was done is done, and nothing is raised


def has_lost(files: S3Files) -> bool:
    try:
        files.check_maintaining()
    except ArchiveError:
        return True
    return False


def test_who_lost_the_lock_replaces_nothing(archive: Archive):
    """The other may have taken its new files, which no manifest names yet, for those of a process that died."""
    in_batches(archive)
    files = archive._lake.files
    assert isinstance(files, S3Files)
    files.lock.renew_every = 0.05

    def taken_over(file: str, form: str, lines: Sequence[RawLine]) -> SourceRead:
        if not other.lock.seconds:
            with other.maintaining():
                while not has_lost(files):
                    pass
            other.lock.seconds = 120.0
        return read_again(file, form, lines)

    other = S3Files(archive.root, Copies(None, archive.root, 0))
    other.lock.seconds = 0.0
    before = archive.info()
    with pytest.raises(ArchiveError, match=r"Nothing was replaced\. Run the same command again"):
        archive.rebuild(taken_over)
    assert archive.info() == before
    assert archive.rebuild(read_again).same == 8


def test_a_store_without_conditional_writes_is_found_out(archive: Archive, s3: S3Server):
    """It would take any write for granted: so it is said, and adding and reading go on."""
    s3.heeds_conditions = False
    archive.add([source(SESSIONS[0])])
    with pytest.raises(ArchiveError, match=r"does not heed conditional writes.*AGENTFLOWS_ARCHIVE_LOCK=off"):
        archive.compact()
    with another(archive, needs_lock=False) as other:
        assert other.remove([IDS[0]]) == 1
        assert other.info() == []


# -- what is fetched -----------------------------------------------------------------------------


def test_a_question_costs_one_look_once_the_files_are_here(archive: Archive, s3: S3Server, tmp_path: Path):
    """Two listings, however many questions a second; and what is fetched is fetched once, by any process."""
    in_batches(archive)
    names = [query.name for query in Archive.patterns()]
    with another(archive, tmp_path / "copies") as other:
        for name in names:
            other.pattern(name)
        other.search("issue")
        list(other.sessions(IDS))
    with another(archive, tmp_path / "copies") as other:
        other._lake.files.look_every = 600.0
        s3.requests.clear()
        for name in names:
            other.pattern(name)
        other.search("issue")
        list(other.sessions(IDS))
    assert s3.requests == {"GET": 3}, "manifests twice, because they were not known, and the removed once"


def test_ingesting_many_files_lists_once_a_second_and_not_for_each(archive: Archive, s3: S3Server):
    """What this process writes it knows; what others write meanwhile is sorted out by whoever reads."""
    archive._lake.files.look_every = 600.0
    s3.requests.clear()
    assert archive.add(map(source, SESSIONS)).added == 8
    assert s3.requests["GET"] <= 3
    assert s3.requests["PUT"] == 6, "five tables and a manifest"


def test_copies_stay_within_their_limit(archive: Archive, tmp_path: Path):
    """What was used longest ago goes first; an archive larger than its copies is read all the same."""
    in_batches(archive)
    with Archive(archive.root, cache=tmp_path / "few", cache_bytes=40_000) as other:
        assert list(other.sessions(IDS)) == SESSIONS
        assert other.search("issue")
        held = sum(path.stat().st_size for path in (tmp_path / "few").rglob("*") if path.is_file())
        assert 0 < held <= 40_000
    with Archive(archive.root) as other:
        assert list(other.sessions(IDS)) == SESSIONS


def test_what_is_forgotten_leaves_the_copies_of_other_machines(archive: Archive, tmp_path: Path):
    """As soon as one of them looks at the archive again."""
    archive.add(map(source, SESSIONS[:2]))
    with another(archive, tmp_path / "other") as other:
        list(other.sessions(IDS[:2]))
        before = {path.name for path in (tmp_path / "other").rglob("*.parquet")}
        assert before
        archive.remove([IDS[0]])
        other._lake.snapshot(fresh=True)
        assert not before & {path.name for path in (tmp_path / "other").rglob("*.parquet")}
        assert list(other.sessions([IDS[1]])) == [SESSIONS[1]]


def test_an_object_that_is_not_what_was_written_is_never_served(archive: Archive):
    """Its sha256 is in the manifest."""
    archive.add([source(SESSIONS[0])])
    path = next(part.path("turns") for part in archive._lake.snapshot().parts)
    archive._lake.files.write(path, b"PAR1 other PAR1")
    with another(archive) as other:
        with pytest.raises(ArchiveError, match=r"turns/.*parquet is not what was written.*verify"):
            list(other.sessions(IDS[:1]))
        assert [path in found for found in other.verify()] == [True]


def test_sql_of_a_user_sees_the_views_and_nothing_else(archive: Archive):
    """Not this machine's files, and not the store's own."""
    archive.add([source(SESSIONS[0])])
    path = next(part.path("turns") for part in archive._lake.snapshot().parts)
    assert archive.sql("SELECT count(*) FROM turns").rows == [(len(SESSIONS[0].turns),)]
    for name in ("/etc/passwd", "archive://manifest/x.json", f"{archive.root}/{path}", "https://127.0.0.1/x"):
        with pytest.raises(QueryError):
            archive.sql(f"SELECT * FROM read_text('{name}')")


# -- what is wrong, in words ----------------------------------------------------------------------


def test_a_missing_bucket_is_no_empty_archive(s3: S3Server):
    """A mistyped name must not look as if all sessions were gone."""
    with Archive("s3://no-such-bucket/archive") as archive:
        with pytest.raises(ArchiveError, match=r"bucket 'no-such-bucket' .*does not exist at http://127"):
            archive.info()
        with pytest.raises(ArchiveError, match="does not exist"):
            archive.add([source(SESSIONS[0])])
        with pytest.raises(ArchiveError, match="does not exist"):
            archive.compact()


def test_a_key_without_rights_is_told_which_it_needs(archive: Archive, s3: S3Server):
    """Also when they are taken away while the archive is open."""
    archive.add([source(SESSIONS[0])])
    archive.stats()
    s3.is_denying = True
    with pytest.raises(
        ArchiveError, match=r"refuses this key .*get, put and delete objects under 'team/archive'"
    ):
        archive._lake.snapshot(fresh=True)
    with another(archive) as other, pytest.raises(ArchiveError, match="refuses this key"):
        other.add([source(SESSIONS[1])])
    s3.is_denying = False
    assert archive.stats().sessions == 1


def test_a_key_that_fails_in_the_middle_of_a_query_is_still_named(archive: Archive, s3: S3Server):
    """DuckDB meets it, in a thread of its own, and wraps it into a traceback."""
    archive.add([source(SESSIONS[0])])
    with another(archive) as other:
        other._lake.files.look_every = 600.0
        other.stats()
        s3.is_denying = True
        with pytest.raises(ArchiveError, match="refuses this key"):
            other.search("issue")
        with pytest.raises(ArchiveError, match="refuses this key"):
            other.sql("SELECT count(*) FROM texts")


def test_no_key_at_all_says_what_to_set(archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The variables are the usual ones."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with another(archive) as other, pytest.raises(ArchiveError, match=r"needs a key .*AWS_ACCESS_KEY_ID"):
        other.info()


def test_a_store_that_cannot_be_reached_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch):
    """The server is gone, or the address is wrong."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with S3Server() as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        archive = Archive(f"{server.new_bucket()}/archive")
        archive.add([source(SESSIONS[0])])
    with archive, pytest.raises(ArchiveError, match=r"at http://127.* cannot be reached .*AWS_ENDPOINT_URL"):
        archive._lake.snapshot(fresh=True)


def test_without_the_extra_the_message_names_it():
    """`pip install agentflows` alone has no driver for S3."""
    code = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from agentflows import open_home\n"
        "with open_home() as home: home.archive.info()"
    )
    variables = os.environ | {"AGENTFLOWS_ARCHIVE_URL": "s3://bucket/archive"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, check=False, capture_output=True, text=True
    )
    assert SettingsError.__name__ in done.stderr
    assert "pip install 'agentflows[s3]'" in done.stderr


def test_a_removal_and_a_compaction_that_cross_leave_no_text(tmp_path: Path):
    """Where no lock keeps them apart, each looks, after it has published, for what the other left."""
    root = f"memory://{tmp_path.name}/crossing"
    with Archive(root) as archive, Archive(root) as other:
        for made in SESSIONS[:3]:
            archive.add([source(made)])
        files = archive._lake.files
        write, crossed = files.write, threading.Event()

        def late(path: str, data: bytes) -> None:
            if path.startswith("manifest/") and not crossed.is_set():
                crossed.set()
                assert other.remove([IDS[0]]) == 1
            write(path, data)

        files.write = late
        archive.compact()
        assert crossed.is_set()
        held = {
            version.session_id
            for part in archive._lake.snapshot(fresh=True).parts
            for version in part.sessions
        }
        assert held == set(IDS[1:3])
        assert archive.verify() == []
