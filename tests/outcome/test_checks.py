"""Checks decide by code, and say what they could not decide."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from agentflows.errors import UsageError
from agentflows.outcome import run_check
from agentflows.rubric import Check


@dataclass(frozen=True)
class Ended:
    """What a command came to."""

    exit_code: int | None = 0
    output: str = ""
    reason: str = "exited"


class Scripted:
    """A sandbox that ends every command in one way, and remembers what it was asked."""

    def __init__(self, ended: Ended) -> None:
        self.ended = ended
        self.asked: list[tuple[str, Path, float]] = []

    def __call__(self, command: str, *, folder: Path, seconds: float) -> Ended:
        self.asked.append((command, folder, seconds))
        return self.ended


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some deliverables, and a module of the rubric's author beside them."""
    made = tmp_path / "deliverables"
    (made / "docs").mkdir(parents=True)
    (made / "a.md").write_text("# Title\nSun and rain.\n")
    (made / "docs" / "b.md").write_text("Nothing.\n")
    (made / "data.json").write_text('{"n": 1}')
    (tmp_path / "author.py").write_text(
        "import os, time\n"
        "def has_rain(folder):\n    return 'rain' in (folder / 'a.md').read_text()\n"
        "def why(folder):\n    return False, 'no snow'\n"
        "def number(folder):\n    return 1\n"
        "def broken(folder):\n    raise ValueError('oh')\n"
        "def endless(folder):\n    time.sleep(60)\n"
        "def loud(folder):\n    print('seen', sorted(p.name for p in folder.iterdir())); return True\n"
        "def leaves(folder):\n    os._exit(3)\n"
        "def keyless(folder):\n    return 'ANTHROPIC_API_KEY' not in os.environ\n"
    )
    return made


@pytest.mark.parametrize(
    ("ended", "met", "said"),
    [
        (Ended(0, "3 passed"), "met", "exit code 0: 3 passed"),
        (Ended(1, "x\n1 failed"), "unmet", "exit code 1: 1 failed"),
        (Ended(127, "pytest: command not found"), "cannot_tell", "was not found"),
        (Ended(126), "cannot_tell", "cannot be executed"),
        (Ended(None, "…", "timeout"), "cannot_tell", "did not end by itself (timeout"),
        (Ended(None, "", "memory_limit"), "cannot_tell", "memory_limit"),
    ],
)
def test_a_command_is_met_by_exit_code_zero_alone(folder: Path, ended: Ended, met: str, said: str):
    """What did not run to its end has judged nothing."""
    shell = Scripted(ended)
    found = run_check(
        Check(kind="command", command="make", timeout_seconds=7), folder, criterion_id="c", shell=shell
    )
    assert (found.criterion_id, found.met, found.judging) == ("c", met, "check")
    assert said in found.reason
    assert shell.asked == [("make", folder, 7)]


def test_a_command_needs_a_sandbox(folder: Path):
    """A check that nothing can run is no verdict."""
    with pytest.raises(UsageError, match="no sandbox"):
        run_check(Check(kind="command", command="make"), folder)


