"""`agentflows picture` and `archive patterns --picture`: files that open anywhere."""

import json
import os
import subprocess
import xml.etree.ElementTree as ET
from datetime import timedelta
from pathlib import Path

from agentflows.home import open_home
from tests import command_line
from tests.archive.builders import Event, session, source
from tests.impact.sessions import START, archived, many, written

BROKEN: Event = ("call", "Bash", {"command": "make test"}, "No rule to make target", True)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `agentflows …` in a process of its own."""
    return command_line.run(*words, environment=os.environ | {"COLUMNS": "160"})


def filled(folder: Path) -> None:
    """A home with an error that recurs, a store of two versions, and sessions around them."""
    with open_home(folder) as home:
        written(home, [(10, "- one\n"), (20, "- two\n")])
        archived(home, [*many("a", 2, 15, 5), *many("b", 12, 15, 5), *many("c", 21, 2, 18)])
        home.archive.add(
            source(session(f"e{day}", BROKEN, started_at=START + timedelta(days=day))) for day in range(9)
        )


def test_pictures_are_listed_drawn_and_put_on_one_page(tmp_path: Path):
    """One picture is an SVG file; all of them are a web page with their numbers."""
    home = tmp_path / "home"
    filled(home)
    listed = run("picture", "--home", home).stdout
    assert all(name in listed for name in ("patterns", "success", "cost", "daily-cost", "growth", "coverage"))
    done = run("picture", "growth", "--to", tmp_path / "growth.svg", "--home", home)
    assert done.returncode == 0, done.stderr
    assert ET.parse(tmp_path / "growth.svg").getroot().tag.endswith("svg")
    answer = json.loads(run("picture", "all", "--to", tmp_path / "all.html", "--json", "--home", home).stdout)
    assert answer["bytes"] == (tmp_path / "all.html").stat().st_size
    by_name = {one["name"]: one for one in answer["pictures"]}
    assert by_name["success"]["rows"][2][-1] == "worse"
    assert "make test: No rule to make target" in by_name["patterns"]["rows"][0][0]
    assert (tmp_path / "all.html").read_text("utf-8").count("<svg") == 6


def test_a_pattern_is_drawn_over_time_with_the_versions_of_a_store(tmp_path: Path):
    """The same numbers as its table."""
    home = tmp_path / "home"
    filled(home)
    path = tmp_path / "errors.svg"
    done = run(
        "archive", "patterns", "error_signatures", "--picture", path, "--store", "team", "--home", home
    )
    assert done.returncode == 0, done.stderr
    drawn = path.read_text("utf-8")
    assert "make test: No rule to make target" in drawn
    assert ">9</text>" in drawn
    assert "errors.svg: Recurring errors over time" in done.stdout
    refused = run("archive", "patterns", "session_costs", "--picture", path, "--home", home)
    assert refused.returncode == 2
    assert "counts nothing that comes up over time" in refused.stderr


def test_wrong_names_and_files_are_one_line(tmp_path: Path):
    """What was expected, what was found, what to do."""
    filled(tmp_path)
    for words, told in (
        (("picture", "x"), "There is no picture 'x'"),
        (("picture", "cost", "--to", tmp_path / "a.png"), ".svg (one picture) or .html"),
        (("picture", "cost", "growth", "--to", tmp_path / "a.svg"), ".svg (one picture) or .html"),
        (("picture", "cost", "--to", tmp_path / "none" / "a.svg"), "Name another file."),
    ):
        done = run(*words, "--home", tmp_path)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert told in done.stderr
