"""Stores as folders: out for an agent to mount, in from what people already have."""

import json
from pathlib import Path

import pytest

from agentflows.errors import ConflictError, LimitError, NotFoundError, StoreError, UsageError
from agentflows.store import State, import_files, read_folder
from agentflows.store.failpoints import VARIABLE
from agentflows.store.folders import MANIFEST
from tests.store.samples import ADA, NOTES, put, team

FILES = {"/notes.md": NOTES, "/deep/er/x.md": "x\r\n", "/ü 日本.txt": "\ufeffno last line"}


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.fixture
def full(state: State) -> State:
    state.create_store("team", actor=ADA)
    put(state, "team", FILES)
    return state


def test_out_and_in_again_is_the_same_store(full: State, tmp_path: Path):
    """Byte for byte, and importing what is there makes no version."""
    done = full.export_store("team", tmp_path / "out")
    assert done.files == done.written == tuple(sorted(FILES))
    assert import_files(tmp_path / "out") == FILES
    full.create_store("again", actor=ADA)
    assert full.import_folder("again", tmp_path / "out", actor=ADA).sha256 == full.get_store("team").sha256
    assert full.import_folder("again", tmp_path / "out", actor=ADA).version == 1
    assert full.versions("again")[0].message == "import of out"


def test_an_export_again_follows_the_store(full: State, tmp_path: Path):
    """What the last export wrote is updated and removed; what others put there stays."""
    full.export_store("team", tmp_path)
    write(tmp_path, {"mine.md": "mine"})
    put(full, "team", {"/notes.md": "changed", "/deep/er/x.md": None})
    full.export_store("team", tmp_path)
    found = {name: text for name, text in tree(tmp_path).items() if name != MANIFEST}
    assert found == {"notes.md": b"changed", "mine.md": b"mine", "ü 日本.txt": FILES["/ü 日本.txt"].encode()}
    full.export_store("team", tmp_path, version=1)
    assert (tmp_path / "deep/er/x.md").read_bytes() == b"x\r\n"


@pytest.mark.parametrize("foreign", ["notes.md", "deep/er/x.md"])
def test_other_peoples_files_are_not_overwritten(full: State, tmp_path: Path, foreign: str):
    """Someone wrote there: say so, write nothing, unless asked to."""
    write(tmp_path, {foreign: "by hand"})
    with pytest.raises(ConflictError, match=r"1 files.*Nothing was written"):
        full.export_store("team", tmp_path)
    assert tree(tmp_path) == {foreign: b"by hand"}
    full.export_store("team", tmp_path, overwrite=True)
    assert import_files(tmp_path) == FILES


def test_a_file_edited_after_the_export_is_not_overwritten(full: State, tmp_path: Path):
    """Nor removed when the store no longer has it."""
    full.export_store("team", tmp_path)
    write(tmp_path, {"notes.md": "edited here", "deep/er/x.md": b"\xff edited"})
    put(full, "team", {"/notes.md": "changed", "/deep/er/x.md": None})
    with pytest.raises(ConflictError, match="2 files"):
        full.export_store("team", tmp_path)
    assert (tmp_path / "notes.md").read_text() == "edited here"
    assert (tmp_path / "deep/er/x.md").read_bytes() == b"\xff edited"


def test_a_manifest_that_is_not_ours_protects_every_file(full: State, tmp_path: Path):
    """When in doubt nothing is known as ours."""
    full.export_store("team", tmp_path)
    put(full, "team", {"/notes.md": "changed"})
    for content in ("no json", "[]", '{"files": 3}', json.dumps({"files": {"/notes.md": 1}})):
        (tmp_path / MANIFEST).write_text(content)
        with pytest.raises(ConflictError):
            full.export_store("team", tmp_path)
    assert (tmp_path / "notes.md").read_text() == NOTES


