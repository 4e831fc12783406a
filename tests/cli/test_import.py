"""What a person takes into a store comes in as it is: told of, or stopped, and in nobody's way afterwards."""

import json
import subprocess
from pathlib import Path

from agentflows.home import open_home
from tests import command_line
from tests.store.samples import NOTES, change, report, supersede

TOKEN = "ghp" + "_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
MAIL = "- Ask ada@corp.example.org about deploys."


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return command_line.run(*words, environment=command_line.foreign_variables() | {"COLUMNS": "120"})


def notes(folder: Path, *lines: str) -> Path:
    """A file with three items, and with these lines at the end."""
    folder.mkdir(exist_ok=True)
    (folder / "notes.md").write_text(NOTES + "".join(f"{line}\n" for line in lines))
    return folder


def test_a_line_with_an_address_is_told_and_stands_in_no_commits_way(tmp_path: Path):
    """People's own files name people. What a dream brings beside such a line is what is asked about, not the line."""
    home, folder = tmp_path / "home", notes(tmp_path / "notes", MAIL)
    done = run("memory", "import", folder, "--home", home)
    assert "Warning: Personal data came in as it is: /notes.md line 6 (email)." in done.stderr
    assert "'team' is at version 1 with 1 memories." in done.stdout
    port, other = supersede(content=NOTES + MAIL), change(after="- Ask bob@corp.example.org about tests")
    with open_home(home) as doors:
        doors.state.save_dream(report(doors.state.get_store("team"), [port, other]))
    refused = run("review", "approve", "last", "--only", "2", "--home", home)
    assert (refused.returncode, "secret (it holds what looks like a secret (email))" in refused.stderr) == (
        1,
        True,
    )
    done = run("review", "approve", "last", "--only", "1", "--home", home)
    assert "1 committed to 'team' version 2." in done.stdout, done.stderr
    with open_home(home) as doors:
        assert doors.state.files("team")["/notes.md"] == NOTES.replace("8080", "9090") + MAIL + "\n"


def test_a_token_comes_in_only_when_somebody_says_so(tmp_path: Path):
    """Whoever mounts the store reads it. The message has the line and not the token; the second time nothing is new."""
    home, folder = tmp_path / "home", notes(tmp_path / "notes", f"- The token is {TOKEN}", MAIL)
    refused = run("memory", "import", folder, "--home", home)
    assert refused.returncode == 1
    assert "stands in /notes.md line 6 (github-token). Nothing was written" in refused.stderr
    assert "--allow-secrets" in refused.stderr
    assert TOKEN not in refused.stdout + refused.stderr
    with open_home(home) as doors:
        assert doors.state.list_stores() == []
    found: list[list[str]] = []
    for option in (["--allow-secrets"], []):
        done = run("memory", "import", folder, *option, "--json", "--home", home)
        assert done.returncode == 0, done.stderr
        found.append([one["kind"] for one in json.loads(done.stdout)["found"]])
    assert found == [["github-token", "email"], []]


def test_a_canary_comes_in_by_no_leave(tmp_path: Path):
    """It was planted to be caught."""
    environment = command_line.foreign_variables() | {"AGENTFLOWS_CANARIES": "birch-4471-harbor"}
    words = ["memory", "import", notes(tmp_path / "notes", "- birch 4471 harbor"), "--allow-secrets"]
    done = command_line.run(*words, "--home", tmp_path / "home", environment=environment)
    assert (done.returncode, "canary (number 1)" in done.stderr) == (1, True)
