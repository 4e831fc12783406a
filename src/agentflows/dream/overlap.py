"""Overlap: how far two texts say the same, and what forbids to take them for the same.

Similarity alone never merges. A differing number, path, id, flag, version, negation or qualifier
(production and staging, draft and final) makes two statements of two texts however alike their words are.
"""

import re
from collections import Counter

from agentflows.change import Pattern
from agentflows.dream.stated import LIGHT, clause
from agentflows.signature import negations, specifics, tokens

_QUALIFIERS = (
    {
        "prod",
        "production",
        "staging",
        "stage",
        "dev",
        "development",
        "test",
        "qa",
        "local",
        "preview",
        "canary",
    },
    {"draft", "final"},
    {"before", "after"},
    {"input", "output"},
    {"read", "write"},
    {"enable", "disable", "enabled", "disabled"},
    {"left", "right"},
    {"first", "last"},
    {"minimum", "maximum", "min", "max"},
    {"frontend", "backend", "client", "server"},
    {"old", "new"},
    {"linux", "macos", "windows"},
    {"success", "failure", "passed", "failed"},
)
"""Words of one set contradict each other when everything else is equal."""

_LIMITS = frozenset(
    {
        *("only", "unless", "except", "exclude", "excluding", "without", "neither", "nor"),
        *("nur", "außer", "ohne", "weder", "seulement", "uniquement", "sauf", "sans", "hormis"),
        *("solo", "sólo", "solamente", "salvo", "excepto", "sin"),
    }
)
"""Negations that limit: none stands for another."""
_TURNING = frozenset({"instead", "rather", "statt", "anstatt", "stattdessen", "plutôt"})
"""Words that put one thing in another's place."""
_FRAME_WORDS = """
    add us use writ mak put run don't dont stop avoid always now from future rule must should shall every everi please ever
    alway futur zukunft künftig immer stets ab jetzt bitte toujours désormais siempre ahora
"""
_LIGHT = frozenset(_FRAME_WORDS.split())
_EDITING = frozenset({"edit", "touch", "modify", "modifi", "alter", "chang", "change"})
"""Words for one act: who may not edit a file may not touch it."""


def named_things(text: str) -> set[str]:
    """The proper names in a text, folded: they speak of one thing wherever they stand, as `tax-service` or `Lima`."""
    hyphenated = re.findall(r"(?<![\w/.-])[A-Za-z]{3,}-[A-Za-z]{3,}(?:-\w+)*(?![\w/])", text)
    capital = re.findall(r"(?<=[a-z,;)] )[A-Z][a-z]\w*", text)
    return {word.casefold() for word in [*hyphenated, *capital]}


def other_things(left: str, right: str) -> bool:
    """Whether each of two texts names a thing that the other does not."""
    ours, theirs = named_things(left), named_things(right)
    return bool(ours - theirs and theirs - ours)


def jaccard(left: set[str], right: set[str]) -> float:
    """Shared words of all words: 1.0 for equal sets, 0.0 for nothing shared."""
    return len(left & right) / len(left | right) if left | right else 0.0


def contained(left: set[str], right: set[str]) -> float:
    """The share of `left` that `right` holds too."""
    return len(left & right) / len(left) if left else 0.0


def differing_specifics(left: str, right: str) -> tuple[set[str], set[str]]:
    """Numbers, paths, ids and code spans that only one of two texts has."""
    ours, theirs = (_folded(specifics(text)) for text in (left, right))
    return ours - theirs, theirs - ours


def differing_qualifier(left: str, right: str) -> str:
    """The pair of contradicting words that tells two texts apart, as `a / b`; "" when there is none."""
    ours, theirs = _words(left), _words(right)
    for words in _QUALIFIERS:
        one, other = words & ours, words & theirs
        if one and other and not one & other:
            return f"{min(one)} / {min(other)}"
    return ""


def differing_negation(left: str, right: str) -> bool:
    """Whether one text denies or limits something that the other does not; `never` and `do not` deny alike."""
    return _denials(left) != _denials(right)


