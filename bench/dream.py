"""A dream with rules over 100 and 1,000 realistic sessions: seconds, memory, and the share spent in Prefect.

`python bench/dream.py --sessions 100 1000`
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from make_sessions import make_sessions

PLAIN = """
import resource, time
from agentflows import DreamRequest, open_home
from agentflows.dreaming import dream_over
started = time.perf_counter()
with open_home({home!r}) as home:
    report = dream_over(home, DreamRequest(store={store!r}, engine="rules"))
seconds = time.perf_counter() - started
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(report.changes), report.coverage.read)
"""
FLOW = """
import time
from prefect import flow
from agentflows import run_dream
@flow
def nothing(): pass
started = time.perf_counter()
nothing()
up = time.perf_counter() - started
started = time.perf_counter()
report = run_dream({store!r}, home={home!r}, engine="rules")
print(time.perf_counter() - started, up, len(report.changes), report.coverage.read)
"""
INGEST = """
import time
from agentflows import open_home
from agentflows.ingesting import batches, ingest_files
from agentflows.readers import discover
started = time.perf_counter()
with open_home({home!r}) as home:
    for paths in batches(discover({sessions!r})):
        ingest_files(home, paths)
print(time.perf_counter() - started)
"""


def run(code: str, **values: str) -> list[float]:
    """The numbers that a piece of code prints, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code.format(**values)], check=True, capture_output=True, text=True
    )
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    """Each size in homes of its own: once as plain calls, once as a flow, over the same sessions with nothing cached."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sessions", type=int, nargs="+", default=[100, 1000])
    for count in options.parse_args().sessions:
        with tempfile.TemporaryDirectory() as folder:
            sessions, home, second = (str(Path(folder) / name) for name in ("sessions", "one", "two"))
            size = make_sessions(Path(sessions), count)
            (ingest,) = run(INGEST, home=home, sessions=sessions)
            run(INGEST, home=second, sessions=sessions)
            plain, peak, changes, read = run(PLAIN, home=home, store="bench")
            flow, up, *_ = run(FLOW, home=second, store="bench")
            again, *_ = run(PLAIN, home=home, store="other")
            print(
                f"{count:>6} sessions ({size / 1e6:.1f} MB): ingest {ingest:.1f} s; dream {plain:.2f} s without Prefect "
                f"({changes:.0f} changes, {read:.0f} read, peak {peak:.0f} MiB), {flow:.2f} s as a flow on a running "
                f"server: Prefect's share {max(0.0, flow - plain) / flow:.0%} ({1000 * (flow - plain) / count:.1f} ms a "
                f"session); server start {up:.1f} s; a second store, all known {again:.2f} s"
            )


if __name__ == "__main__":
    main()
