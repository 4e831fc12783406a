"""An approval that dies is made again, and commits once: no used-up decision, no lost or doubled change."""

from pathlib import Path
from typing import Any

import pytest

from agentflows import review
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import open_home
from agentflows.store.failpoints import COMMIT_POINTS
from tests.crash import scenes, workers

POINTS = [
    "review.decided.5",
    "commit.moved",
    "commit.done",
    *(
        pytest.param(point, marks=pytest.mark.slow)
        for point in ("review.decided.1", "review.decided", *COMMIT_POINTS)
        if point not in {"commit.moved", "commit.done"}
    ),
]


@pytest.fixture(scope="module")
def waiting(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a dream that waits for review."""
    folder = scenes.copy(seeded, tmp_path_factory.mktemp("waiting") / "home")
    with open_home(folder) as home:
        report = dream_over(home, DreamRequest(store="example", engine="rules"))
    assert len(report.changes) > 5
    return folder


@pytest.fixture
def own(waiting: Path, tmp_path: Path) -> Path:
    return scenes.copy(waiting, tmp_path / "own")


@pytest.fixture(scope="module")
def undisturbed(waiting: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What approving everything leaves behind."""
    folder = scenes.copy(waiting, tmp_path_factory.mktemp("approved") / "home")
    workers.approve(folder, dream_id(folder), "ada")
    return scenes.outcome(folder)


def dream_id(folder: Path) -> str:
    with open_home(folder) as home:
        return home.state.dreams()[0].dream_id


def run(work: Any, *arguments: object) -> int:
    return workers.finish(workers.start(work, *arguments))


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_approval_is_finished_by_approving_again(own: Path, undisturbed: dict[str, Any], point: str):
    """Wherever it died: committed exactly once, every status and every decision as without the kill."""
    name = dream_id(own)
    workers.die_at(point, workers.approve, own, name, "ada")
    assert scenes.version(own) == (2 if point == "commit.done" else 1)
    for _ in range(2):
        assert run(workers.approve, own, name, "ada") == 0
    assert scenes.outcome(own) == undisturbed


@pytest.mark.parametrize(
    "point",
    [
        "review.decided.1",
        "commit.done",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("review.decided", "commit.moved")),
    ],
)
def test_a_killed_approval_of_some_changes_leaves_the_others_waiting(own: Path, point: str):
    """The same command again, numbers and all; once it is committed, it says so."""
    name = dream_id(own)
    workers.die_at(point, workers.approve_some, own, name, "ada", ["1", "3"])
    committed = point == "commit.done"
    assert run(workers.approve_some, own, name, "ada", ["1", "3"]) == (workers.REFUSED if committed else 0)
    with open_home(own) as home:
        changes = home.state.dream(name).changes
        assert [change.status for change in changes[:4]] == ["committed", "held", "committed", "held"]
        assert len(home.state.versions("example", dream_id=name)) == len({changes[0].path, changes[2].path})
        assert all(decision.used_at for decision in home.state.decisions())


def test_what_a_reviewer_wrote_survives_the_kill(own: Path):
    """Approving again without the text commits the reviewer's words, not the dream's."""
    name = dream_id(own)
    with open_home(own) as home:
        changes = home.state.dream(name).changes
    number = next(str(place) for place, change in enumerate(changes, 1) if change.op == "add")
    text = "- In the reviewer's own words."
    workers.die_at("review.decided", workers.approve_edited, own, name, "ada", {number: text})
    assert run(workers.approve_some, own, name, "ada", [number]) == 0
    with open_home(own) as home:
        assert any(text in found for found in home.state.files("example").values())
        assert home.state.decisions()[0].edited_after == text


def test_an_approval_killed_before_the_store_moved_is_checked_again(own: Path):
    """The base it was given for is gone, so the decision is renewed; what no longer fits is refused, not forced."""
    name = dream_id(own)
    workers.die_at("review.decided", workers.approve, own, name, "ada")
    with open_home(own) as home:
        changes = [change for change in home.state.dream(name).changes if change.op != "flag"]
        assert {change.status for change in changes} == {"approved"}
        workers.note(own, "example", ["- Somebody else was here.\n"])
        result = review.approve(home.state, name, reviewer="ada", scan=home.secret_in)
        assert len(result.committed) == len(changes)
        assert home.state.get_store("example").version == 3
        assert "/by-hand-0.md" in home.state.files("example")
