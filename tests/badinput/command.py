"""The command line as a process, with limits put on it, and what its failures must look like."""

import ctypes
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

_LIBC = ctypes.CDLL(None)
_PR_CAPBSET_DROP = 24
_MAY_READ_AND_WRITE_ANYTHING = (1, 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what makes root deaf to the rights on a file."""


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
    quiet = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "AGENTFLOWS_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "agentflows", *map(str, words), "--home", str(home)],
        capture_output=True,
        env=quiet | {"COLUMNS": "120"} | dict(variables or {}),
        cwd=ROOT,
        timeout=240,
        preexec_fn=lambda: _limit(file_bytes, is_bound=is_bound),
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def _limit(file_bytes: int, *, is_bound: bool) -> None:
    """In the new process, before the program starts."""
    if file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    if is_bound and not os.getuid():
        for capability in _MAY_READ_AND_WRITE_ANYTHING:
            if _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise PermissionError
