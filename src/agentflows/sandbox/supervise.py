"""Start one process, read it, and end it: at its own end, at its deadline, or when it goes beyond what it may.

The loop waits on the output, the input, bwrap's own messages and the end of the process at once, so that no closed
stream and no unread input outlives the deadline. When it returns, nothing of the process is left.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentflows.sandbox.words import Limits, RunReason

_CHUNK = 64 << 10
_GRACE = 5.0
"""Seconds the kernel has to end killed processes; it needs milliseconds."""
_DRAIN = 0.5
"""Seconds for what was written before the end; where no sandbox ends them, a stray child may hold the output open."""


@dataclass(slots=True)
class Kept:
    """Output within a bound: its first half and its last half."""

    bound: int
    total: int = 0
    _head: bytearray = field(default_factory=bytearray)
    _tail: bytearray = field(default_factory=bytearray)

    def add(self, data: bytes) -> None:
        """Take in what was read next."""
        self.total += len(data)
        room = self.bound // 2 - len(self._head)
        self._head += data[:room]
        self._tail += data[max(room, 0) :]
        if len(self._tail) > 2 * self.bound:
            self._shorten()

    def _shorten(self) -> None:
        del self._tail[: max(0, len(self._tail) - (self.bound - self.bound // 2))]

    @property
    def is_cut(self) -> bool:
        """Whether the middle is missing."""
        return self.total > self.bound

    def text(self) -> str:
        """Head and tail, with a line between them that counts what is missing."""
        if not self.is_cut:
            return (self._head + self._tail).decode("utf-8", "replace")
        self._shorten()
        head, tail = (part.decode("utf-8", "replace") for part in (self._head, self._tail))
        return f"{head}\n[... {self.total - self.bound} bytes left out ...]\n{tail}"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    reason: RunReason
    returncode: int
    """As subprocess has it: negative for a signal."""
    output: Kept
    seconds: float
    has_started: bool
    """Whether bwrap came as far as the command; True where there is no bwrap."""


@dataclass(frozen=True, slots=True)
class Start:
    """What to start, and with what."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    stdin: bytes | None
    cwd: str | None = None
    """The folder to start in; None is the present one."""
    inherit: tuple[int, ...] = ()
    """Descriptors it inherits."""
    has_status: bool = False
    """Whether it is bwrap and reports to the descriptor for which `STATUS` stands in `argv`."""
    crowd: Callable[[int], int] | None = None
    """Counts the processes beside the given first one of a sandbox; asked every 50 ms when given."""
    stop: Callable[[], object] | None = None
    """Whether whoever wanted the result does not want it any more; asked every 50 ms when given."""
    heard: Callable[[bytes], object] | None = None
    """Told what was written, as it comes."""

    @property
    def is_looked_at(self) -> bool:
        """Whether something is asked for between events."""
        return self.crowd is not None or self.stop is not None


STATUS = "@STATUS@"
"""Stands in `Start.argv` for the number of the descriptor bwrap reports to."""
_LOOK_EVERY = 0.05


