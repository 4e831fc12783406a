"""Gates: what an engine says one session taught is checked against the archive, in code, or refused.

An engine may be a model that read hostile text. So nothing it says about a quote is believed: the text is
looked up at its address, trust and origin are worked out again, a piece of a sentence is widened to the
whole sentence, and the claim must keep the negations, hedges, numbers, paths and ids of its quotes.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from agentflows.change import Observation, ObservationKind, Pattern, Quote, Refusal
from agentflows.dream.faithful import lost_hedge, lost_negation, turned_round, unbacked
from agentflows.dream.marks import reveal
from agentflows.dream.quotes import is_recalled, quote_at
from agentflows.dream.restating import Recalled, restated
from agentflows.errors import NotFoundError
from agentflows.session import Session, Trust, Turn
from agentflows.signature import sentences, tokens

TurnOf = Callable[[str, int], Turn]
"""The archive's turn at `(session_id, seq)`; raises `NotFoundError` or a `LookupError` where there is none."""
RootOf = Callable[[str], str]
"""The session that a session counts for."""

MAX_CLAIM_CHARS = 1_000
MAX_QUOTES = 20
"""More than this no person reads, and no claim needs."""
MAX_WIDENED_CHARS = 2_000
"""A quote that has to grow beyond this to be whole is no quote of a sentence."""
_NEAR = 20_000
"""Characters each side in which sentence ends are looked for in a very long turn."""
_USER_KINDS = frozenset({"correction", "preference"})
"""Kinds that say what a user wants: only a user can say that."""
_WORD_KINDS = frozenset({"correction", "preference", "fact"})
"""Kinds whose claims restate words; the others may rest on tool output full of `not found`."""
_FAILING = re.compile(
    r"\b(?:fail|error|unable|missing|lack|broke|refuse|reject|block|unsupported|unknown)", re.IGNORECASE
)
"""How a claim about an error says "did not work"."""
_PROSE = frozenset({"user", "agent", "summary"})
_JSON_EDGE = re.compile(r'(?<!\\)"|\\n|\n')
_LINE_EDGE = re.compile(r"\n")


class _RefusedError(Exception):
    """Carries a gate's name and reason up to the one place that makes the `Refusal`."""

    def __init__(self, *, gate: str, reason: str) -> None:
        super().__init__(reason)
        self.gate = gate
        self.reason = reason


def check_observation(
    observation: Observation, turn_of: TurnOf, root_of: RootOf, *, recalled: Sequence[Recalled] = ()
) -> Observation | Refusal:
    """Check one observation against the archive.

    `recalled` is what the session was shown of memories: quotes of an agent that only repeat it are left out, and an
    observation that rests on nothing else is refused (`recalled`).

    What comes back has quotes of whole sentences with true trust, origin, root session and time; and it is
    `said_outright` only where a user's own typed words are among them. Gates, in order: `no_claim`, `size`,
    `characters`, `no_quotes`, `quote_address`, `quote_session`, `thinking`, `quote_verbatim`, `recalled`,
    `whole_sentence`, `trust`, `negation`, `hedge`, `specifics`.
    """
    try:
        return _checked(observation, turn_of, root_of, recalled)
    except _RefusedError as refused:
        return Refusal(
            gate=refused.gate,
            reason=refused.reason,
            claim=observation.claim[:MAX_CLAIM_CHARS],
            session_id=observation.session_id,
            key=observation.key,
        )


def check_pattern(pattern: Pattern, turn_of: TurnOf, root_of: RootOf) -> Pattern | Refusal:
    """Check a pattern that was counted in SQL: its quotes, and the specifics of its claim.

    Same gates as for an observation, except those for restated words: its claim is a sentence that code
    wrote about its counts.
    """
    try:
        quotes = [_checked_quote(quote, turn_of, root_of) for quote in pattern.quotes]
        _check_specifics(pattern, quotes, turn_of)
    except _RefusedError as refused:
        return Refusal(gate=refused.gate, reason=refused.reason, claim=pattern.claim, key=pattern.key)
    return pattern.model_copy(update={"quotes": tuple(quotes), "trust": low_water(quotes)})


def low_water(quotes: Iterable[Quote]) -> Trust:
    """The lowest trust among quotes; 1 where there are none."""
    trusts: list[Trust] = [quote.trust for quote in quotes]
    return min(trusts) if trusts else 1


