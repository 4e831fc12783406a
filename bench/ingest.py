"""Ingest beside `json.loads` alone and beside DuckDB's own JSON reader, on the same files; peak memory.

`python bench/ingest.py --megabytes 60`, or `--path FOLDER` for files of your own (.jsonl).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from make_sessions import make_sessions

CODE = {
    "json.loads alone": "import json, pathlib\n"
    "for path in sorted(pathlib.Path({sessions!r}).rglob('*.jsonl')):\n"
    "    for line in path.open('rb'):\n        json.loads(line)",
    "DuckDB read_json": 'import duckdb\ncon = duckdb.connect()\ncon.execute("SET threads=1")\n'
    "con.execute(\"CREATE TABLE t AS SELECT * FROM read_json('{sessions}/**/*.jsonl', format='newline_delimited', "
    "columns={{'type': 'VARCHAR', 'uuid': 'VARCHAR', 'timestamp': 'VARCHAR', 'sessionId': 'VARCHAR', 'message': 'JSON'}}, "
    'maximum_object_size=67108864)").fetchall()',
    "agentflows, not redacted": "from agentflows.archive import Archive; from agentflows.readers import discover, read\n"
    "archive = Archive({home!r} + '/bare')\narchive.add(item for path in discover({sessions!r}) for item in read(path))",
    "agentflows ingest": "from agentflows import open_home; from agentflows.ingesting import ingest_files; "
    "from agentflows.readers import discover\n"
    "with open_home({home!r}) as home: print(ingest_files(home, discover({sessions!r})).turns)",
    "agentflows, again": "from agentflows import open_home; from agentflows.ingesting import ingest_files; "
    "from agentflows.readers import discover\n"
    "with open_home({home!r}) as home: print(ingest_files(home, discover({sessions!r})).unchanged_files)",
}


def main() -> None:
    """Each reading in a process of its own, on one thread."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--megabytes", type=int, default=60)
    options.add_argument("--path", type=Path)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sessions = given.path or Path(folder) / "sessions"
        if not given.path:
            make_sessions(sessions, given.megabytes * 10, padding=85_000)
        size = sum(path.stat().st_size for path in sessions.rglob("*.jsonl")) / 1e6
        print(f"{size:.0f} MB in {len(list(sessions.rglob('*.jsonl'))):,} files")
        base = 0.0
        for name, code in CODE.items():
            text = code.format(sessions=str(sessions), home=str(Path(folder) / "home"))
            seconds, peak = measure(text)
            base = base or seconds
            print(
                f"{name:>26}: {size / seconds:7.1f} MB/s  {seconds / base:5.1f} × json.loads  peak {peak:5.0f} MiB"
            )


def measure(code: str) -> tuple[float, float]:
    """Seconds and peak MiB of a process that runs `code`; starting Python is part of it."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the reading failed with exit code {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
