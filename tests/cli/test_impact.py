"""`agentflows impact`, and what `memory history` and `memory restore` say of a version that made things worse."""

import json
import os
import subprocess
from pathlib import Path

from agentflows.home import open_home
from tests import command_line
from tests.impact.sessions import archived, many, written


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `agentflows …` in a process of its own."""
    return command_line.run(*words, environment=os.environ | {"COLUMNS": "160"})


def test_a_worse_version_is_found_told_undone_and_told_as_undone(tmp_path: Path):
    """The printed command is the one that works."""
    folder = tmp_path / "home"
    with open_home(folder) as home:
        written(home, [(10, "- one\n"), (20, "- two\n")])
        archived(home, [*many("a", 2, 15, 5), *many("b", 12, 15, 5), *many("c", 21, 2, 18)])
    shown = run("impact", "--picture", tmp_path / "page.svg", "--home", folder)
    assert shown.returncode == 0, shown.stderr
    assert "Version 2: sessions went worse after it" in shown.stdout
    assert f"memory restore 1 --store team --home {folder}" in shown.stdout
    assert (tmp_path / "page.svg").read_text().startswith("<svg")
    found = json.loads(run("impact", "--json", "--home", folder).stdout)
    assert [step["verdict"] for step in found["steps"]] == ["no_difference", "worse"]
    history = run("memory", "history", "--home", folder).stdout
    assert "Undo: `agentflows memory restore 1 --store team`" in history
    restored = run("memory", "restore", "1", "--home", folder)
    assert "Undone by the restore in version 3." in restored.stdout
    again = run("impact", "--home", folder).stdout
    assert "Undone by version 3." in again
    assert "memory restore" not in again, "what it would take out now is good"
    flags = json.loads(run("memory", "history", "--json", "--home", folder).stdout)["impact"]
    assert [(flag["status"], flag["by_version"]) for flag in flags] == [("restored", 3)]


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path):
    """And names the file."""
    with open_home(tmp_path) as home:
        written(home, [(10, "- one\n")])
    done = run("impact", "--picture", tmp_path / "none" / "page.svg", "--home", tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "page.svg" in done.stderr