def _denials(text: str) -> Counter[str]:
    """How often a text denies, and each way it limits or turns what it says."""
    found: Counter[str] = Counter()
    for word, count in negations(text).items():
        found[word if word in _LIMITS else "not"] += count if word != "ne" else 0
    found.update(word for word in re.findall(r"[a-z]+", text.lower()) if word in _TURNING)
    return +found


def says_same(left: Pattern, right: Pattern) -> bool:
    """Whether two patterns say the same: same kind and scope, nearly the same words, nothing that forbids it."""
    if left.kind != right.kind or left.scope.casefold() != right.scope.casefold():
        return False
    if left.kind in {"error", "outcome"}:
        return _same_error(left, right)
    if left.kind == "fact" and left.value and left.value.casefold() == right.value.casefold():
        return _same_fact(left, right)
    texts = (_stated(left), _stated(right))
    if any(differing_specifics(*texts)) or differing_negation(*texts) or differing_qualifier(*texts):
        return False
    if other_things(*texts):
        return False
    ours, theirs = (_carrying(tokens(_subject(pattern))) for pattern in (left, right))
    needed = 0.6 if left.kind == "workflow" and left.attribute == right.attribute == "asked for" else 0.8
    return len(ours & theirs) >= 2 and jaccard(ours, theirs) >= needed


def _same_fact(left: Pattern, right: Pattern) -> bool:
    """Whether two sentences give one value to one thing: all that the shorter one names, the other names too."""
    texts = (clause(left.claim), clause(right.claim))
    if (
        any(differing_specifics(*texts))
        or differing_negation(*texts)
        or _qualifiers(texts[0]) != _qualifiers(texts[1])
    ):
        return False
    ours, theirs = (tokens(text.replace(left.value, " ")) - LIGHT for text in texts)
    enough = min(len(ours), len(theirs)) >= 2 or (ours == theirs and _give_one_thing(*texts, left.value))
    return enough and (ours <= theirs or theirs <= ours) and len(ours ^ theirs) <= 2


def _give_one_thing(left: str, right: str, value: str) -> bool:
    """Whether two clauses name one thing and call its value the same, as `port`, or give a path, which needs no name."""
    named = named_things(left.replace(value, " ")) & named_things(right.replace(value, " "))
    return bool(named) and ("/" in value or bool(tokens(left) & tokens(right) & LIGHT))


def _qualifiers(text: str) -> set[str]:
    """The words of a text that tell one of two alike things from the other."""
    return _words(text) & {word for words in _QUALIFIERS for word in words}


def _carrying(words: set[str]) -> set[str]:
    """Words that tell what is asked for: a wish says `add`, `use` or nothing of the kind, and means the same."""
    kept = {word for word in words if word not in _LIGHT and not negations(word)} or words
    return {"edit" if word in _EDITING else word.removesuffix("e") for word in kept}


def _same_error(left: Pattern, right: Pattern) -> bool:
    """Errors say the same when the same thing fails in the same words."""
    if left.subject.casefold() != right.subject.casefold():
        return False
    ours, theirs = tokens(left.attribute), tokens(right.attribute)
    if any(differing_specifics(left.attribute, right.attribute)):
        return False
    return jaccard(ours, theirs) >= 0.9 and not differing_qualifier(left.attribute, right.attribute)


def _stated(pattern: Pattern) -> str:
    """What is said with its conditions; a request's own words only, for the frame around them is ours."""
    if pattern.kind == "workflow" and pattern.attribute == "asked for":
        return pattern.subject
    return f"{pattern.claim} {pattern.when} {pattern.when_not} {pattern.value}"


def _subject(pattern: Pattern) -> str:
    return pattern.subject if pattern.attribute == "asked for" else f"{pattern.subject} {pattern.attribute}"


def _folded(items: set[str]) -> set[str]:
    return {item.casefold().rstrip("/") for item in items}


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))
