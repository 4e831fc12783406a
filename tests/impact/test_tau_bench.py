"""Impact on real tau-bench sessions, to which days are given: trial by trial they are the same work, done again."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from agentflows import impact, readers
from agentflows.home import Home
from agentflows.impact import Impact
from agentflows.session import OutcomeLabel, Session
from tests.impact.sessions import START, archived, at, written

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def trials(real_data: Path) -> dict[int, list[Session]]:
    """The airline sessions by trial: each trial is every task once. Turns are left out; ends and tasks are real."""
    found: dict[str, list[Session]] = {}
    for read in readers.read(real_data / "tau-bench" / "gpt-4o-airline.json.gz"):
        for one in read.sessions:
            found.setdefault(one.task, []).append(one)
    count = max(map(len, found.values()))
    return {
        number: [
            some[number].model_copy(update={"turns": some[number].turns[:1]})
            for some in found.values()
            if number < len(some)
        ]
        for number in range(count)
    }


def on(day: float, sessions: Iterable[Session]) -> list[Session]:
    """The sessions, held on that day."""
    return [
        one.model_copy(update={"started_at": START + timedelta(days=day, minutes=number)})
        for number, one in enumerate(sessions)
    ]


def measured(home: Home) -> Impact:
    return impact.measure(home.state, home.archive, "team")


def test_the_same_agent_on_the_same_tasks_is_no_different(home: Home, trials: dict[int, list[Session]]):
    """Half of the trials before a version, half after: nothing changed but chance, and that is what is said."""
    written(home, [(10, "- one\n")])
    half = len(trials) // 2
    early = [one for number in range(half) for one in trials[number]]
    late = [one for number in range(half, len(trials)) for one in trials[number]]
    archived(home, [*on(2, early), *on(12, late)])
    step = measured(home).steps[0]
    assert step.verdict == "no_difference"
    assert (step.method, step.left_out) == ("mantel_haenszel", 0)
    assert len(step.strata) == len(trials[0]) >= 40
    assert step.difference is not None
    assert abs(step.difference.value) < 0.15


def test_harm_to_real_sessions_is_found(home: Home, trials: dict[int, list[Session]]):
    """Of the later successes every other is turned into a failure: the loss is found within tasks, near its true size."""
    written(home, [(10, "- one\n")])
    half = len(trials) // 2
    early = [one for number in range(half) for one in trials[number]]
    late = [one for number in range(half, len(trials)) for one in trials[number]]
    won = [one.session_id for one in late if one.outcome and one.outcome.verdict == "success"]
    lost = set(won[::2])
    bad = OutcomeLabel(verdict="failure", source="reward")
    hurt = [one.model_copy(update={"outcome": bad}) if one.session_id in lost else one for one in late]
    archived(home, [*on(2, early), *on(12, hurt)])
    step = measured(home).steps[0]
    assert step.verdict == "worse"
    assert step.difference is not None
    plain = sum(one.outcome is not None and one.outcome.verdict == "success" for one in early) / len(early)
    truth = (len(won) - len(lost)) / len(late) - plain
    assert step.difference.value == pytest.approx(truth, abs=0.05)
    assert step.difference.low <= truth <= step.difference.high


def test_harder_tasks_are_not_taken_for_harm(home: Home, trials: dict[int, list[Session]]):
    """Easy tasks before, hard ones after: together it looks like ruin; no task was worked on twice, so nothing is said."""
    written(home, [(10, "- one\n")])
    wins: dict[str, int] = {}
    for one in (one for some in trials.values() for one in some):
        won = one.outcome is not None and one.outcome.verdict == "success"
        wins[one.task] = wins.get(one.task, 0) + won
    easy = {task for task, count in wins.items() if count > len(trials) / 2}
    everything = [one for some in trials.values() for one in some]
    before = [one for one in everything if one.task in easy]
    after = [one for one in everything if one.task not in easy]
    archived(home, [*on(2, before), *on(12, after)])
    step = measured(home).steps[0]
    assert step.crude is not None
    assert step.crude.high < 0
    assert (step.verdict, step.left_out) == ("too_few", len(everything))
    assert at(10) == step.at
