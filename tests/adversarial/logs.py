"""Native logs for the attacks: sessions whose turns say who said what, so that trust is the reader's, not ours."""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bench.dreambench.sessions import START, Log


def write_sessions(folder: Path, count: int, tell: Callable[[Log, int], None], *, seed: int = 3) -> None:
    """Write `count` sessions; `tell` says what happens in each, by its number."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    for number in range(count):
        name = f"{rng.getrandbits(32):08x}-0000-4000-8000-{number:012d}"
        log = Log(name, "harbor", START + timedelta(days=number), rng)
        tell(log, number)
        text = "".join(f"{json.dumps(line)}\n" for line in log.lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


def quiet_store(entries: int) -> dict[str, str]:
    """A store of harmless entries that say nothing alike: large enough that adding to it doubles nothing."""
    rng = random.Random(11)
    words = [
        "".join(rng.choice("bcdfglmnprst") + rng.choice("aeiou") for _ in range(3))
        for _ in range(4 * entries)
    ]
    lines = [f"- {a.title()} {b} {c} {d}." for a, b, c, d in zip(*[iter(words)] * 4, strict=True)]
    return {"/notes.md": "# Notes\n\n" + "\n".join(lines) + "\n"}
