"""Agreement of graders with people, as formulas over plain lists.

Sources:
* percent agreement, Cohen's kappa: J. Cohen, A coefficient of agreement for nominal scales, Educational and
  Psychological Measurement 20 (1960), 37–46
* Krippendorff's alpha, nominal: K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: a
  coincidence matrix over all pairable values of a unit
* Wilson's interval of a share: E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209–212
* bootstrap over items, percentile interval: B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 13
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

Z95 = 1.959963984540054
"""The normal quantile of 97.5 %."""
RESAMPLES = 2_000
"""Bootstrap samples: an end of the interval then moves by about 1 % of its width from seed to seed."""
SEED = 20_111_125
"""Fixed: the same labels give the same interval."""

Value = Hashable
Item = TypeVar("Item")


def percent_agreement(pairs: Sequence[tuple[Value, Value]]) -> float | None:
    """Share of pairs that are equal; None without pairs."""
    return sum(one == two for one, two in pairs) / len(pairs) if pairs else None


def cohen_kappa(pairs: Sequence[tuple[Value, Value]]) -> float | None:
    """(observed - expected) / (1 - expected), expected from each rater's own shares.

    None without pairs, and where both raters use one and the same value throughout: agreement beyond chance is then
    not defined, however high the percentage.
    """
    if not pairs:
        return None
    number = len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    expected = sum(first[value] * second[value] for value in first) / number**2
    if expected >= 1:
        return None
    observed = sum(one == two for one, two in pairs) / number
    return (observed - expected) / (1 - expected)


def krippendorff_alpha(units: Sequence[Sequence[Value]]) -> float | None:
    """Alpha for nominal data: 1 - observed / expected disagreement; any number of raters, values may be missing.

    Args:
        units: for each item the values that were given, without the missing ones. Units with fewer than two values
            cannot be paired and do not count.

    None without pairable values, and where all of them are the same.
    """
    pairable = [unit for unit in units if len(unit) > 1]
    totals: Counter[Value] = Counter()
    disagreement = 0.0
    for unit in pairable:
        counts = Counter(unit)
        totals.update(counts)
        size = len(unit)
        disagreement += (size * size - sum(count * count for count in counts.values())) / (size - 1)
    number = sum(totals.values())
    expected = number * number - sum(count * count for count in totals.values())
    if not expected:
        return None
    return 1 - (number - 1) * disagreement / expected


def wilson(hits: int, number: int) -> tuple[float, float] | None:
    """95 % interval of a share; None without trials."""
    if not number:
        return None
    share = hits / number
    center = share + Z95**2 / (2 * number)
    spread = Z95 * math.sqrt(share * (1 - share) / number + Z95**2 / (4 * number**2))
    scale = 1 + Z95**2 / number
    return max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)


def bootstrap(
    items: Sequence[Item],
    statistic: Callable[[Sequence[Item]], float | None],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[float, float] | None:
    """95 % percentile interval of a statistic over items drawn again with replacement.

    Samples for which the statistic is not defined are left out; None when that leaves less than half of them, or
    when there are fewer than two items.
    """
    if len(items) < 2:
        return None
    draw = random.Random(seed)  # noqa: S311 - no secret: it must be the same each time
    found = [statistic(draw.choices(items, k=len(items))) for _ in range(resamples)]
    values = sorted(value for value in found if value is not None)
    if len(values) * 2 < resamples:
        return None
    return _quantile(values, 0.025), _quantile(values, 0.975)


def _quantile(values: Sequence[float], share: float) -> float:
    place = share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def regrade_noise(gradings: Sequence[tuple[Hashable, Value]]) -> tuple[float | None, int]:
    """How often two gradings of one and the same thing differ, and how many things were graded more than once.

    Args:
        gradings: (what was graded, verdict), in any order.

    Returns:
        The share of differing pairs, averaged over things graded at least twice (None without one); their number.
    """
    by_thing: defaultdict[Hashable, list[Value]] = defaultdict(list)
    for thing, value in gradings:
        by_thing[thing].append(value)
    shares: list[float] = []
    for values in by_thing.values():
        size = len(values)
        if size > 1:
            same = sum(count * (count - 1) for count in Counter(values).values())
            shares.append(1 - same / (size * (size - 1)))
    return (sum(shares) / len(shares) if shares else None), len(shares)
