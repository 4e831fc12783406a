"""What a shell call does is named by its meaningful words, whatever stands around them."""

import json

import pytest

from agentflows.signature import command_head, commands, shell_command


@pytest.mark.parametrize(
    ("command", "head"),
    [
        ("cd /srv/app && tool build run test 2>&1 | tail -20", "tool build"),
        ("FOO=1 timeout 60 sudo -u me bun run lint:fix", "bun run lint:fix"),
        ("git -C /srv/app status --short", "git status"),
        ("npx tsc --noEmit", "npx tsc"),
        ("python -m pytest -q tests", "python -m pytest"),
        ("bash -lc 'cd x && cargo test -p foo'", "cargo test"),
        ("docker compose up -d", "docker compose up"),
        ("./scripts/run.sh now", "./scripts/run.sh"),
        ("for f in *.ts; do bun test $f; done", "bun test"),
        ("(cd web && make test)", "make test"),
        ("/usr/bin/git log -3", "git log"),
        ("npm test -- --watch", "npm test"),
        ("grep -rn TODO src", "grep"),
        ("make -C sub all", "make all"),
        ("cd /srv", "cd"),
    ],
)
def test_the_head_is_the_first_command_that_matters(command: str, head: str):
    """Folders, assignments, wrappers, pipes and operands differ between calls that do the same."""
    assert command_head("Bash", json.dumps({"command": command})) == head


def test_a_commit_message_is_not_a_command():
    """Messages come in here-documents and quotes, full of `&&` and tool names."""
    command = (
        "git add . && git commit -m \"$(cat <<'EOF'\nRun npm test && npm publish\n\nEOF\n)\" && git push"
    )
    assert [part.split()[1] for part in commands(command)] == ["add", "commit", "push"]


def test_other_tools_are_named_by_their_name():
    """A tool that runs no shell has no command to look into, even with a `command` field."""
    assert (
        command_head("str_replace_editor", json.dumps({"command": "view", "path": "/a"}))
        == "str_replace_editor"
    )
    assert command_head("Edit", json.dumps({"file_path": "/a"})) == "Edit"


def test_commands_given_as_words_are_understood():
    """Some agents pass the command line as a list."""
    call = json.dumps({"command": ["bash", "-lc", "npm run build"]})
    assert shell_command("shell", call) == "npm run build"
    assert command_head("shell", call) == "npm run build"


def test_input_that_is_no_json_gives_the_tool():
    """A truncated log line must not stop the count."""
    assert command_head("Bash", '{"command": "gi') == "Bash"


def test_quotes_that_do_not_close_are_still_named():
    """Logs cut long commands."""
    assert command_head("Bash", json.dumps({"command": 'git commit -m "half a mess'})) == "git commit"


def test_a_shell_tools_only_text_is_its_command():
    """Whatever the field is called; but a query tool runs no commands."""
    assert command_head("bash_env", json.dumps({"action": "ls -la"})) == "ls"
    assert command_head("execute_sql", json.dumps({"query": "SELECT 1"})) == "execute_sql"
    assert command_head("bash_env", json.dumps({"a": "ls", "b": "pwd"})) == "bash_env"
