"""Deliverables as they were frozen: what is graded, hashed, and nothing else of the workspace."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agentflows.errors import OutcomeError
from agentflows.evaluation import Deliverable

_FIRST_BYTES = 1 << 16
"""Read first: what is no text mostly shows it there, and may be large."""


def manifest_sha256(deliverables: Sequence[Deliverable]) -> str:
    """Identity of a version: the paths and contents of its deliverables."""
    lines = sorted(f"{item.path}\x1f{item.sha256}\x1e" for item in deliverables)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class Frozen:
    """One version of the deliverables, copied aside where the writer cannot reach it."""

    folder: Path
    deliverables: tuple[Deliverable, ...]
    redact: Callable[[str], str] = str
    """What every text goes through before a model or a record gets it."""

    @property
    def manifest_sha256(self) -> str:
        """Identity of this version."""
        return manifest_sha256(self.deliverables)

    def check(self) -> None:
        """See that the copy is what was frozen.

        Raises:
            OutcomeError: a file is missing or differs: somebody changed the copy.
        """
        for item in self.deliverables:
            path = self.folder / item.path
            found = _sha256(path) if path.is_file() else "no file"
            if path.is_symlink() or found != item.sha256:
                msg = (
                    f"The frozen deliverable {item.path!r} is not what was frozen: expected sha256 {item.sha256[:12]}…, "
                    f"found {found[:12]}. Nobody may write to {self.folder}; run again with another --key to start over."
                )
                raise OutcomeError(msg)

    @cached_property
    def paths(self) -> frozenset[str]:
        """Of all deliverables."""
        return frozenset(item.path for item in self.deliverables)

    def text(self, path: str) -> str | None:
        """The text of one deliverable; None when it is none of them, or no text."""
        if path not in self.paths:
            return None
        with (self.folder / path).open("rb") as file:
            content = file.read(_FIRST_BYTES)
            if b"\0" not in content:
                content += file.read()
        if b"\0" in content:
            return None
        try:
            return self.redact(content.decode("utf-8"))
        except UnicodeDecodeError:
            return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
