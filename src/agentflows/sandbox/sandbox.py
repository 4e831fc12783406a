"""Run a command in a sandbox: no network, no secrets, nothing of this machine but its workspace."""

import contextlib
import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from agentflows.errors import SandboxError, UsageError
from agentflows.sandbox import jail
from agentflows.sandbox.ability import Ability, ability, check_linux
from agentflows.sandbox.crowd import count_processes
from agentflows.sandbox.groups import Group
from agentflows.sandbox.seccomp import filter_program
from agentflows.sandbox.supervise import STATUS, Ended, Start, Supervisor
from agentflows.sandbox.words import Limits, Run, RunReason

_LONGEST_WORD = 128 << 10
"""Bytes of one argument; the kernel takes no more (MAX_ARG_STRLEN)."""
_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_RESERVED = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/etc",
    "/proc",
    "/dev",
    "/sys",
    "/tmp",  # noqa: S108 - inside
    jail.WORKSPACE,
)
_SIGNAL_CODES = range(129, 193)


class Sandbox:
    """One policy under which commands run. Cheap to make; it holds no process and no descriptor between calls.

    Inside, the workspace is `/workspace`, and `/tmp` is private and empty at each call. With `mode="off"` a command
    runs as this process does, with the same environment, limits and deadline but without walls: the whole disk and
    the network are in its reach, `network`, `read_only` and `extra_read_only` have no effect, what it starts in a session
    of its own outlives it, and each `Run` says `sandboxed=False`.
    """

    def __init__(  # noqa: PLR0913 - one policy, each part with its name
        self,
        workspace: Path,
        *,
        mode: Literal["required", "off"] = "required",
        network: bool = False,
        read_only: bool = False,
        env: Mapping[str, str] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        extra_read_only: Mapping[str, Path] | None = None,
    ) -> None:
        """Take the policy; nothing is started.

        Args:
            workspace: the folder that commands see as `/workspace` and may write.
            mode: "required" fails where the sandbox cannot be built; "off" runs without it.
            network: share this machine's network. There is no allow-list of hosts: it is all or nothing.
            read_only: mount the workspace read-only.
            env: variables beside `PATH`, `HOME`, `LANG` and `TERM`. Nothing is taken over from this process.
            limits: what one command may use up.
            extra_read_only: mount point inside (`/memory`) → folder outside.

        Raises:
            UsageError: the workspace is no folder or is `/`; a mount or a variable cannot be.
        """
        root = workspace.resolve()
        if not root.is_dir() or root == Path("/"):
            msg = f"A sandbox needs a folder to work in, found {str(workspace)!r}. Name one that exists and is not /."
            raise UsageError(msg)
        self.mode = mode
        self.policy = jail.Policy(
            workspace=root,
            network=network,
            read_only=read_only,
            environment=_environment(env or {}),
            mounts={point: _mount(point, source) for point, source in (extra_read_only or {}).items()},
            limits=limits,
        )

    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout_seconds: float | None = None,
        stdin: bytes | None = None,
        cwd: str = ".",
        stop: Callable[[], object] | None = None,
        heard: Callable[[bytes], object] | None = None,
    ) -> Run:
        """Run one command to its end, or to where its limits are; afterwards no process of it is left.

        Args:
            command: a line for bash, or a program with its arguments.
            timeout_seconds: less than `limits.seconds`; None is that.
            stdin: what it can read; None is nothing.
            cwd: where it starts, below the workspace.
            stop: asked every 50 ms; the command is killed once the answer is true.
            heard: told all it writes, as it comes: the middle, too, that `Run.output` may leave out. What it raises ends the command.

        Raises:
            SandboxError: the sandbox is required and cannot be built here; nothing was run.
            UsageError: the command or the folder cannot be.
        """
        check_linux()
        _check_words([command.strip()] if isinstance(command, str) else command)
        words = ["/bin/bash", "-c", command] if isinstance(command, str) else list(command)
        folder = _below(cwd)
        seconds = min(timeout_seconds or self.policy.limits.seconds, self.policy.limits.seconds)
        call = _Call(words, folder, stdin, seconds, stop, heard)
        if self.mode == "off":
            return self._without(call)
        able = ability()
        if able.problems:
            raise SandboxError(able.refusal)
        return self._within(able, call)

    def _within(self, able: Ability, call: "_Call") -> Run:
        limits = self.policy.limits
        with (
            _group(able, limits) as group,
            _descriptors(self.policy, call.folder) as (args, filters, inherited),
        ):
            has_memory = bool(able.groups.memory and group.folders)
            bwrap = [able.bwrap, "--json-status-fd", STATUS, "--args", str(args), *filters, "--"]
            command = jail.limited(call.words, limits, has_memory_group=has_memory)
            start = Start(
                argv=jail.in_groups([*bwrap, *command], group.folders),
                environment=jail.LAUNCHER_ENVIRONMENT,
                stdin=call.stdin,
                inherit=inherited,
                has_status=True,
                crowd=count_processes if able.process_limit == "watched" else None,
                stop=call.stop,
                heard=call.heard,
            )
            ended = _supervise(start, limits, call.seconds)
            if not ended.has_started and ended.reason == "exited":
                raise SandboxError(_not_built(ended))
            return _run(ended, is_sandboxed=True, has_run_out=group.ran_out_of_memory)

    def _without(self, call: "_Call") -> Run:
        has_prlimit = shutil.which("prlimit", path=jail.LAUNCHER_ENVIRONMENT["PATH"]) is not None
        limits = self.policy.limits
        start = Start(
            argv=jail.limited(call.words, limits, has_memory_group=False) if has_prlimit else call.words,
            environment=self.policy.environment,
            stdin=call.stdin,
            cwd=str(self.policy.workspace / call.folder),
            stop=call.stop,
            heard=call.heard,
        )
        return _run(_supervise(start, limits, call.seconds), is_sandboxed=False, has_run_out=False)


