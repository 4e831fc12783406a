"""Versions of a workspace: what putting one back does to rights, and what of a killed process counts for nothing."""

import os
import stat
from pathlib import Path

import pytest

from agentflows.pursuing.versions import Versions


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def versions(workspace: Path, tmp_path: Path) -> Versions:
    """Those of the workspace."""
    return Versions(tmp_path / "versions", workspace)


def test_a_version_that_is_put_back_leaves_the_rights_of_what_stands_there(
    versions: Versions, workspace: Path
):
    """A private file is not opened to others; a new one is what this user's new files are."""
    names = ("private", "tool", "was_tool", "gone")
    for name in names:
        (workspace / name).write_text("first")
    for name, mode in zip(names, (0o600, 0o750, 0o640, 0o644), strict=True):
        (workspace / name).chmod(mode)
    first = versions.take()
    for name in names[:3]:
        (workspace / name).write_text("second")
    (workspace / "tool").chmod(0o640)
    (workspace / "was_tool").chmod(0o750)
    (workspace / "gone").unlink()
    before = os.umask(0o027)
    try:
        versions.restore(first, versions.take())
    finally:
        os.umask(before)
    assert versions.take() == first
    assert [rights(workspace / name) for name in names] == [0o600, 0o750, 0o640, 0o640]


def test_half_a_file_of_a_killed_process_is_no_work_and_goes(versions: Versions, workspace: Path):
    """It would be merged as somebody's new file, and stay for good."""
    first = versions.take()
    half, like_it = workspace / ".agentflows-draft-0123456789ab", workspace / ".agentflows-draft-notes"
    half.write_text("the us")
    assert versions.take() == first
    like_it.write_text("somebody's")
    (workspace / "mine.txt").write_text("changed")
    versions.restore(first, versions.take())
    assert not half.exists()
    assert (workspace / "mine.txt").read_text() == "the user's own"
