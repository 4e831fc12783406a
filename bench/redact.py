"""How fast redaction is and how much it hits, on real sessions: `python bench/redact.py [FOLDER or FILE …]`.

Beside it, in the same run, stand `re.sub` of a trivial pattern over the same strings (the machine's speed) and
`json.loads` of the same lines (what a reader pays anyway). Megabytes are of decoded text; seconds are CPU time.
"""

import gzip
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from agentflows.redaction import Redactor

DEFAULT = Path(os.environ.get("AGENTFLOWS_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
RUNS = 3


def lines(paths: list[Path]) -> Iterator[str]:
    """Non-blank lines of every `.jsonl` and `.jsonl.gz` in the folders or files given."""
    for path in paths:
        for file in sorted(path.rglob("*.jsonl*")) if path.is_dir() else [path]:
            raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            yield from (line for line in raw.decode().split("\n") if line.strip())


def is_json(line: str) -> bool:
    """Some native logs hold a broken line; it is counted, not measured."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def strings(value: Any) -> Iterator[str]:
    """Every string in decoded JSON, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            yield name
            yield from strings(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from strings(item)


def report(name: str, megabytes: float, work: Callable[[], object]) -> None:
    """Print the best of some runs; the first also pays for what is made only once."""
    seconds: list[float] = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    print(f"{name:34} {megabytes / min(seconds):8.1f} MB/s   (first run {megabytes / seconds[0]:.1f})")


def main() -> int:
    """Run it."""
    paths = [Path(argument) for argument in sys.argv[1:]] or [DEFAULT / "claude-code-packmind" / "sessions"]
    raw = list(lines(paths))
    if not raw:
        print(
            f"Expected .jsonl or .jsonl.gz files in {[str(path) for path in paths]}, found none. Name a folder of sessions."
        )
        return 2
    values = [json.loads(line) for line in raw if is_json(line)]
    texts = [text for value in values for text in strings(value)]
    megabytes = sum(map(len, texts)) / 1e6
    trivial = re.compile(r"zzqq\d+")
    start = time.process_time()
    Redactor(b"bench")
    print(
        f"{megabytes:.1f} MB in {len(texts)} strings of {len(values)} lines ({len(raw) - len(values)} are no JSON); rules ready in {time.process_time() - start:.2f} s"
    )
    report("re.sub of a trivial pattern", megabytes, lambda: [trivial.sub("", text) for text in texts])
    report("json.loads", megabytes, lambda: [is_json(line) for line in raw])
    report("redact, string by string", megabytes, lambda: redact_all(texts))
    report("redact_value, line by line", megabytes, lambda: walk_all(values))
    counts = walk_all(values)
    secrets = sum(number for kind, number in counts.items() if kind not in {"email", "phone"})
    print(
        f"finds: {counts or 'none'}; {sum(counts.values()) / megabytes:.2f} per MB, {secrets / megabytes:.2f} without e-mail and phone"
    )
    return 0


def redact_all(texts: list[str]) -> dict[str, int]:
    """One redactor over all strings; how many it replaced, by kind."""
    redactor = Redactor(b"bench")
    for text in texts:
        redactor.redact(text)
    return redactor.counts


def walk_all(values: list[Any]) -> dict[str, int]:
    """One redactor over all lines, as a reader uses it."""
    redactor = Redactor(b"bench")
    for value in values:
        redactor.redact_value(value)
    return redactor.counts


if __name__ == "__main__":
    sys.exit(main())
