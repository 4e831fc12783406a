"""A rule: what one kind of secret looks like, and which look-alikes are none."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import re2

Span = tuple[int, int]
"""`[start, end)`, in the units of what was searched."""


class Match(Protocol):
    """What google-re2 (which ships no types) gives for a match."""

    def span(self, group: int = 0) -> Span:
        """Where the group lies, or `(-1, -1)`."""
        ...


Locate = Callable[[bytes, Match], Span | None]
"""From the text and a match to the bytes to replace, or None when it only looks like a secret."""


def compiled(pattern: str, *, memory: int = 8 << 20, capture: bool = True) -> Any:
    """Compile for UTF-8 bytes. `memory` bounds the automaton's cache in bytes."""
    options = re2.Options()
    options.max_mem = memory
    options.never_capture = not capture
    options.log_errors = False  # they are raised
    return re2.compile(pattern.encode(), options)  # pyright: ignore[reportUnknownMemberType] -- re2 ships no types


def secret_span(match: Match, groups: int) -> Span:
    """The first group that took part in the match, else the whole match."""
    for group in range(1, groups + 1):
        span = match.span(group)
        if span != (-1, -1):
            return span
    return match.span()


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of secret."""

    kind: str
    """As it stands in the placeholder: lower case, digits and hyphens."""
    pattern: str
    """In RE2 syntax. Its first group that matched is the secret; without groups, the whole match is."""
    accept: Callable[[str], bool] | None = None
    """Refuses look-alikes: gets the secret's text."""
    locate: Locate | None = None
    """Instead of `accept`, for what a regular expression cannot say."""
    keywords: tuple[str, ...] = ()
    """Lower case; a text without any of them holds no match. Empty: always look."""
    rank: int = 1
    """Who names a span that several rules found: the lowest."""


class Matcher:
    """A rule made ready to search bytes."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._keywords = tuple(word.encode() for word in rule.keywords)
        self._regex = compiled(rule.pattern)
        self._groups: int = self._regex.groups

    def find(self, data: bytes, lowered: bytes) -> list[Span]:
        """All its secrets, left to right. After a refused look-alike it looks again one byte later."""
        if self._keywords and not any(word in lowered for word in self._keywords):
            return []
        found: list[Span] = []
        position = 0
        while position < len(data):
            match = self._regex.search(data, position)
            if match is None:
                break
            span = self._judge(data, match)
            if span:
                found.append(span)
            position = max(position + 1, span[1] if span else match.start() + 1)
        return found

    def _judge(self, data: bytes, match: Match) -> Span | None:
        if self.rule.locate:
            return self.rule.locate(data, match)
        start, end = secret_span(match, self._groups)
        if start == end:
            return None
        accept = self.rule.accept
        if accept and not accept(data[start:end].decode("utf-8", "replace")):
            return None
        return start, end


def entropy(text: str) -> float:
    """Shannon's, in bits per character: about 2 to 3 for a word, above 4 for a long random token."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values()) if total else 0.0
