"""File tools: what they give, and what they refuse."""

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from agentflows.errors import StaleError, UsageError, WorkspaceError
from agentflows.sandbox import Workspace
from agentflows.sandbox.workspace import MOST_HITS, MOST_PATHS, MOST_READ


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small tree beside a file that is not in it."""
    folder = tmp_path / "root"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "README.md").write_text("# Title\n\nOne line.\n")
    (folder / "src" / "a.py").write_text("import os\n\n\ndef main():\n    return 1\n")
    (folder / "src" / "deep" / "b.py").write_text("VALUE = 2\n")
    (tmp_path / "secret").write_text("secret")
    return folder


def test_a_file_is_read_whole_or_by_lines(root: Path):
    """Lines count from 1 and both ends belong to the answer."""
    files = Workspace(root)
    assert files.read("README.md") == "# Title\n\nOne line.\n"
    assert files.read("src/a.py", start_line=4, end_line=4) == "def main():\n"
    assert files.read("src/a.py", start_line=4) == "def main():\n    return 1\n"
    assert files.read("src/a.py", end_line=1) == "import os\n"
    assert files.read("src/a.py", start_line=90) == ""
    with pytest.raises(WorkspaceError, match="lines count from 1"):
        files.read("src/a.py", start_line=3, end_line=2)


def test_line_ends_and_missing_ones_survive(root: Path):
    """What is not edited stays byte for byte."""
    (root / "dos.txt").write_bytes(b"one\r\ntwo\r\nthree")
    files = Workspace(root)
    assert files.read("dos.txt") == "one\r\ntwo\r\nthree"
    files.edit("dos.txt", "two", "2")
    assert (root / "dos.txt").read_bytes() == b"one\r\n2\r\nthree"


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret", "src/../../secret", "a\0b", "\udcff", ".."])
def test_paths_that_lead_out_are_refused(root: Path, path: str):
    """By every tool, before anything is opened."""
    files = Workspace(root)
    tools: list[Callable[[str], object]] = [
        files.read,
        files.hash,
        files.stat,
        lambda path: files.write(path, "x"),
        lambda path: files.grep("x", path),
    ]
    for tool in tools:
        with pytest.raises(WorkspaceError, match="not a path of the workspace"):
            tool(path)


def test_links_are_never_followed(root: Path):
    """A link to a file, a link to a folder, a link that points inside: all the same, by every tool."""
    (root / "link").symlink_to(root.parent / "secret")
    (root / "folder").symlink_to(root.parent)
    (root / "inner").symlink_to("README.md")
    files = Workspace(root)
    for path in ("link", "folder/secret", "inner"):
        tools: list[Callable[[str], object]] = [
            files.read,
            files.hash,
            lambda path: files.write(path, "x"),
            lambda path: files.edit(path, "s", "x"),
        ]
        for tool in tools:
            with pytest.raises(WorkspaceError, match="links are not followed"):
                tool(path)
    assert (root.parent / "secret").read_text() == "secret"
    assert files.stat("link").kind == "link"
    assert files.glob("**/*") == ["README.md", "src/a.py", "src/deep/b.py"]
    assert [hit.path for hit in files.grep("secret|Title")] == ["README.md"]


def test_pipes_sockets_and_folders_are_named_not_waited_for(root: Path, monkeypatch: pytest.MonkeyPatch):
    """Opening a pipe without a writer would wait for ever."""
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        monkeypatch.chdir(root)
        unix.bind("socket")
        files = Workspace(root)
        for path, words in (
            ("pipe", "file was expected"),
            ("socket", "pipe or a socket"),
            ("src", "file was expected"),
        ):
            with pytest.raises(WorkspaceError, match=words):
                files.read(path)
            with pytest.raises(WorkspaceError):
                files.write(path, "x")
    assert files.stat("pipe").kind == "other"
    assert files.stat("src").kind == "folder"
    assert files.stat(".").kind == "folder"


def test_what_is_no_text_or_too_long_is_said(root: Path):
    """And with what to do instead."""
    (root / "binary").write_bytes(b"\x89PNG\0")
    (root / "latin").write_bytes(b"caf\xe9")
    (root / "long").write_text("x" * 99 + "\n" * 1 + "y" * (MOST_READ + 1))
    files = Workspace(root)
    with pytest.raises(WorkspaceError, match="NUL bytes"):
        files.read("binary")
    with pytest.raises(WorkspaceError, match="byte 3 is not UTF-8"):
        files.read("latin")
    with pytest.raises(WorkspaceError, match="Read a part of it with start_line"):
        files.read("long")
    assert files.read("long", end_line=1) == "x" * 99 + "\n"
    with pytest.raises(WorkspaceError, match="Ask for fewer lines"):
        files.read("long", start_line=2)


def test_a_message_names_no_path_of_the_machine(root: Path):
    """Messages go to a model."""
    with pytest.raises(WorkspaceError) as caught:
        Workspace(root).read("missing.txt")
    assert str(root) not in str(caught.value)
    assert str(caught.value) == "missing.txt cannot be used: it does not exist. See what is there with glob."


def test_a_new_file_comes_with_its_folders(root: Path):
    """And its hash is the answer."""
    files = Workspace(root)
    assert files.write("docs/new/page.md", "héllo\n") == hashlib.sha256("héllo\n".encode()).hexdigest()
    assert (root / "docs" / "new" / "page.md").read_text() == "héllo\n"
    assert files.hash("docs/new/page.md") == hashlib.sha256("héllo\n".encode()).hexdigest()
    assert [path.name for path in (root / "docs" / "new").iterdir()] == ["page.md"]


def test_a_write_over_what_was_read_keeps_the_files_rights(root: Path):
    """A script stays a script."""
    (root / "run.sh").write_text("echo 1\n")
    (root / "run.sh").chmod(0o755)
    files = Workspace(root)
    files.read("run.sh")
    files.write("run.sh", "echo 2\n")
    assert (root / "run.sh").stat().st_mode & 0o777 == 0o755
    assert files.stat("run.sh").is_executable
    files.write("run.sh", "echo 3\n")  # its own write counts as seen


def test_a_write_over_what_changed_since_is_refused(root: Path):
    """The edit of another agent is not lost."""
    mine, theirs = Workspace(root), Workspace(root)
    mine.read("README.md")
    theirs.read("README.md")
    theirs.edit("README.md", "One line.", "Two lines.")
    for write in (
        lambda: mine.write("README.md", "all mine"),
        lambda: mine.edit("README.md", "Title", "Mine"),
    ):
        with pytest.raises(StaleError, match=r"changed since you last read it\. Read it again"):
            write()
    assert "Two lines." in (root / "README.md").read_text()
    mine.read("README.md")
    mine.edit("README.md", "Title", "Mine")
    assert (root / "README.md").read_text() == "# Mine\n\nTwo lines.\n"


def test_a_file_never_seen_is_not_overwritten(root: Path):
    """Two agents that both make `notes.md` do not lose one of them."""
    files = Workspace(root)
    with pytest.raises(StaleError, match="it exists, and you have not read it"):
        files.write("README.md", "x")
    with pytest.raises(StaleError, match="you have not read it"):
        files.edit("README.md", "Title", "x")
    files.hash("README.md")
    files.grep("Title")
    with pytest.raises(StaleError):
        files.write("README.md", "x")


def test_the_same_write_twice_is_one(root: Path):
    """A call whose process was killed before it was noted is made again; nobody's words are lost by it."""
    Workspace(root).write("a.md", "mine\n")
    again = Workspace(root)
    assert again.write("a.md", "mine\n") == hashlib.sha256(b"mine\n").hexdigest()
    again.write("a.md", "more\n")
    with pytest.raises(StaleError, match="you have not read it"):
        Workspace(root).write("a.md", "mine\n")


