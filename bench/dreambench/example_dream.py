"""A foreign system in a few lines: `python example_dream.py SESSIONS MEMORY` notes each rule that two sessions typed.

It shares no code with the benchmark or with agentflows. It is here to be replaced by yours.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

RULE = re.compile(r"[^.!?]*\b(?:always|never|from now on)\b[^.!?]*[.!]", re.IGNORECASE)


def main(sessions: Path, memory: Path) -> None:
    """Append what is new to `rules.md`."""
    told: defaultdict[str, set[Path]] = defaultdict(set)
    for path in sorted(sessions.rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            event: dict[str, Any] = json.loads(line)
            said: Any = event["message"]["content"]
            if event["type"] == "user" and isinstance(said, str) and not event.get("isMeta"):
                for rule in RULE.findall(said):
                    told[rule.strip()].add(path)
    notes = memory / "rules.md"
    known = notes.read_text("utf-8") if notes.exists() else "# Rules\n\n"
    new = sorted(rule for rule, paths in told.items() if len(paths) > 1 and f"- {rule}\n" not in known)
    notes.write_text(known + "".join(f"- {rule}\n" for rule in new), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
