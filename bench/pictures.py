"""What pictures take: seconds of processor and bytes, over sessions that dreambench makes.

`python bench/pictures.py --sessions 1000 10000`, or `--home DIR --store NAME` for an installation that is there.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentflows import open_home
from agentflows.home import Home
from agentflows.ingesting import batches, ingest_files
from agentflows.picturing import PICTURES, draw
from agentflows.readers import discover

ROOT = Path(__file__).resolve().parents[1]


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of this process, and what came of it."""
    begun = time.process_time()
    answer = work()
    return time.process_time() - begun, answer


def measure(home: Home, store: str) -> None:
    """Each pattern as a table and over time, then each picture."""
    held = home.archive.stats()
    print(f"{held.sessions:,} sessions, {held.turns:,} turns")
    for pattern in home.archive.patterns():
        if pattern.moments:
            name = pattern.name
            table, _ = seconds(lambda name=name: home.archive.pattern(name, limit=20))
            over, found = seconds(lambda name=name: home.archive.over_time(name))
            things = len(found.top) + found.others
            print(f"  {name:20} table {table:5.2f} s, over time {over:5.2f} s, {things:6,} things")
    for name in PICTURES:
        taken, svg = seconds(lambda name=name: draw(home, name, store=store))
        print(f"  {name:20} picture {taken:5.2f} s, {len(svg.encode()):6,} bytes")


def made(folder: Path, count: int) -> None:
    """An archive of so many sessions, and a store."""
    words = [sys.executable, "-m", "bench.dreambench", "generate", str(folder / "made"), "--size", str(count)]
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with open_home(folder / "home") as home:
        for paths in batches(discover(folder / "made")):
            ingest_files(home, paths)
        home.state.create_store("bench", actor=home.actor("bench"))
        home.state.import_folder("bench", folder / "made" / "memory", actor=home.actor("bench"))


def main() -> None:
    """All sizes, or one home."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sessions", type=int, nargs="+", default=[1_000, 10_000])
    options.add_argument("--home", type=Path)
    options.add_argument("--store", default="team")
    given = options.parse_args()
    if given.home:
        with open_home(given.home) as home:
            measure(home, given.store)
        return
    for count in given.sessions:
        with tempfile.TemporaryDirectory() as name:
            made(Path(name), count)
            with open_home(Path(name) / "home") as home:
                measure(home, "bench")


if __name__ == "__main__":
    main()