def _checked(
    observation: Observation, turn_of: TurnOf, root_of: RootOf, recalled: Sequence[Recalled]
) -> Observation:
    _check_claim(observation)
    quotes = [_checked_quote(quote, turn_of, root_of) for quote in observation.quotes]
    quotes = _own_evidence(quotes, observation.claim, recalled)
    quotes = list({(quote.address, quote.start, quote.end): quote for quote in quotes}.values())
    root_id = root_of(observation.session_id)
    for quote in quotes:
        if quote.root_id != root_id:
            raise _RefusedError(
                gate="quote_session", reason=f"{quote.address} is not of the session {root_id} it is about"
            )
    _check_speaker(observation, quotes)
    _check_wording(observation, quotes)
    _check_specifics(observation, quotes, turn_of)
    return observation.model_copy(
        update={
            "quotes": tuple(quotes),
            "root_id": root_id,
            "said_outright": observation.said_outright and any(map(_typed_by_user, quotes)),
            "at": observation.at or _first_time(quotes),
        }
    )


def _check_claim(observation: Observation) -> None:
    claim = _statement(observation)
    if not tokens(observation.claim):
        raise _RefusedError(gate="no_claim", reason="it says nothing")
    if len(claim) > MAX_CLAIM_CHARS:
        raise _RefusedError(
            gate="size", reason=f"its claim has {len(claim):,} characters; at most {MAX_CLAIM_CHARS:,}"
        )
    if len(observation.quotes) > MAX_QUOTES:
        raise _RefusedError(
            gate="size", reason=f"it has {len(observation.quotes)} quotes; at most {MAX_QUOTES}"
        )
    for text in (claim, observation.subject, observation.attribute, observation.scope, observation.value):
        if reveal(text) != text:
            raise _RefusedError(
                gate="characters",
                reason=f"it has characters that a reader does not see: {reveal(text)[:200]}",
            )
    if not observation.quotes:
        raise _RefusedError(gate="no_quotes", reason="nothing in the archive is quoted for it")


def _statement(stated: Observation | Pattern) -> str:
    """All that is claimed, as one text; `when_not` counts as the negation it is."""
    parts = [stated.claim, f"When {stated.when}." if stated.when else ""]
    parts.append(f"Not when {stated.when_not}." if stated.when_not else "")
    return " ".join(part for part in parts if part)


# -- quotes ------------------------------------------------------------------------------------------


def _checked_quote(quote: Quote, turn_of: TurnOf, root_of: RootOf) -> Quote:
    """The quote as the archive has it, widened to whole sentences."""
    try:
        turn = turn_of(quote.session_id, quote.seq)
    except (NotFoundError, LookupError):
        raise _RefusedError(gate="quote_address", reason=f"the archive has no turn {quote.address}") from None
    if turn.kind == "thinking":
        raise _RefusedError(gate="thinking", reason=f"{quote.address} is reasoning, which is no evidence")
    inside = 0 <= quote.start < quote.end <= len(turn.text)
    if not inside or turn.text[quote.start : quote.end] != quote.text:
        raise _RefusedError(
            gate="quote_verbatim", reason=f"{quote.address} does not say {quote.text[:120]!r} there"
        )
    holder = _holder(quote.session_id, turn, root_of)
    if quote.sha256 != quote_at(holder, turn.seq, quote.start, quote.end).sha256:
        raise _RefusedError(
            gate="quote_verbatim", reason=f"the quote of {quote.address} does not match its sha256"
        )
    start, end = widened(turn, quote.start, quote.end)
    if is_recalled(turn, start, end):
        raise _RefusedError(
            gate="recalled", reason=f"{quote.address} recalls a memory: a memory cannot prove itself"
        )
    return quote_at(holder, turn.seq, start, end)


def _own_evidence(quotes: list[Quote], claim: str, recalled: Sequence[Recalled]) -> list[Quote]:
    """The quotes without those in which an agent only repeats what a memory told it."""
    repeated = {quote.address: found for quote in quotes if (found := restated(quote, claim, recalled))}
    own = [quote for quote in quotes if quote.address not in repeated]
    if not own:
        address, told = next(iter(repeated.items()))
        shown = f"{told.session_id}#{told.seq}"
        raise _RefusedError(
            gate="recalled",
            reason=f"{address} repeats what a memory said in {shown}: a memory cannot prove itself",
        )
    return own


def _holder(session_id: str, turn: Turn, root_of: RootOf) -> Session:
    """A session of this one turn: `quotes` works trust and origin out from a session."""
    root_id = root_of(session_id)
    parent = "" if root_id == session_id else root_id
    return Session(session_id=session_id, parent_id=parent, format="", reader="", turns=(turn,))


