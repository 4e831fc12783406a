"""Errors of any shell and tool are understood: what is missing, what says so only in text, what settings fixed."""

import pytest

from agentflows.session import Turn
from tests.dream.told import bash, call, edit, learned, session, texts, twice


@pytest.mark.parametrize(
    ("failing", "error", "working", "lesson"),
    [
        (
            "pytest",
            "/bin/bash: line 1: pytest: command not found",
            "uv run pytest",
            "`pytest` fails: command not found. This works: `uv run pytest`.",
        ),
        (
            "python manage.py migrate",
            "(eval):1: command not found: python",
            "python3 manage.py migrate",
            "`python` fails: command not found. This works: `python3 manage.py migrate`.",
        ),
        (
            "python -m pytest",
            "/usr/bin/python: No module named pytest",
            ".venv/bin/python -m pytest",
            "`python -m pytest` fails: No module named pytest. This works: `.venv/bin/python -m pytest`.",
        ),
        (
            "npm run typecheck",
            'npm error Missing script: "typecheck"',
            "npm run check:types",
            "`npm run typecheck` fails: npm error Missing script: …. The work went on with `npm run check:types` instead.",
        ),
        (
            "kubectl get pods",
            'Error from server (Forbidden): pods is forbidden: User "dev" cannot list resource',
            "kubectl get pods -n shop",
            (
                "`kubectl get` fails: Error from server (Forbidden): pods is forbidden: User … cannot list resource. "
                "This worked: `kubectl get pods -n shop`."
            ),
        ),
    ],
)
def test_a_command_that_works_instead_is_named(failing: str, error: str, working: str, lesson: str):
    """Whatever the program: the next command that did it is the lesson."""
    assert texts(twice(bash(failing, error, error=True), bash(working))) == [lesson]


def test_a_windows_shell_is_a_shell():
    """It reports a missing program and an unknown separator in words of its own."""
    missing = "npm : The term 'npm' is not recognized as the name of a cmdlet, function, or operable program."
    assert texts(
        twice(
            call("PowerShell", missing, error=True, command="npm test"),
            call("PowerShell", "ok", command="pnpm test"),
        )
    ) == ["`npm` fails: command not found. This works: `pnpm test`."]
    separator = "The token '&&' is not a valid statement separator in this version."
    (lesson,) = texts(
        twice(
            call("PowerShell", separator, error=True, command="cd app && npm test"),
            call("PowerShell", "ok", command="cd app; npm test"),
        )
    )
    assert lesson.endswith("This worked: `cd app; npm test`.")


def test_the_one_text_of_a_shell_tool_is_its_command():
    """Agents name that field as they like."""
    missing = "/bin/bash: line 1: sudo: command not found"
    assert texts(twice(call("bash_env", missing, error=True, action="sudo ls"))) == [
        "`sudo` fails: command not found."
    ]


def test_prose_given_to_a_shell_names_no_program():
    """`Great!: command not found` says that the agent talked to the shell, not what is missing."""
    prose = call(
        "bash_env", "/bin/bash: line 1: Great!: command not found", error=True, action="Great! Done."
    )
    assert texts(twice(prose)) == []


@pytest.mark.parametrize("code", ["Exit code: 2", "[exit code 2]", "Process exited with code 2"])
def test_an_exit_code_in_the_text_is_an_error(code: str):
    """Some harnesses mark nothing."""
    error = f"make: *** No rule to make target `tset'.  Stop.\n{code}"
    (lesson,) = texts(twice(bash("make tset", error), bash("make check", f"ok\n{code.replace('2', '0')}")))
    assert lesson.endswith("The work went on with `make check` instead.")


def test_settings_that_were_edited_are_the_fix():
    """The code was right; how it runs was not."""
    error = "FAIL\nError: Cannot find module '@/lib/x' from 'src/a.test.ts'"
    sessions = twice(
        bash("npm test", error, error=True), edit("/w/shop/jest.config.js"), bash("npm test", "ok")
    )
    assert texts(sessions) == [
        "`npm test` fails: Cannot find module … from …. It worked after `jest.config.js` was edited."
    ]