@pytest.mark.parametrize(
    ("check", "met", "said"),
    [
        (Check(kind="exists", path="a.md"), "met", "a.md"),
        (Check(kind="exists", path="**/*.md"), "met", "docs/b.md"),
        (Check(kind="exists", path="c.md"), "unmet", "no file 'c.md'"),
        (Check(kind="exists", path="c.md", negated=True), "met", "not there"),
        (Check(kind="exists", path="a.md", negated=True), "unmet", "a.md"),
        (Check(kind="exists", path="../author.py"), "cannot_tell", "without `..`"),
        (Check(kind="exists", path="/etc/passwd"), "cannot_tell", "relative"),
        (Check(kind="regex", path="a.md", pattern="r[aeiou]in"), "met", "line 2"),
        (Check(kind="regex", path="a.md", pattern="^Sun"), "met", "line 2"),
        (Check(kind="regex", path="**/*.md", pattern="^Nothing"), "met", "docs/b.md, line 1"),
        (Check(kind="regex", path="a.md", pattern="snow"), "unmet", "does not stand in a.md"),
        (Check(kind="regex", path="a.md", pattern="snow", negated=True), "met", "does not stand"),
        (Check(kind="regex", path="a.md", pattern="rain", negated=True), "unmet", "line 2"),
        (Check(kind="regex", path="x.md", pattern="rain", negated=True), "cannot_tell", "no file"),
        (Check(kind="regex", path="a.md", pattern="(?<=and )rain"), "met", "line 2"),
        (Check(kind="regex", path="a.md", pattern="(?<=and )("), "cannot_tell", "no regular expression"),
        (Check(kind="json_schema", path="data.json", json_schema={"required": ["n"]}), "met", "fits"),
        (
            Check(kind="json_schema", path="data.json", json_schema={"required": ["m"]}),
            "unmet",
            "'m' is a required",
        ),
        (Check(kind="json_schema", path="a.md", json_schema={}), "unmet", "no JSON"),
        (
            Check(kind="json_schema", path="data.json", json_schema={"type": "what"}),
            "cannot_tell",
            "no JSON schema",
        ),
        (
            Check(kind="json_schema", path="data.json", json_schema={"$ref": "http://127.0.0.1:9/s.json"}),
            "cannot_tell",
            "does not hold",
        ),
    ],
    ids=lambda value: (
        f"{value.kind} {value.path} {value.pattern or ''}" if isinstance(value, Check) else None
    ),
)
def test_files_are_looked_for_searched_and_fitted(folder: Path, check: Check, met: str, said: str):
    """Each kind finds, misses, is negated, and refuses what leads outside."""
    found = run_check(check, folder)
    assert (found.met, said in found.reason) == (met, True), found.reason


@pytest.mark.parametrize(
    ("function", "met", "said"),
    [
        ("author:has_rain", "met", "returned True"),
        ("author:why", "unmet", "no snow"),
        ("author:loud", "met", "seen ['a.md'"),
        ("author:keyless", "met", ""),
        ("author:number", "cannot_tell", "returned 1"),
        ("author:broken", "cannot_tell", "ValueError: oh"),
        ("author:endless", "cannot_tell", "did not end within"),
        ("author:leaves", "cannot_tell", "exit code 3"),
        ("author:nothing", "cannot_tell", "cannot be imported"),
        ("nowhere:f", "cannot_tell", "cannot be imported"),
        ("author", "cannot_tell", "module:function"),
    ],
)
def test_a_function_decides_in_a_process_of_its_own(
    folder: Path, function: str, met: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    """Whatever it does, the grading goes on; it sees no key."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    check = Check(kind="python", function=function, timeout_seconds=2 if "endless" in function else 30)
    found = run_check(check, folder, search=[folder.parent])
    assert (found.met, said in found.reason) == (met, True), found.reason


def test_deliverables_cannot_replace_the_authors_module(folder: Path):
    """A writer that drops an `author.py` would else grade itself."""
    (folder / "author.py").write_text("def why(folder):\n    return True\n")
    assert (
        run_check(Check(kind="python", function="author:why"), folder, search=[folder.parent]).met == "unmet"
    )


def test_a_pattern_cannot_hold_up_the_grading(folder: Path):
    """RE2 does not backtrack; what it does not know runs under the time limit."""
    (folder / "long.txt").write_text("a" * 40 + "!")
    plain = run_check(Check(kind="regex", path="long.txt", pattern="^(a+)+$"), folder)
    ahead = Check(kind="regex", path="long.txt", pattern="^(?=a)(a+)+$", timeout_seconds=1)
    assert plain.met == "unmet"
    assert run_check(ahead, folder).met == "cannot_tell"


def test_a_link_out_of_the_deliverables_is_no_file_of_theirs(folder: Path):
    """What the grader must not see, a check must not find."""
    (folder / "secret.txt").symlink_to(folder.parent / "author.py")
    assert run_check(Check(kind="exists", path="secret.txt"), folder).met == "unmet"
