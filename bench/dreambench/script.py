"""Any command as a system under test: it is given a folder of sessions and a folder of memory, and edits the memory."""

import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.dreambench.system import Result, Review

_SECONDS = 3_600
_MAX_SHOWN = 300


class Script:
    """One installation: the sessions so far, and one memory, as folders that the command gets as its last two words."""

    def __init__(self, folder: Path, command: str) -> None:
        self.name = f"script:{command}"
        self._command = shlex.split(command)
        self._sessions, self._memory = folder / "sessions", folder / "memory"
        self._sessions.mkdir()
        self._taken = 0

    def ingest(self, folder: Path) -> None:
        """Keep a copy of the sessions, each delivery in a folder of its own."""
        shutil.copytree(folder, self._sessions / str(self._taken))
        self._taken += 1

    def begin(self, files: Mapping[str, str]) -> None:
        """Write the memory to begin with."""
        shutil.rmtree(self._memory, ignore_errors=True)
        for path, text in files.items():
            place = self._memory / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")

    def dream(self, review: Review) -> Result:
        """Run the command once. It has nobody to ask, so `review` makes no difference."""
        del review
        words = [*self._command, str(self._sessions), str(self._memory)]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
        error = f"exit code {ran.returncode}: {ran.stderr.strip()[-_MAX_SHOWN:]}" if ran.returncode else ""
        return Result(self._files(), error=error)

    def _files(self) -> dict[str, str]:
        return {
            f"/{path.relative_to(self._memory)}": path.read_text("utf-8")
            for path in sorted(self._memory.rglob("*.md"))
        }

    def forget(self, session_ids: Iterable[str]) -> Mapping[str, str] | None:
        """A command that only dreams cannot forget."""
        del session_ids
        return None

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class Scripts:
    """Makes installations of a command."""

    command: str

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"script:{self.command}"

    def __call__(self, folder: Path) -> Script:
        """One that keeps its folders below `folder`."""
        return Script(folder, self.command)
