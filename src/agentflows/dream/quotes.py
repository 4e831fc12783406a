"""Quotes: from words somebody claims were said to an exact, trusted, countable address, or to nothing.

Whoever says what a session taught (a model or a rule) names words and a turn. Only this module turns
that into a `Quote`: the text must stand there exactly, its trust is the lowest of what it covers, and
its origin says what it is a copy of, so that one text seen in forty sessions counts once.
"""

import unicodedata
from collections.abc import Iterator

from agentflows.change import Quote
from agentflows.errors import DreamError
from agentflows.memory import sha256
from agentflows.session import Session, Span, Trust, Turn

INDEPENDENT_CHARS = 80
"""A user text up to this long that is typed again in another session was typed twice, not copied."""

_COPIED_KINDS = frozenset({"tool_result", "system", "summary"})


def resolve_quote(session: Session, seq: int, text: str) -> Quote | None:
    """Find `text` word for word in turn `seq`; None when it is not there or proves nothing.

    Of several places, the one with the highest trust counts, then the first. Reasoning (`thinking`) and
    text recalled from a memory are no evidence, wherever they stand; nor are blanks.
    """
    turn = find_turn(session, seq)
    if turn is None or turn.kind == "thinking":
        return None
    wanted = text.strip()
    places = [(start, start + len(wanted)) for start in _places(turn.text, wanted)]
    usable = [place for place in places if not is_recalled(turn, *place)]
    if not usable:
        return None
    start, end = max(usable, key=lambda place: (span_trust(turn, *place), -place[0]))
    return quote_at(session, seq, start, end)


def quote_at(session: Session, seq: int, start: int, end: int) -> Quote:
    """The quote of `[start, end)` of turn `seq`, in characters.

    Raises:
        DreamError: there is no such turn, or no such stretch in it.
    """
    turn = find_turn(session, seq)
    if turn is None or not 0 <= start < end <= len(turn.text):
        found = "no such turn" if turn is None else f"a turn of {len(turn.text)} characters"
        msg = (
            f"A quote must point into a turn; {session.session_id}#{seq} [{start}, {end}) found {found}. "
            "Quote text that the session holds."
        )
        raise DreamError(msg)
    text = turn.text[start:end]
    return Quote(
        session_id=session.session_id,
        seq=seq,
        start=start,
        end=end,
        text=text,
        sha256=sha256(text),
        trust=span_trust(turn, start, end),
        kind=turn.kind,
        root_id=session.root_id,
        origin=_origin(session, turn, start, end),
        at=turn.at,
    )


def span_trust(turn: Turn, start: int, end: int) -> Trust:
    """The lowest trust of any character of `[start, end)`: a pasted, recalled or injected one is tier 1."""
    return 1 if _overlapping(turn, start, end) else turn.trust


def is_recalled(turn: Turn, start: int, end: int) -> bool:
    """Whether any character of `[start, end)` came out of a memory."""
    return any(span.kind == "recalled" for span in _overlapping(turn, start, end))


def find_turn(session: Session, seq: int) -> Turn | None:
    """The turn numbered `seq`; None where the session has none."""
    if 0 <= seq < len(session.turns) and session.turns[seq].seq == seq:
        return session.turns[seq]
    return next((turn for turn in session.turns if turn.seq == seq), None)


def typed_text(turn: Turn) -> str:
    """What is left of a turn without its pasted, recalled and injected stretches."""
    kept: list[str] = []
    at = 0
    for span in sorted(turn.spans, key=lambda span: span.start):
        kept.append(turn.text[at : max(at, span.start)])
        at = max(at, span.end)
    kept.append(turn.text[at:])
    return "".join(kept)


def _overlapping(turn: Turn, start: int, end: int) -> list[Span]:
    return [span for span in turn.spans if span.start < end and start < span.end]


def _places(text: str, wanted: str) -> Iterator[int]:
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        yield at
        at = text.find(wanted, at + 1)


def _origin(session: Session, turn: Turn, start: int, end: int) -> str:
    """What the quote is a copy of: a hash for text that gets copied, else the event it was said in."""
    covering = _overlapping(turn, start, end)
    if covering:
        first = min(covering, key=lambda span: span.start)
        return _text_origin(turn.text[first.start : first.end])
    # An error that comes back in the same words happened again: each is an event of its own. What a page or file
    # says is one text however often it is read. (Neither is more than tier 1, so neither commits by itself.)
    if turn.kind in _COPIED_KINDS and not turn.is_error:
        return _text_origin(turn.text)
    typed = typed_text(turn)
    if turn.kind == "user" and len(typed.strip()) > INDEPENDENT_CHARS:
        return _text_origin(typed)
    return turn.origin or f"{session.session_id}#{turn.seq}"


def _text_origin(text: str) -> str:
    """Equal for texts that differ only in case, blanks or Unicode form."""
    return f"sha256:{sha256(' '.join(unicodedata.normalize('NFKC', text).casefold().split()))}"