def test_the_expected_hash_decides_when_given(root: Path):
    """For callers that keep their own account."""
    files = Workspace(root)
    files.write("README.md", "x", expected_sha256=files.hash("README.md"))
    with pytest.raises(StaleError, match="it changed since"):
        files.write("README.md", "y", expected_sha256="0" * 64)
    with pytest.raises(StaleError, match="does not exist any more"):
        files.write("new.md", "y", expected_sha256="0" * 64)
    with pytest.raises(StaleError, match="it exists"):
        files.write("README.md", "y", expected_sha256="")
    files.write("new.md", "y", expected_sha256="")


def test_a_file_that_went_away_can_be_written_anew(root: Path):
    """Nothing is lost by it."""
    files = Workspace(root)
    files.read("README.md")
    (root / "README.md").unlink()
    files.write("README.md", "again")
    assert (root / "README.md").read_text() == "again"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("absent", "x", "occurs 0 times"),
        ("o", "x", "occurs 2 times"),
        ("", "x", "occurs 0 times"),
        ("One", "One", "the same"),
    ],
)
def test_an_edit_that_is_not_clear_is_refused(root: Path, old: str, new: str, message: str):
    """Which of two places was meant cannot be guessed."""
    (root / "note").write_text("One two four")
    files = Workspace(root)
    files.read("note")
    with pytest.raises(WorkspaceError, match=message):
        files.edit("note", old, new)
    assert (root / "note").read_text() == "One two four"


