"""Intervals: published examples, edges, and that they hold what they promise."""

import random

import pytest

from agentflows.impact import Rate, mantel_haenszel, newcombe, wilson


def rate(successes: int, sessions: int) -> Rate:
    return Rate(successes=successes, sessions=sessions)


def test_wilsons_interval_is_the_published_one():
    """Newcombe's paper on single proportions prints 0.2553 to 0.3662 for 81 of 263."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@pytest.mark.parametrize(
    ("before", "after", "low", "high"),
    [
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((0, 10), (10, 10), 0.6075, 1.0),
    ],
)
def test_newcombes_interval_is_the_published_one(
    before: tuple[int, int], after: tuple[int, int], low: float, high: float
):
    """Rows of the comparison of eleven methods, method 10."""
    found = newcombe(rate(*before), rate(*after))
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_rate_of_no_session_is_no_rate():
    """And anything is possible."""
    assert rate(0, 0).value is None
    assert rate(0, 0).interval == (0.0, 1.0)
    with pytest.raises(ValueError, match="both sides"):
        newcombe(rate(0, 0), rate(1, 2))


def test_strata_of_one_side_weigh_nothing():
    """They cannot say what made the difference."""
    both = (rate(5, 10), rate(8, 10))
    assert mantel_haenszel([both, (rate(0, 50), rate(0, 0))]) == mantel_haenszel([both])
    assert mantel_haenszel([(rate(1, 2), rate(0, 0)), (rate(0, 0), rate(2, 2))]) is None


def test_the_common_difference_is_the_weighted_mean_of_the_strata():
    """Weights are n1 n0 / n: 5 and 7.5 here, with differences of 0.2 and −0.2."""
    found = mantel_haenszel([(rate(4, 10), rate(6, 10)), (rate(18, 30), rate(4, 10))])
    assert found is not None
    assert found.value == pytest.approx((5 * 0.2 - 7.5 * 0.2) / 12.5)
    assert found.low < found.value < found.high


def test_turning_time_round_turns_the_sign():
    """Better one way is worse the other way."""
    strata = [(rate(4, 10), rate(9, 12)), (rate(3, 8), rate(5, 6))]
    there, back = mantel_haenszel(strata), mantel_haenszel([(after, before) for before, after in strata])
    assert there is not None
    assert back is not None
    assert (back.low, back.value, back.high) == pytest.approx((-there.high, -there.value, -there.low))


@pytest.mark.parametrize(
    ("strata", "before", "after", "difference"), [(30, 2, 2, 0.2), (5, 20, 10, -0.2), (50, 1, 3, 0.0)]
)
def test_the_interval_holds_the_truth_nineteen_times_of_twenty(
    strata: int, before: int, after: int, difference: float
):
    """Few large strata and many tiny ones, each with a base rate of its own."""
    chance = random.Random(7)
    held = 0
    for _ in range(600):
        table: list[tuple[Rate, Rate]] = []
        for _ in range(strata):
            base = chance.uniform(0.25, 0.75)
            hits = [sum(chance.random() < base for _ in range(before))]
            hits.append(sum(chance.random() < base + difference for _ in range(after)))
            table.append((rate(hits[0], before), rate(hits[1], after)))
        found = mantel_haenszel(table)
        assert found is not None
        held += found.low <= difference <= found.high
    assert 0.92 <= held / 600 <= 0.98
