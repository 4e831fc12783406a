"""When a worker counts as lost."""

import pytest

from agentflows.sending import LOST_SECONDS, SILENT_SECONDS, UNTAKEN_SECONDS, Stage, Watch


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("stage", "was_held", "seconds"),
    [
        ("claimed", False, UNTAKEN_SECONDS),
        ("running", False, SILENT_SECONDS),
        ("running", True, LOST_SECONDS),
    ],
)
def test_it_is_lost_when_nobody_held_it_for_long_enough(stage: Stage, was_held: bool, seconds: float):  # noqa: FBT001
    """A worker needs its time to begin; one that held its work and holds it no more is dead."""
    clock = Clock()
    watch = Watch(clock)
    if was_held:
        assert not watch.is_lost("running", is_held=True)
    assert not watch.is_lost(stage, is_held=False)
    clock.now = seconds - 0.1
    assert not watch.is_lost(stage, is_held=False)
    clock.now = seconds
    assert watch.is_lost(stage, is_held=False)


def test_what_waits_for_a_worker_is_never_lost():
    """A night without workers is no reason to send everything five times."""
    clock = Clock()
    watch = Watch(clock)
    for _ in range(5):
        clock.now += 10_000
        assert not watch.is_lost("waiting", is_held=False)


def test_a_sign_of_life_starts_the_clock_anew():
    """A database that did not answer for a moment lost nobody."""
    clock = Clock()
    watch = Watch(clock)
    for _ in range(5):
        assert not watch.is_lost("running", is_held=True)
        clock.now += LOST_SECONDS - 0.1
        assert not watch.is_lost("running", is_held=False)
        clock.now += LOST_SECONDS - 0.1
