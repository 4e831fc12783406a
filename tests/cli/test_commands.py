"""The command line as a person meets it: what it prints, what it returns, what it says when it cannot."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from agentflows.cli.commands import COMMANDS, Commands
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests import command_line
from tests.conftest import EXAMPLES


def run(*words: str | Path, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `agentflows …` in a process of its own."""
    environment = command_line.foreign_variables() | {"COLUMNS": "120"} | variables
    return command_line.run(*words, environment=environment, stdin=stdin)


@pytest.fixture(scope="module")
def dreamt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where a dream over the example project waits for review."""
    folder = tmp_path_factory.mktemp("cli") / "home"
    with open_home(folder) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("example", actor=home.actor("tester"))
        home.state.import_folder("example", EXAMPLES / "memory", actor=home.actor("tester"))
        dream_over(home, DreamRequest(store="example", engine="rules"))
    return folder


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["ingest"],
        ["dream"],
        ["review", "approve"],
        ["memory", "restore"],
        ["archive", "sql"],
        ["init"],
        ["demo"],
    ],
)
def test_every_command_has_a_help(words: list[str]):
    """Nobody should have to read code to use it."""
    done = run(*words, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        (["archive", "stats"], {"sessions", "turns"}),
        (["archive", "patterns"], {"patterns"}),
        (["archive", "patterns", "error_fixes"], {"pattern", "rows"}),
        (["archive", "search", "make test"], {"hits"}),
        (["archive", "sql", "SELECT count(*) AS n FROM sessions"], {"columns", "rows"}),
        (["memory", "list"], {"stores"}),
        (["memory", "list", "--store", "example"], {"store", "memories"}),
        (["memory", "history", "--store", "example"], {"versions"}),
        (["memory", "show", "/CLAUDE.md", "--store", "example"], {"path", "content", "store_version"}),
        (["review", "list"], {"dreams"}),
        (["review", "show", "last"], {"dream", "changes", "ledger", "coverage"}),
    ],
)
def test_json_is_one_documented_object(dreamt: Path, words: list[str], shape: set[str]):
    """Programs read standard output; nothing else may be on it."""
    done = run(*words, "--json", "--home", dreamt)
    assert done.returncode == 0, done.stderr
    assert shape <= json.loads(done.stdout).keys()


def test_a_change_is_shown_with_its_quotes(dreamt: Path):
    """The proof is on the same screen as the proposal."""
    done = run("review", "show", "last", "--home", dreamt)
    assert "make test" in done.stdout
    assert "No rule to make target" in done.stdout
    assert "review approve" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["dream", "--since", "yesterday"], 2, "neither a date"),
        (["dream", "--commit", "perhaps"], 2, "perhaps"),
        (["review", "show", "drm_nothere"], 2, "drm_nothere"),
        (["review", "approve", "last", "--only", "999"], 2, "no change '999'"),
        (["review", "approve", "last", "--only", ""], 2, "names no change"),  # an empty variable is not all
        (["review", "reject", "last", "--reason", "no", "--only", " ,"], 2, "names no change"),
        (["memory", "show", "/nowhere.md", "--store", "example"], 2, "/nowhere.md"),
        (["memory", "list", "--store", "nowhere"], 2, "nowhere"),
        (["memory", "restore", "99", "--store", "example"], 2, "99"),
        (["archive", "patterns", "nothing"], 2, "error_fixes"),
        (["archive", "sql", "DROP TABLE sessions"], 1, "Error"),
        (["archive", "sql", "SELECT * FROM read_text('/etc/passwd')"], 1, "refused"),
    ],
)
def test_wrong_use_is_one_line_and_an_exit_code(dreamt: Path, words: list[str], code: int, says: str):
    """The message says what was expected and what to do; no trace, nothing on standard output."""
    done = run(*words, "--home", dreamt)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_json_too(dreamt: Path):
    """A program need not read prose to know that it failed."""
    done = run("memory", "list", "--store", "nowhere", "--json", "--home", dreamt)
    assert json.loads(done.stdout)["error"]["type"] == "NotFoundError"


def test_standard_input_is_a_source(tmp_path: Path):
    """`cat session.jsonl | agentflows ingest -` works."""
    log = next((EXAMPLES / "sessions").rglob("*.jsonl")).read_bytes()
    done = run("ingest", "-", "--json", "--home", tmp_path, stdin=log)
    assert json.loads(done.stdout)["added"] == 1


@pytest.fixture
def own(dreamt: Path, tmp_path: Path) -> Path:
    """A copy of the reviewed home, to decide in."""
    import shutil

    shutil.copytree(dreamt, tmp_path / "own")
    return tmp_path / "own"


def _held(home: Path) -> list[dict[str, Any]]:
    changes = json.loads(run("review", "show", "last", "--json", "--home", home).stdout)["changes"]
    return [change for change in changes if change["status"] == "held"]


def test_a_part_can_be_approved_edited_and_undone(own: Path, tmp_path: Path):
    """The whole life of a review, by command."""
    text = tmp_path / "text.md"
    text.write_text("- Run `uv run pytest -q`; `make test` is gone.\n")
    numbers = [
        str(place)
        for place, change in enumerate(
            json.loads(run("review", "show", "last", "--json", "--home", own).stdout)["changes"], 1
        )
        if change["op"] == "add"
    ]
    done = run(
        "review",
        "approve",
        "last",
        "--only",
        numbers[0],
        "--edit-file",
        f"{numbers[0]}={text}",
        "--by",
        "ada",
        "--json",
        "--home",
        own,
    )
    result = json.loads(done.stdout)
    assert (done.returncode, len(result["committed"])) == (0, 1)
    store = run("memory", "history", "--store", "example", "--home", own).stdout
    assert "ada" in store
    exported = run("memory", "export", tmp_path / "out", "--store", "example", "--home", own)
    assert exported.returncode == 0
    assert any("`make test` is gone" in path.read_text() for path in (tmp_path / "out").rglob("*.md"))
    run("memory", "restore", str(result["store_version"] - 1), "--store", "example", "--home", own)
    for path in (EXAMPLES / "memory").glob("*.md"):
        shown = run("memory", "show", f"/{path.name}", "--store", "example", "--home", own)
        assert shown.stdout == path.read_text()


def test_a_rejection_is_remembered(own: Path):
    """The next dream does not propose it again, and says why."""
    before = _held(own)
    run("review", "reject", "last", "--only", before[0]["change_id"], "--reason", "one-off", "--home", own)
    with open_home(own) as home:
        run_again = dream_over(home, DreamRequest(store="example", engine="rules", support=3))
    assert before[0]["after"] not in [change.after for change in run_again.changes]
    assert run_again.refused["rejected_before"] >= 1
    assert any("one-off" in refusal.reason for refusal in run_again.refusals)


@pytest.mark.prefect
def test_a_dream_by_command_waits_for_review_with_exit_code_3(tmp_path: Path):
    """Schedulers tell "done" from "done, but somebody must look"."""
    home = tmp_path / "home"
    prefect = str(tmp_path / "prefect")
    read = run("ingest", EXAMPLES / "sessions", "--json", "--home", home, PREFECT_HOME=prefect)
    assert json.loads(read.stdout)["quarantined"] == 1
    done = run("dream", "--store", "team", "--json", "--home", home, PREFECT_HOME=prefect)
    assert done.returncode == 3
    report = json.loads(done.stdout)
    assert "neither ANTHROPIC_API_KEY" in report["notes"][0]
    assert "9/9" in done.stderr
    words = ["review", "reject", "last", "--reason", "unseen", "--home", home]
    assert "The last dream is drm_" in run(*words).stderr, "what went to a log was shown to nobody"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str):
    """The list is made without importing them, so its words stand in a table of their own."""
    told = Commands()[name].help.partition("\n\n")[0]
    assert COMMANDS[name].told == " ".join(told.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_a_help_is_lost_as_markup(name: str):
    """In a terminal, words between square brackets are taken for a style, and vanish: a default, say."""

    def helps(command: Any) -> list[str]:
        own = [command.help or "", *(getattr(one, "help", "") or "" for one in command.params)]
        return [*own, *(text for sub in getattr(command, "commands", {}).values() for text in helps(sub))]

    assert [text for text in helps(Commands()[name]) if Text.from_markup(text).plain != text] == []
