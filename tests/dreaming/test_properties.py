"""What must hold of any dream: again it is nothing, and no order of what it reads changes what it accepts."""

import random
import re
import shutil
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import pytest

from agentflows import review
from agentflows.change import Change, DreamReport
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.memory import MemoryEdit, parse_entries, splice
from agentflows.readers import discover
from agentflows.store import import_files
from bench.dreambench.plan import make_world
from bench.dreambench.sessions import Writer
from tests.conftest import EXAMPLES

SIZE = 20
"""Sessions of the planted worlds."""
_KEYED = re.compile(r"\[REDACTED:([^:\]]*):[^\]]*\]")
"""The tail of a placeholder rests on a key that each home makes for itself."""
LONG = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12)]

Source = tuple[Path, dict[str, str]]
"""A folder of native logs, and the memories that stand beside it."""


@pytest.fixture(scope="module")
def harbor() -> Source:
    """The example project."""
    return EXAMPLES / "sessions", import_files(EXAMPLES / "memory")


def world(seed: int, folder: Path) -> Source:
    """Twenty sessions with planted truth: facts and their updates, duplicates, traps, noise, poison."""
    made = make_world(seed, SIZE)
    Writer(made).write(folder / "sessions")
    return folder / "sessions", dict(made.files)


def installed(home: Home, logs: Path, files: Mapping[str, str], chance: random.Random | None = None) -> None:
    """Read the logs in and make the store; with `chance`, file by file in another order, entries too."""
    found = discover(logs)
    if chance is None:
        ingest_files(home, found)
    else:
        shuffled = list(found)
        chance.shuffle(shuffled)
        for part in range(3):
            ingest_files(home, shuffled[part::3])
        files = {path: reordered(path, text, chance) for path, text in files.items()}
    store = home.state.create_store("team", actor=home.actor("tester"))
    edits = [MemoryEdit(path=path, content=text, expected_sha256=None) for path, text in files.items()]
    home.state.commit(store.store_id, edits, base_version=0, actor=home.actor("tester"))


def reordered(path: str, content: str, chance: random.Random) -> str:
    """A file whose list items stand in another order within each list."""
    entries = parse_entries(path, content)
    moved: dict[tuple[int, int], str | None] = {}
    for (kind, _), group in groupby(entries, key=lambda entry: (entry.kind, entry.heading)):
        items = list(group)
        if kind == "list_item":
            texts = [item.text for item in items]
            chance.shuffle(texts)
            moved |= {(item.start, item.end): text for item, text in zip(items, texts, strict=True)}
    return splice(content, moved)


def dream(home: Home) -> DreamReport:
    return dream_over(home, DreamRequest(store="team", engine="rules"))


def accepted(report: DreamReport) -> set[tuple[object, ...]]:
    """What a dream comes to, whatever the order it is told in: places, texts, counts and quotes."""
    return {_named(change) for change in report.changes if change.status != "refused"}


def _named(change: Change) -> tuple[object, ...]:
    before = sorted((change.before or "").split("\n\n"))
    after = _KEYED.sub(r"[\1]", change.after or "")
    return change.op, change.path, tuple(before), after, change.heading, change.support, change.risks


@pytest.mark.parametrize("seed", [0, 1, *LONG])
def test_no_order_of_the_example_changes_what_is_accepted(harbor: Source, tmp_path: Path, seed: int):
    """Files, parts they come in, and the order of the store's entries."""
    with open_home(tmp_path / "as-is") as home:
        installed(home, *harbor)
        plain = accepted(dream(home))
    with open_home(tmp_path / "shuffled") as home:
        installed(home, *harbor, random.Random(seed))
        assert accepted(dream(home)) == plain
    assert len(plain) > 5


@pytest.mark.parametrize("seed", [0, 1, *LONG])
def test_no_order_of_a_planted_world_changes_what_is_accepted(tmp_path: Path, seed: int):
    """Updates, duplicates and contradictions are where order would show."""
    logs, files = world(seed, tmp_path)
    with open_home(tmp_path / "as-is") as home:
        installed(home, logs, files)
        plain = accepted(dream(home))
    with open_home(tmp_path / "shuffled") as home:
        installed(home, logs, files, random.Random(seed))
        assert accepted(dream(home)) == plain
    assert plain


@pytest.mark.parametrize("seed", [3, *LONG])
def test_the_same_dream_twice_is_an_empty_diff(tmp_path: Path, seed: int):
    """After everything was approved, the same sessions write nothing more; what still waits are questions."""
    logs, files = world(seed, tmp_path)
    with open_home(tmp_path / "home") as home:
        installed(home, logs, files)
        first = dream(home)
        assert dream(home).changes == first.changes
        review.approve(home.state, first.dream.dream_id, reviewer="ada")
        standing = home.state.files("team")
        again = dream(home)
        assert again.dream.dream_id != first.dream.dream_id
        assert [
            change for change in again.changes if change.status != "refused" and change.op != "flag"
        ] == []
        assert {_named(flag) for flag in again.changes if flag.op == "flag"} <= accepted(first)
        review.approve(home.state, again.dream.dream_id, reviewer="ada")
        assert home.state.files("team") == standing


def test_a_dream_over_a_copy_of_the_home_says_the_same(harbor: Source, tmp_path: Path):
    """Nothing of a dream rests on where it is dreamt."""
    with open_home(tmp_path / "one") as home:
        installed(home, *harbor)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    reports: list[DreamReport] = []
    for name in ("one", "two"):
        with open_home(tmp_path / name) as home:
            reports.append(dream(home))
    assert [change.sha256 for change in reports[0].changes] == [
        change.sha256 for change in reports[1].changes
    ]
    assert reports[0].dream.dream_id == reports[1].dream.dream_id
