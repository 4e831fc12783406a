"""Files lent to DuckDB: what several threads read of one handle is what stands where each of them went."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentflows.archive.copies import Copies
from agentflows.archive.files import FileEntry
from agentflows.archive.lending import Lending

PATH = "turns/one.parquet"
DATA = bytes(range(256)) * 64


def _lending(folder: Path | None) -> tuple[Lending, list[str]]:
    """A store of one file, and what was fetched from it."""
    fetched: list[str] = []

    def read(path: str) -> bytes:
        fetched.append(path)
        return DATA

    lending = Lending(read, Copies(folder, "memory://one", 1_000_000 if folder else 0))
    lending.know({PATH: FileEntry(rows=1, bytes=len(DATA), sha256=hashlib.sha256(DATA).hexdigest())})
    return lending, fetched


@pytest.mark.parametrize("fetches", [1, 2], ids=["copies are kept", "nothing is kept"])
def test_a_thread_reads_where_it_went_whatever_others_do(tmp_path: Path, fetches: int):
    """DuckDB goes to a place and reads there in two calls, and another thread's two come between."""
    lending, fetched = _lending(tmp_path if fetches == 1 else None)
    for _ in range(2):  # the second time from the copy, where copies are kept
        file = lending.open(f"archive://{PATH}")
        file.seek(1_000)
        with ThreadPoolExecutor(1) as other:
            other.submit(file.seek, 4).result()
            assert file.read(3) == DATA[1_000:1_003]
            assert other.submit(file.read, 5).result() == DATA[4:9]
            assert other.submit(file.tell).result() == 9
        assert file.tell() == 1_003
        assert file.seek(-2, 2) == len(DATA) - 2
        assert file.seek(1, 1) == len(DATA) - 1
        assert file.read() == DATA[-1:]
        assert file.read(10) == b""
        file.close()
    assert len(fetched) == fetches


def test_many_threads_fetch_a_file_once_and_each_reads_its_own_part(tmp_path: Path):
    """Eight at once, over one handle, in steps of odd lengths."""
    lending, fetched = _lending(tmp_path)
    file = lending.open(f"archive://{PATH}")
    begin = threading.Barrier(8)

    def read(start: int) -> bool:
        begin.wait()
        for place in range(start, len(DATA), 97):
            file.seek(place)
            if file.read(61) != DATA[place : place + 61]:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))
    assert fetched == [PATH]


def test_a_file_that_is_only_asked_for_its_size_is_not_fetched():
    """DuckDB opens every file of a table, and reads few."""
    lending, fetched = _lending(None)
    file = lending.open(f"archive://{PATH}")
    assert file.seek(0, 2) == lending.info(f"archive://{PATH}")["size"] == len(DATA)
    file.close()
    assert fetched == []
