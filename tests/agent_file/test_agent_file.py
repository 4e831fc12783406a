"""Agent files: what Claude Code reads works here too, and what cannot be is named with its line."""

from pathlib import Path

import pytest

from agentflows.agent_file import agent_sha256, parse_agent, read_agent, read_agent_file
from agentflows.errors import AgentFileError, NotFoundError

CLAUDE_CODE = """---
name: code-reviewer
description: Reviews changes. Use proactively after code was written.
tools: Read, Grep, Glob, Bash, WebFetch
disallowedTools: Bash
model: sonnet
maxTurns: 12
permissionMode: acceptEdits
color: blue
mcpServers:
  - search:
      type: stdio
      command: python
      args: [server.py]
      env: {TOKEN: "${SEARCH_TOKEN}"}
---

You review code.

Be brief.
"""


def test_a_sub_agent_of_claude_code_works_as_it_is():
    """Nobody should have to write an agent twice."""
    file = parse_agent(CLAUDE_CODE)
    agent = file.agent
    assert (agent.name, agent.runner, agent.model) == ("code-reviewer", "messages", "claude-sonnet-5-5")
    assert agent.tools == ("read", "grep", "glob")
    assert agent.limits.max_turns == 12
    assert agent.prompt == "You review code.\n\nBe brief."
    assert agent.mcp_servers[0].command == ("python", "server.py")
    assert agent.mcp_servers[0].env == {"TOKEN": "${SEARCH_TOKEN}"}
    assert [warning.split(":")[1:3] for warning in file.warnings] == [
        ["8", " permissionMode"], ["9", " color"], ["4", " tools"],
    ]  # fmt: skip


