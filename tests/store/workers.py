"""What the other processes of a test do. They are started anew (never forked from a test with threads)."""

import multiprocessing
import os
import tempfile
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any

from agentflows.errors import AgentflowsError, BudgetError, ConflictError
from agentflows.memory import MemoryEdit, sha256
from agentflows.store import State
from agentflows.store.failpoints import VARIABLE
from tests.store.samples import ADA

CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")


def start(work: Any, *arguments: object) -> BaseProcess:
    """Run `work` in a process of its own."""
    CONTEXT.set_forkserver_preload(["tests.store.workers"])
    process = CONTEXT.Process(target=work, args=arguments)
    process.start()
    return process


def finish(process: BaseProcess) -> int:
    """Wait for it, and return its exit code (negative: the signal that killed it)."""
    process.join(120)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
        message = "a worker hung"
        raise AssertionError(message)
    process.close()
    return code


def commit_once(
    url: str, failpoint: str, store: str, edits: list[MemoryEdit], fields: dict[str, Any]
) -> None:
    """One commit with a failpoint set; exits 1 on an error of ours."""
    os.environ[VARIABLE] = failpoint
    with State(url) as state:
        try:
            state.commit(store, edits, **fields)
        except AgentflowsError:
            os._exit(1)


def count_up(url: str, store: str, path: str, times: int) -> None:
    """Add one to the number in a memory, `times` times, trying again after each conflict."""
    with State(url) as state:
        done = 0
        while done < times:
            seen = state.get_store(store)
            text = state.files(store, seen.version)[path]
            edit = MemoryEdit(path=path, content=str(int(text) + 1), expected_sha256=sha256(text))
            try:
                state.commit(store, [edit], base_version=seen.version, actor=ADA)
            except ConflictError:
                continue
            done += 1


def commit_pairs(url: str, store: str) -> None:
    """Until killed: commit two files that always say the same, and a third that comes and goes."""
    with State(url) as state:
        while True:
            files = state.files(store)
            number = int(files.get("/a.md", "0")) + 1
            edits = [
                MemoryEdit(
                    path=path,
                    content=str(number),
                    expected_sha256=sha256(files[path]) if path in files else None,
                )
                for path in ("/a.md", "/b.md")
            ]
            third = files.get("/c.md")
            content = str(number) if third is None else None
            edits.append(
                MemoryEdit(
                    path="/c.md", content=content, expected_sha256=None if third is None else sha256(third)
                )
            )
            state.commit(store, edits, base_version=None, actor=ADA)


def spend(url: str, level: str, calls: int, results: Any) -> None:
    """Reserve and settle through a nested purse until the budget ends; puts the number of calls made."""
    from agentflows.change import Budget

    made = 0
    with State(url) as state:
        purse = state.purse({level: Budget(tokens=1_000, dollars=1.0), f"{level}:{os.getpid()}": Budget()})
        for _ in range(calls):
            try:
                reservation = purse.reserve(10, 0.01, "test")
            except BudgetError:
                break
            purse.settle(reservation, 10, 0.01)
            made += 1
    results.put(made)


def open_state(url: str) -> None:
    """Open (and so create) the database."""
    State(url).close()


def take_lease(url: str, name: str, owner: str, results: Any) -> None:
    """Put the token, or None when somebody else was first."""
    from datetime import timedelta

    with State(url) as state:
        try:
            results.put(state.lease(name, owner, timedelta(seconds=60)).token)
        except ConflictError:
            results.put(None)


def fill_disk(url: str) -> None:
    """Commit while files may not grow any further: exits 0 when the error says so and names the way out."""
    import resource
    from pathlib import Path

    with State(url) as state:
        size = Path(url.removeprefix("sqlite:///") + "-wal").stat().st_size
        state.get_store("team")
        limit = size + 8_192
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        edit = MemoryEdit(path="/big.md", content="x" * 100_000, expected_sha256=None)
        try:
            state.commit("team", [edit], base_version=1, actor=ADA)
        except AgentflowsError as error:
            os._exit(0 if "Check its space" in str(error) or "Free some space" in str(error) else 3)
    os._exit(4)


def write_without_right(url: str) -> None:
    """Write as a user without the right to: exits 0 when the error says what it is about."""
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory() as folder:  # loads what that user may not read
            State(f"sqlite:///{folder}/state.db").close()
        os.setuid(65534)
    try:
        with State(url) as state:
            state.create_store("x", actor=ADA)
    except AgentflowsError as error:
        os._exit(0 if "this user" in str(error) or "the rights" in str(error) else 3)
    os._exit(4)
