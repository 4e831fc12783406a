"""`agentflows …` as a process of its own, without the second it takes to import: see `tests.command_server`."""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

_SERVER = ROOT / "tests" / "command_server.py"
_TOO_LONG_SECONDS = 240


def run(
    *words: str | Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: bytes = b"",
    file_bytes: int = 0,
    is_bound: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `agentflows …`.

    Args:
        words: what stands behind `agentflows`.
        environment: all variables; those of this process, without ours, unless told otherwise.
        folder: where it runs; None is here.
        stdin: its standard input.
        file_bytes: no file may grow larger; 0 is no limit.
        is_bound: whether the rights on files count even for root.

    Raises:
        TimeoutExpired: it did not end; it was killed.
    """
    order = {
        "words": list(map(str, words)),
        "environment": dict(foreign_variables() if environment is None else environment),
        "folder": str(folder or Path.cwd()),
        "file_bytes": file_bytes,
        "is_bound": is_bound,
    }
    ours, theirs = socket.socketpair()
    pipes = [os.pipe() for _ in range(3)]
    (read_in, write_in), (read_out, write_out), (read_err, write_err) = pipes
    with ours, ThreadPoolExecutor(3) as pool:
        socket.send_fds(command_socket(), [b"."], [theirs.fileno(), read_in, write_out, write_err])
        theirs.close()
        for file in (read_in, write_out, write_err):
            os.close(file)
        ours.sendall(json.dumps(order).encode())
        ours.shutdown(socket.SHUT_WR)
        pool.submit(_feed, write_in, stdin)
        out, err = pool.submit(_all_of, read_out), pool.submit(_all_of, read_err)
        code = _ended(ours, words)
        return subprocess.CompletedProcess(words, code, out.result().decode(), err.result().decode())


def foreign_variables() -> dict[str, str]:
    """The variables of this process that are not ours."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "AGENTFLOWS_"))
    }


def _ended(connection: socket.socket, words: tuple[str | Path, ...]) -> int:
    """The exit code, or minus the signal that killed it."""
    connection.settimeout(_TOO_LONG_SECONDS)
    with connection.makefile("rb") as lines:
        process = int(lines.readline())
        try:
            return int(lines.readline())
        except TimeoutError:
            os.kill(process, signal.SIGKILL)
            raise subprocess.TimeoutExpired([str(word) for word in words], _TOO_LONG_SECONDS) from None


def _feed(file: int, data: bytes) -> None:
    with open(file, "wb") as stream:
        stream.write(data)


def _all_of(file: int) -> bytes:
    with open(file, "rb") as stream:
        return stream.read()


@cache
def command_socket(*modules: str) -> socket.socket:
    """The socket of the one server of this process that has also imported `modules`; it ends with this process."""
    ours, theirs = socket.socketpair()
    variables = {name: value for name, value in foreign_variables().items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [sys.executable, _SERVER, str(theirs.fileno()), *modules],
        env=variables,
        cwd=ROOT,
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait(_TOO_LONG_SECONDS)

    atexit.register(end)
    return ours
