"""Several processes at once, and processes that die."""

import multiprocessing
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from agentflows.archive import AddReport, Archive
from tests.archive.builders import plausible, source

ROOT = Path(__file__).resolve().parents[2]
SPAWN = multiprocessing.get_context("spawn")


def add_range(root: str, numbers: range) -> AddReport:
    """Add sessions one batch at a time, as tasks of a flow do."""
    with Archive(root, threads=1) as archive:
        reports = [archive.add([source(plausible(number, steps=4))]) for number in numbers]
    return AddReport(
        added=sum(item.added for item in reports), unchanged=sum(item.unchanged for item in reports)
    )


def read_often(root: str, times: int) -> list[int]:
    """Count sessions again and again, in three ways that must agree within one moment."""
    counts: list[int] = []
    with Archive(root, threads=1) as archive:
        for _ in range(times):
            ids = [info.session_id for info in archive.info()]
            assert len(ids) == len(set(ids))
            assert sum(1 for _ in archive.sessions(ids)) == len(ids)
            counts.append(len(ids))
    return counts


def compact_often(root: str, times: int) -> int:
    """Merge again and again."""
    with Archive(root, threads=1) as archive:
        for _ in range(times):
            archive.compact()
        return archive.stats().parts


def test_adders_readers_and_a_compactor_work_at_once(tmp_path: Path):
    """Nobody waits, nothing is lost, nothing is seen twice."""
    root = str(tmp_path / "archive")
    with ProcessPoolExecutor(4, mp_context=SPAWN) as pool:
        adders = [pool.submit(add_range, root, range(start, start + 15)) for start in (0, 15)]
        reader = pool.submit(read_often, root, 12)
        compactor = pool.submit(compact_often, root, 6)
        added = sum(adder.result().added for adder in adders)
        counts = reader.result()
        compactor.result()
    assert added == 30
    assert counts == sorted(counts)
    with Archive(root) as archive:
        expected = [plausible(number, steps=4) for number in range(30)]
        assert list(archive.sessions([item.session_id for item in expected])) == expected
        archive.compact()
        assert archive.verify() == []
        assert archive.stats().parts == 1


def test_four_processes_that_add_the_same_sessions_leave_each_once(tmp_path: Path):
    """Whether they see one another or not, readers see one version."""
    root = str(tmp_path / "archive")
    with ProcessPoolExecutor(4, mp_context=SPAWN) as pool:
        reports = list(pool.map(add_range, [root] * 4, [range(6)] * 4))
    assert sum(report.added for report in reports) >= 6
    with Archive(root) as archive:
        assert len(archive.info()) == 6
        turns = sum(len(plausible(number, steps=4).turns) for number in range(6))
        assert archive.sql("SELECT count(*) FROM turns").rows == [(turns,)]
        assert archive.sql("SELECT count(*) FROM steps").rows == [(24,)]
        fingerprint = archive.fingerprint()
        archive.compact()
        assert archive.fingerprint() == fingerprint
        assert archive.sql("SELECT count(*) FROM turns").rows == [(turns,)]


KILLED = """
import os, signal, sys
from agentflows.archive import Archive
from agentflows.archive.files import LocalFiles
from tests.archive.builders import plausible, source

class Dying(LocalFiles):
    def write(self, path, data):
        if path.startswith(sys.argv[2]):
            folder, name = path.split("/")
            (self._folder / folder).mkdir(exist_ok=True)
            (self._folder / folder / f".tmp-0a1b-{name}").write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(path, data)

archive = Archive(sys.argv[1], part_chars=20_000)
archive._lake.files = Dying(archive._lake.files._folder)
archive.add(source(plausible(number)) for number in range(100, 120))
"""


def test_a_killed_adder_leaves_a_readable_archive_and_orphans_that_compaction_removes(tmp_path: Path):
    """Kill -9 at each kind of file: a batch is there whole or not at all."""
    for folder in ("sessions/", "steps/", "raw/", "manifest/"):
        root = tmp_path / folder / "archive"
        with Archive(root) as archive:
            archive.add([source(plausible(1))])
            done = subprocess.run(
                [sys.executable, "-c", KILLED, str(root), folder], cwd=ROOT, check=False, capture_output=True
            )
            assert done.returncode == -signal.SIGKILL, done.stderr.decode()
            assert archive.verify() == []
            assert [info.session_id for info in archive.info()] == ["session-00001"]
            assert archive.compact().orphans > 0
            files = list(root.glob("*/*.parquet"))
            assert len(files) == 5
            assert archive.add([source(plausible(100))]).added == 1


def test_a_process_killed_at_any_moment_can_be_run_again(tmp_path: Path):
    """What it published stays, what it did not is added by the next run, nothing twice."""
    root = tmp_path / "archive"
    code = textwrap.dedent(
        """
        import sys
        from agentflows.archive import Archive
        from tests.archive.builders import plausible, source
        archive = Archive(sys.argv[1], part_chars=20_000)
        for number in range(400):
            archive.add([source(plausible(number, steps=4))])
            print(number, flush=True)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(root)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    seen = [int(process.stdout.readline()) for _ in range(5)]
    process.kill()
    process.wait()
    process.stdout.close()
    with Archive(root) as archive:
        assert len(archive.info()) >= len(seen)
        assert archive.verify() == []
        archive.add(source(plausible(number, steps=4)) for number in range(30))
        assert {info.session_id for info in archive.info()} >= {
            f"session-{number:05d}" for number in range(30)
        }
        archive.compact()
        assert archive.verify() == []


FULL = """
import resource, signal, sys
from agentflows.archive import Archive
from agentflows.errors import ArchiveError
from tests.archive.builders import plausible, source

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
archive = Archive(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, resource.RLIM_INFINITY))
try:
    archive.add([source(plausible(2))])
except ArchiveError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_leaves_nothing_half_written(tmp_path: Path):
    """A limit on the size of files stands in for a full disk."""
    root = tmp_path / "archive"
    with Archive(root) as archive:
        archive.add([source(plausible(1))])
        before = sorted(str(path) for path in root.rglob("*"))
        done = subprocess.run(
            [sys.executable, "-c", FULL, str(root)], cwd=ROOT, check=True, capture_output=True, text=True
        )
        assert "cannot be written: File too large" in done.stdout
        assert "Free space" in done.stdout
        assert sorted(str(path) for path in root.rglob("*")) == before
        assert archive.verify() == []
        assert archive.add([source(plausible(2))]).added == 1


def test_threads_share_an_archive(tmp_path: Path):
    """Prefect runs tasks in threads of one process."""
    from concurrent.futures import ThreadPoolExecutor

    with Archive(tmp_path / "archive") as archive:
        archive.add([source(plausible(number, steps=4)) for number in range(8)])

        def ask(number: int) -> bool:
            if number % 8 == 0:
                archive.add([source(plausible(50 + number, steps=4))])
            made = plausible(number % 8, steps=4)
            rows = archive.pattern("tool_usage", session_ids=[made.session_id])
            steps = archive.sql("SELECT count(*) FROM steps").rows[0][0]
            return (
                sum(row["calls"] for row in rows) == 4
                and steps >= 32
                and list(archive.sessions([made.session_id])) == [made]
            )

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(ask, range(40)))
