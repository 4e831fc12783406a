"""What the processes of these tests do, and how they are started and stopped.

They come from a fork server that has imported agentflows: real processes that die of a real SIGKILL, without
a second of start-up each.
"""

import multiprocessing
import os
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from agentflows import review
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import AgentflowsError
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.memory import MemoryEdit
from agentflows.readers import discover
from agentflows.store.failpoints import VARIABLE

CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.crash.workers", "agentflows.claude"])
KILLED = -9
_BATCH_FILES = 11
REFUSED = 3
"""Exit code of a worker that ended with an error of ours."""


def start(work: Any, *arguments: object, **variables: str) -> BaseProcess:
    """Run `work(*arguments)` in a process of its own, with our variables as they are here now, and these."""
    ours = {
        name: value for name, value in os.environ.items() if name.startswith(("AGENTFLOWS_", "ANTHROPIC_"))
    }
    process = CONTEXT.Process(target=_run, args=(ours | variables, work, arguments))
    process.start()
    return process


def finish(process: BaseProcess) -> int:
    """Wait for it, and return its exit code: 0, `REFUSED`, or minus the signal that killed it."""
    process.join(120)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
        message = "a worker hung"
        raise AssertionError(message)
    process.close()
    return code


def die_at(point: str, work: Any, *arguments: object, **variables: str) -> None:
    """Run `work` until the failpoint, and make sure that it died there."""
    code = finish(start(work, *arguments, **variables, **{VARIABLE: f"{point}:kill"}))
    assert code == KILLED, f"{point} was not passed: exit code {code}"


def _run(variables: Mapping[str, str], work: Any, arguments: tuple[object, ...]) -> None:
    os.environ.update(variables)
    try:
        work(*arguments)
    except AgentflowsError as error:
        print(f"{type(error).__name__}: {error}")  # noqa: T201 - pytest shows it when the test fails
        os._exit(REFUSED)


def dream(folder: Path, options: dict[str, Any]) -> None:
    """One dream."""
    with open_home(folder) as home:
        dream_over(home, DreamRequest.model_validate(options))


def approve(folder: Path, dream_id: str, reviewer: str, **options: Any) -> None:
    """One approval."""
    with open_home(folder) as home:
        review.approve(home.state, dream_id, reviewer=reviewer, scan=home.secret_in, **options)


def ingest(folder: Path, sessions: Path) -> None:
    """Read every file below a folder, in batches."""
    paths = discover(sessions)
    with open_home(folder) as home:
        for first in range(0, len(paths), _BATCH_FILES):
            ingest_files(home, paths[first : first + _BATCH_FILES])


def approve_some(folder: Path, dream_id: str, reviewer: str, only: list[str]) -> None:
    """An approval of these changes."""
    approve(folder, dream_id, reviewer, only=only)


def approve_edited(folder: Path, dream_id: str, reviewer: str, edits: dict[str, str]) -> None:
    """An approval of these changes, each with the reviewer's own text."""
    approve(folder, dream_id, reviewer, only=list(edits), edits=edits)


def note(folder: Path, store: str, texts: list[str]) -> None:
    """Commit one file after the other, as somebody who edits the store by hand."""
    with open_home(folder) as home:
        for number, text in enumerate(texts):
            edit = MemoryEdit(path=f"/by-hand-{number}.md", content=text, expected_sha256=None)
            home.state.commit(store, [edit], base_version=None, actor=home.actor("grace"))
