"""One child process until its end: its lines as they come, a deadline, a cap on output, and no process left behind."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, cast

from agentflows.errors import SandboxError

ProcessEnd = Literal["exited", "timeout", "output_limit", "stopped"]
"""`exited` by itself, or killed: at its deadline, for what it wrote, because the caller said so."""

_LOOK_SECONDS = 0.2
"""How often the caller is asked whether to stop."""
_CHUNK = 1 << 16
_STDERR_TAIL = 4096
_PLAIN = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TERM",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
)
"""Variables that programs need and that hold no secret. `LC_*` too."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to start and what it may take."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    seconds: float
    stdin: bytes = b""
    output_bytes: int = 32 << 20
    """Of standard output; a program that writes more is killed."""
    stop: Callable[[], str] | None = None
    pass_fds: Sequence[int] = ()


@dataclass(slots=True)
class Ended:
    """What became of the process."""

    end: ProcessEnd = "exited"
    exit_code: int = 0
    """Below 0: the signal that ended it."""
    errors: str = ""
    """The last 4 KiB of standard error."""
    seconds: float = 0.0
    reason: str = ""
    """With `stopped`: what the caller said."""
    lost: str = ""
    """Why it could not be started; "" when it was."""
    is_unstarted: bool = False
    """Whether nothing was run."""


class Stopping:
    """Whoever may end a run, asked five times a second at most; what they say is remembered.

    Args:
        stop: says why to end, or ""; None never does.
    """

    def __init__(self, stop: Callable[[], str] | None) -> None:
        self._stop = stop
        self._asked_at = float("-inf")
        self.reason = ""
        """What they said; "" while they have not."""

    def __call__(self) -> str:
        """Why to end now; "" to go on."""
        now = time.monotonic()
        if self._stop is not None and not self.reason and now - self._asked_at >= _LOOK_SECONDS:
            self._asked_at = now
            self.reason = self._stop()
        return self.reason


class Lines:
    """Bytes in pieces, handed out as whole lines without their line feed.

    Args:
        on_line: gets each.
    """

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._rest = bytearray()

    def take(self, data: bytes) -> None:
        """Take the next piece."""
        self._rest += data
        if b"\n" in data:
            *lines, rest = bytes(self._rest).split(b"\n")
            self._rest = bytearray(rest)
            for line in lines:
                self._on_line(line)

    def end(self) -> None:
        """Hand out what no line feed came after."""
        if self._rest:
            self._on_line(bytes(self._rest))
            self._rest.clear()


def environment(names: Sequence[str]) -> dict[str, str]:
    """This process's harmless variables, and those of the given names: built from nothing, so that no key gets in."""
    allowed = {*_PLAIN, *names}
    return {name: value for name, value in os.environ.items() if name in allowed or name.startswith("LC_")}


def supervise(order: Order, on_line: Callable[[bytes], None]) -> Ended:
    """Run it to its end and hand out each line of its standard output, without its line feed, as it comes.

    When this returns, whatever belongs to the process's group is gone, also when `on_line` raises; when this process is
    killed, a guard that outlives it ends the group. What made a group of its own (a daemon) is not: only the sandbox
    holds that.
    """
    began = time.monotonic()
    with _guard() as watch_over:
        try:
            process = _started(order)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return Ended(lost=f"{order.argv[0]} cannot be started: {reason}", is_unstarted=True)
        try:
            watch_over(process.pid)
            ended = _Watch(process, order, Lines(on_line), began + order.seconds, Stopping(order.stop)).run()
        finally:
            _end(process)
    ended.exit_code = process.returncode
    ended.seconds = time.monotonic() - began
    return ended


def _started(order: Order) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - the command is the user's own choice
        list(order.argv),
        cwd=order.cwd,
        env=dict(order.env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=tuple(order.pass_fds),
    )


_GUARD = 'read -r group && read -r _; test -z "$group" || kill -KILL "-$group"'


