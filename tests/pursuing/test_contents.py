"""What files held, kept by content: what a killed process left half-made goes, and nobody else's work does."""

import os
import time
import tracemalloc
from pathlib import Path

import pytest

from agentflows.depot import Depot
from agentflows.errors import OutcomeError
from agentflows.pursuing.contents import Contents
from agentflows.pursuing.versions import Snapshot, Versions


@pytest.mark.parametrize("travels", [False, True], ids=["one folder", "files travel"])
def test_only_drafts_that_nobody_works_on_are_swept(tmp_path: Path, *, travels: bool):
    """Where files travel, others of this machine are at work in the folder, and only age tells whose a draft is."""
    folder = tmp_path / "objects"
    contents = Contents(folder, Depot(str(tmp_path / "store"), "job_x", folder) if travels else None)
    contents.sweep()  # before there is such a folder
    (tmp_path / "notes.md").write_text("kept")
    sha256, _ = contents.store(tmp_path, "notes.md")
    left, fresh = folder / "draft-left", folder / "draft-fresh"
    left.write_text("half of a fi")
    fresh.write_text("half of ano")
    two_hours_ago = time.time() - 7_200
    os.utime(left, (two_hours_ago, two_hours_ago))
    contents.sweep()
    assert not left.exists()
    assert fresh.exists() == travels
    assert list(contents.blocks(sha256)) == [b"kept"]


def test_a_large_content_is_never_in_memory_whole(tmp_path: Path):
    """Not as it is kept, checked, laid down or put back: the workers of one machine each have one under their hands."""
    size = 40 << 20
    (tmp_path / "work").mkdir()
    with (tmp_path / "work" / "large.bin").open("wb") as file:
        file.truncate(size)
    shared = Versions(tmp_path / "versions", tmp_path / "work")
    tracemalloc.start()
    try:
        version = shared.take()
        shared.freeze(0, version.deliverables(["large.bin"])).check()
        (tmp_path / "work" / "large.bin").unlink()
        shared.restore(version, Snapshot())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "work" / "large.bin").stat().st_size == size
    assert most < size // 4


def test_what_was_damaged_is_not_put_back(tmp_path: Path):
    """Also where its end is not there yet when its beginning is written."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "notes.md").write_text("first" * 500_000)
    shared = Versions(tmp_path / "versions", work)
    first = shared.take()
    (kept,) = (tmp_path / "versions" / "objects").iterdir()
    kept.chmod(0o600)
    with kept.open("r+") as file:
        file.seek(2_400_000)
        file.write("other")
    (work / "notes.md").write_text("second")
    with pytest.raises(OutcomeError, match="missing or damaged"):
        shared.restore(first, Snapshot())
    assert [path.name for path in work.iterdir()] == ["notes.md"]
    assert (work / "notes.md").read_text() == "second"
