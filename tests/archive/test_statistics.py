"""The statistics that patterns rest on, against values known from elsewhere."""

import math

import pytest

from agentflows.archive import Archive


def value(archive: Archive, expression: str) -> float:
    """One number from SQL."""
    return archive.sql(f"SELECT {expression}").rows[0][0]


@pytest.mark.parametrize("x", [0.01, 0.2, 1.0, 3.841459, 12.0, 60.0, 300.0])
def test_the_chi_square_tail_is_right_to_ten_digits(archive: Archive, x: float):
    """DuckDB has no error function, so it is integrated."""
    expected = math.erfc(math.sqrt(x / 2))
    assert value(archive, f"chi2_p({x})") == pytest.approx(expected, rel=1e-9)


def test_no_difference_is_certain_chance(archive: Archive):
    """The continuity correction can leave exactly 0."""
    assert value(archive, "chi2_p(0)") == 1.0


@pytest.mark.parametrize(
    "table",
    [
        (13, 35, 103, 49),
        (3, 1, 1, 3),
        (0, 4, 116, 80),
        (10, 0, 0, 10),
        (0, 0, 3, 4),
        (5, 5, 5, 5),
        (1, 9, 11, 3),
    ],
)
def test_fishers_test_is_the_sum_of_tables_no_likelier(archive: Archive, table: tuple[int, int, int, int]):
    """Against the definition, in exact integers."""
    a, b, c, d = table
    row, column, total = a + b, a + c, a + b + c + d
    ways = {
        k: math.comb(row, k) * math.comb(total - row, column - k)
        for k in range(max(0, row + column - total), min(row, column) + 1)
    }
    expected = sum(way for way in ways.values() if way <= ways[a]) / math.comb(total, column)
    assert value(archive, f"fisher_p({a}, {b}, {c}, {d})") == pytest.approx(expected, rel=1e-9)


def test_wilsons_interval_is_the_published_one(archive: Archive):
    """15 of 148 is Newcombe's (1998) example: .0624 to .1605."""
    assert value(archive, "wilson_low(15, 148)") == pytest.approx(0.0624, abs=5e-5)
    assert value(archive, "wilson_high(15, 148)") == pytest.approx(0.1605, abs=5e-5)
    assert value(archive, "wilson_low(0, 20)") == 0.0
    assert value(archive, "wilson_low(0, 0)") is None
