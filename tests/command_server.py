"""A process that has imported the command line, and becomes `agentflows …` in a fork of itself for each command.

It is started by `tests.command_line`, with a socket, and with the name of a module to import too, if any. For each command it is sent four files: a
connection, and what shall be standard input, output and error. Over the connection come the words and what they run
under; back go the process id and, when it ended, how.
"""

import ctypes
import gc
import json
import os
import resource
import runpy
import signal
import socket
import struct
import sys
from importlib import import_module
from typing import Any

from agentflows.cli import main
from agentflows.cli.commands import COMMANDS

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEEDED = (
    *(f"agentflows.cli.{place.module}" for place in COMMANDS.values()),
    "agentflows.archive",
    "agentflows.picturing",
)
"""What each command imports, and what some import when they run."""
_PR_CAPBSET_DROP = 24
_CAPABILITIES = 0x20080522
"""Version 3 of the structures that capget(2) and capset(2) take."""
_MAY_READ_AND_WRITE_ANYTHING = (1, 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what makes root deaf to the rights on a file."""


def serve(control: socket.socket) -> dict[str, Any]:
    """Fork for each command until nobody can send one any more. Returns in the forks only, with what to run."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, files, _, _ = socket.recv_fds(control, 1, 4)
        if not files:
            os._exit(0)
        if not os.fork():
            control.close()
            return _watched(*files)
        for file in files:
            os.close(file)


def _watched(connection: int, *streams: int) -> dict[str, Any]:
    """Fork once more: one half waits for the other and tells how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    talk = socket.socket(fileno=connection)
    with talk.makefile("rb") as lines:
        order = json.load(lines)
    process = os.fork()
    if not process:
        talk.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return order
    for number, stream in enumerate(streams):
        os.close(stream)
        os.close(number)
    try:
        talk.sendall(f"{process}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        talk.sendall(f"{code}\n".encode())
    except BrokenPipeError:  # whoever asked has gone
        os.kill(process, signal.SIGKILL)
    os._exit(0)


def become(order: dict[str, Any]) -> None:
    """Take on what the command is to run under."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv = ["agentflows", *order["words"]]
    sys.path[0] = order["folder"]
    if order["file_bytes"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"], order["file_bytes"]))
    if order["is_bound"] and not os.getuid():
        heed_rights()


def heed_rights() -> None:
    """Be bound by the rights on files, even as root; also what this process starts."""
    for capability in _MAY_READ_AND_WRITE_ANYTHING:
        if _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise PermissionError
    header = struct.pack("Ii", _CAPABILITIES, 0)
    sets = ctypes.create_string_buffer(24)
    if _LIBC.capget(header, sets):
        raise PermissionError
    effective, permitted, *rest = struct.unpack("6I", sets.raw)
    kept = ~sum(1 << capability for capability in _MAY_READ_AND_WRITE_ANYTHING)
    if _LIBC.capset(header, struct.pack("6I", effective & kept, permitted & kept, *rest)):
        raise PermissionError


def run(order: dict[str, Any]) -> None:
    """Be `agentflows …`, or the Python program or the `prefect …` that was asked for."""
    program = order.get("program", "agentflows")
    if "prefect" in sys.modules:
        import_module("prefect.context").refresh_global_settings_context()
    if program == "python-block":
        runpy.run_path(order["words"][0], run_name="__main__")
    elif program == "prefect":
        sys.argv[0] = "prefect"
        import_module("prefect.cli").app()
    else:
        main()


if __name__ == "__main__":
    for module in (*_NEEDED, *sys.argv[2:]):
        import_module(module)
    gc.freeze()
    given = serve(socket.socket(fileno=int(sys.argv[1])))
    become(given)
    run(given)
