"""Frozen deliverables: what a grader gets is what was handed in."""

from pathlib import Path

import pytest

from agentflows.errors import UsageError, WorkspaceError
from agentflows.sandbox import Manifest, Workspace
from agentflows.sandbox.freezing import MOST_FILES


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two files, a program, a link out and a link in."""
    folder = tmp_path / "root"
    (folder / "out").mkdir(parents=True)
    (folder / "out" / "report.md").write_text("# Report\n")
    (folder / "out" / "run.sh").write_text("echo\n")
    (folder / "out" / "run.sh").chmod(0o755)
    (folder / "notes.txt").write_text("notes")
    (tmp_path / "secret").write_text("secret")
    (folder / "out" / "leak").symlink_to(tmp_path / "secret")
    (folder / "all").symlink_to(tmp_path)
    return folder


def test_what_is_frozen_is_what_was_there(root: Path, tmp_path: Path):
    """Content, rights and hashes; links are listed and lead nowhere."""
    manifest = Workspace(root).freeze(tmp_path / "frozen")
    assert [file.path for file in manifest.files] == ["notes.txt", "out/report.md", "out/run.sh"]
    assert [file.is_executable for file in manifest.files] == [False, False, True]
    assert manifest.left_out == ("all", "out/leak")
    assert manifest.size == 19
    assert (tmp_path / "frozen" / "out" / "report.md").read_text() == "# Report\n"
    assert (tmp_path / "frozen" / "out" / "report.md").stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "frozen" / "out").stat().st_mode & 0o777 == 0o555
    assert manifest.differences(tmp_path / "frozen") == []
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_only_what_is_named_is_frozen(root: Path, tmp_path: Path):
    """Deliverables, not the whole workspace; what overlaps is there once."""
    manifest = Workspace(root).freeze(tmp_path / "frozen", ["out/report.md", "out", "./out/report.md"])
    assert [file.path for file in manifest.files] == ["out/report.md", "out/run.sh"]
    assert manifest.left_out == ("out/leak",)
    with pytest.raises(WorkspaceError, match="does not exist"):
        Workspace(root).freeze(tmp_path / "other", ["missing.md"])
    with pytest.raises(WorkspaceError, match="not a path of the workspace"):
        Workspace(root).freeze(tmp_path / "other", ["../secret"])


def test_later_work_does_not_reach_the_copy(root: Path, tmp_path: Path):
    """The writer goes on while the grader reads."""
    manifest = Workspace(root).freeze(tmp_path / "frozen")
    (root / "out" / "report.md").write_text("# Better report\n")
    assert (tmp_path / "frozen" / "out" / "report.md").read_text() == "# Report\n"
    assert manifest.differences(root) == ["all", "out/leak", "out/report.md"]


def test_every_change_to_a_copy_is_seen(root: Path, tmp_path: Path):
    """Changed, missing, added, or replaced by a link."""
    manifest = Workspace(root).freeze(tmp_path / "frozen")
    copy = tmp_path / "frozen"
    for folder in (copy, copy / "out"):
        folder.chmod(0o755)
    (copy / "notes.txt").unlink()
    (copy / "notes.txt").symlink_to(root / "notes.txt")
    (copy / "out" / "report.md").chmod(0o644)
    (copy / "out" / "report.md").write_text("# Reporu\n")
    (copy / "out" / "run.sh").unlink()
    (copy / "added").write_text("")
    assert manifest.differences(copy) == ["added", "notes.txt", "out/report.md", "out/run.sh"]


def test_the_same_files_have_one_hash(root: Path, tmp_path: Path):
    """Wherever they lie; and another when a byte or a right differs."""
    files = Workspace(root)
    first = files.freeze(tmp_path / "first")
    assert files.freeze(tmp_path / "second").sha256 == first.sha256
    (root / "out" / "run.sh").chmod(0o644)
    assert files.freeze(tmp_path / "third").sha256 != first.sha256


def test_a_copy_goes_into_an_empty_folder_outside(root: Path, tmp_path: Path):
    """Neither over other files nor into what it copies."""
    for into in (root / "frozen", root, tmp_path):
        with pytest.raises(UsageError, match="empty folder outside"):
            Workspace(root).freeze(into)


def test_too_much_is_refused(root: Path, tmp_path: Path):
    """An agent cannot fill the disk by handing in."""
    (root / "many").mkdir()
    for number in range(MOST_FILES):
        (root / "many" / str(number)).touch()
    with pytest.raises(WorkspaceError, match="Name the deliverables"):
        Workspace(root).freeze(tmp_path / "frozen")
    with (root / "huge").open("wb") as file:
        file.truncate(300 << 20)
    with pytest.raises(WorkspaceError, match="256 MiB"):
        Workspace(root).freeze(tmp_path / "large", ["huge"])