def test_an_export_that_was_cut_off_is_completed_by_the_next(
    full: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A full disk leaves each file old or new, never half, and no rubbish; then it is simply run again."""
    full.export_store("team", tmp_path)
    put(full, "team", {"/notes.md": "changed", "/deep/er/x.md": "also"})
    for point in ("export.file", "export.written"):
        monkeypatch.setenv(VARIABLE, f"{point}:enospc")
        with pytest.raises(StoreError, match=r"No space left.*export again"):
            full.export_store("team", tmp_path)
        assert not [
            name for name in tree(tmp_path) if Path(name).name.startswith(".agentflows-") and name != MANIFEST
        ]
    monkeypatch.delenv(VARIABLE)
    put(full, "team", {"/notes.md": "changed once more"})
    full.export_store("team", tmp_path)
    assert import_files(tmp_path) == full.files("team")


def test_an_export_does_not_follow_links_out_of_its_folder(full: State, tmp_path: Path):
    """A link in a shared folder must not turn an export into a write elsewhere."""
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (folder / "deep").symlink_to(outside)
    (folder / "notes.md").symlink_to(outside / "notes.md")
    with pytest.raises(ConflictError):
        full.export_store("team", folder)
    with pytest.raises(ConflictError, match="leads out of"):
        full.export_store("team", folder, overwrite=True)
    assert list(outside.iterdir()) == []


def test_what_is_no_plain_text_is_skipped_and_named(tmp_path: Path):
    """Nothing is dropped in silence."""
    outside = write(tmp_path / "outside", {"secret.md": "secret"})
    root = write(
        tmp_path / "in",
        {
            "a.md": "a",
            "sub/B.MD": "b",
            "c.txt": "",
            ".hidden.md": "h",
            ".git/config.md": "g",
            "image.png": b"\x89PNG",
            "latin.md": b"caf\xe9",
        },
    )
    (root / "inside.md").symlink_to(root / "a.md")
    (root / "out.md").symlink_to(outside / "secret.md")
    (root / "folder").symlink_to(outside)
    (root / "gone.md").symlink_to(root / "nowhere.md")
    read = read_folder(root)
    assert read.files == {"/a.md": "a", "/c.txt": "", "/inside.md": "a", "/sub/B.MD": "b"}
    reasons = {item.path: item.reason for item in read.skipped}
    assert reasons[".git"] == reasons[".hidden.md"] == "hidden"
    assert reasons["out.md"] == reasons["folder"] == "a link that leads out of the folder"
    assert reasons["gone.md"] == "no regular file"
    assert reasons["latin.md"] == "no UTF-8 text (byte 3)"
    assert "no Markdown" in reasons["image.png"]
    assert len(reasons) == 7


def test_one_file_is_imported_under_its_name(state: State, tmp_path: Path):
    """`agentflows memory import CLAUDE.md`."""
    team(state)
    write(tmp_path, {"CLAUDE.md": "# Rules\n", "other.md": "not asked for"})
    state.import_folder("team", tmp_path / "CLAUDE.md", actor=ADA)
    assert state.files("team") == {"/CLAUDE.md": "# Rules\n", "/notes.md": NOTES}


def test_a_file_that_is_too_large_stops_the_import(state: State, tmp_path: Path):
    """Splitting is a person's decision."""
    store = team(state)
    write(tmp_path, {"a.md": "fine", "big.md": "x" * 102_401})
    with pytest.raises(LimitError, match=r"big\.md.*102,401 bytes.*Split it"):
        state.import_folder("team", tmp_path, actor=ADA)
    assert state.get_store("team") == store


def test_an_import_of_nothing_is_said(state: State, tmp_path: Path):
    """An empty folder, a missing one, or only pictures: most likely the wrong path."""
    team(state)
    with pytest.raises(NotFoundError, match="no folder or file"):
        state.import_folder("team", tmp_path / "none", actor=ADA)
    with pytest.raises(UsageError, match="it is empty"):
        state.import_folder("team", tmp_path, actor=ADA)
    write(tmp_path, {"x.png": b"\x89"})
    with pytest.raises(UsageError, match=r"x\.png: no Markdown"):
        state.import_folder("team", tmp_path, actor=ADA)


def test_names_in_decomposed_form_become_composed_paths(tmp_path: Path):
    """Some file systems hand out NFD; a memory's path is NFC, and two names never become one memory."""
    write(tmp_path, {"u\u0308.md": "one"})
    assert import_files(tmp_path) == {"/ü.md": "one"}
    write(tmp_path, {"ü.md": "two"})
    if len(list(tmp_path.iterdir())) == 2:
        with pytest.raises(UsageError, match="Unicode form"):
            import_files(tmp_path)


def test_a_secret_stops_an_import(state: State, tmp_path: Path):
    """The same gate as every commit."""
    team(state)
    write(tmp_path, {"a.md": "key = hunter2"})
    with pytest.raises(StoreError, match="a password"):
        state.import_folder(
            "team", tmp_path, actor=ADA, scan=lambda text: "a password" if "hunter2" in text else ""
        )
    assert state.get_store("team").version == 1
