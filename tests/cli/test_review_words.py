"""What a review says it did is what it did: nothing written is never called a commit."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentflows.change import Change
from agentflows.cli.output import console, report_error, warn
from agentflows.cli.show import show_dream
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import UsageError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests import command_line
from tests.conftest import EXAMPLES
from tests.store.samples import change, report, team


def run(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `agentflows …` in a process of its own."""
    environment = command_line.foreign_variables() | {"COLUMNS": "120"}
    return command_line.run(*words, environment=environment, folder=cwd)


@pytest.fixture(scope="module")
def dreamt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where a dream over the example project waits for review."""
    folder = tmp_path_factory.mktemp("words") / "home"
    with open_home(folder) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("example", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
        dream_over(home, DreamRequest(store="example", engine="rules"))
    return folder


@pytest.fixture
def own(dreamt: Path, tmp_path: Path) -> Path:
    """A copy of it, to decide in."""
    shutil.copytree(dreamt, tmp_path / "own")
    return tmp_path / "own"


def changes(home: Path) -> list[dict[str, Any]]:
    return json.loads(run("review", "show", "--json", "--home", home).stdout)["changes"]


def flag_number(home: Path) -> str:
    return next(str(n) for n, change in enumerate(changes(home), 1) if change["op"] == "flag")


def test_a_flag_that_is_acknowledged_writes_nothing_and_offers_no_undo(own: Path):
    """An Undo after nothing was written would undo what somebody else wrote."""
    done = run("review", "approve", "last", "--only", flag_number(own), "--home", own)
    assert done.returncode == 0, done.stderr
    assert "1 noted, nothing written." in done.stdout
    assert "Undo" not in done.stdout
    assert "committed to" not in done.stdout
    assert "version None" not in run("review", "show", "--home", own).stdout


def test_a_commit_offers_the_version_before_it(own: Path):
    """The Undo that is printed undoes this commit and no other."""
    done = run("review", "approve", "last", "--only", "1", "--home", own)
    assert "1 committed to 'example' version 2." in done.stdout
    assert "memory restore 1 --store example" in done.stdout


def test_last_is_the_dream_that_was_shown_or_nothing_is_decided(home: Home):
    """A night's dream comes between `show last` and `approve last --only 1`, and its first change is another."""

    def review(*words: str) -> subprocess.CompletedProcess[str]:
        return run("review", *words, "--home", home.settings.home_path)

    store = team(home.state)
    for day in (1, 2):
        later = change(dream_id=f"drm_{day}", after=f"- Of day {day}", pattern_key=f"fact|{day}|is|")
        home.state.save_dream(report(store, [later], dream_id=f"drm_{day}", day=day))
        if day == 1:
            assert "Dream drm_1 over store 'team'" in review("show", "last").stdout
    for words in (["approve", "last", "--only", "1"], ["reject", "last", "--reason", "no"]):
        refused = review(*words)
        assert refused.returncode == 2
        assert "The last dream is drm_2 now, and you were shown drm_1" in refused.stderr
    assert {one.status for one in home.state.changes()} == {"held"}
    assert "1 committed" in review("approve", "drm_1", "--only", "1").stdout
    review("show")
    assert "1 committed" in review("approve", "last", "--only", "1").stdout


def test_last_without_a_look_says_which_dream_that_is(own: Path):
    """Scripts decide without looking; what they decided on is in their log."""
    with open_home(own) as home:
        name = home.state.dreams()[0].dream_id
    done = run("review", "approve", "last", "--only", "1", "--home", own)
    assert (done.returncode, done.stderr) == (0, f"The last dream is {name}.\n")


def test_approving_everything_leaves_the_flags_to_a_person(own: Path):
    """A flag asks a question; "approve all" is no answer to it."""
    number = flag_number(own)
    done = run("review", "approve", "last", "--home", own)
    assert f"1 flag still needs you: `--resolve {number}=keep-first`" in done.stdout
    assert {change["op"] for change in changes(own) if change["status"] == "held"} == {"flag"}


def test_a_flag_is_answered_in_the_review(own: Path):
    """The answer is a commit: it can be undone like one, and the flag waits no more."""
    number = flag_number(own)
    done = run("review", "approve", "last", "--resolve", f"{number}=keep-first", "--home", own)
    assert done.returncode == 0, done.stderr
    assert "1 committed to 'example' version 2." in done.stdout
    assert "memory restore 1 --store example" in done.stdout
    answered = changes(own)[int(number) - 1]
    assert (answered["op"], answered["status"]) == ("retire", "committed")


