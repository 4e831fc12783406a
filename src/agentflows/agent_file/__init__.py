"""Agent files: an agent as Markdown with front matter, in the format of a Claude Code sub-agent and some keys of ours.

    ---
    name: changelog-writer
    description: Writes changelog entries from commits.
    tools: Read, Edit, Bash
    model: sonnet
    limits:
      max_dollars: 0.50
    ---
    You write changelog entries. …

The body is the system prompt. A file written for Claude Code works as it is; what has no counterpart here is named
in a warning, and what cannot be is an error with file, line and fix.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from agentflows.agent import AgentDefinition
from agentflows.agent_file.front import FrontMatterError, split
from agentflows.agent_file.servers import read_servers
from agentflows.agent_file.sheet import Sheet
from agentflows.errors import AgentFileError, NotFoundError

__all__ = ["AgentFile", "agent_sha256", "parse_agent", "read_agent", "read_agent_file"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*(\.\w+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH_FREE = ("source", "sha256", "description")
"""What does not decide what an agent does."""


@dataclass(frozen=True, slots=True)
class AgentFile:
    """What a file gave."""

    agent: AgentDefinition
    warnings: tuple[str, ...]
    """One line each: file, line, key, and what has no effect."""


def read_agent(path: Path | str) -> AgentDefinition:
    """The agent a file describes. `read_agent_file` gives its warnings too.

    Raises:
        NotFoundError: there is no such file.
        AgentFileError: it cannot be read, or something in it cannot be; the message has file, line and fix.
    """
    return read_agent_file(path).agent


def read_agent_file(path: Path | str) -> AgentFile:
    """The same with what is odd about the file.

    Raises:
        NotFoundError, AgentFileError: as `read_agent`.
    """
    file = Path(path).expanduser()
    try:
        text = file.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        msg = f"There is no agent file {file}. Name a Markdown file with front matter."
        raise NotFoundError(msg) from error
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror}. Name a Markdown file with front matter."
        raise AgentFileError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{file} is not UTF-8 (byte {error.start}). Save it as UTF-8."
        raise AgentFileError(msg) from error
    return parse_agent(text, source=str(file))


def parse_agent(text: str, *, source: str = "agent.md") -> AgentFile:
    """The agent a text describes; `source` is what faults call it, and where its neighbours are looked for.

    Raises:
        AgentFileError: something in it cannot be; the message lists every fault.
    """
    try:
        front = split(text)
    except FrontMatterError as error:
        msg = f"{source}:{error.line}: {error}."
        raise AgentFileError(msg) from error
    sheet = Sheet(front, source)
    agent = _agent(sheet, source)
    if sheet.faults:
        raise AgentFileError(" ".join(sheet.faults))
    return AgentFile(agent.model_copy(update={"sha256": agent_sha256(agent)}), tuple(sheet.warnings))


def agent_sha256(agent: AgentDefinition) -> str:
    """Identity of what an agent does: every field but its description and where it came from."""
    told = agent.model_dump_json(exclude=set(_PATH_FREE))
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()


def _agent(sheet: Sheet, source: str) -> AgentDefinition:
    sheet.unknown_keys()
    command, function = sheet.command(), sheet.text("function")
    runner = sheet.runner(command, function)
    agent = AgentDefinition(
        name=sheet.text("name"),
        description=sheet.text("description"),
        prompt=sheet.front.body.strip(),
        model=sheet.model(runner),
        tools=sheet.tools(),
        mcp_servers=read_servers(sheet, Path(source).resolve().parent),
        runner=runner,
        command=command,
        function=function,
        memory=sheet.memory(),
        network=sheet.flag("network"),
        sandbox=sheet.sandbox(),
        env=sheet.words("env") or (),
        limits=sheet.limits(),
        source=source,
    )
    _check(sheet, agent)
    return agent


def _check(sheet: Sheet, agent: AgentDefinition) -> None:
    """What no key shows alone."""
    if not agent.name and "name" not in sheet.front.values:
        sheet.fault("name", f"there is none. Add a line such as `name: {Path(sheet.file).stem or 'writer'}`.")
    elif not _NAME.fullmatch(agent.name):
        sheet.fault(
            "name", f"expected letters, digits and hyphens, found {agent.name!r}. Write `changelog-writer`."
        )
    if agent.runner == "command" and not agent.command:
        sheet.fault(
            "runner", "`command` needs the key `command`. Add `command: [claude, -p]` or another program."
        )
    if agent.runner == "python" and not _FUNCTION.fullmatch(agent.function):
        sheet.fault(
            "function", f"expected `module:function`, found {agent.function!r}. Write `my_agents:write`."
        )
    if agent.runner == "messages" and not agent.prompt:
        sheet.fault("name", "the agent has no prompt. Write what it is to do below the second line of ---.")
    for name in agent.env:
        if not _VARIABLE.fullmatch(name):
            sheet.fault("env", f"expected the name of a variable, found {name!r}. Write `env: [MY_TOKEN]`.")
    _warn_of_foreign_keys(sheet, agent)


def _warn_of_foreign_keys(sheet: Sheet, agent: AgentDefinition) -> None:
    used = {
        "messages": {"tools", "disallowedTools", "mcpServers", "model", "network", "sandbox"},
        "command": {"command", "model", "env", "sandbox", "network"},
        "python": {"function", "env"},
    }
    foreign = {key for keys in used.values() for key in keys} - used[agent.runner]
    for key in sorted(foreign):
        if key in sheet.front.values and sheet.front.values[key] not in (None, "", [], ()):
            sheet.warn(key, f"has no effect with `runner: {agent.runner}`.")
