"""Trials: what one system is put through for one seed and size, and what comes of it.

* `auto`, `approve`: one dream over all sessions, scored; the second after a careless person approved everything held
* `again`: the same dream once more after `approve`: what it would still change
* `shuffled`: a fresh installation that gets the same sessions in another order: what it proposes otherwise
* `aging`: the sessions in ten parts with an approved dream after each: what stands of the store's numbers and names
* `forget`: some sessions removed: what rested on them alone is gone, the rest stays
* `capped`: a hundred sessions taken at random, which is all that some hosted dreams read: what is then recalled
"""

import random
import re
import resource
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.dreambench.harm import harmful
from bench.dreambench.plan import make_world
from bench.dreambench.score import LEARNT, Index, Score, score
from bench.dreambench.sessions import Writer
from bench.dreambench.system import Factory, Knowing, Result, System
from bench.dreambench.truth import World, entries_of

TrialName = Literal["auto", "approve", "again", "shuffled", "aging", "forget", "capped"]
TRIALS: tuple[TrialName, ...] = ("auto", "approve", "again", "shuffled", "aging", "forget", "capped")
CAP = 100
"""Sessions in a capped dream."""
_PARTS = 10
_CHUNKS = 4
_BLANK = re.compile(r"\[REDACTED:([^:\]]*):[^\]]*\]")
"""A placeholder's tail rests on a key that each installation makes for itself."""


@dataclass
class Report:
    """All that came of one system, seed and size."""

    system: str
    seed: int
    size: int
    planted: dict[str, int] = field(default_factory=dict[str, int])
    auto: Score | None = None
    approve: Score | None = None
    harm_committed: int | None = None
    """Lessons that stand after `auto` though a task is done worse by them: what only a replay of probes can know."""
    again_changes: int | None = None
    """Changes that would write, in a second dream over what the first left."""
    again_flags: int | None = None
    again_reinforced: int | None = None
    """Entries that the second dream says once more rest on the same evidence."""
    again_files_differ: bool | None = None
    shuffled_differ: int | None = None
    """Proposals that only one of two orders of the same sessions gives."""
    aging: list[float] | None = None
    """Share of the true entries' numbers and names that stand, after each of ten dreams."""
    aging_entries: list[int] | None = None
    aging_learnt: float | None = None
    """Of the lessons that stood after any of the ten dreams: those that stand after the last."""
    capped: Score | None = None
    forget_sole_left: int | None = None
    """Lessons that still stand though all their sessions are gone."""
    forget_mixed_lost: int | None = None
    """Lessons that are gone though some of their sessions stay."""
    ingest_seconds: float = 0.0
    dream_seconds: float = 0.0
    """Of the first dream. Seconds of one machine; compare sizes, not machines."""
    peak_mib: float = 0.0
    """Of the process so far."""
    megabytes: float = 0.0
    errors: list[str] = field(default_factory=list[str])

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Report":
        """What `as_dict` gave."""
        scored = {name: Score(**values[name]) for name in ("auto", "approve", "capped") if values.get(name)}
        known: dict[str, Any] = {**values, **scored}
        return Report(**known)


def try_out(factory: Factory, seed: int, size: int, trials: Sequence[TrialName] = TRIALS) -> Report:
    """Put a system through the trials."""
    world = make_world(seed, size)
    factory = factory.knowing(world) if isinstance(factory, Knowing) else factory
    planted: dict[str, int] = {}
    for plant in world.plants:
        planted[plant.kind] = planted.get(plant.kind, 0) + 1
    report = Report(factory.name, seed, size, planted)
    with tempfile.TemporaryDirectory(prefix="dreambench-") as name:
        folder = Path(name)
        writer = Writer(world)
        report.megabytes = writer.write(folder / "sessions") / 1e6
        proposals = _whole(factory, world, folder, trials, report)
        if "shuffled" in trials:
            _shuffled(factory, world, folder, report, proposals)
        if "aging" in trials:
            _aging(factory, world, folder, report)
        if "capped" in trials and size > CAP:
            _capped(factory, world, folder, report)
    report.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return report


@contextmanager
def _installed(factory: Factory, folder: Path) -> Generator[System]:
    folder.mkdir()
    system = factory(folder)
    try:
        yield system
    finally:
        system.close()


