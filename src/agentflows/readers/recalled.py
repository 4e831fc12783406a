"""Text that a session did not learn but remember: instruction and memory files it read, or that were shown to it.

A memory quoted back from a session would prove itself. So such text is marked where it enters, whoever said it.
"""

import re
from typing import Any

from agentflows.readers.fields import table, text
from agentflows.session import Span

_NAMES = r"(?:CLAUDE|CLAUDE\.local|AGENTS?|MEMORY|GEMINI|copilot-instructions)\.md|\.(?:cursor|windsurf|cline)rules"
_NAME = re.compile(_NAMES, re.IGNORECASE)
_AGENT_FOLDERS = {".claude", ".cursor", ".agents", ".codex"}
_MEMORY_FOLDERS = {"memory", "memories", "rules", "agent-memory"}
_SHOWS = re.compile(
    r"\b(?:cat|head|tail|less|more|bat|nl|sed|awk|grep|rg|type|Get-Content|git\s+(?:diff|show|log|blame))\b"
    r"[^|;&\n]{0,400}?(?:" + _NAMES + r"|\.claude/(?:[^\s|;&]*/)?(?:memory|rules)/)",
    re.IGNORECASE,
)
_SHOWN = re.compile(
    r"Contents of [^\n]{0,300}?(?:" + _NAMES + r")|#\s*claudeMd|user instructions are shown below",
    re.IGNORECASE,
)
_FOUND = re.compile(
    r"^(?:[^\n:]{0,300}[/\\])?(?:" + _NAMES + r")[:-]\d+[:-].*$", re.IGNORECASE | re.MULTILINE
)
_MEMORY_TOOL = re.compile(r"memory|mcp__[\w-]*memory[\w-]*__\w+", re.IGNORECASE)
_SHELLS = {"Bash", "PowerShell", "shell", "shell_command"}
_PATHS = ("file_path", "path", "notebook_path")
_COMMAND = 10_000
"""Characters of a command that are looked at."""


def is_memory_path(path: str) -> bool:
    """Whether a file holds instructions or memories for agents."""
    *folders, name = path.replace("\\", "/").lower().split("/")
    if _NAME.fullmatch(name):
        return True
    in_agent_folder = not _AGENT_FOLDERS.isdisjoint(folders) and not _MEMORY_FOLDERS.isdisjoint(folders)
    return in_agent_folder or folders[:2] == ["", "memories"]


def shows_memory(words: str) -> bool:
    """Whether text of the harness shows the contents of such a file."""
    return bool(_SHOWN.search(words))


def is_memory_call(tool: str, call: Any) -> bool:
    """Whether a tool call reads or writes memory, so that its input and its result repeat it."""
    if _MEMORY_TOOL.fullmatch(tool):
        return True
    given = table(call)
    if tool in _SHELLS:
        return bool(_SHOWS.search(text(given.get("command"))[:_COMMAND].replace("\\", "/")))
    return any(is_memory_path(path) for name in _PATHS if (path := text(given.get(name))))


def recalled_lines(tool: str, result: str) -> list[Span]:
    """The lines of a search result that stand in memory files."""
    if tool not in _SHELLS and tool != "Grep":
        return []
    return [Span(match.start(), match.end(), "recalled") for match in _FOUND.finditer(result)]
