"""Restating: agents say again what a memory told them. That is the memory once more, and no evidence for it.

A note that an agent was shown and repeats in forty sessions would otherwise be learnt from forty sessions, and a
lesson that a person once threw out would come back by way of an agent that had read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agentflows.change import Quote
from agentflows.dream.faithful import content
from agentflows.session import Session
from agentflows.signature import sentences, specifics

_SPEAKERS = frozenset({"agent", "summary"})
"""Who may repeat a memory. A user who types it says it himself, and what a tool prints is marked as recalled."""
_MOSTLY = 0.8
"""Share of a sentence's content words that a recalled sentence holds too, from which it says nothing of its own."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A stretch of a session that came out of a memory."""

    session_id: str
    seq: int
    text: str


def recalled_in(session: Session) -> list[Recalled]:
    """All that a session was shown of memories, in order."""
    return [
        Recalled(session.session_id, turn.seq, turn.text[span.start : span.end])
        for turn in session.turns
        for span in turn.spans
        if span.kind == "recalled"
    ]


def restated(quote: Quote, claim: str, recalled: Sequence[Recalled]) -> Recalled | None:
    """What an agent's quote only repeats of what was recalled before it; None where it says something of its own.

    Only those of its sentences count that share a word with the claim: others carry nothing of it.
    """
    if quote.kind not in _SPEAKERS:
        return None
    before = [one for one in recalled if one.session_id != quote.session_id or one.seq < quote.seq]
    said = [quote.text[start:end] for start, end in sentences(quote.text)] if before else []
    carrying = [one for one in said if content(one) & content(claim)]
    found = [next((one for one in before if _holds(one.text, sentence)), None) for sentence in carrying]
    return found[0] if found and all(found) else None


def _holds(recalled: str, sentence: str) -> bool:
    """Whether one sentence of a recalled text says what another sentence says, values included."""
    words, values = content(sentence), specifics(sentence)
    for start, end in sentences(recalled):
        told = recalled[start:end]
        if len(words & content(told)) >= _MOSTLY * len(words) and values <= specifics(told):
            return True
    return False