def _hold(first: int) -> int | None:
    """A descriptor of the process numbered `first`, if it is still the first one of a sandbox; None if it has gone."""
    try:
        held = os.pidfd_open(first)
    except ProcessLookupError:
        return None
    try:
        lines = Path("/proc", str(first), "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        lines = []
    if any(line.startswith("NSpid:") and line.endswith("\t1") and line.count("\t") > 1 for line in lines):
        return held
    os.close(held)  # the number was given to another process
    return None


class Supervisor:
    """One process under watch. `run()` once."""

    def __init__(self, start: Start, limits: Limits, seconds: float) -> None:
        self._start = start
        self._limits = limits
        self._kept = Kept(limits.output_bytes)
        self._began = time.monotonic()
        self._deadline = self._began + seconds
        self._status = b""
        self._first: int | None = None
        self._first_fd: int | None = None
        self._reason: RunReason | None = None
        self._unsent = memoryview(start.stdin or b"")
        self._selector = selectors.DefaultSelector()

    def run(self) -> Ended:
        """Start it and stay until it is gone.

        Raises:
            OSError: it cannot be started.
        """
        read_end, write_end = os.pipe()
        try:
            with open(os.devnull) as nothing, self._selector:  # noqa: PTH123 - a descriptor is wanted
                process = self._open(nothing.fileno(), write_end)
                os.close(write_end)
                write_end = -1
                try:
                    self._watch(process, read_end)
                finally:
                    self._end(process)
            self._drain(process)
            self._hear(read_end)
        finally:
            os.close(read_end)
            if write_end >= 0:
                os.close(write_end)
            if self._first_fd is not None:
                os.close(self._first_fd)
        has_started = not self._start.has_status or b'"exit-code"' in self._status
        seconds = time.monotonic() - self._began
        return Ended(self._reason or "exited", process.returncode, self._kept, seconds, has_started)

    def _open(self, nothing: int, status: int) -> subprocess.Popen[bytes]:
        start = self._start
        argv = [str(status) if word == STATUS else word for word in start.argv]
        return subprocess.Popen(  # noqa: S603 - the sandbox is what this is
            argv,
            stdin=nothing if start.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(start.environment),
            cwd=start.cwd,
            pass_fds=(*start.inherit, *([status] if start.has_status else [])),
            start_new_session=True,
            bufsize=0,
        )

    def _watch(self, process: subprocess.Popen[bytes], status: int) -> None:
        """Until it has ended by itself, or `_reason` says why it must."""
        assert process.stdout  # noqa: S101 - asked for above
        os.set_blocking(status, False)
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, "output")
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            self._selector.register(process.stdin, selectors.EVENT_WRITE, "input")
        ended = os.pidfd_open(process.pid)
        try:
            self._selector.register(ended, selectors.EVENT_READ, "ended")
            while self._reason is None:
                left = self._deadline - time.monotonic()
                if left <= 0:
                    self._reason = "timeout"
                    return
                events = self._selector.select(min(left, _LOOK_EVERY) if self._start.is_looked_at else left)
                names = {key.data for key, _ in events}
                if "input" in names:
                    self._feed(process)
                if "output" in names:
                    self._read(process)
                if "ended" in names:
                    return
                self._look(status)
        finally:
            os.close(ended)
            self._hear(status)  # not earlier: each wake-up costs time, and only the end needs to know

    def _hear(self, status: int) -> None:
        """Take bwrap's messages; the first names the process that holds all others."""
        try:
            data = os.read(status, _CHUNK)
        except BlockingIOError:
            return
        self._status += data
        if self._first is None and b"\n" in self._status:
            self._first = int(json.loads(self._status.partition(b"\n")[0])["child-pid"])
            self._first_fd = _hold(self._first)

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin  # noqa: S101 - registered only where there is one
        with contextlib.suppress(BlockingIOError):
            try:
                self._unsent = self._unsent[os.write(process.stdin.fileno(), self._unsent[:_CHUNK]) :]
            except BrokenPipeError:  # it does not want to read on, which is its right
                self._unsent = self._unsent[:0]
        if not self._unsent:
            self._selector.unregister(process.stdin)
            process.stdin.close()

    def _read(self, process: subprocess.Popen[bytes]) -> bool:
        """Take output; False when there is none now."""
        assert process.stdout  # noqa: S101 - asked for above
        try:
            data = os.read(process.stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(process.stdout)
            return False
        self._kept.add(data)
        if self._start.heard:
            self._start.heard(data)
        if self._kept.total > self._limits.output_kill_bytes:
            self._reason = "output_limit"
        return True

    def _look(self, status: int) -> None:
        if self._start.stop and self._start.stop():
            self._reason = "stopped"
        elif self._start.crowd:
            self._hear(status)
            if self._first and self._start.crowd(self._first) > self._limits.processes:
                self._reason = "process_limit"

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill what is left and wait until the kernel has ended it, the last process of the sandbox included."""
        if self._first_fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first_fd, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
        if process.stdin:
            process.stdin.close()
        process.wait()
        if self._first_fd is not None:
            with selectors.DefaultSelector() as gone:
                gone.register(self._first_fd, selectors.EVENT_READ)
                gone.select(_GRACE)

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        """Read what it wrote before its end, within bounds."""
        assert process.stdout  # noqa: S101 - asked for above
        with process.stdout:
            until = time.monotonic() + _DRAIN
            while (
                self._reason in {None, "timeout", "stopped"}
                and time.monotonic() < until
                and self._read(process)
            ):
                pass