def widened(turn: Turn, start: int, end: int) -> tuple[int, int]:
    """`[start, end)` grown to whole sentences; of what tools printed or were given, to whole lines or values.

    Raises:
        _RefusedError: it would grow beyond `MAX_WIDENED_CHARS`, or holds no words.
    """
    low, high = _window(turn.text, start, end)
    units = _units(turn, low, high)
    touched = [unit for unit in units if unit[0] < end and start < unit[1]]
    if not touched:
        raise _RefusedError(
            gate="whole_sentence", reason="it quotes no sentence, only what stands between two"
        )
    first, last = touched[0][0], touched[-1][1]
    if last - first > max(MAX_WIDENED_CHARS, end - start):
        grown = f"{last - first:,} characters"
        raise _RefusedError(
            gate="whole_sentence",
            reason=f"the whole sentence would be {grown}; at most {MAX_WIDENED_CHARS:,}",
        )
    return first, last


def _window(text: str, start: int, end: int) -> tuple[int, int]:
    """The lines around a quote; all of the text unless it is very long."""
    if len(text) <= 2 * _NEAR:
        return 0, len(text)
    low = text.find("\n", max(0, start - _NEAR), start) + 1 if start > _NEAR else 0
    high = text.rfind("\n", end, end + _NEAR)
    return low or max(0, start - _NEAR), high if high >= 0 else min(len(text), end + _NEAR)


def _units(turn: Turn, low: int, high: int) -> list[tuple[int, int]]:
    """The smallest stretches of a turn that can be quoted without cutting a statement."""
    text = turn.text[low:high]
    spans = sentences(text) if turn.kind in _PROSE else _machine_units(text, _edge(turn))
    return [(low + start, low + end) for start, end in spans]


def _edge(turn: Turn) -> re.Pattern[str]:
    return _JSON_EDGE if turn.text[:1] in {"{", "["} else _LINE_EDGE


def _machine_units(text: str, edge: re.Pattern[str]) -> list[tuple[int, int]]:
    """What stands between edges: lines; in JSON also strings and their lines."""
    cuts = [(0, 0), *(match.span() for match in edge.finditer(text)), (len(text), len(text))]
    spans = [(before[1], after[0]) for before, after in itertools.pairwise(cuts)]
    return [trimmed for trimmed in (_trimmed(text, *span) for span in spans) if trimmed[0] < trimmed[1]]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


# -- claims ------------------------------------------------------------------------------------------


def _check_speaker(observation: Observation, quotes: list[Quote]) -> None:
    if observation.kind in _USER_KINDS and not any(map(_typed_by_user, quotes)):
        raise _RefusedError(
            gate="trust", reason=f"a {observation.kind} must be in a user's own typed words; none is quoted"
        )


def _typed_by_user(quote: Quote) -> bool:
    return quote.kind == "user" and quote.trust == 3


def _check_wording(observation: Observation, quotes: list[Quote]) -> None:
    """Negations and hedges of what is restated must survive, and nothing may be turned round."""
    claim = _statement(observation)
    for quote in quotes:
        for gate, lost in _lost(observation.kind, claim, quote):
            if lost:
                raise _RefusedError(
                    gate=gate, reason=f"it does not keep what {quote.address} says: {lost[:200]!r}"
                )


def _lost(kind: ObservationKind, claim: str, quote: Quote) -> list[tuple[str, str]]:
    """What the claim lost of one quote, by gate, each "" when nothing."""
    if kind in _WORD_KINDS:
        checks = [("negation", lost_negation), ("negation", turned_round), ("hedge", lost_hedge)]
    elif quote.kind == "user" and quote.trust == 3:
        checks = [("negation", lost_negation), ("hedge", lost_hedge)]
    elif quote.kind == "agent" and not _FAILING.search(claim):
        checks = [("negation", lost_negation)]
    else:
        checks = []
    return [(gate, find(claim, quote.text)) for gate, find in checks]


def _check_specifics(stated: Observation | Pattern, quotes: list[Quote], turn_of: TurnOf) -> None:
    texts = [quote.text for quote in quotes]
    texts.extend(turn_of(quote.session_id, quote.seq).tool for quote in quotes)
    claimed = " ".join([_statement(stated), stated.value])
    missing = unbacked(claimed, texts, stated.stats)
    if missing:
        shown = ", ".join(json.dumps(item, ensure_ascii=False) for item in missing[:5])
        raise _RefusedError(gate="specifics", reason=f"no quote of it holds {shown}")


def _first_time(quotes: list[Quote]) -> datetime | None:
    return min((quote.at for quote in quotes if quote.at), default=None)
