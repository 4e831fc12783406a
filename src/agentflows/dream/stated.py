"""Stated facts: plain sentences of users that give one value for one thing: a port, a version, a path, a name."""

import re
from dataclasses import dataclass

from agentflows.dream.standing import ANSWERED, is_standing
from agentflows.signature import hedges, specifics, tokens

LIGHT = frozenset(
    {
        *(
            "run",
            "listen",
            "liv",
            "us",
            "use",
            "need",
            "requir",
            "stay",
            "tak",
            "expect",
            "hold",
            "sit",
            "serv",
        ),
        *(
            "call",
            "nam",
            "set",
            "default",
            "now",
            "today",
            "current",
            "already",
            "port",
            "version",
            "got",
            "get",
        ),
    }
)
"""Words that say how a thing has its value, not which thing: `listens on port 80` and `is on 80` are one."""

_VERB = (
    r"(?:runs?|listens?|lives?|is|are|uses?|needs?|requires?|stays?|takes?|expects?|holds?|sits?|defaults?)"
)
_FACT = re.compile(rf"(?i)^(?:(?:the|our|this|that)\s+)?((?:[\w`./-]+\s+){{1,5}}?){_VERB}\b")
_OURS = re.compile(
    r"(?i)^we(?:'re| are| use| run| need| require)(?: now)?(?: on)?\s+([A-Za-z][\w.-]*)\s+(?:version\s+)?v?\d"
)
_CALLED = re.compile(
    rf"(?i)^(?:the|our)\s+((?:[\w`-]+\s+){{1,4}}?){_VERB}\s+(?:now\s+)?(?:called\s+|named\s+)?[`\"']?([\w./-]+)[`\"']?,\s+(?:and\s+)?not\s+[`\"']?([\w./-]+)[`\"']?"
)
_NO_FACT = re.compile(
    r"(?i)^\W*(?:actually|it should|it shouldn't|this should|wait|stop|revert|undo|why|are you)\b"
)
_RECORD = re.compile(r"#?(?=\w*\d)[A-Z0-9]{5,}|\w+_\d+|\d{6,}")
"""A booking, an order, a customer: the number of one case, not a fact about the project."""
_ASIDE = re.compile(
    r",\s+(?=not\b|as\b|and not\b|instead\b|because\b|since\b|but\b|btw\b|by the way\b|fyi\b|please\b|though\b|anyway\b|right\b)|;\s|\s+\("
)
_FIRST_PERSON = re.compile(r"(?i)\b(?:i|i'm|i've|my|mine|me)\b")
_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class Stated:
    """One thing and its value, as a user stated them."""

    subject: str
    """What has the value."""
    about: str
    """Which of its values: the words of the sentence beside subject, value and what every such sentence has."""
    value: str
    replaced: tuple[str, ...] = ()
    """Values that the sentence itself says are over."""


def stated(text: str, *, alone: bool) -> Stated | None:
    """The fact a sentence states; None where it is none, or no value of a project.

    A sentence without its dot counts only when it is `alone`, all that was typed.
    """
    said = ANSWERED.sub("", text.strip().replace("’", "'"))
    if not (said.endswith(".") or alone) or said.endswith(("?", ":")) or len(said) > _MAX_CHARS:
        return None
    if _NO_FACT.search(said) or is_standing(said) or hedges(said):
        return None
    return _called(said) or _valued(said)


def named_instead(text: str) -> tuple[str, str] | None:
    """Of `our default branch is develop, not main`: the name and the one it took the place of."""
    match = _CALLED.search(ANSWERED.sub("", text.strip()))
    return (match.group(2).rstrip("."), match.group(3).rstrip(".")) if match else None


def _called(said: str) -> Stated | None:
    match = _CALLED.search(said)
    if not match or any(any(char.isdigit() for char in match.group(at)) for at in (2, 3)):
        return None
    return Stated(match.group(1).strip(), "is", match.group(2).rstrip("."))


def _valued(said: str) -> Stated | None:
    ours = _OURS.search(said)
    match = ours or _FACT.match(said)
    if not match or (not ours and _FIRST_PERSON.search(match.group(1))):
        return None
    clause = _ASIDE.split(said)[0]
    values = sorted(value for value in specifics(clause) if value not in match.group(1))
    if len(values) != 1 or f"{values[0]}%" in clause or f"{values[0]} %" in clause:
        return None
    if _RECORD.fullmatch(values[0]):
        return None
    rest = "" if ours else clause[match.end(1) :].replace(values[0], " ")
    about = " ".join(sorted(tokens(rest) - LIGHT))
    replaced = sorted(specifics(said) - specifics(clause))
    return Stated(match.group(1).strip(), about or "is", values[0], tuple(replaced))
