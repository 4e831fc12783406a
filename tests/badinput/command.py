"""The command line as a process, with limits put on it, and what its failures must look like."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import command_line
from tests.conftest import ROOT


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Its error line.

        Raises:
            AssertionError: it printed a trace, no error, or more than one.
        """
        assert "Traceback" not in self.err + self.out, self.err
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, self.err
        assert self.err.rstrip().endswith(lines[0]), "something was said after the error"
        return lines[0].removeprefix("Error: ")

    def failed(self, code: int, *says: str) -> None:
        """Make sure that it failed in one line that says this, with this exit code."""
        error = self.error
        assert self.code == code, error
        missing = [words for words in says if words not in error]
        assert not missing, f"{missing} not in: {error}"

    def json(self) -> dict[str, object]:
        return json.loads(self.out)


def run(
    home: Path,
    *words: str | Path,
    file_bytes: int = 0,
    is_bound: bool = False,
    variables: Mapping[str, str] | None = None,
) -> Done:
    """Run `agentflows … --home HOME`; with files limited to `file_bytes`, or bound by rights even as root."""
    done = command_line.run(
        *words,
        "--home",
        home,
        environment=command_line.foreign_variables() | {"COLUMNS": "120"} | dict(variables or {}),
        folder=ROOT,
        file_bytes=file_bytes,
        is_bound=is_bound,
    )
    return Done(done.returncode, done.stdout, done.stderr)