def test_our_keys_choose_the_runner_and_its_limits():
    """A command or a function says by itself what runs the agent."""
    command = parse_agent(
        '---\nname: cc\ncommand: claude -p --model "{model}"\nmodel: opus\nenv: ANTHROPIC_API_KEY\nsandbox: off\n'
        "limits: {max_seconds: 60, max_dollars: 0.5}\n---\n"
    ).agent
    assert (command.runner, command.model, command.sandbox) == ("command", "opus", "off")
    assert command.command == ("claude", "-p", "--model", "{model}")
    assert command.env == ("ANTHROPIC_API_KEY",)
    assert (command.limits.max_seconds, command.limits.max_dollars) == (60, 0.5)
    python = parse_agent("---\nname: fn\nfunction: agents.mine:write\n---\n").agent
    assert (python.runner, python.function) == ("python", "agents.mine:write")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("nothing", r"a.md:1: expected front matter, found 'nothing'"),
        ("---\nname: x", r"a.md:1: the front matter does not end"),
        ("---\nname: x: y\n---\np", r"a.md:2: no YAML: .*in quotes"),
        ("---\n- x\n---\np", r"a.md:2: expected lines of `key: value`"),
        ("---\nname: x\nmodel: a\nname: y\n---\np", r"a.md:4: name stands twice"),
        ("---\nmodel: a\n---\np", r"a.md:1: name: there is none. Add a line such as `name: a`"),
        ("---\nname: two words\n---\np", r"a.md:2: name: expected letters.*'two words'"),
        ("---\nname: x\ntools: Redd\n---\np", r"a.md:3: tools: there is no tool 'Redd'. Did you mean Read"),
        ("---\nname: x\ntools: [1]\n---\np", r"a.md:3: tools: expected names, found a list"),
        ("---\nname: x\ntools: Bash(git *)\n---\np", r"a.md:3: tools: .*cannot be narrowed"),
        ("---\nname: x\nmaxTurns: ten\n---\np", r"a.md:3: maxTurns: .*valid integer, found 'ten'"),
        ("---\nname: x\nlimits:\n  max_mony: 1\n---\np", r"a.md:4: limits.max_mony: there is no such limit"),
        ("---\nname: x\nlimits:\n  max_seconds: 0\n---\np", r"a.md:4: limits.max_seconds: .*greater than 0"),
        ("---\nname: x\nlimits: 5\n---\np", r"a.md:3: limits: expected lines"),
        ("---\nname: x\nnetwork: maybe\n---\np", r"a.md:3: network: expected true or false"),
        ("---\nname: x\nrunner: commandd\n---\np", r"a.md:3: runner: expected one of messages"),
        ("---\nname: x\nrunner: command\n---\np", r"a.md:3: runner: `command` needs the key"),
        ("---\nname: x\nrunner: python\nfunction: f\n---\np", r"a.md:4: function: expected `module:function`"),
        ("---\nname: x\nmodel: [a]\n---\np", r"a.md:3: model: expected a text"),
        ("---\nname: x\nmodel: opus five\n---\np", r"a.md:3: model: expected a model's id"),
        ("---\nname: x\ncommand: \"a 'b\"\n---\np", r"a.md:3: command: cannot be parted"),
        ("---\nname: x\ncommand: ls\nenv: [A-B]\n---\np", r"a.md:4: env: expected the name of a variable"),
        ("---\nname: x\nsandbox: maybe\n---\np", r"a.md:3: sandbox: expected one of required, off"),
        ("---\nname: x\nmcpServers: [y]\n---\np", r"a.md:3: mcpServers: there is no server 'y'"),
        ("---\nname: x\nmcpServers: {y: {}}\n---\np", r"a.md:3: mcpServers: y: expected either `command`"),
        ("---\nname: x\nmcpServers: {y: {type: sse, url: u}}\n---\np", r"mcpServers: y: servers of the type sse"),
        ("---\nname: x\n---\n", r"the agent has no prompt"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_line_and_the_fix(head: str, expected: str, tmp_path: Path):
    """A reader of the message knows where to look and what to write."""
    with pytest.raises(AgentFileError, match=expected):
        parse_agent(head, source=f"{tmp_path}/a.md")


def test_all_faults_are_told_at_once():
    """Nobody wants to mend a file fault by fault."""
    with pytest.raises(AgentFileError) as raised:
        parse_agent("---\nname: x\nnetwork: 1\nmaxTurns: 0\n---\np")
    assert "network" in str(raised.value)
    assert "maxTurns" in str(raised.value)


def test_unknown_keys_warn_with_the_likely_one():
    """A typing error must not be silent, nor stop a file of a newer Claude Code."""
    file = parse_agent("---\nname: x\nmemry: team\nmemory: project\nfunction: a:b\nrunner: messages\n---\np")
    assert len(file.warnings) == 3
    assert "memry: is not known and has no effect. Did you mean memory?" in file.warnings[0]
    assert "scope of Claude Code" in file.warnings[1]
    assert "function: has no effect with `runner: messages`" in file.warnings[2]
    assert file.agent.memory == ""


def test_servers_are_found_by_name_in_the_project(tmp_path: Path):
    """A project's `.mcp.json` names them for all agents below it."""
    folder = tmp_path / ".claude" / "agents"
    folder.mkdir(parents=True)
    (tmp_path / ".mcp.json").write_text(
        '{"mcpServers": {"docs": {"type": "http", "url": "http://localhost:1/mcp", "headers": {"A": "b"}}}}'
    )
    (folder / "a.md").write_text("---\nname: a\nmcpServers: [docs]\n---\nYou look things up.")
    server = read_agent(folder / "a.md").mcp_servers[0]
    assert (server.name, server.url, server.headers) == ("docs", "http://localhost:1/mcp", {"A": "b"})


def test_the_hash_is_of_what_the_agent_does(tmp_path: Path):
    """It decides whether an outcome is another one: a moved file or a new description is the same agent."""
    first = parse_agent(CLAUDE_CODE).agent
    moved = parse_agent(CLAUDE_CODE.replace("Reviews changes.", "Reads."), source=f"{tmp_path}/b.md").agent
    other = parse_agent(CLAUDE_CODE.replace("Be brief.", "Be long.")).agent
    assert first.sha256 == moved.sha256 == agent_sha256(first)
    assert other.sha256 != first.sha256


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path):
    """Missing, a folder, or no text: each with what to do."""
    with pytest.raises(NotFoundError, match="no agent file"):
        read_agent(tmp_path / "none.md")
    with pytest.raises(AgentFileError, match="cannot be read"):
        read_agent_file(tmp_path)
    (tmp_path / "b.md").write_bytes(b"---\nname: \xff\n---\n")
    with pytest.raises(AgentFileError, match="not UTF-8"):
        read_agent(tmp_path / "b.md")
