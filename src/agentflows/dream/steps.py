"""Steps: what an agent did, call and result together, in the order it did it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from agentflows.session import Session, Turn
from agentflows.signature import (
    command_head,
    commands,
    error_line,
    error_signature,
    exit_code,
    shell_command,
)
from agentflows.signature.command import head_of

_EDITING = re.compile(r"edit|write|patch|replace|create|insert", re.IGNORECASE)
_READING = re.compile(r"read|view|open|cat|show", re.IGNORECASE)
_PATH_FIELDS = ("file_path", "path", "notebook_path", "filename", "file", "target_file")
_TEST_FILE = re.compile(r"(?:^|[/_.-])(?:tests?|specs?|__tests__)(?:[/_.-]|$)|(?:Test|Spec)\.\w+$")


@dataclass(frozen=True, slots=True)
class Step:
    """One tool call and what came back."""

    index: int
    """Position among the steps of the session."""
    call: Turn
    result: Turn | None
    """None when the log ends before it, or the call was interrupted."""
    command: str
    """The command line of a shell call; "" for other tools."""
    head: str
    """`git commit`, `npx tsc`, `Edit`."""
    project: str = ""
    """The folder the session is about; "" when it is none."""

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self.call.tool

    @property
    def failed(self) -> bool:
        """Whether the harness marked the result as an error, or a shell's output ends in an exit code that says so."""
        if self.result is None or self.result.is_error:
            return self.result is not None
        return bool(self.command) and bool(exit_code(self.result.text))

    @property
    def passed(self) -> bool:
        """Whether it came back without an error."""
        return self.result is not None and not self.failed

    @property
    def chain(self) -> list[str]:
        """The commands of a shell call, in order."""
        return commands(self.command)

    @property
    def heads(self) -> list[str]:
        """The head of every command of a shell call; of any other tool, its name."""
        return [head for head in map(head_of, self.chain) if head] if self.command else [self.head]

    @property
    def given(self) -> dict[str, Any]:
        """The call's input, as far as it is a JSON object."""
        try:
            value: Any = json.loads(self.call.text)
        except ValueError:
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}

    @property
    def path(self) -> str:
        """The file a file tool was called for; "" for any other call."""
        given = self.given
        return next((value for name in _PATH_FIELDS if isinstance(value := given.get(name), str)), "")

    def local(self, path: str) -> str:
        """A path as seen from the project's folder; other paths as they are, without a leading `./`."""
        inside = path.removeprefix(f"{self.project.rstrip('/')}/") if self.project.startswith("/") else path
        return inside.removeprefix("./")

    @property
    def signature(self) -> str:
        """What its error says, without accidents; "" when it says nothing."""
        return error_signature(self.result.text) if self.result else ""

    @property
    def error_span(self) -> tuple[int, int]:
        """Where the line stands in the result that says what went wrong."""
        return error_line(self.result.text) if self.result else (0, 0)

    @property
    def edits(self) -> bool:
        """Whether it changes a file by a file tool."""
        return not self.command and bool(self.path) and bool(_EDITING.search(self.tool))

    @property
    def reads(self) -> bool:
        """Whether it reads a file by a file tool."""
        return not self.command and bool(self.path) and bool(_READING.search(self.tool))

    @property
    def edits_test(self) -> bool:
        """Whether the file it changes is a test."""
        return self.edits and bool(_TEST_FILE.search(self.path))


def steps_of(session: Session) -> list[Step]:
    """The session's steps in the order of their calls; threads stay in the order of the log."""
    results = list(_results(session))
    by_id = {turn.tool_use_id: turn for turn in results if turn.tool_use_id}
    unnamed = [turn for turn in results if not turn.tool_use_id]
    found: list[Step] = []
    for call in session.turns:
        if call.kind != "tool_call":
            continue
        result = by_id.get(call.tool_use_id) if call.tool_use_id else _next_unnamed(unnamed, call)
        command = shell_command(call.tool, call.text)
        found.append(
            Step(len(found), call, result, command, command_head(call.tool, call.text), session.project)
        )
    return found


def _results(session: Session) -> Iterator[Turn]:
    return (turn for turn in session.turns if turn.kind == "tool_result")


def _next_unnamed(unnamed: list[Turn], call: Turn) -> Turn | None:
    """The first result after the call that no other call has taken: formats without ids answer in order."""
    for turn in unnamed:
        if turn.seq > call.seq and turn.thread == call.thread:
            unnamed.remove(turn)
            return turn
    return None
