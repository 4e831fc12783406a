"""`memory why`, `forget`, `pin`, `unpin` and `pins` as a person meets them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agentflows import review
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests import command_line
from tests.conftest import EXAMPLES

CENTS = "1099d6ef-3d9f-49f5-bf5e-414b3c60d8ba"
ENGLISH = "78b45c27-3c0f-440a-95c7-51152791c33e"
"""Sessions of the example: one of two in which a user asked for integer cents; the only one that asks for English."""


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `agentflows memory …` in a process of its own."""
    return command_line.run("memory", *words, environment=os.environ | {"COLUMNS": "120"})


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where all that a dream over the example proposed was approved."""
    folder = tmp_path_factory.mktemp("cli-lineage") / "home"
    with open_home(folder) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("team", actor=home.actor("tester"))
        home.state.import_folder("team", EXAMPLES / "memory", actor=home.actor("tester"))
        report = dream_over(home, DreamRequest(store="team", engine="rules"))
        review.approve(home.state, report.dream.dream_id, reviewer="ada", reason="reads well")
    return folder


@pytest.fixture
def home(approved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(approved, tmp_path / "home"))


def test_why_prints_the_chain_with_the_quote_marked_in_its_turn(approved: Path):
    """On one screen: the entry, its change, who approved it, and the words with what was said around them."""
    done = run("why", "integer cents", "--home", approved)
    assert done.returncode == 0, done.stderr
    assert "approved by ada" in done.stdout
    assert "reads well" in done.stdout
    assert "rests on 2 sessions; 2 quotes on record" in done.stdout
    assert "never round money before the sum. »Always keep amounts in integer cents.«" in done.stdout
    assert "Understood: integer cents" in done.stdout


def test_why_of_a_memory_is_every_entry_of_it(approved: Path):
    """So ids can be found; people's entries name their author."""
    done = run("why", "/glossary.md", "--home", approved, "--json")
    entries = json.loads(done.stdout)["entries"]
    assert len(entries) > 1
    assert {entry["written"]["by"]["name"] for entry in entries} == {"tester"}
    assert all(entry["entry_id"].startswith("/glossary.md#") for entry in entries)


def test_forget_shows_first_and_does_it_when_told(home: Path):
    """Nothing is written without --yes; with it the entry, the evidence and the session are gone."""
    shown = run("forget", ENGLISH[:8], "--home", home)
    assert shown.returncode == 0, shown.stderr
    assert "removed" in shown.stdout
    assert "1 quote of it goes\n" in shown.stdout
    assert f"memory forget {ENGLISH} --yes" in shown.stdout
    assert run("why", "commit messages in English", "--home", home).returncode == 0
    done = run("forget", ENGLISH, "--yes", "--reason", "asked to", "--home", home)
    assert done.returncode == 0, done.stderr
    assert "memory restore 2 --store team" in done.stdout
    assert "neither the session nor the evidence comes back" in done.stdout
    assert run("why", "commit messages in English", "--home", home).returncode == 2
    again = json.loads(run("forget", ENGLISH, "--yes", "--json", "--home", home).stdout)
    assert (again["stores"], again["archive_removed"]) == ([], 0)


def test_forget_counts_anew_and_can_leave_the_archive_alone(home: Path):
    """The other session still says it."""
    done = json.loads(run("forget", CENTS, "--yes", "--keep-archive", "--json", "--home", home).stdout)
    assert {entry["action"] for entry in done["stores"][0]["entries"]} == {"recounted"}
    assert done["archive_removed"] == 0
    assert "(said in 1 session" in run("why", "integer cents", "--home", home).stdout


def test_what_is_left_to_a_person_is_exit_code_3(home: Path):
    """A script must notice that somebody has to look."""
    assert run("pin", "commit messages in English", "--home", home).returncode == 0
    done = run("forget", ENGLISH, "--yes", "--home", home)
    assert done.returncode == 3, done.stderr
    assert "is pinned" in done.stdout


def test_pins_are_listed_taken_off_and_say_when_they_lapsed(home: Path):
    """By id or by words, in text and as JSON."""
    made = json.loads(run("pin", "port 9443", "--reason", "ops", "--json", "--home", home).stdout)
    assert made["entry_id"] in run("pins", "--home", home).stdout
    assert run("restore", "1", "--home", home).returncode == 0
    [listed] = json.loads(run("pins", "--json", "--home", home).stdout)["pins"]
    assert (listed["entry_id"], listed["reason"], listed["stands"]) == (made["entry_id"], "ops", False)
    assert "edited since" in run("pins", "--home", home).stdout
    assert run("unpin", made["entry_id"], "--home", home).returncode == 0
    assert "Nothing is pinned" in run("pins", "--home", home).stdout


def test_a_replaced_entry_is_told_with_its_interval(home: Path):
    """What was believed when, and what took its place, from the command line."""
    with open_home(home) as doors:
        old, new = next(
            (change.before or "", change.after or "")
            for change in doors.state.changes(status="committed")
            if change.op == "supersede"
        )
    told = json.loads(run("history", "--entry", old, "--json", "--home", home).stdout)["entry"]
    assert [one["text"] for one in told] == [old, new]
    assert told[0]["replaced_by"] == new
    assert told[0]["valid_to"] == told[1]["valid_from"]
    printed = run("history", "--entry", old, "--home", home).stdout
    assert "replaced by chg_" in printed
    assert "last confirmed" in printed


def test_a_memory_is_shown_as_it_was_believed_then(home: Path):
    """Before the store was made it said nothing; today it says what stands."""
    before = run("show", "CLAUDE.md", "--at", "2020-01-01", "--home", home)
    assert before.returncode == 2
    assert "version 0 has no memory" in before.stderr
    with open_home(home) as doors:
        then = doors.state.versions("team", limit=1000)[-1].created_at
        first = doors.state.files("team", 1)["/CLAUDE.md"]
    shown = run("show", "CLAUDE.md", "--at", f"{then:%Y-%m-%dT%H:%M:%S.%f}", "--home", home)
    assert shown.stdout == first
    dated = run("show", "CLAUDE.md", "--dates", "--json", "--home", home)
    assert {"valid_from", "valid_to", "last_confirmed"} <= json.loads(dated.stdout)["entries"][0].keys()


def test_what_should_be_looked_at_again_is_listed_with_its_sessions(home: Path):
    """After a session left the archive, what rested on it is due."""
    with open_home(home) as doors:
        doors.archive.remove([CENTS])
    due = json.loads(run("recheck", "--store", "team", "--json", "--home", home).stdout)["due"]
    assert [one["due"] for one in due if "integer cents" in one["text"]] == ["evidence_gone"]
    printed = run("recheck", "--store", "team", "--home", home).stdout
    assert f"{CENTS} is not in the archive as it was quoted; 1 session left" in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["why", "no such words"], "no entry holds these words"),
        (["why", "x", "--store", "nowhere"], "nowhere"),
        (["pin", "/CLAUDE.md"], "Name one by its id"),
        (["unpin", "port"], "is not pinned"),
        (["forget", "nobody"], "No session 'nobody'"),
        (["forget", "58afb27d-9ef3-44d9-8460-eb9b83c1e58b:a1c0ffee"], "Forget '58afb27d"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(approved: Path, words: list[str], says: str):
    """It says what was expected and what to do."""
    done = run(*words, "--home", approved)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
