"""A quote where it was said: the turns around it, with who said what and how far that counts."""

from collections.abc import Iterable
from dataclasses import dataclass

from agentflows.archive import Archive
from agentflows.errors import NotFoundError
from agentflows.memory import sha256 as digest
from agentflows.session import Turn
from agentflows.web.text import Excerpt, excerpt

AROUND = 2
_CHARS = 900
"""Shown of the turn that is quoted."""
_NEAR_CHARS = 360
"""Shown of the turns around it."""


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn, and what is shown of its text."""

    turn: Turn
    excerpt: Excerpt
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """The turns around a quote; or why there are none."""

    session_id: str
    seq: int
    start: int
    end: int
    turns: tuple[ShownTurn, ...] = ()
    problem: str = ""


def in_context(
    archive: Archive, address: str, start: int, end: int, *, sha256: str, around: int = AROUND
) -> Context:
    """The turns around the words at an address, when they still stand there."""
    session_id, _, seq = address.rpartition("#")
    place = (session_id, int(seq), start, end)
    try:
        turns = archive.turns(session_id, max(0, int(seq) - around), int(seq) + around)
    except NotFoundError:
        return Context(*place, problem="The session is no longer in the archive.")
    own = next((turn for turn in turns if turn.seq == int(seq)), None)
    if own is None:
        return Context(*place, problem="The session has no such turn in the archive any more.")
    if digest(own.text[start:end]) != sha256:
        return Context(*place, problem="The archive says something else at this address now.")
    return Context(*place, turns=tuple(_shown(turn, int(seq), start, end) for turn in turns))


def _shown(turn: Turn, seq: int, start: int, end: int) -> ShownTurn:
    if turn.seq == seq:
        return ShownTurn(
            turn, excerpt(turn.text, turn.spans, limit=_CHARS, quoted=[(start, end)]), is_quoted=True
        )
    return ShownTurn(turn, excerpt(turn.text, turn.spans, limit=_NEAR_CHARS))


def as_read(
    turns: Iterable[Turn], *, limit: int, seq: int = -1, start: int = -1, end: int = -1
) -> list[ShownTurn]:
    """Turns of a transcript, each cut to some `limit` characters; one of them with a quote marked."""
    return [
        ShownTurn(
            turn,
            excerpt(turn.text, turn.spans, limit=limit, quoted=[(start, end)] if turn.seq == seq else ()),
            is_quoted=turn.seq == seq,
        )
        for turn in turns
    ]