def test_replace_all_replaces_all(root: Path):
    """Where that is what was meant."""
    files = Workspace(root)
    files.read("src/a.py")
    files.edit("src/a.py", "\n\n", "\n", replace_all=True)
    assert (root / "src" / "a.py").read_text() == "import os\n\ndef main():\n    return 1\n"


def test_read_only_parts_stay_as_they_are(root: Path):
    """Another agent's folder, or a rubric beside the work."""
    files = Workspace(root, read_only=["src/deep", "README.md"])
    files.read("README.md")
    for path in ("README.md", "src/deep/b.py", "src/deep/new/x", "./src//deep/y"):
        with pytest.raises(WorkspaceError, match="read-only"):
            files.write(path, "x")
    files.write("src/deeper", "x")
    with pytest.raises(WorkspaceError, match="the workspace is read-only"):
        Workspace(root, read_only=["."]).write("new", "x")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.md", ["README.md"]),
        ("*", ["README.md"]),
        ("**", ["README.md", "src/a.py", "src/deep/b.py"]),
        ("**/*.py", ["src/a.py", "src/deep/b.py"]),
        ("src/*.py", ["src/a.py"]),
        ("src/**/b.py", ["src/deep/b.py"]),
        ("src/**/a.py", ["src/a.py"]),
        ("./src/[ab].p?", ["src/a.py"]),
        ("nothing/*", []),
    ],
)
def test_patterns_find_files(root: Path, pattern: str, found: list[str]):
    """As in every other tool that knows `**`."""
    assert Workspace(root).glob(pattern) == found


@pytest.mark.parametrize("pattern", ["/etc/*", "../*", "", "x" * 2000])
def test_patterns_that_lead_nowhere_are_refused(root: Path, pattern: str):
    """With an example of one that works."""
    with pytest.raises(WorkspaceError, match="src/"):
        Workspace(root).glob(pattern)


def test_a_pattern_made_to_take_long_does_not(root: Path):
    """Patterns come from a model; this one would take years by trial of every split."""
    (root / "a").joinpath(*["d"] * 40).mkdir(parents=True)
    (root / "a").joinpath(*["d"] * 40, "a" * 100).write_text("x")
    assert Workspace(root).glob("/".join(["**/d"] * 25) + "/**/" + "*a" * 30 + "*b") == []


def test_grep_finds_lines(root: Path):
    """With path and number, in files that are text; below a folder or in one file."""
    (root / "binary").write_bytes(b"\0def main")
    files = Workspace(root)
    assert [(hit.path, hit.line, hit.text) for hit in files.grep(r"^def \w+")] == [
        ("src/a.py", 4, "def main():")
    ]
    assert [hit.path for hit in files.grep("VALUE", "src/deep")] == ["src/deep/b.py"]
    assert [hit.line for hit in files.grep("return", "src/a.py")] == [5]
    with pytest.raises(WorkspaceError, match="does not exist"):
        files.grep("x", "nowhere")
    with pytest.raises(WorkspaceError, match="RE2"):
        files.grep(r"(?<=a)b")


def test_answers_are_bounded(root: Path):
    """A reply that fills a model's context helps nobody."""
    (root / "many").mkdir()
    for number in range(MOST_PATHS + 1):
        (root / "many" / f"{number}.txt").write_text("match\n")
    files = Workspace(root)
    assert len(files.grep("match")) == MOST_HITS
    with pytest.raises(WorkspaceError, match="narrower pattern"):
        files.glob("many/*")
    (root / "wide").write_text("match" + "x" * 10_000)
    assert len(files.grep("match", "wide")[0].text) == 500


def test_a_workspace_is_a_folder(tmp_path: Path):
    """Not a file, not nothing."""
    with pytest.raises(UsageError, match="needs a folder"):
        Workspace(tmp_path / "missing")
