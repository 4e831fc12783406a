"""Heeded: what users took back. A later word of theirs stands, and the earlier rule is not believed any more."""

import re
from collections.abc import Iterable, Sequence

from agentflows.change import Observation, Refusal
from agentflows.dream.faithful import content, has_negation, opposed
from agentflows.dream.withdrawn import withdrawal, withdraws

TAKEN_BACK = "taken back"
"""Attribute of what a user allows again, or no longer asks for."""

_BACK = re.compile(
    r"""(?ix)
    ^\W*(?:(?:ok(?:ay)?|and|but|now|from\ now\ on|actually|no)[,:]?\s+){0,2}
    (?: (?:you|we|u)\ (?:may|can|are\ allowed\ to|'re\ allowed\ to)\b .* \b(?:again|now|directly|any\ ?time|from\ now\ on)\b
      | (?:you|we)\ (?:don'?t|do\ not|dont|no\ longer)\ (?:need|have)\ to\b .* (?:\b(?:any\ ?more|any\ longer|every\ time|always|first|before|no\ longer)\b)
      | no\ need\ to\b .* \b(?:any\ ?more|any\ longer|first|before|every\ time)\b
      | (?:it'?s|it\ is)\ (?:ok(?:ay)?|fine|allowed)\b .* \b(?:again|now)\b
      | (?:du|ihr)\ (?:darfst|kannst|dürft|könnt)\b .* \b(?:wieder|jetzt|ab\ (?:jetzt|sofort))\b
      | (?:du|ihr)\ (?:musst|brauchst|müsst)\b .* \bnicht\ mehr\b
      | tu\ peux\b .* \b(?:de\ nouveau|à\ nouveau|maintenant|désormais)\b | (?:il\ n'y\ a\ )?plus\ besoin\ de\b
      | ya\ (?:puedes|no\ hace\ falta|no\ necesitas|no\ tienes\ que)\b )
    | \bfrom\ now\ on,?\ (?:you|we)\ (?:may|can)\b
    """
)
_LIMITED = re.compile(
    r"(?i)\b(?:without|unless|except|only|ohne|außer|nur|sans|sauf|seulement|sin|salvo|s[oó]lo|solamente)\b"
)
_SAME = 0.6
"""Share of all words of two rules that both have."""
_MAX_QUOTED = 200


def takes_back(text: str) -> bool:
    """Whether a sentence allows again what was forbidden, waives what was asked for, or goes back on something."""
    return _allows(text) or bool(withdrawal(text))


def _allows(text: str) -> bool:
    return bool(_BACK.search(text.replace("’", "'"))) and not text.rstrip().endswith("?")


def heeded(observations: Iterable[Observation]) -> tuple[list[Observation], list[Refusal]]:
    """The observations without the preferences that a user took back later, and a refusal for each (`taken_back`).

    A later sentence takes an earlier one of the same scope back when both cannot be kept (`excludes`).
    """
    everything = list(observations)
    later = _by_word(
        [one for one in everything if _is_a_word(one) and (one.said_outright or takes_back(one.claim))]
    )
    kept: list[Observation] = []
    refusals: list[Refusal] = []
    for one in everything:
        other = _taken_back_by(one, later) if _is_a_word(one) else None
        if other is None:
            kept.append(one)
            continue
        quoted = other.claim if len(other.claim) <= _MAX_QUOTED else f"{other.claim[:_MAX_QUOTED]}…"
        reason = f"a user said otherwise later: “{quoted}” ({other.quotes[0].address})"
        refusals.append(
            Refusal(gate="taken_back", reason=reason, claim=one.claim, session_id=one.session_id, key=one.key)
        )
    return kept, refusals


def _is_a_word(one: Observation) -> bool:
    typed = any(quote.kind == "user" and quote.trust == 3 for quote in one.quotes)
    return one.kind == "preference" and one.stance == "for" and one.at is not None and typed


def _by_word(observations: Sequence[Observation]) -> dict[str, list[Observation]]:
    found: dict[str, list[Observation]] = {}
    for one in observations:
        for word in content(one.claim):
            found.setdefault(word, []).append(one)
    return found


def _taken_back_by(one: Observation, later: dict[str, list[Observation]]) -> Observation | None:
    """The first of the later sentences that takes this one back."""
    candidates = {id(other): other for word in content(one.claim) for other in later.get(word, ())}
    found = [other for other in candidates.values() if _takes_back(other, one)]
    return min(found, key=lambda other: (str(other.at), other.session_id, other.claim)) if found else None


def _takes_back(other: Observation, one: Observation) -> bool:
    if other is one or other.at is None or one.at is None or other.at <= one.at:
        return False
    if other.scope.casefold() not in {"", one.scope.casefold()}:
        return False
    return excludes(other.claim, one.claim)


def excludes(later: str, earlier: str) -> bool:
    """Whether one cannot do what the later sentence says and keep to the earlier one.

    Leave that is given takes back what it allows, and words that go back on something what they name; of two rules, only one that says the opposite of the same.
    """
    if withdraws(later, earlier):
        return True
    if _allows(later):
        return opposed(later, earlier)
    ours, theirs = content(later), content(earlier)
    limited = any(_LIMITED.search(text) for text in (later, earlier))
    same = bool(ours) and len(ours & theirs) >= _SAME * len(ours | theirs)
    return same and not limited and has_negation(later) != has_negation(earlier) and opposed(later, earlier)