def _whole(
    factory: Factory, world: World, folder: Path, trials: Sequence[TrialName], report: Report
) -> set[tuple[str, ...]]:
    """The trials over all sessions at once; returns what was proposed under `approve`."""
    proposals: set[tuple[str, ...]] = set()
    with _installed(factory, folder / "whole") as system:
        report.ingest_seconds = _timed(lambda: system.ingest(folder / "sessions"))
        if "auto" in trials:
            system.begin(world.files)
            results: list[Result] = []
            report.dream_seconds = _timed(lambda: results.append(system.dream("auto")))
            report.auto = score(world, world.files, results[0])
            report.harm_committed = _harm(world, results[0])
            report.errors += [f"auto: {results[0].error}"] if results[0].error else []
        if set(trials) & {"approve", "again", "shuffled", "forget"}:
            system.begin(world.files)
            result = system.dream("approve")
            report.approve = score(world, world.files, result)
            report.errors += [f"approve: {result.error}"] if result.error else []
            proposals = _proposals(result)
        if "again" in trials:
            standing = dict(result.files)  # pyright: ignore[reportPossiblyUnboundVariable]
            again = system.dream("approve")
            report.again_changes = sum(change.writes for change in again.changes or ())
            report.again_flags = sum(change.op == "flag" for change in again.changes or ())
            report.again_reinforced = sum(change.op == "reinforce" for change in again.changes or ())
            report.again_files_differ = dict(again.files) != standing
        if "forget" in trials:
            _forget(system, world, report, said_in(world, entries_of(result.files)))  # pyright: ignore[reportPossiblyUnboundVariable]
    return proposals


def _harm(world: World, result: Result) -> int:
    plant = harmful(world)
    if plant is None:
        return 0
    about = plant.about.casefold()
    return sum(about in text.casefold() and plant.says(text) for text in entries_of(result.files))


def _proposals(result: Result) -> set[tuple[str, ...]]:
    if result.changes is None:
        return {("entry", _BLANK.sub(r"[\1]", text)) for text in entries_of(result.files)}
    return {tuple(_BLANK.sub(r"[\1]", part) for part in change.identity) for change in result.changes}


def _shuffled(
    factory: Factory, world: World, folder: Path, report: Report, proposals: set[tuple[str, ...]]
) -> None:
    numbers = list(range(world.size))
    random.Random(world.seed).shuffle(numbers)
    writer = Writer(world)
    with _installed(factory, folder / "shuffled") as system:
        for part in range(_CHUNKS):
            writer.write(folder / f"part-{part}", numbers[part::_CHUNKS])
            system.ingest(folder / f"part-{part}")
        system.begin(world.files)
        report.shuffled_differ = len(_proposals(system.dream("approve")) ^ proposals)


def _aging(factory: Factory, world: World, folder: Path, report: Report) -> None:
    """Ten dreams, each over more sessions than the last."""
    writer = Writer(world)
    report.aging, report.aging_entries = [], []
    learnt: set[str] = set()
    standing: set[str] = set()
    with _installed(factory, folder / "aging") as system:
        system.begin(world.files)
        for part in range(_PARTS):
            numbers = range(world.size * part // _PARTS, world.size * (part + 1) // _PARTS)
            writer.write(folder / f"slice-{part}", numbers)
            system.ingest(folder / f"slice-{part}")
            result = system.dream("approve")
            found = score(world, world.files, result)
            report.aging.append(found.specifics_kept)
            report.aging_entries.append(found.entries_after)
            standing = said_in(world, entries_of(result.files)) & {
                plant.plant_id for plant in world.of(*LEARNT)
            }
            learnt |= standing
    report.aging_learnt = len(standing) / len(learnt) if learnt else None


def _capped(factory: Factory, world: World, folder: Path, report: Report) -> None:
    """One dream over a hundred sessions taken at random, with the trials that come with them."""
    numbers = sorted(random.Random(f"capped/{world.seed}").sample(range(world.size), CAP))
    Writer(world).write(folder / "capped-sessions", numbers)
    with _installed(factory, folder / "capped") as system:
        system.ingest(folder / "capped-sessions")
        system.begin(world.files)
        report.capped = score(world, world.files, system.dream("approve"))


def _forget(system: System, world: World, report: Report, before: set[str]) -> None:
    """What was known and rested on the removed sessions alone must go; what rests on others too must stay."""
    writer = Writer(world)
    plants = world.of("forget")
    gone = sorted({writer.session_id(number) for plant in plants for number in plant.deleted})
    files = system.forget(gone)
    if files is None:
        return
    said = said_in(world, entries_of(files))
    known = [plant for plant in plants if plant.plant_id in before]
    sole = [plant for plant in known if plant.deleted == plant.sessions]
    report.forget_sole_left = sum(plant.plant_id in said for plant in sole)
    report.forget_mixed_lost = sum(plant.plant_id not in said for plant in known if plant not in sole)


def said_in(world: World, texts: Sequence[str]) -> set[str]:
    """The plants that some texts say rightly."""
    index = Index(world)
    return {plant.plant_id for text in texts for plant in index.about(text) if plant.says(text)}


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
