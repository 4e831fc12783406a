"""What is read when not everything can be: coverage first, novelty over repetition, the same choice every time."""

import random
from datetime import datetime, timedelta

from agentflows.change import Share
from agentflows.dream.selection import Candidate, choose, shares

DAY = datetime(2026, 1, 5)  # noqa: DTZ001 - the archive's times are naive


def one(name: str, *signals: str, cost: float = 0.1, day: int = 0, failed: bool = False) -> Candidate:
    return Candidate(name, name, cost, DAY + timedelta(days=day), failed, tuple(sorted(signals)))


def test_each_signal_is_heard_before_one_is_heard_again():
    """Ten sessions with one error, two with another: the budget for two takes one of each."""
    common = [one(f"a{number}", "error:x", day=number) for number in range(10)]
    rare = [one(f"b{number}", "error:y", day=number) for number in range(2)]
    assert set(choose([*common, *rare], [], capacity=0.2)) == {"a9", "b1"}


def test_what_earlier_dreams_heard_is_worth_less():
    """Novelty: the known error has been read of in three sessions, so the other comes first."""
    known = [one(f"k{number}", "error:x") for number in range(3)]
    fresh = [one("again", "error:x", day=9), one("new", "error:y"), one("newer", "error:y", day=1)]
    assert choose([*known, *fresh], [item.session_id for item in known], capacity=0.1) == ["newer"]


def test_a_users_own_words_come_before_an_error_and_an_error_before_a_command_that_went_well():
    """And what stands alone can become no pattern, unless it is a rule."""
    everyone = [
        one("ok1", "workflow:w"), one("ok2", "workflow:w"), one("err1", "error:e"), one("err2", "error:e"),
        one("rule", "rule:r"), one("lone", "error:z"),
    ]  # fmt: skip
    assert choose(everyone, [], capacity=0.3) == ["rule", "err1", "err2"]


def test_both_sides_of_a_task_with_both_outcomes_are_read():
    """A contrast says what the failure alone cannot."""
    pair = [
        one("lost", "contrast:t:failure", "failure:t", failed=True),
        one("won", "contrast:t:success"),
    ]
    plain = [one(f"p{number}", "workflow:w", day=30) for number in range(5)]
    assert choose([*plain, *pair], [], capacity=0.2) == ["lost", "won"]


def test_a_cheap_session_that_shows_as_much_is_read_first():
    """The budget is spent by gain over cost."""
    assert choose([one("long", "error:x", cost=0.9), one("short", "error:x", cost=0.2)], []) == ["short"]


def test_sub_agents_of_one_session_are_one_witness():
    """Hearing of it twice in one session is no support, so the second adds nothing but itself."""
    family = [Candidate(name, "root", 0.1, DAY, failed=False, signals=("error:x",)) for name in ("a", "b")]
    other = Candidate("c", "c", 0.1, DAY - timedelta(days=9), failed=False, signals=("error:x",))
    assert choose([*family, other], [], capacity=0.2) == ["a", "c"]


def test_the_choice_does_not_depend_on_the_order_and_stays_within_the_budget():
    """Ties go to the newer, then by id."""
    chance = random.Random(7)
    everyone = [
        one(
            f"s{number:03d}",
            *{f"error:{chance.randint(0, 40)}" for _ in range(3)},
            cost=chance.uniform(0.001, 0.02),
            day=number % 5,
        )
        for number in range(400)
    ]
    first = choose(everyone, [])
    cost = {item.session_id: item.cost for item in everyone}
    assert sum(cost[name] for name in first) <= 1.0 + 1e-6
    for _ in range(3):
        chance.shuffle(everyone)
        assert choose(everyone, []) == first
    covered = {signal for item in everyone if item.session_id in first for signal in item.signals}
    assert len(covered) == 41


def test_the_shares_say_what_was_covered():
    """Counted over signals, and over failed sessions."""
    everyone = [one("a", "error:x", failed=True), one("b", "error:y", "rule:r"), one("c", failed=True)]
    assert shares(everyone, ["a"]) == (
        Share(what="distinct error signatures", read=1, of=2),
        Share(what="standing rules, in users' words", read=0, of=1),
        Share(what="failed sessions", read=1, of=2),
    )
