"""Replacing: `use A, not B` in the ways people say it, so that one wish in many wordings is one wish."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentflows.dream.steps import Step

WHICH = "which to use"
"""Attribute of what is to be used in place of something."""

_T = r"[`\"']?(@?[\w][\w@./-]*)[`\"']?"
_HERE = r"(?:\s+(?:here|hier|ici|aquí|now|jetzt|please|bitte|for\s+\w+))?"
_NOT = (
    r"\s*[,;]?\s*(?:-|–|—)?\s*(?:instead\s+of|rather\s+than|in\s+place\s+of|and\s+not|but\s+not|not|never|over|statt|anstatt|anstelle\s+von"
    r"|und\s+nicht|nicht|nie|au\s+lieu\s+de|plutôt\s+que|et\s+pas|pas|jamais|en\s+vez\s+de|en\s+lugar\s+de|y\s+no|no|nunca)\s+"
)
_USE = r"(?:use|using|prefer|utilise[zr]?|utilisons|nutze[nr]?|nutzt|verwende[nt]?|benutze[n]?|usa(?:mos|r)?|usen?|switch(?:ed)?\s+to|moved?\s+to|go\s+with)"
_RULES = (
    re.compile(
        rf"(?i)\b{_USE}\s+(?:hier\s+|immer\s+|always\s+|toujours\s+|siempre\s+)?{_T}{_HERE}{_NOT}{_T}"
    ),
    re.compile(
        rf"(?i)\b{_T}\s+(?:statt|anstatt|instead\s+of|rather\s+than|au\s+lieu\s+de|en\s+vez\s+de)\s+{_T}"
    ),
    re.compile(
        rf"(?i)\A\W*(?:(?:no|nope|nein|non|please|it's|ok)[,:]?\s+)*{_T}{_HERE}\s*,?\s+(?:not|nicht|pas)\s+{_T}\W*\Z"
    ),
)
_TURNED = re.compile(
    rf"(?i)\b(?:stop\s+using|don'?t\s+use|do\s+not\s+use|never\s+use|no\s+longer\s+use)\s+{_T}{_HERE}\s*[,;.:–—-]*\s*(?:but\s+|and\s+)?(?:use|{_USE})\s+{_T}"
)
_ALONE = re.compile(
    rf"(?i)\A\W*(?:(?:no|please|ok|but)[,:]?\s+)*(?:please\s+)?(?:we\s+)?(?:use|{_USE})\s+{_T}{_HERE}\W*\Z"
)
_DROPPED = re.compile(
    rf"(?i)\A\W*(?:(?:no|please|ok|but)[,:]?\s+)*(?:stop\s+using|don'?t\s+use|do\s+not\s+use|never\s+use)\s+{_T}{_HERE}\W*\Z"
)
_EMPTY_WORDS = """
    the a an it this that these those them they one any all some more less only my your our his her its me
    you us
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
"""Words that name nothing to use."""


@dataclass(frozen=True, slots=True)
class Replacing:
    """What is to be used, and in place of what; either may be left unsaid."""

    new: str
    old: str

    @property
    def subject(self) -> str:
        """The same for whoever weighs the same two, whichever they choose."""
        return "use " + " or ".join(sorted(name for name in (self.new, self.old) if name))


def replacing(text: str, steps: Sequence[Step]) -> Replacing | None:
    """What a sentence replaces by what; of one name alone only where the session called it or what it stands for.

    `please use pnpm` is about a tool when `pnpm` was run; `please use the logo` is about this work.
    """
    for rule in _RULES:
        match = rule.search(text)
        if match:
            return _made(match.group(1), match.group(2))
    match = _TURNED.search(text)
    if match:
        return _made(match.group(2), match.group(1))
    match = _ALONE.search(text)
    if match and was_called(_name(match.group(1)), steps):
        return _made(match.group(1), "")
    match = _DROPPED.search(text)
    return _made("", match.group(1)) if match and was_called(_name(match.group(1)), steps) else None


def was_called(name: str, steps: Sequence[Step]) -> bool:
    """Whether the session ran a program or tool of that name."""
    return bool(name) and any(
        name in step.command.lower().split() or name == step.tool.lower() for step in steps
    )


def _made(new: str, old: str) -> Replacing | None:
    new, old = _name(new), _name(old)
    if new == old or new in _EMPTY or old in _EMPTY:
        return None
    return Replacing(new, old)


def _name(word: str) -> str:
    return word.lower().strip(".,`\"'")


def worded(claim: str, subject: str, value: str) -> str:
    """A claim that names both sides and no verb (`pnpm, not npm`), as a sentence; any other as it is."""
    olds = [name for name in subject.removeprefix("use ").split(" or ") if name != value]
    return f"Use {value}, not {olds[0]}" if value and olds and _RULES[2].match(claim) else claim