def test_an_argument_that_took_anothers_place_is_named():
    """Not only which names changed, but how."""
    sessions = twice(
        call("create_issue", "Error: teamId must be a UUID", error=True, team="Shop", title="x"),
        call("create_issue", "created", teamId="9f1c", title="x"),
    )
    (lesson,) = texts(sessions)
    assert lesson.endswith("It worked with `teamId` instead of `team`.")


GONE = "cat: docs/setup.md: No such file or directory"


def test_a_missing_thing_without_a_name_teaches_nothing():
    """`3: No such file` is a line of a listing."""
    changes, refused = learned(
        twice(bash("tree x", "lsd: 3: No such file or directory (os error 2).", error=True))
    )
    assert (changes, refused) == ([], [])


def test_a_path_that_was_mistyped_teaches_nothing():
    """Two sessions that miss two files show that files are missed, and no more."""
    sessions = [
        session(
            number, bash(f"cat src/{name}.py", f"cat: src/{name}.py: No such file or directory", error=True)
        )
        for number, name in enumerate("ab")
    ]
    assert texts(sessions) == []


@pytest.mark.parametrize(
    "steps",
    [
        [bash("cat docs/setup.md", GONE, error=True), bash("cat doc/setup.md")],
        [
            call("Read", "File does not exist.", error=True, file_path="/w/shop/docs/setup.md"),
            call("Glob", "doc/setup.md", pattern="**/setup.md"),
            call("Read", "x", file_path="/w/shop/doc/setup.md"),
        ],
    ],
)
def test_a_file_that_moved_is_told_at_the_note_that_names_it(steps: list[list[Turn]]):
    """Whether a shell or a file tool missed it."""
    (change,), _ = learned(twice(*steps), {"/notes.md": "- Setup is described in `docs/setup.md`.\n"})
    assert change.op == "narrow"
    assert "`docs/setup.md` is not there; it is at `doc/setup.md`." in (change.after or "")


def test_a_file_that_is_gone_is_flagged_where_a_note_names_it():
    """Where it went, a person must say; a note that tells to write it is right."""
    missed = twice(bash("cat docs/setup.md", GONE, error=True))
    (change,), _ = learned(missed, {"/notes.md": "- Setup is described in `docs/setup.md`.\n"})
    assert (change.op, change.after) == ("flag", None)
    assert learned(missed, {"/notes.md": "- Write what you set up to `docs/setup.md`.\n"})[0] == []
    assert learned(missed)[0] == []


LEAN = [bash("lean npm test", "error: unrecognized subcommand 'npm'", error=True), bash("npm test")]
UNIT = [bash("npm test", 'npm error Missing script: "test"', error=True), bash("npm run unit")]


@pytest.mark.parametrize(
    ("note", "steps"),
    [
        ("- Use `lean` for all commands.", LEAN),
        ("- Run everything through `lean`.", LEAN),
        ("Put `lean` in front of shell commands to save tokens.", LEAN),
        ("Wrap each command: `lean <command>`.", LEAN),
        ("- Prefix all shell commands with lean.", LEAN),
        ("- Run tests with `npm test`.", UNIT),
        ("- Run tests with npm test before pushing.", UNIT),
    ],
)
def test_a_note_that_prescribes_what_fails_is_narrowed_in_any_wording(note: str, steps: list[list[Turn]]):
    """The exception belongs where the rule stands."""
    (change,), _ = learned(twice(*steps), {"/notes.md": f"# Tools\n\n{note}\n"})
    assert change.op == "narrow"
    assert (change.after or "").startswith(note)
    assert "**Exception:**" in (change.after or "")


@pytest.mark.parametrize(
    ("note", "op"),
    [
        ("- Do not use `npm test`, it does not exist; use `npm run unit`.", "reinforce"),
        ("- All our `npm` packages are private.", "add"),
        ("- Use `npm` for all packages.", "add"),
        ("- `npm test` was removed.", "add"),
        ("- Make sure that all commands run with care.", "add"),
    ],
)
def test_a_note_that_warns_or_only_mentions_is_not_narrowed(note: str, op: str):
    """An exception to a warning would turn it round."""
    (change,), _ = learned(twice(*UNIT), {"/notes.md": f"# Tools\n\n{note}\n"})
    assert change.op == op
