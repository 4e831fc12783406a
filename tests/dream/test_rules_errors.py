"""Errors are found with what got past them, and what is no mistake is left alone."""

import json
from dataclasses import replace
from typing import Any

import pytest

from agentflows.change import Observation
from agentflows.dream.errors_seen import errors_seen
from agentflows.session import Session, Turn


def session(*turns: Turn, session_id: str = "s1") -> Session:
    """A session of turns that number themselves."""
    placed = [replace(turn, seq=seq, origin=f"{session_id}-{seq}") for seq, turn in enumerate(turns)]
    return Session(session_id=session_id, format="t", reader="t/1", project="shop", turns=tuple(placed))


def call(tool: str, **given: Any) -> Turn:
    return Turn(0, "tool_call", 2, json.dumps(given, sort_keys=True), tool=tool)


def bash(command: str, output: str, *, error: bool = False) -> list[Turn]:
    """A shell call and what it printed."""
    return [call("Bash", command=command), result("Bash", output, error=error)]


def result(tool: str, output: str, *, error: bool = False) -> Turn:
    return Turn(0, "tool_result", 1, output, tool=tool, is_error=error)


def edit(path: str, old: str = "a", new: str = "b", output: str = "ok", *, error: bool = False) -> list[Turn]:
    return [call("Edit", file_path=path, old_string=old, new_string=new), result("Edit", output, error=error)]


def one(*turns: Turn) -> Observation:
    """The one thing a session teaches."""
    (seen,) = errors_seen(session(*turns))
    return seen


def test_a_wrapper_that_fails_teaches_the_command_without_it():
    """The step after an error that differs by its first word alone shows what the word broke."""
    seen = one(
        *bash("wrap npm run build 2>&1", "Exit code 2\nerror: unrecognized subcommand 'npm'", error=True),
        *bash("npm run build 2>&1", "built"),
    )
    assert (seen.subject, seen.value) == ("wrap npm", "npm …")
    assert "without `wrap` runs: `npm run build`" in seen.claim
    assert [quote.text for quote in seen.quotes] == [
        "error: unrecognized subcommand 'npm'",
        "wrap npm run build 2>&1",
        "npm run build 2>&1",
    ]


def test_a_check_that_a_hook_ran_is_named_by_its_own_step():
    """`git commit` fails for what its hook runs, and the last echoed step is what failed."""
    seen = errors_seen(
        session(
            *edit("/a/src/x.py"),
            *bash(
                "git commit -m x",
                "Exit code 1\n$ unit test all\n 9 pass\n$ styler check\n× bad format",
                error=True,
            ),
            *bash("make fix && styler check --write", "fixed"),
            *bash("git commit -m x", "[main 1] x"),
        )
    )
    style = next(one for one in seen if one.subject == "styler check")
    assert style.value == "make fix"
    run = next(one for one in seen if one.subject == "unit test")
    assert "by hand or as a commit hook" in run.claim


def test_test_first_work_is_no_mistake():
    """A test that fails because the code is not there yet did its work."""
    assert (
        errors_seen(
            session(
                *edit("/a/tests/test_x.py"),
                *bash("runner test", "Exit code 1\n(fail) x > y", error=True),
                *edit("/a/src/x.py"),
                *bash("runner test", "1 pass"),
            )
        )
        == []
    )


def test_a_full_run_that_breaks_old_tests_counts():
    """Work on code that breaks tests nobody touched is worth running the whole check for."""
    seen = one(
        *edit("/a/src/x.py"),
        *bash("runner test", "Exit code 1\n(fail) old > thing", error=True),
        *edit("/a/tests/test_old.py"),
        *bash("runner test", "20 pass"),
    )
    assert (seen.subject, seen.attribute) == ("runner test", "check run fails")


@pytest.mark.parametrize(
    "output",
    [
        "The user doesn't want to proceed with this tool use. The tool use was rejected.",
        "<tool_use_error>Sibling tool call errored</tool_use_error>",
        "Exit code 1",
        "Command timed out after 2m 0s",
        "File has been modified since read. Read it again before attempting to write it.",
    ],
)
def test_what_is_no_mistake_teaches_nothing(output: str):
    """Refusals, siblings, greps without a match, timeouts and errors that name their remedy."""
    assert errors_seen(session(*bash("grep x y", output, error=True), *bash("ls", "a"))) == []


def test_text_that_differs_in_blanks_alone_says_so():
    """The reader of a file sees tabs as blanks; the editor does not."""
    held = "     1→class A:\n     2→\tdef method_of_a(self) -> None:\n     3→\t\tpass"
    seen = one(
        call("Read", file_path="/a/x.py"),
        result("Read", held),
        *edit(
            "/a/x.py",
            old="    def method_of_a(self) -> None:",
            output="String to replace not found in file.",
            error=True,
        ),
        *edit("/a/x.py", old="\tdef method_of_a(self) -> None:"),
    )
    assert "only in whitespace (it indents with tabs)" in seen.claim
    assert seen.value == "copy exact bytes"


def test_what_had_to_run_before_is_the_fix():
    """The same command, unchanged, works after another one ran."""
    seen = one(
        *bash("tool migrate", "Exit code 1\nError: connection refused", error=True),
        *bash("docker compose ps", "nothing"),
        *bash("docker compose up -d db", "started"),
        *bash("tool migrate", "done"),
    )
    assert seen.value == "docker compose up -d db"


def test_arguments_that_made_it_work_are_named():
    """Of two calls of one tool, the arguments that differ are what mattered."""
    seen = one(
        call("book", seat="1A", paid=10),
        result("book", "Error: amount does not add up, total 12, paid 10", error=True),
        call("book", seat="1A", paid=12),
        result("book", "booked"),
    )
    assert (
        seen.claim == "`book` fails: amount does not add up, total …, paid …. It worked with another `paid`."
    )


def test_another_call_is_no_fix():
    """A tool with one argument says nothing by having another one."""
    seen = one(
        call("query", sql="SELECT x FROM y"),
        result("query", "Error: Unknown column 'x' in y", error=True),
        call("query", sql="SELECT 1"),
        result("query", "1"),
    )
    assert seen.value == ""


def test_failures_from_a_place_the_work_never_touched_are_told_apart():
    """The agent says so, and the output shows the place."""
    seen = errors_seen(
        session(
            *edit("/a/src/x.py"),
            *bash(
                "runner test",
                "Exit code 1\n$ runner test src/\n(fail) other > thing\nerror in /a/tmp/old/x.test.js",
                error=True,
            ),
            Turn(0, "agent", 2, "The failures are all in `tmp/old/`, not from our change."),
            *bash("rm -rf tmp/old", ""),
        )
    )
    found = next(one for one in seen if one.attribute == "failures from tmp/old/")
    assert found.value == "empty tmp/old/"
    assert found.quotes[0].text == "The failures are all in `tmp/old/`, not from our change."


def test_the_program_an_error_names_is_to_blame():
    """In a pipeline, the failing program need not be the first."""
    seen = one(*bash("sed -n 3p x | cat -A", "Exit code 1\ncat: illegal option -- A", error=True))
    assert seen.subject == "cat -A"


def test_an_error_that_strikes_often_is_one_observation():
    """Support counts sessions, and a session that retries says nothing more."""
    failing = bash("tool x", "Exit code 1\nerror: unknown option '--y'", error=True)
    assert one(*failing, *failing, *failing).stats == {"failures": 3}
