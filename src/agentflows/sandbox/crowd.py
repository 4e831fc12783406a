"""How many processes a sandbox holds: for a supervisor to look at, where no limit of the kernel holds."""

import contextlib
import os
from pathlib import Path


def count_processes(first: int) -> int:
    """Threads of all processes that descend from `first`, without `first` itself and its one child.

    Counted by descent, since namespaces of other users' processes cannot be read; 0 when it has gone.
    """
    waiting, seen = [first], 0
    while waiting:
        process = waiting.pop()
        tasks = Path("/proc", str(process), "task")
        with contextlib.suppress(OSError):
            for task in os.listdir(tasks):  # noqa: PTH208 - names only, and often
                seen += 1
                waiting += map(int, (tasks / task / "children").read_text().split())
    return max(0, seen - 2)
