"""Control groups: the only limit on all processes of a command together, and the only one that root heeds.

The kernel does not apply RLIMIT_NPROC to the real root, and RLIMIT_AS counts each process for itself. Where this
process may make control groups below its own (as root on a machine of its own, or in a delegated tree), every command
gets one for its processes and one for its memory. Both layouts are known: version 2, and version 1 with one tree per
controller.
"""

import contextlib
import itertools
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PREFIX = "agentflows-"
_OWN_PROCESSES = 4
"""Beside the command: the launcher, bwrap outside, bwrap inside, and one that is about to become the command."""
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Groups:
    """Where groups can be made: the parents, by controller; the same folder for both in version 2."""

    processes: Path | None
    memory: Path | None

    def make(self, *, processes: int, memory_bytes: int) -> "Group":
        """A group for one command, limited before anything runs in it.

        Raises:
            OSError: the kernel refused.
        """
        name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        folders = {parent / name for parent in (self.processes, self.memory) if parent}
        group = Group(tuple(sorted(folders)))
        try:
            for folder in folders:
                folder.mkdir()
            if self.processes:
                _write(self.processes / name / "pids.max", processes + _OWN_PROCESSES)
            if self.memory:
                group.limit_memory(self.memory / name, memory_bytes)
        except OSError:
            group.remove()
            raise
        return group

    def sweep(self) -> None:
        """Remove groups that killed processes of ours left behind; they are empty, or stay."""
        for parent in {folder for folder in (self.processes, self.memory) if folder}:
            for folder in parent.glob(f"{_PREFIX}*-*"):
                owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
                if not Path("/proc", owner).exists():
                    with contextlib.suppress(OSError):
                        folder.rmdir()


@dataclass(frozen=True)
class Group:
    """The control groups of one command."""

    folders: tuple[Path, ...]

    def limit_memory(self, folder: Path, memory_bytes: int) -> None:
        """Cap memory, and swap with it where swap is counted."""
        if (folder / "memory.max").exists():
            _write(folder / "memory.max", memory_bytes)
            swap, most = folder / "memory.swap.max", 0
        else:
            _write(folder / "memory.limit_in_bytes", memory_bytes)
            swap, most = folder / "memory.memsw.limit_in_bytes", memory_bytes
        if swap.exists():
            _write(swap, most)

    @cached_property
    def _kill_counts(self) -> list[Path]:
        names = ("memory.events", "memory.oom_control")
        return [folder / name for folder in self.folders for name in names if (folder / name).exists()]

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed one of its processes for want of memory."""
        return any(
            line.startswith("oom_kill ") and line != "oom_kill 0"
            for file in self._kill_counts
            for line in file.read_text().splitlines()
        )

    def remove(self) -> None:
        """Remove the groups; the kernel needs a moment after the last process has gone."""
        for folder in self.folders:
            for _ in range(100):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.002)
                else:
                    break


def find_groups() -> Groups:
    """Where this process can make groups; tried, not guessed."""
    own = _own_groups()
    if (
        "" in own
        and (folder := _ROOT / own[""].lstrip("/")).is_dir()
        and (_ROOT / "cgroup.controllers").exists()
    ):
        control = folder / "cgroup.subtree_control"
        given = control.read_text().split() if control.is_file() else []
        return Groups(
            folder if "pids" in given and _is_usable(folder) else None,
            folder if "memory" in given and _is_usable(folder) else None,
        )
    return Groups(_parent(own, "pids"), _parent(own, "memory"))


def _own_groups() -> Mapping[str, str]:
    """This process's group by controller; "" is version 2."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return {}
    fields = [line.split(":", 2) for line in lines]
    return {name: field[2] for field in fields if len(field) == 3 for name in field[1].split(",")}


def _parent(own: Mapping[str, str], controller: str) -> Path | None:
    if controller not in own:
        return None
    mounted = _ROOT / controller
    named = mounted / own[controller].lstrip("/")  # in a container the name is the host's, the mount its own
    return next((folder for folder in (named, mounted) if folder.is_dir() and _is_usable(folder)), None)


def _is_usable(folder: Path) -> bool:
    trial = folder / f"{_PREFIX}{os.getpid()}-trial{next(_numbers)}"
    try:
        trial.mkdir()
    except OSError:
        return False
    is_writable = os.access(trial / "cgroup.procs", os.W_OK)
    with contextlib.suppress(OSError):
        trial.rmdir()
    return is_writable


def _write(file: Path, value: int) -> None:
    file.write_text(str(value))
