"""Contrary: rules of which one allows what the other forbids, in whatever order and words they were said.

This only says that a person must look: what takes an entry's place is decided by stricter tests (`superseding`, `heeded`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from agentflows.change import Pattern, Risk
from agentflows.dream.engine import Proposal
from agentflows.dream.faithful import content, has_negation, polarity
from agentflows.dream.lapsing import undated
from agentflows.dream.overlap import differing_qualifier
from agentflows.dream.scopes import said_scope, without_scope
from agentflows.dream.stamp import current
from agentflows.memory import Entry
from agentflows.signature import sentences, tokens

_LEAST = 2
"""Words that two rules about the same thing share, at least."""
_SAME = 0.6
"""Share of the words of the shorter rule that the other has."""
_MAX_SHOWN = 120
_KINDS = frozenset({"preference", "fact"})
_LIMITED = re.compile(
    r"(?i)\b(?:without|unless|except|only|until|ohne|außer|nur|bis|sans|sauf|seulement|sin|salvo|s[oó]lo|solamente|hasta)\b"
)
"""A rule with an exception: what another allows may be just that."""
_ASIDE = re.compile(
    r"(?ix) \b(?:before|after|when(?:ever)?|while|once|if|because|bevor|nachdem|wenn|sobald|falls|weil|avant|après|quand|lorsque|si|antes|después"
    r"|cuando|porque)\b [^,;.:!?]*"
)
"""What a rule says of when and why: it is not what it orders."""
_ONLY = re.compile(r"(?i)\b(?:only|nur|seulement|s[oó]lo|solamente)\b")
"""What is allowed only sometimes is allowed."""
_FILLERS = tokens(
    "again now anymore any more longer ever directly anything everything please from on future wieder jetzt künftig de nouveau maintenant"
    " ya ahora ok okay fine"
)


def marked(proposal: Proposal, pattern: Pattern, entries: Sequence[Entry], patterns: "Patterns") -> Proposal:
    """The proposal with the risk `contradicts`, if it would write what an entry, or another lesson, is contrary to."""
    if proposal.op != "add" or pattern.kind not in _KINDS:
        return proposal
    told = _of_entries(pattern, entries) or patterns.against(pattern)
    if not told:
        return proposal
    risks: dict[Risk, None] = dict.fromkeys((*proposal.risks, "contradicts"))
    reason = f"{proposal.reason.strip()} It cannot hold together with {told}: which does, a person must say."
    return proposal.model_copy(update={"risks": tuple(risks), "reason": reason})


class Patterns:
    """The lessons of a dream, to look up what one of them is contrary to."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = [pattern for pattern in patterns if pattern.kind in _KINDS]
        self._denies = [has_negation(pattern.claim) for pattern in self._patterns]
        self._by_word: dict[str, list[int]] = {}
        for number, pattern in enumerate(self._patterns):
            for word in _words(pattern.claim):
                self._by_word.setdefault(word, []).append(number)

    def against(self, pattern: Pattern) -> str:
        """The first other lesson of its scope that is contrary to it, unless that is known to be the older one; else ""."""
        shared = Counter(number for word in _words(pattern.claim) for number in self._by_word.get(word, ()))
        denies = has_negation(pattern.claim)
        for number in sorted(shared):
            other = self._patterns[number]
            if shared[number] < _LEAST or not (denies or self._denies[number]) or _is_older(other, pattern):
                continue
            is_near = other.scope.casefold() in {"", pattern.scope.casefold()}
            if is_near and contrary(pattern.claim, other.claim):
                return f"“{_short(other.claim)}”, which users said, too"
        return ""


def _of_entries(pattern: Pattern, entries: Sequence[Entry]) -> str:
    for entry in entries:
        if said_scope(entry.text) in {"", pattern.scope} and contrary(
            pattern.claim, current(without_scope(entry.text))
        ):
            return f"“{_short(entry.text)}” ({entry.path})"
    return ""


def _is_older(other: Pattern, pattern: Pattern) -> bool:
    """Whether all that was said of the other is known to be older than the newest of the pattern: then the newer word counts."""
    if not (other.last_at and pattern.last_at) or any(quote.at is None for quote in other.quotes):
        return False
    return other.last_at < pattern.last_at


def contrary(claim: str, text: str) -> bool:
    """Whether a sentence of one denies all of what a sentence of the other affirms of the same."""
    ours, theirs = _sentences(claim), _sentences(text)
    return any(
        _denies(one, other) or _denies(other, one)
        for one in ours
        for other in theirs
        if has_negation(one) or has_negation(other)
    )


def _denies(one: str, other: str) -> bool:
    if _LIMITED.search(one) or differing_qualifier(one, other):
        return False
    if _words(_aside(one)) != _words(_aside(other)):
        other = _ASIDE.sub(" ", other)
    other = _ONLY.sub(" ", other)
    ours, theirs = _words(one), _words(other)
    shared = ours & theirs
    if len(shared) < _LEAST or len(shared) < _SAME * min(len(ours), len(theirs)):
        return False
    denied = polarity(one).denied - _FILLERS
    return bool(denied) and denied <= polarity(other).affirmed


def _aside(text: str) -> str:
    return " ".join(match.group() for match in _ASIDE.finditer(text))


def _sentences(text: str) -> list[str]:
    plain = undated(text)
    return [plain[start:end] for start, end in sentences(plain)]


def _words(text: str) -> set[str]:
    return content(text) - _FILLERS


def _short(text: str) -> str:
    flat = " ".join(text.split()).removeprefix("- ")
    return flat if len(flat) <= _MAX_SHOWN else f"{flat[:_MAX_SHOWN]}…"
