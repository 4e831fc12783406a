"""Outside text as HTML: it can show anything and do nothing.

Transcripts, memories and models' words are hostile. Everything is escaped, and what a reader would not see (control,
direction and zero-width characters, terminal codes) is written out between `⟦ ⟧`, which no outside text gets through.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from agentflows.marks import reveal
from agentflows.session import Span, SpanKind

_MARK = re.compile("⟦[^⟧]*⟧")
_ELISION = "…"
_WORST: tuple[SpanKind, ...] = ("recalled", "injected", "pasted")
"""Of several reasons why a stretch counts for less, the one that is named."""


def shown(text: str) -> Markup:
    """The text as HTML, its hidden characters set apart from its own words."""
    marked = _MARK.sub(lambda found: f'<span class="hidden">{found.group()}</span>', escape(reveal(text)))
    return Markup(marked)  # noqa: S704 - escaped, and the marks are ours


def hides(text: str) -> bool:
    """Whether the text holds characters that a reader would not see."""
    return reveal(text) != text


def short(text: str, limit: int = 120) -> str:
    """The beginning of the text on one line."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit and len(text) <= 4 * limit else f"{line[:limit].rstrip()}{_ELISION}"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a turn's text, all of which counts alike."""

    text: str
    is_quoted: bool = False
    kind: SpanKind | None = None
    """Why it counts for less than the turn around it."""
    opens: bool = False
    """Whether a stretch of that kind begins with it, and is named there."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is shown of a turn's text, and how much of it is left out at either end."""

    pieces: tuple[Piece, ...]
    left_out_before: int = 0
    left_out_after: int = 0


def excerpt(
    text: str, spans: Sequence[Span] = (), *, limit: int, quoted: Iterable[tuple[int, int]] = ()
) -> Excerpt:
    """At most some `limit` characters of a turn: around the first quote where there is one, else its beginning."""
    quotes = sorted((start, end) for start, end in quoted if 0 <= start < end <= len(text))
    low, high = _window(len(text), quotes[0] if quotes else (0, 0), limit)
    edges = {low, high}
    for start, end in [*quotes, *((span.start, span.end) for span in spans)]:
        edges |= {min(max(start, low), high), min(max(end, low), high)}
    places = sorted(edges)
    pieces = [_piece(text, start, end, spans, quotes) for start, end in pairwise(places)]
    return Excerpt(tuple(_named(pieces)), low, len(text) - high)


def _window(length: int, quote: tuple[int, int], limit: int) -> tuple[int, int]:
    start, end = quote
    if length <= limit:
        return 0, length
    low = max(0, min(start - limit // 3, length - limit))
    return low, min(length, max(end, low + limit))


def _piece(
    text: str, start: int, end: int, spans: Sequence[Span], quotes: Sequence[tuple[int, int]]
) -> Piece:
    kinds: list[SpanKind] = [span.kind for span in spans if span.start <= start and end <= span.end]
    worst = min(kinds, key=_WORST.index) if kinds else None
    return Piece(text[start:end], any(low <= start and end <= high for low, high in quotes), worst)


def _named(pieces: Sequence[Piece]) -> Iterable[Piece]:
    before: SpanKind | None = None
    for piece in pieces:
        yield Piece(
            piece.text, piece.is_quoted, piece.kind, opens=piece.kind is not None and piece.kind != before
        )
        before = piece.kind
