"""`python -m bench.dreambench run | table | generate | score | ablate`. See `README.md` beside this file."""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from bench.dreambench.baselines import Baseline, Unchanged, VerbatimLog
from bench.dreambench.plan import make_world
from bench.dreambench.score import score
from bench.dreambench.script import Scripts
from bench.dreambench.sessions import Writer
from bench.dreambench.system import Factory, Result
from bench.dreambench.table import table
from bench.dreambench.trial import TRIALS, Report, TrialName, try_out
from bench.dreambench.truth import World


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it ran, whatever the figures are."""
    options = _parser().parse_args(arguments)
    commands = {"run": _run, "table": _table, "generate": _generate, "score": _score, "ablate": _ablate}
    return commands[options.command](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.dreambench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="put systems through the trials and print the table")
    run.add_argument("--sizes", type=int, nargs="+", default=[20], help="sessions (from 20)")
    run.add_argument("--seeds", type=int, nargs="+", default=[1])
    run.add_argument(
        "--systems",
        nargs="+",
        default=["rules"],
        help="unchanged, verbatim, rules, claude:MODEL with a scripted model, script:COMMAND, or package.module:factory",
    )
    run.add_argument("--trials", nargs="+", choices=get_args(TrialName), default=list(TRIALS))
    run.add_argument("--json", type=Path, help="write all figures there, what went wrong included")
    show = commands.add_parser("table", help="one table of the figures of several runs, seeds put together")
    show.add_argument("figures", type=Path, nargs="+", help="what `run --json` wrote")
    generate = commands.add_parser("generate", help="write sessions, memory and truth into a folder")
    generate.add_argument("folder", type=Path)
    generate.add_argument("--size", type=int, default=200)
    generate.add_argument("--seed", type=int, default=1)
    judge = commands.add_parser("score", help="score a memory that any system made of a generated folder")
    judge.add_argument("folder", type=Path, help="what `generate` wrote")
    judge.add_argument("after", type=Path, help="the folder of Markdown files after the dream")
    ablate = commands.add_parser("ablate", help="turn off each gate of agentflows and see its figure fail")
    ablate.add_argument("--size", type=int, default=20)
    ablate.add_argument("--seed", type=int, default=1)
    ablate.add_argument("--gates", nargs="*", help="some of them, by name; all by default")
    return parser


def system_named(name: str) -> Factory:
    """The factory of a system.

    Raises:
        ValueError: there is none of that name.
    """
    if name in {"unchanged", "verbatim"}:
        return Baseline(Unchanged if name == "unchanged" else VerbatimLog)
    if name == "rules" or name.startswith("claude:"):
        from bench.dreambench.ours import Ours

        return Ours(name.partition(":")[2])
    if name.startswith("script:"):
        return Scripts(name.removeprefix("script:"))
    module, colon, attribute = name.partition(":")
    if not colon:
        msg = f"There is no system {name!r}. Name unchanged, verbatim, rules, claude:MODEL, script:COMMAND or package.module:factory."
        raise ValueError(msg)
    return getattr(importlib.import_module(module), attribute)


def _run(options: argparse.Namespace) -> int:
    reports: list[Report] = []
    for name in options.systems:
        factory = system_named(name)
        for size in options.sizes:
            for seed in options.seeds:
                print(f"{factory.name}: {size:,} sessions, seed {seed} …", file=sys.stderr, flush=True)
                reports.append(try_out(factory, seed, size, options.trials))
    print(table(reports))
    if options.json:
        options.json.write_text(json.dumps([report.as_dict() for report in reports], indent=1))
    return 0


def _table(options: argparse.Namespace) -> int:
    found = [one for path in options.figures for one in json.loads(path.read_text())]
    print(table([Report.from_dict(one) for one in found], by_seed=False))
    return 0


def _ablate(options: argparse.Namespace) -> int:
    from bench.dreambench.ablations import GATES, ablate, ablation_table

    chosen = [gate for gate in GATES if not options.gates or gate.name in options.gates]
    print(ablation_table([ablate(gate, options.seed, options.size) for gate in chosen]))
    return 0


def _generate(options: argparse.Namespace) -> int:
    world = make_world(options.seed, options.size)
    size = Writer(world).write(options.folder / "sessions")
    _write_files(options.folder / "memory", world.files)
    (options.folder / "truth.json").write_text(world.to_json())
    print(
        f"{options.size:,} sessions ({size / 1e6:.1f} MB) in {options.folder}/sessions, the memory to begin with in"
    )
    print(
        f"{options.folder}/memory, and what was planted in {options.folder}/truth.json: keep that from your system."
    )
    return 0


def _write_files(folder: Path, files: Any) -> None:
    for path, text in files.items():
        place = folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def _score(options: argparse.Namespace) -> int:
    world = World.from_json((options.folder / "truth.json").read_text())
    after = {
        f"/{path.relative_to(options.after)}": path.read_text()
        for path in sorted(options.after.rglob("*.md"))
    }
    print(json.dumps(asdict(score(world, world.files, Result(after))), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
