"""A dream with rules over 100 and 1,000 realistic sessions: seconds, memory, and the share spent in Prefect.

`python bench/dream.py --sessions 100 1000`
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from make_sessions import make_sessions

CODE = {
    "ingest": "from agentflows import open_home; from agentflows.ingesting import ingest_files; from agentflows.readers import discover\n"
    "with open_home({home!r}) as home: ingest_files(home, discover({sessions!r}))",
    "plain": "from agentflows import open_home, DreamRequest; from agentflows.dreaming import dream_over\n"
    "with open_home({home!r}) as home: report = dream_over(home, DreamRequest(store={store!r}, engine='rules'))\n"
    "print(len(report.changes), len(report.patterns), report.coverage.read)",
    "flow": "from agentflows import run_dream\n"
    "import time; started = time.perf_counter()\n"
    "report = run_dream({store!r}, home={home!r}, engine='rules')\n"
    "print(len(report.changes), len(report.patterns), report.coverage.read)",
}


def run(name: str, **values: str) -> tuple[float, float, str]:
    """Run a piece of code in a process of its own: seconds, peak MiB, what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CODE[name].format(**values)], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    peak = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024
    return seconds, peak, done.stdout.strip()


def main() -> None:
    """Measure each size in a home of its own; the flow dreams over the same sessions with nothing cached."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sessions", type=int, nargs="+", default=[100, 1000])
    empty, *_ = run_empty()
    print(f"an empty flow, temporary server included: {empty:.1f} s")
    for count in options.parse_args().sessions:
        with tempfile.TemporaryDirectory() as folder:
            sessions = str(Path(folder) / "sessions")
            size = make_sessions(Path(sessions), count)
            home, second = str(Path(folder) / "one"), str(Path(folder) / "two")
            ingest, *_ = run("ingest", home=home, sessions=sessions)
            run("ingest", home=second, sessions=sessions)
            plain, peak, said = run("plain", home=home, store="bench")
            flow, _, _ = run("flow", home=second, store="bench")
            again, _, _ = run("plain", home=home, store="other")
            print(
                f"{count:>6} sessions ({size / 1e6:.1f} MB): ingest {ingest:.1f} s; dream without Prefect {plain:.1f} s "
                f"(changes, patterns, read: {said}), peak {peak:.0f} MiB; as a flow {flow:.1f} s: Prefect's share "
                f"{max(0.0, flow - plain) / flow:.0%}, of which start-up {empty / flow:.0%}; second store, all cached {again:.1f} s"
            )


def run_empty() -> tuple[float, float]:
    """What Prefect takes to start its server and run nothing."""
    code = "from prefect import flow\n@flow\ndef nothing(): pass\nnothing()"
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - started, 0.0


if __name__ == "__main__":
    main()
