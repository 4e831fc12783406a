"""What files held, kept by content: what a killed process left half-made goes, and nobody else's work does."""

import os
import time
from pathlib import Path

import pytest

from agentflows.depot import Depot
from agentflows.pursuing.contents import Contents


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
    assert contents.read(sha256) == b"kept"
