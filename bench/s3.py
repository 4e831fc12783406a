"""An archive on S3 beside the same one in a folder: ingest, and every pattern query, cold and with copies; requests made.

`python bench/s3.py --sessions 1000 --latency 0.02`. The S3 server is moto's, in a process of its own; `--latency` is
what each request waits on top, as over a network.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from make_sessions import make_sessions

ROOT = Path(__file__).resolve().parents[1]
SERVER = """
import sys
from tests.s3_server import S3Server
with S3Server() as server:
    server.latency = {latency}
    print(server.url, server.new_bucket(), flush=True)
    for _ in sys.stdin:
        print(sum(server.requests.values()), server.requests["GET"], server.requests["PUT"], flush=True)
        server.requests.clear()
"""
INGEST = """
import time
from agentflows import open_home
from agentflows.ingesting import batches, ingest_files
from agentflows.readers import discover
with open_home({home!r}, archive_url={url!r} or None) as home:
    home.archive.stats()
    started = time.perf_counter()
    for paths in batches(discover({sessions!r})):
        ingest_files(home, paths)
    print(time.perf_counter() - started)
"""
QUERIES = """
import time
from agentflows import open_home
with open_home({home!r}, archive_url={url!r} or None) as home:
    started = time.perf_counter()
    first = len(home.archive.info())
    opened = time.perf_counter() - started
    started = time.perf_counter()
    for query in home.archive.patterns():
        home.archive.pattern(query.name)
    patterns = time.perf_counter() - started
    started = time.perf_counter()
    for info in home.archive.info()[:50]:
        home.archive.turn(info.session_id, 0)
    print(opened, patterns, time.perf_counter() - started, len(home.archive.patterns()))
"""


def run(code: str, **values: str) -> list[float]:
    """The numbers that a piece of code prints, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code.format(**values)], check=True, stdout=subprocess.PIPE, text=True
    )
    return [float(word) for word in done.stdout.split()]


class Server:
    """The fake in a process of its own, and how many requests it has had."""

    def __init__(self, latency: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER.format(latency=latency)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        url, self.bucket = self._line().split()
        os.environ |= {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def requests(self) -> str:
        """Since it was last asked."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        total, gets, puts = self._line().split()
        return f"{total} requests ({gets} GET, {puts} PUT)"

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)


def main() -> None:
    """Each reading in a process of its own, so that the second finds nothing but copies on disk."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sessions", type=int, default=1000)
    options.add_argument("--latency", type=float, default=0.02)
    given = options.parse_args()
    server = Server(given.latency)
    try:
        with tempfile.TemporaryDirectory() as folder:
            logs, here, there = (str(Path(folder) / name) for name in ("logs", "here", "there"))
            size = make_sessions(Path(logs), given.sessions)
            print(
                f"{given.sessions:,} sessions, {size / 1e6:.1f} MB; each request takes {given.latency * 1000:.0f} ms more"
            )
            url = f"{server.bucket}/archive"
            (local,) = run(INGEST, home=here, url="", sessions=logs)
            server.requests()
            (remote,) = run(INGEST, home=there, url=url, sessions=logs)
            print(
                f"ingest: folder {local:.2f} s, S3 {remote:.2f} s: {remote / local:.2f} ×; {server.requests()}"
            )
            *base, count = run(QUERIES, home=here, url="")
            sides = ("open", f"{count:.0f} patterns", "50 single turns")
            for name in ("nothing here yet", "with copies"):
                found = run(QUERIES, home=there, url=url)[:-1]
                told = ", ".join(
                    f"{what} {new:.2f} s ({new / old:.2f} ×)"
                    for what, new, old in zip(sides, found, base, strict=True)
                )
                print(f"S3, {name}: {told}; {server.requests()}")
            told = ", ".join(f"{what} {old:.2f} s" for what, old in zip(sides, base, strict=True))
            print(f"folder: {told}")
    finally:
        server.close()


if __name__ == "__main__":
    main()
