"""An ingest that dies is run again: the archive is what it would have been, and nothing is in it twice."""

import random
import shutil
import time
from pathlib import Path

import pytest

from agentflows.home import open_home
from tests.conftest import EXAMPLES
from tests.crash import scenes, workers

SESSIONS = EXAMPLES / "sessions"
POINTS = [
    "ingest.read.7",
    "ingest.added",
    *(pytest.param(point, marks=pytest.mark.slow) for point in ("ingest.read.1", "ingest.read.11")),
]


def facts(folder: Path) -> tuple[str, int, list[str]]:
    with open_home(folder) as home:
        stats = home.archive.stats()
        return home.archive.fingerprint(), stats.quarantined, home.archive.verify()


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_ingest_is_finished_by_a_rerun(seeded: Path, tmp_path: Path, point: str):
    """Between files, inside a batch and after one."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(seeded / "redaction.key", home)  # placeholders of secrets are made with it
    workers.die_at(point, workers.ingest, home, SESSIONS)
    assert workers.finish(workers.start(workers.ingest, home, SESSIONS)) == 0
    assert facts(home) == facts(seeded)


def test_kills_at_random_moments_of_an_ingest_change_nothing(seeded: Path, tmp_path: Path, kills: int):
    """`--kills N` makes this the long form."""
    chance = random.Random(kills)
    wanted = facts(seeded)
    for number in range(kills):
        home = tmp_path / f"home-{number}"
        home.mkdir()
        shutil.copy(seeded / "redaction.key", home)
        process = workers.start(workers.ingest, home, SESSIONS)
        time.sleep(0.02 + chance.random() * 0.4)
        process.kill()
        workers.finish(process)
        with open_home(home) as doors:
            assert doors.archive.verify() == []
        assert workers.finish(workers.start(workers.ingest, home, SESSIONS)) == 0
        assert facts(home) == wanted


def test_two_ingests_of_the_same_sessions_leave_each_once(seeded: Path, tmp_path: Path):
    """At the same time, into the same home, which neither has seen before."""
    home = tmp_path / "home"
    both = [workers.start(workers.ingest, home, SESSIONS) for _ in range(2)]
    assert [workers.finish(process) for process in both] == [0, 0]
    with open_home(home) as doors, open_home(scenes.copy(seeded, tmp_path / "other")) as other:
        assert [info.session_id for info in doors.archive.info()] == [
            info.session_id for info in other.archive.info()
        ]
        assert doors.archive.stats().turns == other.archive.stats().turns
        assert doors.archive.verify() == []
        assert len(_keys(doors.archive.sql("SELECT text FROM turns").rows)) == 1


def _keys(rows: object) -> set[str]:
    """The distinct placeholders of the one planted password."""
    import re

    return set(re.findall(r"\[REDACTED:[^\]]*\]", str(rows)))
