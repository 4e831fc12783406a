"""A dream with rules over 100 and 1,000 realistic sessions: seconds, memory, and the share spent in Prefect.

`python bench/dream.py --sessions 100 1000`. Wall time belongs to a machine with nothing else to do; processor time does not.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from make_sessions import make_sessions

PLAIN = """
import resource, time
from agentflows import DreamRequest, open_home
from agentflows.dreaming import dream_over
started, worked = time.perf_counter(), time.process_time()
with open_home({home!r}) as home:
    report = dream_over(home, DreamRequest(store={store!r}, engine="rules"))
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(seconds, time.process_time() - worked, peak, len(report.changes), report.coverage.read)
"""
FLOW = """
import os, time
from pathlib import Path
from prefect import flow
from agentflows import run_dream
@flow
def nothing(): pass
def children():
    # Processor seconds so far of the temporary server, the only child of this process.
    found = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(os.getpid()):
            found += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return found
started = time.perf_counter()
nothing()
up = time.perf_counter() - started
time.sleep(5)  # what it records of the first flow is not to be counted
started, worked, served = time.perf_counter(), time.process_time(), children()
report = run_dream({store!r}, home={home!r}, engine="rules")
seconds, worked = time.perf_counter() - started, time.process_time() - worked
time.sleep(5)  # it records what it was told a little later
print(seconds, worked, children() - served, up, len(report.changes), report.coverage.read)
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
            shutil.copytree(home, second)
            plain, worked, peak, changes, read = run(PLAIN, home=home, store="bench")
            flow, flow_worked, served, up, *_ = run(FLOW, home=second, store="bench")
            again, *_ = run(PLAIN, home=home, store="other")
            print(
                f"{count:>6} sessions ({size / 1e6:.1f} MB): ingest {ingest:.1f} s; dream {plain:.2f} s without Prefect "
                f"({changes:.0f} changes, {read:.0f} read, peak {peak:.0f} MiB), {flow:.2f} s as a flow on a running "
                f"server: {1000 * (flow - plain) / count:.2f} ms a session more. Processor: {worked:.2f} s without, {flow_worked:.2f} s as a "
                f"flow and {served:.2f} s in its server: Prefect's share is {1000 * (flow_worked + served - worked) / count:.2f} ms a session; "
                f"server start {up:.1f} s; a second store, all known {again:.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
