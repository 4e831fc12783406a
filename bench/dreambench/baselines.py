"""Two systems without any judgement: what doing nothing scores, and what writing everything down scores."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.dreambench.system import Result, Review


class Unchanged:
    """Never touches the memory."""

    name = "unchanged"

    def __init__(self, folder: Path) -> None:
        del folder
        self.files: dict[str, str] = {}

    def ingest(self, folder: Path) -> None:
        """Look at nothing."""

    def begin(self, files: Mapping[str, str]) -> None:
        """Keep the memory as it is."""
        self.files = dict(files)

    def dream(self, review: Review) -> Result:
        """Propose nothing."""
        del review
        return Result(dict(self.files), changes=(), is_balanced=True)

    def forget(self, session_ids: Iterable[str]) -> Mapping[str, str] | None:
        """Nothing rests on any session."""
        del session_ids
        return dict(self.files)

    def close(self) -> None:
        """Nothing is open."""


class VerbatimLog(Unchanged):
    """Appends every line that the log calls a user's, word for word: the memory of someone who trusts everything."""

    name = "verbatim-log"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._said: dict[str, str] = {}

    def ingest(self, folder: Path) -> None:
        """Read the text of every user line."""
        for path in sorted(folder.rglob("*.json*")):
            for line in path.read_text("utf-8").splitlines():
                for session_id, said in _typed(json.loads(line)):
                    self._said.setdefault(" ".join(said.split()), session_id)

    def dream(self, review: Review) -> Result:
        """Write down what is not there yet."""
        del review
        log = self.files.get("/log.md", "# Log\n\n")
        standing = set(log.splitlines())
        log += "".join(f"- {text}\n" for text in sorted(self._said) if f"- {text}" not in standing)
        self.files["/log.md"] = log
        return Result(dict(self.files))

    def forget(self, session_ids: Iterable[str]) -> Mapping[str, str] | None:
        """Strike what a removed session said first."""
        gone = set(session_ids)
        self._said = {text: name for text, name in self._said.items() if name not in gone}
        lines = self.files.get("/log.md", "").splitlines()
        kept = [line for line in lines if not line.startswith("- ") or line[2:] in self._said]
        self.files["/log.md"] = "\n".join(kept) + "\n"
        return dict(self.files)


def _typed(record: Any) -> Iterable[tuple[str, str]]:
    """Session id and text of each user message in a line: of a Claude Code event, or of a whole transcript."""
    if isinstance(record, list):  # trials: nobody sets rules there
        return
    session_id = str(record.get("sessionId") or record.get("session_id"))
    for message in record.get("messages") or [record["message"]]:
        if message["role"] == "user" and isinstance(message["content"], str):
            yield session_id, message["content"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Makes installations of a baseline."""

    kind: type[Unchanged]

    @property
    def name(self) -> str:
        """What the table calls it."""
        return self.kind.name

    def __call__(self, folder: Path) -> Unchanged:
        """One; it needs no folder."""
        return self.kind(folder)