@pytest.mark.parametrize("option", ["--edit-file", "--resolve"])
def test_a_text_of_ones_own_answers_a_flag(own: Path, tmp_path: Path, option: str):
    """`--edit-file N=FILE` gives it, or the editor does that `--resolve N=edit` opens."""
    (tmp_path / "text.md").write_text("The request timeout for carriers is 40 seconds.\n")
    number = flag_number(own)
    words = ["--edit-file", f"{number}={tmp_path / 'text.md'}"]
    words += ["--resolve", f"{number}=edit"] if option == "--resolve" else []
    done = run("review", "approve", "last", *words, "--home", own)
    assert done.returncode == 0, done.stderr
    answered = changes(own)[int(number) - 1]
    assert (answered["op"], answered["status"]) == ("merge", "committed")
    assert answered["after"] == "- The request timeout for carriers is 40 seconds."


def test_an_answer_nobody_knows_is_refused_with_those_there_are(own: Path):
    """And nothing is decided."""
    done = run("review", "approve", "last", "--resolve", "1=first", "--home", own)
    assert done.returncode == 2
    assert "keep-first, keep-second, keep-both, drop, edit" in done.stderr


def test_what_writes_nothing_is_not_shown_as_a_deletion(dreamt: Path):
    """A `-` before an entry says that it goes; a flagged one stays."""
    printed = run("review", "show", "--home", dreamt).stdout
    assert "    ? - The request timeout for carriers is 30 seconds." in printed
    assert "    - - The request timeout for carriers is 30 seconds." not in printed


def test_next_names_only_changes_that_are_held(dreamt: Path):
    """A printed command works when it is copied."""
    with open_home(dreamt) as home:
        report = home.state.dream(home.state.dreams()[0].dream_id)
    one: Change = report.changes[0]
    with console.capture() as captured:
        show_dream(report.model_copy(update={"changes": (one,)}), dreamt)
    printed = captured.get()
    assert f"--only 1 --home {dreamt}" in printed
    assert "--only 1,2" not in printed
    assert "one-off" not in printed


def test_full_shows_every_quote_and_refusal(dreamt: Path):
    """The short form says that there is more, and how to see it."""
    short = run("review", "show", "--home", dreamt).stdout
    full = run("review", "show", "--full", "--home", dreamt).stdout
    assert "(--full shows all quotes and refusals)" in short
    assert "Refused, and why" not in short
    assert "more quotes" not in full
    assert full.count("1 session says so; 2 are needed") > 6
    assert short.index("Engine rules") < short.index("Ledger:") < short.index("It does not judge")


def test_wrong_use_is_json_too(dreamt: Path):
    """A program that asked for JSON gets JSON also when it asked wrongly."""
    done = run("review", "show", "--bogus", "--json", "--home", dreamt)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == {"type": "UsageError", "message": "No such option: --bogus"}


def test_a_format_that_is_not_there_fails_before_anything_is_read(dreamt: Path):
    """Files that were seen before must not hide a wrong name."""
    done = run("ingest", EXAMPLES / "sessions", "--source", "nope", "--home", dreamt)
    assert done.returncode == 2
    assert "claude_code" in done.stderr


@pytest.mark.parametrize("is_there", [True, False])
def test_an_import_that_fails_leaves_no_store(tmp_path: Path, is_there: bool):  # noqa: FBT001 - a parameter
    """A store made by mistake cannot be unmade."""
    if is_there:
        (tmp_path / "from").mkdir()
    done = run("memory", "import", tmp_path / "from", "--store", "new", "--home", tmp_path / "home")
    assert done.returncode == 2
    assert json.loads(run("memory", "list", "--json", "--home", tmp_path / "home").stdout)["stores"] == []


def test_init_here_says_so(tmp_path: Path):
    """`cd .` is no advice."""
    done = run("init", ".", cwd=tmp_path)
    assert "written to this folder" in done.stdout
    assert "cd ." not in done.stdout


@pytest.mark.prefect
def test_ctrl_c_while_prefect_starts_is_one_line(tmp_path: Path):
    """Whoever stops it is told what is kept, with exit code 1."""
    words = [sys.executable, "-m", "agentflows", "demo", "--home", str(tmp_path / "not" / "there")]
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=command_line.foreign_variables(),
    ) as process:
        assert process.stderr
        assert b"Starting Prefect" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()
        assert process.wait(60) == 1
    assert "Interrupted. What was read stays read" in rest
    assert "Traceback" not in rest


def test_what_is_outside_text_draws_nothing_in_a_terminal(dreamt: Path, capsys: pytest.CaptureFixture[str]):
    """A heading of a memory, the id of a session and what an error repeats are shown as what they are."""
    hostile = "\x1b]0;owned\x07\u202e"
    with open_home(dreamt) as home:
        report = home.state.dream(home.state.dreams()[0].dream_id)
    change = next(one for one in report.changes if one.quotes)
    quotes = [quote.model_copy(update={"session_id": hostile}) for quote in change.quotes]
    told = {"heading": hostile, "status_reason": hostile, "quotes": tuple(quotes)}
    show_dream(report.model_copy(update={"changes": (change.model_copy(update=told),)}), None)
    report_error(UsageError(hostile), as_json=False)
    warn([hostile])
    shown = "".join(capsys.readouterr())
    assert shown.count("⟦U+202E⟧") >= 5
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
