"""A dream over real sessions with known truth, row by row: what it found, what it refused, with counts.

`python bench/real.py packmind|tau|telecom [--data FOLDER] [--engine rules]`

The data is not part of this project; `--data` names the folder with `claude-code-packmind`, `tau-bench` and
`tau2-bench`. A row is found when a proposed change says it, with the count the data's own truth gives beside it.
"""

import argparse
import os
import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from agentflows.change import DreamReport
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover

ROOT = Path(__file__).resolve().parents[1]


class Row(NamedTuple):
    """One piece of known truth."""

    name: str
    says: str
    """What a change says that tells it, as a pattern over its text."""
    sessions: int
    """Sessions, by the data's own truth; 0 for a trap."""
    wanted: bool = True


class Case(NamedTuple):
    """One data set."""

    sessions: str
    memory: str
    rows: list[Row]


CASES = {
    "packmind": Case(
        "claude-code-packmind/sessions",
        "claude-code-packmind/memory/CLAUDE.2026-02-18_rtk-note-added.md",
        [
            Row("biome check fails before commit: run the fixer", r"biome check.*lint:fix", 23),
            Row("Edit: string not found, tab-indented files", r"`Edit` fails.*tabs", 18),
            Row(
                "rtk bun unsupported: the note is narrowed, not deleted",
                r"Always prefix.*Exception.*rtk bun",
                12,
            ),
            Row("bun test in hooks: know the failures before", r"bun test.*failures were there before", 8),
            Row("Skill commit does not exist here", r"Unknown skill: commit", 6),
            Row("tests picked up from tmp/clones", r"tmp/clones", 3),
            Row("TypeScript errors: check before commit", r"`tsc` fails", 3),
            Row("trap: stale output", r"stale", 0, wanted=False),
            Row("trap: a failing test of test-first work", r"assert|expect\(", 0, wanted=False),
            Row(
                "trap: one-off frictions (git flag, missing path)",
                r"rtk git\S* fails|No such file",
                0,
                wanted=False,
            ),
        ],
    ),
    "tau": Case(
        "tau-bench/gpt-4o-airline.json.gz",
        "",
        [
            Row("cancelled what it should not", r"`cancel_reservation` was called although", 22),
            Row("booking with wrong arguments", r"`book_reservation` was called with other arguments", 18),
            Row("flight update never made", r"`update_reservation_flights` was called for and not made", 18),
            Row(
                "flight update with wrong arguments",
                r"`update_reservation_flights` was called with other",
                17,
            ),
            Row("cancellation never made", r"`cancel_reservation` was called for and not made", 16),
            Row(
                "baggage update never made", r"`update_reservation_baggages` was called for and not made", 13
            ),
            Row("unexpected flight update", r"`update_reservation_flights` was called although", 12),
            Row("payment amount does not add up", r"payment amount does not add up.*came up in", 13),
            Row("book_reservation called", r"`book_reservation` was called in", 24),
            Row(
                "decoy: transfer_to_human_agents", r"transfer_to_human_agents` was called in", 0, wanted=False
            ),
            Row("decoy: no write made", r"nothing was written|no write", 0, wanted=False),
            Row(
                "decoy: payment method not found is harmful",
                r"payment method not found.*of them failed",
                0,
                wanted=False,
            ),
        ],
    ),
    "telecom": Case(
        "tau2-bench/gpt-4.1_telecom.json.gz",
        "",
        [
            Row("transferred to a human when not expected", r"handed to a person although", 16),
            Row("user never told to toggle roaming", r"toggle_roaming", 13),
            Row("roaming never enabled", r"enable_roaming", 8),
            Row("data never refuelled", r"refuel_data", 6),
        ],
    ),
}


def count_of(report: DreamReport, number: int) -> str:
    """The count a change gives for itself: the first one its text states, else its sessions."""
    change = report.changes[number]
    text = change.after or ""
    stated = re.search(r"In (\d+) of|in (\d+) sessions", text)
    return next(part for part in stated.groups() if part) if stated else str(change.support)


def main() -> None:
    """Dream and compare."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("case", choices=CASES)
    options.add_argument(
        "--data", type=Path, default=os.environ.get("AGENTFLOWS_REAL_DATA", ROOT.parent / "shared" / "data")
    )
    options.add_argument("--engine", default="rules", choices=["rules", "claude"])
    given = options.parse_args()
    case = CASES[given.case]
    with tempfile.TemporaryDirectory() as folder, open_home(folder) as home:
        started = time.perf_counter()
        read = ingest_files(home, discover(given.data / case.sessions))
        ingested = time.perf_counter() - started
        if case.memory:
            note = Path(folder) / "CLAUDE.md"
            note.write_text((given.data / case.memory).read_text("utf-8"), "utf-8")
            home.state.create_store("real", actor=home.actor("bench"))
            home.state.import_folder("real", note, actor=home.actor("bench"))
        started = time.perf_counter()
        report = dream_over(home, DreamRequest(store="real", engine=given.engine))
        dreamt = time.perf_counter() - started
    print(f"{read.added} sessions, {read.turns:,} turns read in {ingested:.1f} s; dream {dreamt:.1f} s")
    print(f"{len(report.changes)} changes; refused: {report.refused}\n")
    print(f"{'truth':<58} {'sessions':>8}  dream")
    matched: set[int] = set()
    for row in case.rows:
        hits = [
            number
            for number, change in enumerate(report.changes)
            if re.search(row.says, " ".join((change.after or "").split()))
        ]
        matched.update(hits)
        if row.wanted:
            said = f"found: {report.changes[hits[0]].op}, {count_of(report, hits[0])}" if hits else "MISSED"
        else:
            said = f"BELIEVED: change {hits[0] + 1}" if hits else "refused"
        print(f"{row.name:<58} {row.sessions or '':>8}  {said}")
    print("\nOther changes:")
    for number, change in enumerate(report.changes):
        if number not in matched:
            print(f"  {change.op}: {' '.join((change.after or change.before or '').split())[:160]}")
    decoys = [item for item in report.refusals if item.gate == "stratified_lift"]
    for item in decoys:
        print(f"  refused (stratified_lift): {item.claim[:90]}: {item.reason[:120]}")


if __name__ == "__main__":
    main()
