"""What a sandbox promises and what it reports: limits, and the run of one command."""

import math
import os
from typing import Literal

from pydantic import BaseModel, Field

RunReason = Literal["exited", "signal", "timeout", "output_limit", "process_limit", "memory_limit", "stopped"]
"""Why a command ended.

* `exited`: by itself; `exit_code` says how.
* `signal`: a signal ended it (exit codes above 128 in bash's way of counting), for instance at a limit of CPU
  seconds or of file size.
* `timeout`: it was killed at its deadline.
* `output_limit`: it was killed because it did not stop writing.
* `process_limit`: it was killed because it started more processes than allowed (only where nothing else limits them).
* `memory_limit`: it used more memory than allowed, and the kernel killed one of its processes.
* `stopped`: whoever had started it did not want it any more.
"""

MEBIBYTE = 1 << 20


class Limits(BaseModel, frozen=True):
    """What one command may use up."""

    seconds: float = Field(default=120, gt=0, le=86_400)
    """From start to kill, whatever it does; `run` can ask for less, not for more."""
    cpu_seconds: int | None = Field(default=None, ge=1)
    """CPU time of each of its processes; None is what `seconds` can hold on all cores."""
    memory_bytes: int = Field(default=1024 * MEBIBYTE, ge=16 * MEBIBYTE)
    """All processes together where control groups can be used; else the address space of each one."""
    file_bytes: int = Field(default=64 * MEBIBYTE, ge=0)
    """The largest file it can write; also the size of its private /tmp."""
    processes: int = Field(default=128, ge=1)
    """Processes and threads at once."""
    open_files: int = Field(default=256, ge=16)
    """File descriptors of each process."""
    output_bytes: int = Field(default=64 << 10, ge=256)
    """Output kept: the first half and the last half of it; what lies between is counted and left out."""
    output_kill_bytes: int = Field(default=4 * MEBIBYTE, ge=256)
    """Output after which the command is killed."""

    @property
    def most_cpu_seconds(self) -> int:
        """What the kernel is told: no command ends for CPU time that `seconds` had allowed."""
        return self.cpu_seconds or math.ceil(self.seconds) * len(os.sched_getaffinity(0))


class Run(BaseModel, frozen=True):
    """What became of one command."""

    exit_code: int | None
    """0 to 255, above 128 for a signal; None when it was killed from outside."""
    output: str
    """Standard output and standard error as they came; bytes that are not UTF-8 are replaced."""
    truncated: bool
    """Whether output is missing from `output`: its middle, or what would have come after a kill."""
    reason: RunReason
    """Why it ended."""
    seconds: float
    """Wall time."""
    sandboxed: bool
    """False: it ran with the rights of this process, because the sandbox is switched off."""

    @property
    def is_success(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.reason == "exited" and self.exit_code == 0
