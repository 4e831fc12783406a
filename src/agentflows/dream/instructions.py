"""Instructions that code can follow: `ignore X`, `only X`, `focus on X`. All else is reported, never guessed."""

import re
from dataclasses import dataclass

from agentflows.change import Pattern
from agentflows.signature import sentences, tokens

OUTSIDE = "instructions"
"""The gate of a pattern that the instructions leave out."""

_IGNORE = re.compile(
    r"(?i)^(?:please\s+)?(?:ignore|skip|leave out|exclude|don't (?:learn|record|touch|change|propose)|do not (?:learn|record|touch|change|propose))"
    r"\s+(?:anything\s+|everything\s+|all\s+)?(?:(?:about|on|related to|to do with|regarding)\s+)?(.+)$"
)
_ONLY = re.compile(
    r"(?i)^(?:please\s+)?(?:only|focus(?:\s+only)?\s+on|concentrate on|look (?:only )?(?:at|for)|restrict (?:yourself )?to)"
    r"\s+(?:(?:learn|record|propose|look)\s+)?(?:(?:about|at|for|on)\s+)?(.+)$"
)
_AND = re.compile(r"\s*(?:,|;|\band\b|\bor\b|&)\s*")
_MAX_TOPIC_WORDS = 6
_GENERIC = frozenset(
    {"memory", "memori", "session", "pattern", "thing", "issu", "relat", "chang", "only", "about", "not"}
)


@dataclass(frozen=True, slots=True)
class Understood:
    """What of the instructions the rules follow."""

    ignore: tuple[frozenset[str], ...] = ()
    """Topics to leave out, each as words that must all be there."""
    only: tuple[frozenset[str], ...] = ()
    """Topics to keep to; empty for no restriction."""
    followed: tuple[str, ...] = ()
    """The sentences that are followed."""
    not_followed: tuple[str, ...] = ()
    """The sentences that rules cannot follow, to be reported."""

    def leaves_out(self, text: str) -> bool:
        """Whether a text is about a topic that is to be left out, or about none to keep to."""
        said = _words(text)
        return any(topic <= said for topic in self.ignore) or bool(
            self.only and not any(topic <= said for topic in self.only)
        )

    def admits(self, pattern: Pattern) -> bool:
        """Whether the instructions let this pattern through."""
        told = f"{pattern.subject} {pattern.attribute} {pattern.claim} {pattern.value} {pattern.kind}"
        return not self.leaves_out(told)


def understood(instructions: str) -> Understood:
    """Read the instructions sentence by sentence; what is not one of the simple forms is not followed."""
    ignore: list[frozenset[str]] = []
    only: list[frozenset[str]] = []
    followed: list[str] = []
    not_followed: list[str] = []
    for start, end in sentences(instructions):
        sentence = instructions[start:end]
        plain = sentence.rstrip(".! ")
        for rule, topics in ((_IGNORE, ignore), (_ONLY, only)):
            match = rule.match(plain)
            named = _topics(match.group(1)) if match else []
            if named:
                topics.extend(named)
                followed.append(sentence)
                break
        else:
            not_followed.append(sentence)
    return Understood(tuple(ignore), tuple(only), tuple(followed), tuple(not_followed))


def _topics(text: str) -> list[frozenset[str]]:
    """`lint and test errors` is two topics; a topic of many words is no topic but a sentence."""
    topics = [frozenset(_words(part) - _GENERIC) for part in _AND.split(text)]
    if any(len(topic) > _MAX_TOPIC_WORDS for topic in topics):
        return []
    return [topic for topic in topics if topic]


def _words(text: str) -> set[str]:
    """Words, also those inside names: `build:prod` and `unit_test` hold `build` and `test`."""
    return tokens(text) | tokens(re.sub(r"[^A-Za-z0-9]+", " ", text))