@dataclass(frozen=True, slots=True)
class _Call:
    """What one `run` asks for, checked."""

    words: Sequence[str]
    folder: str
    stdin: bytes | None
    seconds: float
    stop: Callable[[], object] | None = None
    heard: Callable[[bytes], object] | None = None


def _supervise(start: Start, limits: Limits, seconds: float) -> Ended:
    try:
        return Supervisor(start, limits, seconds).run()
    except OSError as error:
        msg = f"A command could not be started: {error.strerror or error}. Check the program and its folder."
        raise SandboxError(msg) from error


def _run(ended: Ended, *, is_sandboxed: bool, has_run_out: bool) -> Run:
    code = ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
    reason: RunReason = ended.reason
    if reason == "exited" and code != 0 and has_run_out:
        reason = "memory_limit"
    elif reason == "exited" and code in _SIGNAL_CODES:
        reason = "signal"
    return Run(
        exit_code=code if ended.reason == "exited" else None,
        output=ended.output.text(),
        truncated=ended.output.is_cut or ended.reason == "output_limit",
        reason=reason,
        seconds=ended.seconds,
        sandboxed=is_sandboxed,
    )


@contextlib.contextmanager
def _group(able: Ability, limits: Limits) -> Generator[Group]:
    if able.groups.processes is None and able.groups.memory is None:
        yield Group(())
        return
    try:
        group = able.groups.make(processes=limits.processes, memory_bytes=limits.memory_bytes)
    except OSError as error:
        msg = f"No control group could be made for a command: {error}. Nothing was run; see `agentflows doctor`."
        raise SandboxError(msg) from error
    try:
        yield group
    finally:
        group.remove()


@contextlib.contextmanager
def _descriptors(policy: jail.Policy, folder: str) -> Generator[tuple[int, list[str], tuple[int, ...]]]:
    """Bwrap's options and filter in memory: descriptors, and the words that name the filter."""
    with contextlib.ExitStack() as stack:

        def held(content: bytes, name: str) -> int:
            fd = jail.in_memory(content, name)
            stack.callback(os.close, fd)
            return fd

        passwd, group = (held(content, "file") for content in jail.generated_files())
        words = jail.options(policy, folder, passwd=passwd, group=group)
        args = held(b"".join(word.encode() + b"\0" for word in words), "options")
        inherited = [passwd, group, args]
        program = filter_program()
        filters: list[str] = []
        if program:
            inherited.append(held(program, "filter"))
            filters = ["--seccomp", str(inherited[-1])]
        yield args, filters, tuple(inherited)


def _environment(given: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in given.items():
        if name in _KEYS:
            msg = (
                f"{name} must not go into a sandbox: whatever runs there can read it. Leave it out of `env`."
            )
            raise UsageError(msg)
        if not name or "=" in name or "\0" in name + value:
            msg = f"The variable {name!r} cannot be set: a name without = and values without NUL are needed."
            raise UsageError(msg)
    return {**jail.PLAIN_ENVIRONMENT, **given}


def _mount(point: str, source: Path) -> Path:
    path = PurePosixPath(point)
    is_taken = any(path == PurePosixPath(name) or PurePosixPath(name) in path.parents for name in _RESERVED)
    if not path.is_absolute() or ".." in path.parts or path == PurePosixPath("/") or is_taken:
        msg = (
            f"Nothing can be mounted at {point!r}: expected an absolute path outside {', '.join(_RESERVED)}."
        )
        raise UsageError(msg)
    if not source.exists():
        msg = f"What was to be mounted at {point} does not exist: {source}. Make it first."
        raise UsageError(msg)
    return source.resolve()


def _check_words(words: Sequence[str]) -> None:
    if not words or not words[0]:
        msg = "There is no command to run. Give a line for bash, or a program with its arguments."
        raise UsageError(msg)
    for word in words:
        if "\0" in word or len(os.fsencode(word)) >= _LONGEST_WORD:
            msg = (
                f"A command cannot hold NUL bytes nor {_LONGEST_WORD >> 10} KiB and more in one word, found "
                f"{len(word):,} characters. Write the script to a file of the workspace and run that."
            )
            raise UsageError(msg)


def _below(cwd: str) -> str:
    path = PurePosixPath(cwd)
    if path.is_absolute() or ".." in path.parts or "\0" in cwd:
        msg = f"The folder to start in must lie below the workspace, found {cwd!r}. Use a relative path without '..'."
        raise UsageError(msg)
    return str(path)


def _not_built(ended: Ended) -> str:
    said = " ".join(ended.output.text().split())[-300:]
    return f"The sandbox could not be built, and nothing was run: {said!r}. `agentflows doctor` says what is wrong."
