"""How a dream grows: seconds, peak memory, model calls and tokens from 100 to 10,000 sessions, and night by night.

`python bench/scale.py --sessions 100 1000 10000 --engine rules claude`

For each size: a first dream over everything, then a night that brings a tenth more, then the same night's dream a
second time. The claude engine asks the fake in a process of its own. Growth is told in CPU seconds, start of Python
included, over the growth of sessions (1.0 is linear): seconds by the clock depend on what else the machine does. `--calls batch` uses Message Batches.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from endpoint import KEY, Endpoint
from make_sessions import make_sessions

INGEST = """
from agentflows import open_home
from agentflows.ingesting import batches, ingest_files
from agentflows.readers import discover
with open_home({home!r}) as home:
    for paths in batches(discover({sessions!r})):
        ingest_files(home, paths)
"""
DREAM = """
import json, resource, time
from agentflows import DreamRequest, open_home
from agentflows.dreaming import dream_over
settings = json.loads({settings!r})
started = time.perf_counter()
with open_home({home!r}, **settings) as home:
    report = dream_over(home, DreamRequest(store="bench", engine={engine!r}, calls={calls!r}))
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
coverage = report.coverage
print(seconds, time.process_time(), peak, coverage.read, coverage.from_cache, len(report.changes))
"""


def run(code: str, **values: str) -> list[float]:
    """The numbers that a piece of code prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code.format(**values)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr[-2_000:])
    return [float(word) for word in done.stdout.split()]


def measure(folder: Path, count: int, engine: str, calls: str, latency: float) -> float:
    """One size and one engine; returns the CPU seconds of the first dream."""
    home, sessions = str(folder / f"{engine}-{count}"), folder / f"sessions-{count}"
    with Endpoint(latency) as endpoint:
        settings = f'{{"base_url": "{endpoint.url}", "api_key": "{KEY}", "batch_poll_seconds": 0.5}}'
        given = {
            "home": home,
            "engine": engine,
            "calls": calls,
            "settings": settings if engine == "claude" else "{}",
        }
        first = 0.0
        for what, size in (("first", count), ("a tenth more", count + count // 10), ("again", 0)):
            if size:
                make_sessions(sessions, size)
                run(INGEST, home=home, sessions=str(sessions))
            before = endpoint.received()
            seconds, cpu, peak, read, cached, changes = run(DREAM, **given)
            asked = endpoint.received() - before
            first = first or cpu
            print(
                f"{engine:>6} {count:>6} {what:>13}: {seconds:7.1f} s, {cpu:6.1f} s of CPU, peak {peak:5.0f} MiB, {read:6.0f} read, "
                f"{cached:6.0f} known, {asked.calls:6} calls, {asked.input_tokens:10,} tokens in, {changes:.0f} changes",
                flush=True,
            )
    return first


def main() -> None:
    """All sizes, one engine after the other."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sessions", type=int, nargs="+", default=[100, 1000, 10_000])
    options.add_argument("--engine", nargs="+", choices=["rules", "claude"], default=["rules", "claude"])
    options.add_argument("--calls", choices=["interactive", "batch"], default="interactive")
    options.add_argument("--latency", type=float, default=0.0)
    given = options.parse_args()
    for engine in given.engine:
        earlier: tuple[int, float] | None = None
        for count in given.sessions:
            with tempfile.TemporaryDirectory() as folder:
                seconds = measure(Path(folder), count, engine, given.calls, given.latency)
            if earlier:
                growth = (seconds / earlier[1]) / (count / earlier[0])
                print(
                    f"{engine:>6} {earlier[0]:,} → {count:,}: CPU grew {growth:.2f} times as fast as sessions"
                )
            earlier = (count, seconds)


if __name__ == "__main__":
    main()
