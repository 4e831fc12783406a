"""What decides the result of a probe beside its memory: the task, the files it begins with, and the code it names."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentflows.agent import AgentDefinition
from agentflows.rubric import Rubric

MOST_FILES = 10_000
MOST_BYTES = 256 << 20
"""Of a workspace, which is copied for every run."""


class TooLargeError(Exception):
    """A workspace has more than a probe may begin with."""


def content_sha256(
    task: str, deliverables: Sequence[str], workspace: Path | None, agent: AgentDefinition, rubric: Rubric
) -> str:
    """Identity of all that decides what a run does, but for the agent, the rubric and the memory.

    The files of an agent or a check that is code, where they lie beside the file that names them, count too: what is
    in other modules does not.

    Raises:
        TooLargeError: the workspace is larger than a probe's may be.
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for part in (task, *deliverables):
        digest.update(f"{part}\x1e".encode())
    for name, path in _files(workspace, agent, rubric):
        digest.update(f"{name}\x1f{_said(path)}\x1e".encode())
    return digest.hexdigest()


def _files(workspace: Path | None, agent: AgentDefinition, rubric: Rubric) -> Iterator[tuple[str, Path]]:
    if workspace is not None:
        for path in _below(workspace):
            yield f"workspace/{path.relative_to(workspace).as_posix()}", path
    for source, name in _code(agent, rubric):
        path = Path(source).resolve().parent / name
        if path.is_file():
            yield f"code/{name}", path


def _code(agent: AgentDefinition, rubric: Rubric) -> Iterator[tuple[str, str]]:
    """Files of code by the file that names them."""
    if agent.source and agent.function:
        yield agent.source, f"{agent.function.partition(':')[0].replace('.', '/')}.py"
    yield from ((agent.source, word) for word in agent.command if agent.source)
    for criterion in rubric.criteria:
        if rubric.source and criterion.check is not None and criterion.check.kind == "python":
            yield rubric.source, f"{criterion.check.function.partition(':')[0].replace('.', '/')}.py"


def _below(folder: Path) -> list[Path]:
    found: list[Path] = []
    size = 0
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for path in (Path(place) / name for name in [*names, *links]):
            found.append(path)
            size += path.lstat().st_size
            if len(found) > MOST_FILES or size > MOST_BYTES:
                msg = f"{folder} has more than {MOST_FILES:,} files or {MOST_BYTES >> 20} MiB"
                raise TooLargeError(msg)
    return sorted(found)


def _said(path: Path) -> str:
    """What a file holds, and whether it can be run; of a link, where it leads."""
    if path.is_symlink():
        return f"link {path.readlink()}"
    if not path.is_file():
        return "nothing that is read"
    is_program = bool(path.stat().st_mode & 0o100)
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()} {is_program}"
