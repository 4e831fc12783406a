"""Picturing: from a home to what its pictures show. The pictures themselves are `agentflows.pictures`.

    with open_home() as home:
        svg = recurring_picture(picture_recurring(home, store="team"))
        svg = draw(home, "cost", store="team")             # the same by name; `PICTURES` has the names

Nothing is written, and every figure is counted over all sessions, dreams and versions there are.
"""

from agentflows.picturing.collecting import (
    picture_cost,
    picture_coverage,
    picture_growth,
    picture_pattern,
    picture_recurring,
    picture_success,
)
from agentflows.picturing.named import PICTURES, PictureName, collect, draw
from agentflows.picturing.pages import dream_markdown

__all__ = [
    "PICTURES",
    "PictureName",
    "collect",
    "draw",
    "dream_markdown",
    "picture_cost",
    "picture_coverage",
    "picture_growth",
    "picture_pattern",
    "picture_recurring",
    "picture_success",
]
