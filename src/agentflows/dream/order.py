"""Order: whether two texts with the same words say who does what the other way round.

`A cites B` and `B cites A` share every word. Names, paths and numbers keep their places in what says the
same; other words may move, as one does when a sentence is put another way.
"""

import re
from itertools import pairwise

from agentflows.signature import specifics, tokens
from agentflows.signature.wording import stem

_WORD = re.compile(r"[^\W_]+(?:[-'_.][^\W_]+)*")
_JOINING = frozenset(
    {"and", "or", "und", "oder", "et", "ou", "y", "o", "as", "well", "both", "with", "mit", "avec", "con"}
)
_ORDERING = frozenset(
    {
        "before",
        "after",
        "from",
        "than",
        "over",
        "under",
        "until",
        "then",
        "vor",
        "nach",
        "avant",
        "après",
        "antes",
        "después",
    }
)


def names_moved(left: str, right: str) -> bool:
    """Whether names, paths, numbers or code that both texts hold stand in another order, and not in a list of equals."""
    shared = (_names(left) | specifics(left)) & (_names(right) | specifics(right))
    ours, theirs = _places(left, shared), _places(right, shared)
    return [name for name, _, _ in ours] != [name for name, _, _ in theirs] and not (
        _is_list(left, ours) and _is_list(right, theirs)
    )


def reordered(left: str, right: str) -> bool:
    """Whether two texts with nearly the same words may say different things by their order.

    Where both name two things or more, every word keeps its place beside them, but for lists of equals.
    """
    if names_moved(left, right):
        return True
    whole = _shared(left, right)
    named = {stem(name.lower()) for name in _names(left) & _names(right)}
    if len(named) > 1 and not _list_equals(left, right) and whole[0] != whole[1]:
        return True
    ours, theirs = ([word for word in one if word not in named] for one in whole)
    if ours == theirs:
        return False
    words = [sorted(match.group().lower() for match in _WORD.finditer(text)) for text in (left, right)]
    if words[0] == words[1] or all(_ORDERING & set(one) for one in words):
        return True
    return len(ours) - _common(ours, theirs) > max(1, len(whole[0]) // 3)


def _shared(left: str, right: str) -> tuple[list[str], list[str]]:
    """The words that both texts hold, in the order of each."""
    ours, theirs = _sequence(left), _sequence(right)
    return [word for word in ours if word in theirs], [word for word in theirs if word in ours]


def _list_equals(left: str, right: str) -> bool:
    """Whether the names that both texts hold stand in a list of equals in each."""
    shared = _names(left) & _names(right)
    return _is_list(left, _places(left, shared)) and _is_list(right, _places(right, shared))


def _names(text: str) -> set[str]:
    """Words with a capital, without a possessive `'s`. A verb that starts one sentence is no name in another."""
    capital = (match.group() for match in _WORD.finditer(text) if match.group()[0].isupper())
    return {_bare(word) for word in capital if tokens(word)}


def _bare(word: str) -> str:
    return re.sub(r"['’]s\Z", "", word)


def _places(text: str, names: set[str]) -> list[tuple[str, int, int]]:
    """The names in the order in which they first stand in the text."""
    found: list[tuple[str, int, int]] = []
    for name in names:
        match = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
        if match:
            found.append((name, match.start(), match.end()))
    return sorted(found, key=lambda place: (place[1], place[2]))


def _is_list(text: str, places: list[tuple[str, int, int]]) -> bool:
    """Whether nothing but commas and joining words stands between the names."""
    between = [text[end:start] for (_, _, end), (_, start, _) in pairwise(places) if start > end]
    words = {match.group().lower() for part in between for match in _WORD.finditer(part)}
    return words <= _JOINING


def _sequence(text: str) -> list[str]:
    words = (match.group().lower() for match in _WORD.finditer(text))
    return list(dict.fromkeys(stem(word) for word in words if tokens(word)))


def _common(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for at, against in enumerate(other, 1):
            before, row[at] = row[at], before + 1 if word == against else max(row[at], row[at - 1])
    return row[-1]
