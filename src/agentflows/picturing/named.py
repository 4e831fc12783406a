"""Named: every picture of a home by its name."""

from collections.abc import Callable, Mapping
from typing import Literal

from agentflows.home import Home
from agentflows.pictures import (
    cost_picture,
    coverage_picture,
    growth_picture,
    recurring_picture,
    success_picture,
)
from agentflows.picturing.collecting import (
    picture_cost,
    picture_coverage,
    picture_growth,
    picture_recurring,
    picture_success,
)

PictureName = Literal["patterns", "success", "cost", "growth", "coverage"]

PICTURES: Mapping[PictureName, str] = {
    "patterns": "how often errors, corrections and sequences of steps came up, with the versions of the memory",
    "success": "how sessions ended before and after each version of the memory",
    "cost": "what each dream cost, in dollars and tokens",
    "growth": "how many entries each version of the memory holds, what it added and removed",
    "coverage": "how many sessions each dream read",
}
"""Each picture and what it shows."""

_DRAWN: Mapping[PictureName, Callable[[Home, str, bool], str]] = {
    "patterns": lambda home, store, flat: recurring_picture(
        picture_recurring(home, store=store), is_inline=flat
    ),
    "success": lambda home, store, flat: success_picture(picture_success(home, store), is_inline=flat),
    "cost": lambda home, store, flat: cost_picture(picture_cost(home, store), is_inline=flat),
    "growth": lambda home, store, flat: growth_picture(picture_growth(home, store), is_inline=flat),
    "coverage": lambda home, store, flat: coverage_picture(picture_coverage(home, store), is_inline=flat),
}


def draw(home: Home, name: PictureName, *, store: str, is_inline: bool = False) -> str:
    """One picture of a store, as SVG text; `is_inline` for a page whose style sheet holds `pictures.STYLESHEET`.

    Raises:
        NotFoundError: there is no such store.
    """
    return _DRAWN[name](home, store, is_inline)
