"""`agentflows rubric` as a user calls it: what it prints, what it exits with, one line for every mistake."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from agentflows.cli import main
from agentflows.cli.output import console
from agentflows.rubric import parse_rubric
from tests.conftest import EXAMPLES

RUBRICS = EXAMPLES / "rubrics"


class Command:
    """Calls the program in this process: what it writes, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def run(self, *words: object, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error."""
        self._monkeypatch.setattr(sys, "argv", ["agentflows", "rubric", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, err
        return out, err

    def answer(self, *words: object, code: int = 0) -> Any:
        """What it answers with --json."""
        return json.loads(self.run(*words, "--json", code=code)[0])


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTFLOWS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(
        console, "width", 120
    )  # the environment is read once per process, by whoever came first
    return Command(capsys, monkeypatch)


def test_show_says_how_a_rubric_is_understood(command: Command):
    """An author sees before any grading who decides what."""
    said = command.run("show", RUBRICS / "changelog.md")[0]
    assert "exists CHANGELOG.md" in said
    assert "10 criteria, 8 required" in said
    shown = command.answer("show", RUBRICS / "incident.md")
    assert (shown["threshold"], len(shown["criteria"]), shown["criteria"][5]["weight"]) == (0.8, 7, 2)


def test_lint_fails_on_errors_only_when_asked_to(command: Command):
    """In CI a rubric with errors stops; at the desk it is advice."""
    said = command.run("lint", RUBRICS / "first-try.md")[0]
    assert "first-try.md:3: warning double_barrelled" in said
    assert "    - The entry is clear." in said
    command.run("lint", RUBRICS / "first-try.md", "--strict", code=1)
    command.run("lint", RUBRICS / "changelog.md", "--strict")
    rules = [one["rule"] for one in command.answer("lint", RUBRICS / "first-try.md")["findings"]]
    assert {"circular", "vague", "contradiction"} <= set(rules)


def test_prove_shows_who_notices_what(command: Command, tmp_path: Path):
    """No sandbox is needed where no check is a command."""
    rubric = tmp_path / "r.md"
    rubric.write_text(
        "- **there**: It is there. (check)\n  check: exists CHANGELOG.md\n- **any**: Something is. (check)\n  check: exists **/*\n"
    )
    good = tmp_path / "good"
    good.mkdir()
    for name in ("CHANGELOG.md", "NEWS.md"):
        (good / name).write_bytes((RUBRICS / "good" / "changelog" / "CHANGELOG.md").read_bytes())
    found = command.answer("prove", rubric, good)
    assert found["cannot_fail"] == ["any"]
    assert found["tried"][0]["caught_by"] == ["there"]
    assert found["gaps"]
    said = command.run("prove", rubric, good, "--strict", code=1)[0]
    assert "CANNOT FAIL" in said
    assert "NOBODY" in said


def test_draft_writes_a_file_that_lint_reads_and_never_overwrites(command: Command, tmp_path: Path):
    """The draft is a start to edit, and hours of editing must not be lost to a second run."""
    (tmp_path / "task.txt").write_text("Write the notes. List every change and name its author.\n")
    command.run("draft", "@task.txt", "--out", "r.md")
    texts = [one.text for one in parse_rubric((tmp_path / "r.md").read_text()).criteria]
    assert texts == ["The work has the notes.", "The work lists every change.", "The work names its author."]
    command.run("lint", "r.md", "--strict")
    assert "already there" in command.run("draft", "@task.txt", "--out", "r.md", code=2)[1]
    assert command.answer("draft", "List every change.")["rubric"]["criteria"][0]["judging"] == "judge"


def test_agree_reads_a_spreadsheet(command: Command, tmp_path: Path):
    """People label in a spreadsheet; the grader's rows may stand in it."""
    (tmp_path / "r.md").write_text("- **dated**: It is dated.\n- **short**: It is short.\n")
    rows = [
        "item,criterion,rater,met",
        *(
            f"i{n},dated,{rater},{'met' if n % 3 else 'unmet'}"
            for n in range(24)
            for rater in ("ada", "grader")
        ),
    ]
    (tmp_path / "l.csv").write_text("\n".join(rows))
    found = command.answer("agree", "r.md", "l.csv")
    assert found["criteria"][0]["kappa"]["value"] == 1
    assert found["unlabelled"] == ["short"]
    assert "1.00 [1.00, 1.00]" in command.run("agree", "r.md", "l.csv")[0]
    assert "found none" in command.run("agree", "r.md", "l.csv", "--grader", "eve", code=2)[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "none.md"), "found no file 'none.md'"),
        (("lint", "bad.md"), "bad.md, line 2: expected a weight above 0"),
        (("prove", "good.md", "nowhere"), "found 'nowhere'"),
        (("draft", "@none.txt"), "found none at 'none.txt'"),
        (("draft", "List it.", "--good", "nowhere"), "found 'nowhere'"),
        (("agree", "good.md", "none.csv"), "found no file 'none.csv'"),
        (("lint", "good.md", "--model"), "Set ANTHROPIC_API_KEY"),
    ],
)
def test_a_mistake_is_one_line_with_a_fix(
    command: Command, tmp_path: Path, words: tuple[str, ...], message: str
):
    """No traceback, exit code 2, and with --json the same in JSON."""
    (tmp_path / "bad.md").write_text("- a\n- b (weight 0)\n")
    (tmp_path / "good.md").write_text("- a\n")
    said = command.run(*words, code=2)[1]
    assert message in said
    assert said.count("\n") == 1
    assert message in command.answer(*words, code=2)["error"]["message"]