@contextlib.contextmanager
def _guard() -> Generator[Callable[[int], object]]:
    """A shell that reads a pipe: first the group to watch over, then nothing, for as long as this process lives."""
    inlet, outlet = os.pipe()
    try:
        guard = subprocess.Popen(  # noqa: S603 - our own words
            ["/bin/sh", "-c", _GUARD],
            stdin=inlet,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )
    except OSError as error:
        os.close(outlet)
        msg = (
            f"No process can be started to watch over a command: {error.strerror or error}. Nothing was run."
        )
        raise SandboxError(msg) from error
    finally:
        os.close(inlet)
    try:
        yield lambda group: os.write(outlet, f"{group}\n".encode())
    finally:
        guard.kill()
        guard.wait()
        os.close(outlet)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the group, whose leader may have gone before its children, and take the exit code."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()


@dataclass(slots=True)
class _Watch:
    """Feeds a process and reads it, until it is done or has had enough."""

    process: "subprocess.Popen[bytes]"
    order: Order
    lines: Lines
    deadline: float
    stopping: Stopping
    ended: Ended = field(default_factory=Ended)
    _errors: bytes = b""
    _taken: int = 0
    _sent: int = 0
    _open: int = 2

    def run(self) -> Ended:
        with selectors.DefaultSelector() as selector:
            self._register(selector)
            while not self._is_over(selector):
                for key, _ in selector.select(self._pause()):
                    key.data(selector, key.fileobj)
        self.lines.end()
        self.ended.errors = self._errors.decode(errors="replace").strip()
        return self.ended

    def _register(self, selector: selectors.BaseSelector) -> None:
        process = self.process
        stdin, stdout, stderr = (
            cast("IO[bytes]", one) for one in (process.stdin, process.stdout, process.stderr)
        )
        for stream in (stdin, stdout, stderr):
            os.set_blocking(stream.fileno(), False)
        selector.register(stdout, selectors.EVENT_READ, self._take)
        selector.register(stderr, selectors.EVENT_READ, self._take_error)
        if self.order.stdin:
            selector.register(stdin, selectors.EVENT_WRITE, self._feed)
        else:
            stdin.close()

    def _is_over(self, selector: selectors.BaseSelector) -> bool:
        """Whether it ended, or must end now. A process may close its output and go on: it has the same deadline."""
        if self.ended.end == "output_limit":
            return True
        if time.monotonic() >= self.deadline:
            self._drain(selector)
            self.ended.end = "timeout"
            return True
        if reason := self.stopping():
            self._drain(selector)
            self.ended.end, self.ended.reason = "stopped", reason
            return True
        if self.process.poll() is None:
            return False
        self._drain(selector)
        return True

    def _drain(self, selector: selectors.BaseSelector) -> None:
        """Take what the pipe still holds: a child that outlived its parent may keep it open, so nothing is waited for."""
        while ready := [key for key, _ in selector.select(0) if key.data != self._feed]:
            before = self._open
            for key in ready:
                key.data(selector, key.fileobj)
            if self.ended.end == "output_limit" or (before == self._open == 0):
                return

    def _pause(self) -> float:
        return max(0.0, min(_LOOK_SECONDS, self.deadline - time.monotonic()))

    def _feed(self, selector: selectors.BaseSelector, stream: IO[bytes]) -> None:
        try:
            self._sent += os.write(stream.fileno(), self.order.stdin[self._sent : self._sent + _CHUNK])
        except BlockingIOError:
            return
        except OSError:  # it does not want to read
            self._sent = len(self.order.stdin)
        if self._sent >= len(self.order.stdin):
            selector.unregister(stream)
            with contextlib.suppress(OSError):
                stream.close()

    def _take(self, selector: selectors.BaseSelector, stream: IO[bytes]) -> None:
        data = self._read(selector, stream)
        self._taken += len(data)
        self.lines.take(data)
        if self._taken > self.order.output_bytes:
            self.ended.end = "output_limit"

    def _take_error(self, selector: selectors.BaseSelector, stream: IO[bytes]) -> None:
        self._errors = (self._errors + self._read(selector, stream))[-_STDERR_TAIL:]

    def _read(self, selector: selectors.BaseSelector, stream: IO[bytes]) -> bytes:
        try:
            data = os.read(stream.fileno(), _CHUNK)
        except BlockingIOError:
            return b""
        if not data:
            selector.unregister(stream)
            self._open -= 1
        return data
