"""The tools an agent gets over its workspace: files through `Workspace`, a shell in the sandbox, memory to read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentflows.agent import AgentDefinition
from agentflows.claude import Tool, ToolFaultError
from agentflows.runners.inputs import (
    MOST_SECONDS,
    BashInput,
    EditInput,
    GlobInput,
    GrepInput,
    Input,
    ReadInput,
    WriteInput,
    checked,
    schema,
)
from agentflows.runners.process import Stopping
from agentflows.sandbox import WORKSPACE, Limits, Run, Sandbox, Workspace

MEMORY = "/memory"
"""Where an agent finds its memory, with file tools and in the shell."""
TOOLS = ("read", "write", "edit", "glob", "grep", "bash")
"""The names an agent's `tools` may have."""

_ENDS: Mapping[str, str] = {
    "timeout": "It was killed after {seconds:.0f} s.",
    "output_limit": "It was killed because it did not stop writing.",
    "process_limit": "It was killed because it started too many processes.",
    "memory_limit": "It ran out of memory.",
    "signal": "A signal ended it.",
    "stopped": "It was killed because the run is to end.",
}


def write_memory(folder: Path, memory: Mapping[str, str]) -> Workspace:
    """Lay a memory down in an empty folder, and open it read-only.

    Raises:
        WorkspaceError: a path of the memory is none that a file can have.
    """
    writer = Workspace(folder)
    for path, content in memory.items():
        writer.write(path.lstrip("/"), content)
    return Workspace(folder, read_only=["."])


class Toolbox:
    """The tools of one agent over one workspace.

    Args:
        agent: its tools, its network, its sandbox.
        workspace: the folder it works in.
        memory: what `write_memory` gave; None without one.
        remaining: seconds left of the run: no command may outlast it.
        stop: a text is the reason to end a command, and the run after it, now.
        seen: what this agent read earlier, as `seen` gave it: what has changed since is unread.
    """

    def __init__(
        self,
        agent: AgentDefinition,
        workspace: Path,
        memory: Workspace | None,
        remaining: Callable[[], float],
        *,
        stop: Callable[[], str] | None = None,
        seen: Mapping[str, str] | None = None,
    ) -> None:
        self._files = Workspace(workspace)
        self._files.recall(seen or {})
        self._stopping = Stopping(stop)
        self._memory = memory
        self._remaining = remaining
        self._sandbox = Sandbox(
            workspace,
            mode="off" if agent.sandbox == "off" else "required",
            network=agent.network,
            extra_read_only={MEMORY: memory.root} if memory else None,
            limits=Limits(seconds=MOST_SECONDS),
        )
        self._chosen = agent.tools

    def tools(self) -> list[Tool]:
        """The agent's own, in the order it names them."""
        made = {tool.name: tool for tool in self._all()}
        return [made[name] for name in self._chosen if name in made]

    @property
    def seen(self) -> Mapping[str, str]:
        """Path → sha256 of the files that the agent knows: what it may overwrite while they are so."""
        return self._files.seen

    def _all(self) -> Sequence[Tool]:
        return (
            _tool("read", "Show a text file, or some of its lines.", ReadInput, self._read),
            _tool(
                "write",
                "Write a whole file. One that exists must have been read before.",
                WriteInput,
                self._write,
            ),
            _tool("edit", "Replace a piece of text in a file that was read before.", EditInput, self._edit),
            _tool("glob", "List the files that fit a pattern.", GlobInput, self._glob),
            _tool("grep", "Find the lines of files that fit a regular expression.", GrepInput, self._grep),
            _tool(
                "bash",
                "Run a command in the workspace. Its output and exit code come back.",
                BashInput,
                self._bash,
            ),
        )

    def _read(self, asked: ReadInput) -> str:
        files, path = self._place(asked.path)
        return files.read(path, start_line=asked.start_line, end_line=asked.end_line) or "(the file is empty)"

    def _write(self, asked: WriteInput) -> str:
        files, path = self._place(asked.path)
        files.write(path, asked.content)
        return f"{path} holds {len(asked.content.encode(errors='replace')):,} bytes now."

    def _edit(self, asked: EditInput) -> str:
        files, path = self._place(asked.path)
        files.edit(path, asked.old, asked.new, replace_all=asked.replace_all)
        return f"{path} was edited."

    def _glob(self, asked: GlobInput) -> str:
        files, pattern = self._place(asked.pattern)
        return "\n".join(files.glob(pattern)) or "No file fits."

    def _grep(self, asked: GrepInput) -> str:
        files, path = self._place(asked.path)
        hits = files.grep(asked.pattern, path)
        return "\n".join(f"{hit.path}:{hit.line}:{hit.text}" for hit in hits) or "No line fits."

    def _bash(self, asked: BashInput) -> str:
        seconds = max(1.0, min(asked.timeout_seconds, self._remaining()))
        run = self._sandbox.run(asked.command, timeout_seconds=seconds, stop=self._stopping)
        if run.is_success:
            return _shown(run)
        why = _ENDS.get(run.reason, "").format(seconds=run.seconds)
        code = f"Exit code {run.exit_code}." if run.exit_code is not None else ""
        raise ToolFaultError(
            "\n".join(part for part in (" ".join(f"{code} {why}".split()), _shown(run)) if part)
        )

    def _place(self, path: str) -> tuple[Workspace, str]:
        """The folder a path is in, and the path there: models name the workspace and the memory as the shell does."""
        for mount, files in ((MEMORY, self._memory), (WORKSPACE, self._files)):
            if files is not None and (path == mount or path.startswith(f"{mount}/")):
                return files, path.removeprefix(mount).strip("/") or "."
        return self._files, path


def _shown(run: Run) -> str:
    return run.output.rstrip("\n")


def _tool(name: str, description: str, shape: type[Any], act: Callable[[Any], str]) -> Tool:
    def run(given: dict[str, Any]) -> str:
        asked: Input = checked(shape, given)
        return act(asked)

    return Tool(name, description, schema(shape), run)
