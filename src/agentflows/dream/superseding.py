"""Superseding: whether what a user said takes the place of what an entry says.

Another number, version or name for the very same thing; another choice of what to use; leave for what was
forbidden. Different things, places and names are different statements, however alike their words are.
"""

from agentflows.change import Pattern
from agentflows.dream.faithful import content, opposed, stands_in
from agentflows.dream.heeded import excludes
from agentflows.dream.over import without_over
from agentflows.dream.overlap import contained, differing_qualifier, jaccard
from agentflows.dream.prescribing import tells_to_use
from agentflows.dream.replacing import WHICH
from agentflows.dream.stated import LIGHT, clause, named_instead
from agentflows.signature import sentences, specifics, tokens

_SHORT = 8
"""Words of a note that gives one value and says nothing else: `Node version: 18.`"""
_PLAIN_RULE = 20
"""Words of an entry that is one rule: more would be lost with a longer one."""


def replaces(pattern: Pattern, old: str) -> bool:
    """Whether the pattern says of the same thing something that excludes the text `old`."""
    old = without_over(old)
    if pattern.kind == "preference" and len(old.split()) <= _PLAIN_RULE and len(sentences(old)) == 1:
        return opposes(pattern, old) or _other_value(pattern, old)
    return _other_value(pattern, old) or (pattern.kind == "fact" and _other_name(pattern, old))


def opposes(pattern: Pattern, old: str) -> bool:
    """Whether the text `old`, kept beside the pattern's claim, would read as the opposite order."""
    return _chosen_instead(pattern, old) or _denied(pattern, old)


def _other_value(pattern: Pattern, old: str) -> bool:
    """Whether a text says the same of the same thing as the pattern, but for one value."""
    claim = clause(pattern.claim)
    ours, theirs = specifics(claim), specifics(old)
    if not (ours - theirs and theirs - ours) or len(ours - theirs) != len(theirs - ours):
        return False
    if len(ours - theirs) > 2 or not all(map(_has_digit, ours ^ theirs)):
        return False
    left, right = (tokens(_without(text, found)) - LIGHT for text, found in ((claim, ours), (old, theirs)))
    if left - right and right - left:  # each names what the other does not: two things, not two values of one
        return False
    if differing_qualifier(claim, old):
        return False
    if left == right and left and max(len(claim.split()), len(old.split())) <= _SHORT:
        return True
    return len(left & right) >= 2 and jaccard(left, right) >= 0.6


def _other_name(pattern: Pattern, old: str) -> bool:
    """Whether a text gives the name that the claim itself says is over: `develop, not main`."""
    names = named_instead(pattern.claim)
    if not names:
        return False
    new, over = names
    return stands_in(over, old) and not stands_in(new, old) and tokens(pattern.subject) <= tokens(old)


def _chosen_instead(pattern: Pattern, old: str) -> bool:
    """Whether a text tells to use what the pattern replaces."""
    if pattern.attribute != WHICH or not pattern.value:
        return False
    olds = [name for name in pattern.subject.removeprefix("use ").split(" or ") if name != pattern.value]
    plain = old.lower()
    if not any(tells_to_use(plain, name) for name in olds):
        return False
    return not stands_in(pattern.value, plain) or opposed(pattern.claim, old)


def _denied(pattern: Pattern, old: str) -> bool:
    """Whether the pattern allows what a text forbids, or waives what it asks for."""
    theirs = content(old)
    shared = theirs & content(pattern.claim)
    return bool(shared) and contained(theirs, shared) >= 0.6 and excludes(pattern.claim, old)


def _has_digit(item: str) -> bool:
    """Whether a specific is a number of some kind: two different names are two things, not two values."""
    return any(char.isdigit() for char in item)


def _without(text: str, parts: set[str]) -> str:
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, " ")
    return text
