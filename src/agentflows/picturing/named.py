"""Named: every picture of a home by its name."""

from collections.abc import Callable, Mapping
from typing import Literal

from agentflows.home import Home
from agentflows.pictures import Shown, picture
from agentflows.picturing.collecting import (
    picture_cost,
    picture_coverage,
    picture_growth,
    picture_recurring,
    picture_success,
)

PictureName = Literal["patterns", "success", "cost", "daily-cost", "growth", "coverage"]

PICTURES: Mapping[PictureName, str] = {
    "patterns": "how often errors, corrections and sequences of steps came up, with the versions of the memory",
    "success": "how sessions ended before and after each version of the memory",
    "cost": "what each dream, outcome and job of a team cost, in dollars and tokens",
    "daily-cost": "the same by day, week or month",
    "growth": "how many entries each version of the memory holds, what it added and removed",
    "coverage": "how many sessions each dream read",
}
"""Each picture and what it shows."""

_COLLECTED: Mapping[PictureName, Callable[[Home, str], Shown]] = {
    "patterns": lambda home, store: picture_recurring(home, store=store),
    "success": picture_success,
    "cost": picture_cost,
    "daily-cost": lambda home, store: picture_cost(home, store, each="day"),
    "growth": picture_growth,
    "coverage": picture_coverage,
}


def collect(home: Home, name: PictureName, *, store: str) -> Shown:
    """What one picture of a store is drawn from.

    Raises:
        NotFoundError: there is no such store.
    """
    return _COLLECTED[name](home, store)


def draw(home: Home, name: PictureName, *, store: str, is_inline: bool = False) -> str:
    """One picture of a store, as SVG text; `is_inline` for a page whose style sheet holds `pictures.STYLESHEET`.

    Raises:
        NotFoundError: there is no such store.
    """
    return picture(collect(home, name, store=store), is_inline=is_inline)
