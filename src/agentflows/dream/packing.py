"""Packing: many items become few questions, none longer than a bound, most of them the same tomorrow.

Where a question ends depends on the items in it and not on how many came before, so that one more item changes
the question it falls into, and seldom the next; all others are word for word what was asked before, and known.
"""

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeVar

from agentflows.dream.engine import Nomination

Item = TypeVar("Item")

MOST_CHARS = 80_000
"""Of the material of one question that holds several items: some 20,000 tokens, as much as the longest digest."""
MOST_GROUP_CHARS = 40_000
_MOST_GROUP = 20
"""Entries of one group that are shown; the next dream sees the rest, when these have become one."""
_DAY = re.compile(
    r"\b(?:19|20)\d\d-\d\d(?:-\d\d)?\b|\b\d{1,2}[./]\d{1,2}[./](?:19|20)?\d\d\b"
    r"|\b(?:jan|feb|febr|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec|januar|märz|mai|juni|juli|okt|oktober|dez)"
    r"[a-zäéû]*\.?,? (?:\d{1,2},? )?(?:19|20)\d\d\b|\b(?:today|tomorrow|yesterday|next (?:week|month|quarter|year))\b",
    re.IGNORECASE,
)


def packed(
    items: Sequence[Item], text: Callable[[Item], str], *, most: int, chars: int = MOST_CHARS
) -> list[list[Item]]:
    """The items in their order, up to `most` and up to `chars` characters to a part; one part where they all fit.

    A single item longer than `chars` makes a part of its own: whoever writes it bounds it.
    """
    texts = [text(item) for item in items]
    if len(items) <= most and sum(map(len, texts)) <= chars:
        return [list(items)] if items else []
    parts: list[list[Item]] = [[]]
    size = 0
    for item, words in zip(items, texts, strict=True):
        if parts[-1] and (len(parts[-1]) >= most or size + len(words) > chars):
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += len(words)
        if int(sha256(words.encode()).hexdigest()[:8], 16) % most == 0:
            parts.append([])
            size = 0
    return [part for part in parts if part]


def shown_group(nomination: Nomination) -> Nomination:
    """The group as far as a question has room for it: its first entries, two at least."""
    kept = 0
    size = 0
    for entry in nomination.entries[:_MOST_GROUP]:
        size += len(entry.text)
        if kept >= 2 and size > MOST_GROUP_CHARS:
            break
        kept += 1
    return nomination.model_copy(update={"entries": nomination.entries[:kept]})


def names_day(*texts: str) -> bool:
    """Whether a text names a day, a month or a time that is told from today: then it matters what day it is."""
    return any(_DAY.search(text) for text in texts)
