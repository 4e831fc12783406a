"""A forgetting that dies anywhere is simply run again: all of the stores forgot, or none did."""

import os
from pathlib import Path

import pytest

from agentflows.home import open_home
from agentflows.store.failpoints import VARIABLE
from tests import command_line
from tests.lineage.conftest import Desk, change

POINTS = ("forget.begin", "commit.written", "forget.committed", "forget.evidence", "forget.settled")


def forget(folder: Path, **variables: str) -> int:
    """`agentflows memory forget s1 --yes`, in a process of its own."""
    words = ["memory", "forget", "s1", "--yes", "--home", str(folder)]
    return command_line.run(*words, environment=os.environ | variables).returncode


@pytest.fixture
def folder(desk: Desk) -> Path:
    """A home with two stores that rest on s1, and a change that waits with it."""
    desk.hold("s1", "s2")
    desk.approve(1, change("add", "s1", after="- One"))
    desk.state.copy_store("team", "copy", actor=desk.home.actor("ada"))
    desk.dream(2, change("add", "s1", "s2", after="- Two"))
    desk.home.close()
    return desk.home.settings.home_path


def state_of(folder: Path) -> tuple[object, ...]:
    """All that forgetting may change."""
    with open_home(folder) as home:
        return (
            [home.state.files(name) for name in ("team", "copy")],
            [len(home.state.evidence(name)) for name in ("team", "copy")],
            [one.status for one in home.state.changes(dream_id="drm_2")],
            [entry.action for entry in home.state.audit() if entry.action == "forget"],
            home.archive.stats().sessions,
        )


@pytest.mark.parametrize("point", POINTS)
def test_killed_inside_the_transaction_nothing_happened(folder: Path, point: str):
    """Two stores, their evidence and what waits: one transaction. A second run does all of it."""
    before = state_of(folder)
    assert forget(folder, **{VARIABLE: f"{point}:kill"}) == -9
    assert state_of(folder) == before
    assert forget(folder) == 0
    assert state_of(folder)[1:] == ([0, 0], ["expired"], ["forget", "forget"], 1)


def test_killed_before_the_archive_a_second_run_removes_it_there(folder: Path):
    """The stores forgot already, and are not written again."""
    assert forget(folder, **{VARIABLE: "forget.done:kill"}) == -9
    forgot = state_of(folder)
    assert forgot[1:] == ([0, 0], ["expired"], ["forget", "forget"], 2)
    assert forget(folder) == 0
    assert state_of(folder) == (*forgot[:-1], 1)


def test_a_full_disk_forgets_nothing(folder: Path):
    """An error, and everything as it was."""
    before = state_of(folder)
    assert forget(folder, **{VARIABLE: "forget.evidence:enospc"}) == 1
    assert state_of(folder) == before
