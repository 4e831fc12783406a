"""Rates and their differences, with intervals that hold for small numbers.

Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209–212;
R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven methods",
Statistics in Medicine 17 (1998) 873–890, method 10; S. Greenland and J. M. Robins, "Estimation of a common effect
parameter from sparse follow-up data", Biometrics 41 (1985) 55–68, for the Mantel-Haenszel risk difference; T. Sato,
"On the variance estimator for the Mantel-Haenszel risk difference", Biometrics 45 (1989) 1323–1324, for its variance,
which holds for few large and for many small strata; B. Klingenberg, "A new and improved confidence interval for the
Mantel-Haenszel risk difference", Statistics in Medicine 33 (2014) 2968–2983, for the interval made of it.
"""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

Z = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""


class Rate(BaseModel):
    """So many successes of so many sessions."""

    model_config = ConfigDict(frozen=True)

    successes: int = 0
    sessions: int = 0

    @property
    def value(self) -> float | None:
        """The share of successes; None of no session."""
        return self.successes / self.sessions if self.sessions else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval; all of 0 to 1 where there is no session."""
        return wilson(self.successes, self.sessions)

    def __add__(self, other: "Rate") -> "Rate":
        """Both counted together."""
        return Rate(successes=self.successes + other.successes, sessions=self.sessions + other.sessions)


class Difference(BaseModel):
    """A difference of two success rates, after minus before, with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float


def wilson(successes: int, sessions: int, z: float = Z) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927)."""
    if sessions == 0:
        return 0.0, 1.0
    share = successes / sessions
    middle = share + z * z / (2 * sessions)
    half = z * math.sqrt(share * (1 - share) / sessions + z * z / (4 * sessions * sessions))
    whole = 1 + z * z / sessions
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def newcombe(before: Rate, after: Rate, z: float = Z) -> Difference:
    """The difference of two independent proportions (Newcombe 1998, method 10).

    Raises:
        ValueError: one of the two has no session.
    """
    if before.value is None or after.value is None:
        msg = "a difference needs sessions on both sides"
        raise ValueError(msg)
    low_b, high_b = wilson(before.successes, before.sessions, z)
    low_a, high_a = wilson(after.successes, after.sessions, z)
    value = after.value - before.value
    low = value - math.hypot(after.value - low_a, high_b - before.value)
    high = value + math.hypot(high_a - after.value, before.value - low_b)
    return Difference(value=value, low=low, high=high)


def mantel_haenszel(strata: Sequence[tuple[Rate, Rate]], z: float = Z) -> Difference | None:
    """The common difference over strata, each (before, after); None where no stratum has both.

    A stratum in which only one side has sessions says nothing about the difference and has no weight.
    """
    weight = value = spread_p = spread_q = 0.0
    for before, after in strata:
        n0, n1 = before.sessions, after.sessions
        if not n0 or not n1:
            continue
        y0, y1, n = before.successes, after.successes, n0 + n1
        weight += n1 * n0 / n
        value += (y1 * n0 - y0 * n1) / n
        spread_p += (n1 * n1 * y0 - n0 * n0 * y1 + n1 * n0 * (n0 - n1) / 2) / (n * n)
        spread_q += (y1 * (n0 - y0) + y0 * (n1 - y1)) / (2 * n)
    if not weight:
        return None
    value /= weight
    middle = value + z * z * spread_p / (2 * weight * weight)
    inside = middle * middle - value * value + z * z * spread_q / (weight * weight)
    half = math.sqrt(max(0.0, inside))
    return Difference(value=value, low=max(-1.0, middle - half), high=min(1.0, middle + half))
