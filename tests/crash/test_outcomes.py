"""An outcome that dies anywhere is run again: no finished attempt, grading or model call is repeated or paid twice."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows.evaluation import Outcome
from agentflows.home import open_home
from agentflows.pursuing import POINTS
from agentflows.testing import FakeMessagesAPI, FakeRequest
from tests.crash import pursuits, workers


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI().script(pursuits.answer) as api:
        yield api


def told(fake: FakeMessagesAPI) -> dict[str, str]:
    """What a process needs to find the endpoint."""
    return {"ANTHROPIC_BASE_URL": fake.url, "ANTHROPIC_API_KEY": fake.api_key}


def ended(folder: Path, fake: FakeMessagesAPI) -> Outcome:
    """Run it to its end, and see that it came out as it does undisturbed."""
    assert workers.finish(workers.start(pursuits.work, folder, **told(fake))) == 0
    with open_home(folder / "home") as home:
        (found,) = home.state.outcomes()
        sessions = home.archive.info()
        spent = home.state.balance(f"outcome:{found.outcome_id}")
    assert (found.result, len(found.attempts), len(found.evaluations)) == ("max_iterations_reached", 2, 2)
    assert [one.text for one in found.attempts] == ["Drafted.", "Revised."]
    assert (found.best_iteration, found.evaluations[1].regressions) == (0, ("sun",))
    assert [path.name for path in (folder / "workspace").iterdir()] == ["notes.md"]
    assert sorted(one.session_id for one in sessions) == sorted(one.session_id for one in found.attempts)
    assert {one.verdict for one in sessions} == {"failure"}
    assert sum(one.usage.total for one in (*found.attempts, *found.evaluations)) == spent.tokens
    return found


def test_undisturbed_it_takes_ten_calls(tmp_path: Path, fake: FakeMessagesAPI):
    """The figure that the others are held against; a second run asks nothing."""
    first = ended(tmp_path, fake)
    assert len(fake.requests) == pursuits.CALLS
    assert ended(tmp_path, fake) == first
    assert len(fake.requests) == pursuits.CALLS


def test_it_may_die_at_every_point_in_turn(tmp_path: Path, fake: FakeMessagesAPI):
    """One outcome, killed at each failpoint, asks what an undisturbed one asks."""
    for point in POINTS:
        workers.die_at(point, pursuits.work, tmp_path, **told(fake))
    ended(tmp_path, fake)
    print(f"OUTCOME_KILLS tried={len(POINTS)} bad={len(fake.requests) - pursuits.CALLS}")  # noqa: T201
    assert len(fake.requests) == pursuits.CALLS


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_it_may_die_at_one_point_alone(tmp_path: Path, fake: FakeMessagesAPI, point: str):
    """Each by itself, so that no earlier death hides a later one's."""
    workers.die_at(point, pursuits.work, tmp_path, **told(fake))
    ended(tmp_path, fake)
    assert len(fake.requests) == pursuits.CALLS


def test_it_may_die_between_any_two_calls(tmp_path: Path, fake: FakeMessagesAPI, pytestconfig: pytest.Config):
    """Killed while a call is on its way: only that one, whose answer nobody heard, is asked again.

    Four of the ten calls; with more `--kills` than the default every one.
    """
    deadly_calls = {2, 5, 8, 10} if pytestconfig.option.kills <= 3 else set(range(1, pursuits.CALLS + 1))
    died: set[int] = set()
    running: list[Any] = []
    seen: set[str] = set()

    def deadly(request: FakeRequest) -> Any:
        question = repr(request.body)
        if question not in seen:
            seen.add(question)
            if len(seen) in deadly_calls:
                died.add(len(seen))
                os.kill(running[-1].pid, signal.SIGKILL)
        return pursuits.answer(request)

    fake.script(deadly)
    for _ in deadly_calls:
        running.append(workers.start(pursuits.work, tmp_path, **told(fake)))
        assert workers.finish(running[-1]) == workers.KILLED
    with open_home(tmp_path / "home") as home:
        levels = home.state.balance(f"outcome:{home.state.outcomes()[0].outcome_id}")
        assert levels.reserved_tokens > 0  # a call of unknown outcome counts as spent
    ended(tmp_path, fake)
    print(f"OUTCOME_CALL_KILLS tried={len(died)} bad={len(fake.requests) - pursuits.CALLS - len(died)}")  # noqa: T201
    assert died == deadly_calls
    assert len(fake.requests) == pursuits.CALLS + len(died)
