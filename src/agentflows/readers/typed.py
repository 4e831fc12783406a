"""What a person typed, and what they only pasted: the spans of a user turn that count for less than the rest.

Nobody types a stack trace, a plan of eighty lines or the text of a web page. Such parts are recognised by their
shape alone; where the shape is doubtful, the text counts as pasted, because trust is easier to lose than to repair.
"""

import re
from collections.abc import Iterable
from itertools import pairwise

from agentflows.session import Span, SpanKind

LONG = 1000
"""From this many characters on, only the opening of a message counts as typed."""
_OPENING = 400
"""The opening ends at a colon in the first line, else with that line; of a longer one, with a sentence up to here."""
_INTRODUCED = 300
"""A rest of this length after a line that ends in a colon is what the line introduces."""
_QUOTED = 60

_PASTED = (
    re.compile(r"```.*?(?:```|\Z)", re.DOTALL),
    re.compile(r"~~~.*?(?:~~~|\Z)", re.DOTALL),
    re.compile(r'"""(?:.*?"""|.*\Z)', re.DOTALL),
    re.compile(r"^[ \t]*>.*(?:\n[ \t]*>.*)*", re.MULTILINE),
    re.compile(r"(?:^(?: {4}|\t).*(?:\n|\Z)){3,}", re.MULTILINE),
    re.compile(r"^[ \t]+at \S.*(?:\n[ \t]+at \S.*)*", re.MULTILINE),
    re.compile(r"https?://\S+"),
)
_QUOTATION = re.compile(r'"[^"\n]*"|“[^“”\n]*”')
"""Matched also when short, so that the end of one quotation is not taken for the beginning of the next."""
_INTRODUCTION = re.compile(r":[ \t]*\n")
_SENTENCE_END = re.compile(r"[.!?](?=\s)")
_COLON = re.compile(r":(?=\s)")


def typed_spans(text: str, others: Iterable[Span] = ()) -> tuple[Span, ...]:
    """The pasted parts of a text a person sent, and the `others` already known, in order and without overlaps."""
    found = list(others)
    found += (
        Span(match.start(), match.end(), "pasted") for pattern in _PASTED for match in pattern.finditer(text)
    )
    found += (
        Span(match.start(), match.end(), "pasted")
        for match in _QUOTATION.finditer(text)
        if match.end() - match.start() >= _QUOTED
    )
    if len(text) >= LONG:
        found.append(Span(opening_end(text), len(text), "pasted"))
    found += introduced(text)
    return disjoint(text, found)


def opening_end(text: str) -> int:
    """Where the part of a long message ends that a person may have typed."""
    line = text.find("\n")
    line = len(text) if line < 0 else line
    if colon := _COLON.search(text, 0, min(line, _OPENING)):
        return colon.end()
    if line <= _OPENING:
        return line
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, _OPENING)]
    return ends[-1] if ends else 0


def introduced(text: str) -> list[Span]:
    """What follows a line that ends in a colon, when it is long: feedback, a log, somebody else's words."""
    match = _INTRODUCTION.search(text)
    if match and len(text) - match.end() >= _INTRODUCED:
        return [Span(match.end(), len(text), "pasted")]
    return []


_KINDS: tuple[SpanKind, ...] = ("recalled", "pasted", "injected")
"""The kind that counts for less stands first."""


def disjoint(text: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans cut so that none overlaps another: the kind that counts for less wins. Blank ones are dropped."""
    edges = sorted(
        edge
        for span in spans
        for edge in ((span.start, _KINDS.index(span.kind), 1), (span.end, _KINDS.index(span.kind), -1))
    )
    opened = [0] * len(_KINDS)
    cut: list[Span] = []
    for (start, rank, step), (end, _, _) in pairwise(edges):
        opened[rank] += step
        kind = _lowest(opened)
        if kind is None or start == end:
            continue
        joins = bool(cut) and (cut[-1].end, cut[-1].kind) == (start, kind)
        cut.append(Span(cut.pop().start if joins else start, end, kind))
    return tuple(span for span in cut if text[span.start : span.end].strip())


def _lowest(counts: list[int]) -> SpanKind | None:
    """Of the kinds that are open, the one that counts for least."""
    return next((kind for kind, count in zip(_KINDS, counts, strict=True) if count), None)
