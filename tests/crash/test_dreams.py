"""A dream that dies anywhere is run again and comes out as if it had not: the same, once, and nothing asked twice."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from agentflows.store.failpoints import COMMIT_POINTS
from tests.crash import scenes, workers
from tests.crash.conftest import Endpoint

STEPS = ["started", "mined", "recalled", "checked", "clustered", "proposed", "verified", "saved"]
SHORT = {
    "rules": {"dream.saved", "commit.moved"},
    "claude": {"dream.read.15", "commit.audited"},
}
"""Every point is passed in turn by one test of the short form; these are also tried alone there."""


def points(engine: str) -> list[Any]:
    """All points a dream passes; those not in the short form are marked slow."""
    reading = ["dream.batch.1", "dream.batch.3"]
    reading += ["dream.read.1", "dream.read.15", "dream.read.32"] if engine == "claude" else []
    names = [
        *(f"dream.{step}" for step in STEPS),
        *reading,
        "review.decided.1",
        "review.decided",
        *COMMIT_POINTS,
    ]
    return [name if name in SHORT[engine] else pytest.param(name, marks=pytest.mark.slow) for name in names]


RULES_OR_CLAUDE = pytest.mark.parametrize(
    "options",
    [
        pytest.param(scenes.RULES, id="rules"),
        pytest.param(scenes.CLAUDE, id="claude", marks=pytest.mark.slow),
    ],
)
SMALL_BATCHES = {"AGENTFLOWS_BATCH_SESSIONS": "10"}


def rerun(folder: Path, options: dict[str, Any]) -> None:
    assert workers.finish(workers.start(workers.dream, folder, options, **SMALL_BATCHES)) == 0


@pytest.fixture(scope="module")
def by_rules(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the rules dream leaves behind when nothing disturbs it."""
    folder = scenes.copy(seeded, tmp_path_factory.mktemp("undisturbed") / "home")
    rerun(folder, scenes.RULES)
    found = scenes.outcome(folder)
    assert {change["status"] for change in found["dreams"][0]["changes"]} == {"committed", "held"}
    return found


@pytest.fixture
def by_claude(
    seeded: Path, endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], list[str]]:
    """The same with a model, and what it was asked; dreamt once."""
    if not _CLAUDE:
        folder = scenes.copy(seeded, tmp_path_factory.mktemp("undisturbed") / "home")
        rerun(folder, scenes.CLAUDE)
        outcome, asked = scenes.outcome(folder), endpoint.asked
        endpoint.forget()
        kinds = {question.partition(":")[0] for question in asked}
        wanted = {"observations", "pairs", "after", "proposals", "claims"}
        assert kinds == wanted, "not all five questions were asked"
        statuses = {change["status"] for change in outcome["dreams"][0]["changes"]}
        assert statuses == {"committed", "held"}
        _CLAUDE.update(outcome=outcome, asked=asked)
    return _CLAUDE["outcome"], _CLAUDE["asked"]


_CLAUDE: dict[str, Any] = {}


@pytest.mark.parametrize("point", points("rules"))
def test_a_rules_dream_killed_between_any_two_steps_is_finished_by_a_rerun(
    folder: Path, by_rules: dict[str, Any], point: str
):
    """Changes, ledger, commit and decisions are those of a dream that nobody killed, and there once."""
    workers.die_at(point, workers.dream, folder, scenes.RULES, **SMALL_BATCHES)
    if point != "commit.done":  # else it is done: the same command would dream over the new version
        rerun(folder, scenes.RULES)
    assert scenes.outcome(folder) == by_rules


@pytest.mark.parametrize("point", points("claude"))
def test_a_claude_dream_killed_between_any_two_steps_asks_nothing_twice(
    folder: Path, endpoint: Endpoint, by_claude: tuple[dict[str, Any], list[str]], point: str
):
    """What was answered was kept; the re-run asks only what is left, and ends the same."""
    undisturbed, everything = by_claude
    workers.die_at(point, workers.dream, folder, scenes.CLAUDE, **SMALL_BATCHES)
    before, kept = endpoint.asked, scenes.answers_kept(folder)
    endpoint.forget()
    if point != "commit.done":
        rerun(folder, scenes.CLAUDE)
    assert scenes.outcome(folder) == undisturbed
    assert len(endpoint.asked) == len(everything) - kept
    if not point.startswith("dream.read"):  # else the calls under way died with the process
        assert kept == len(before)
        assert sorted(before + endpoint.asked) == sorted(everything)


@RULES_OR_CLAUDE
def test_a_dream_killed_at_every_step_in_turn_is_still_one_dream(
    folder: Path,
    endpoint: Endpoint,
    by_rules: dict[str, Any],
    by_claude: tuple[dict[str, Any], list[str]],
    options: dict[str, Any],
):
    """Each re-run dies at the next point; the last one finishes."""
    is_rules = options["engine"] == "rules"
    for point in [*(f"dream.{step}" for step in STEPS), "review.decided.1", "commit.moved", "commit.audited"]:
        workers.die_at(point, workers.dream, folder, options)
    rerun(folder, options)
    assert scenes.outcome(folder) == (by_rules if is_rules else by_claude[0])
    assert len(endpoint.asked) == (0 if is_rules else len(by_claude[1]))


@pytest.mark.parametrize(
    "point",
    ["dream.saved", *(pytest.param(one, marks=pytest.mark.slow) for one in ("dream.copied", "commit.done"))],
)
def test_a_dream_into_a_copy_makes_one_copy(folder: Path, seeded: Path, tmp_path: Path, point: str):
    """`output=create_new`: a re-run goes on with the copy it finds."""
    options = {**scenes.RULES, "output": "create_new"}
    calm = scenes.copy(seeded, tmp_path / "calm")
    rerun(calm, options)
    workers.die_at(point, workers.dream, folder, options)
    rerun(folder, options)
    assert len(scenes.outcome(folder)["stores"]) == 2
    assert [store | {"name": ""} for store in scenes.outcome(folder)["stores"]] == [
        store | {"name": ""} for store in scenes.outcome(calm)["stores"]
    ]


@RULES_OR_CLAUDE
def test_kills_at_random_moments_change_nothing(
    folder: Path,
    endpoint: Endpoint,
    by_rules: dict[str, Any],
    by_claude: tuple[dict[str, Any], list[str]],
    options: dict[str, Any],
    kills: int,
):
    """`--kills N` makes this the long form. A kill costs the calls under way, and no more."""
    chance = random.Random(kills)
    is_rules = options["engine"] == "rules"
    undisturbed = by_rules if is_rules else by_claude[0]
    at_once = 8
    left = kills
    while left > 0:
        home = scenes.copy(folder, folder.with_name(f"home-{left}"))
        endpoint.forget()
        died = 0
        for _ in range(chance.randint(1, min(3, left))):
            process = workers.start(workers.dream, home, options, **SMALL_BATCHES)
            time.sleep(0.02 + chance.random() * (0.5 if is_rules else 1.0))
            process.kill()
            died += workers.finish(process) == workers.KILLED
            left -= 1
            if scenes.version(home) > 1:
                break
        if scenes.version(home) == 1:
            rerun(home, options)
        assert scenes.outcome(home) == undisturbed
        assert len(endpoint.asked) <= (0 if is_rules else len(by_claude[1]) + at_once * died)
