"""What a sandbox costs per call, beside plain bash in the same minute: `python bench/sandbox.py --calls 200`.

Calls of all kinds take turns, so that whatever else the machine does falls on all of them alike. `plain` is
`subprocess.run` of the same bash line; `off` is our own supervision without walls. Then the file tools beside `open`.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agentflows.sandbox import Limits, Sandbox, Workspace, probe

LINES = {"true": "true", "reads 1 MB, writes 64 KB": "cat big > /dev/null; head -c 65536 big"}
TARGET_MILLISECONDS = 15.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a sandbox costs per call.")
    parser.add_argument("--calls", type=int, default=100, help="calls of each kind (default: 100)")
    calls: int = parser.parse_args().calls
    report = probe()
    print(
        f"usable={report.usable} processes={report.process_limit} memory group={report.has_memory_group} filter={report.has_filter}"
    )
    if not report.usable:
        raise SystemExit(" ".join((*report.problems, *report.advice)))
    with tempfile.TemporaryDirectory(prefix="agentflows-bench-") as folder:
        root = Path(folder)
        (root / "big").write_bytes(b"0123456789abcde\n" * (1 << 16))
        for name, line in LINES.items():
            commands(root, name, line, calls)
        files(root, calls * 10)


def commands(root: Path, name: str, line: str, calls: int) -> None:
    """One line of bash, three ways."""
    inside, off = Sandbox(root, limits=Limits(output_bytes=1 << 20)), Sandbox(root, mode="off")

    def plain() -> None:
        subprocess.run(
            ["/bin/bash", "-c", line], cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=True
        )

    found = in_turn(
        {"plain": plain, "off": lambda: off.run(line), "sandbox": lambda: inside.run(line)}, calls
    )
    base, walls = found["plain"], found["sandbox"]
    overhead = statistics.median(walls) - statistics.median(base)
    ratio = statistics.median(walls) / statistics.median(base)
    print(f"{name}: " + ", ".join(f"{kind} {shown(times)}" for kind, times in found.items()))
    print(
        f"SANDBOX_OVERHEAD tried={calls} ms={overhead:.1f} ratio={ratio:.1f} target={TARGET_MILLISECONDS:g}"
    )


def files(root: Path, calls: int) -> None:
    """One small file, read by `open` and by the workspace's tool."""
    (root / "small").write_text("line\n" * 20)
    tool = Workspace(root)
    found = in_turn({"open": (root / "small").read_text, "tool": lambda: tool.read("small")}, calls)
    both = {kind: statistics.median(times) * 1000 for kind, times in found.items()}
    print(
        f"read a small file: open {both['open']:.0f} µs, tool {both['tool']:.0f} µs, ratio {both['tool'] / both['open']:.1f}"
    )


def in_turn(ways: dict[str, Callable[[], object]], calls: int) -> dict[str, list[float]]:
    """Milliseconds of each call, one of every way after the other."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(calls):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - start) * 1000)
    return times


def shown(times: list[float]) -> str:
    """Median and fastest."""
    return f"{statistics.median(times):.1f} ms (fastest {min(times):.1f})"


if __name__ == "__main__":
    main()
