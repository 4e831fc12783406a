"""Stated facts: plain sentences of users that give one value for one thing: a port, a version, a path, a name."""

import re
from dataclasses import dataclass

from agentflows.dream.standing import ANSWERED, is_standing
from agentflows.signature import hedges, specifics, tokens

_LIGHT_WORDS = """
    run listen liv us use need requir stay tak expect hold held sit serv keep kept belong reach find found
    call nam set default now today current already port version got get
"""
LIGHT = frozenset(_LIGHT_WORDS.split())
"""Words that say how a thing has its value, not which thing: `listens on port 80` and `is on 80` are one."""

_VERB = r"(?:runs?|listens?|lives?|is|are|uses?|needs?|requires?|stays?|takes?|expects?|holds?|sits?|defaults?|go(?:es)?|comes?|starts?|ends?|belongs?)"
_ANY_VERB = (
    r"(?!(?:fails|crashes|breaks|hangs|freezes|shows|displays|renders|returns|throws|raises|prints|reports|says|tells|complains|claims"
    r"|looks|seems|appears|feels|gets|wants|misses|lacks|loses|contains|has|was|does|this|its|his|always|sometimes|perhaps|thus)\b)"
    r"[a-z]+(?<![su])s"
)
"""What a thing does by its nature. What it was seen to do, well or badly, is an observation of the day."""
_FACT = re.compile(rf"(?i)^(?:(?:the|our|this|that)\s+)?((?:[\w`./-]+\s+){{1,5}}?){_VERB}\b")
_DOES = re.compile(
    rf"""(?ix) ^(?: (?:after|every|within|at|in|on|from|up\ to|until|for)\s [^,.;]{{1,40}}?,?\s )?
    (?:the|our)\s ((?:[\w`./-]+\s+){{1,5}}?) {_ANY_VERB}\b"""
)
_TOLD = re.compile(
    r"""(?ix) ^(?: (?:you|we)\s (?:can\s)? (?: reach | find | get\ at | see | open | keep | store | hold | run | host | deploy | build | allow | cap
      | limit | rotate | retain | publish | ship | log | cache )\b
    | [a-z]+\s [\w./-]*\d[\w./-]*\s (?:belongs\ to|is\ (?:for|of|taken\ by|reserved\ for|used\ by))\s (?:the|our)\b )"""
)
"""Statements whose thing stands at their end: `you reach it on…`, `port 1 belongs to…`."""
_WISHED = re.compile(r"(?i)\b(?:should|would|could|will|want|wants|wanted|need\ to|going\ to|gonna|let's)\b")
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
_FRAMED = re.compile(
    r"""(?ix) \A (?:
      (?: by\ the\ way | btw | fyi | for\ (?:the\ record|your\ information) | just\ so\ you\ know | heads[- ]up | (?:please\ )?note(?:\ that)? | as\ (?:you\ know|said)
        | one\ more\ thing | in\ case\ you\ wonder )\s*[,:;–—-]*\s+
    | (?:since|as\ of)\ (?:(?:last|this)\ \w+ | \w+day | yesterday | today | now)\s*,?\s+ (?=(?:the|our|we)\b)
    | (?:we|i|they)\s (?:just\s)? (?:changed|moved|switched|raised|lowered|increased|reduced|updated|bumped|set)\s (?:it|that|this)\b [^,:;.]{0,30} [:;–—-]+\s+
    )+ (?=\S)"""
)
"""How a statement begins that tells something by the way, or that it is news."""
_ASIDE = re.compile(
    r",\s+(?=(?:(?:it|this|that|they)\s+)?used to be\b|(?:it|this|that) was\b|no longer\b|formerly\b|previously\b|up from\b|down from\b|not\b|as\b|and not\b|instead\b|because\b|since\b|but\b|then\b|btw\b|by the way\b|fyi\b|please\b|though\b|anyway\b|right\b)|;\s|\s+\("
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
    said = bare(text.replace("’", "'"))
    if not (said.endswith(".") or alone) or said.endswith(("?", ":")) or len(said) > _MAX_CHARS:
        return None
    if _NO_FACT.search(said) or is_standing(said) or hedges(said):
        return None
    return _called(said) or _valued(said)


def bare(text: str) -> str:
    """A statement without what it answers, and without how it begins: `by the way, …`."""
    return _FRAMED.sub("", ANSWERED.sub("", text.strip()))


def clause(text: str) -> str:
    """What a statement says holds, without what it says beside it: what is over, why, who said so."""
    return _ASIDE.split(bare(text))[0]


def named_instead(text: str) -> tuple[str, str] | None:
    """Of `our default branch is develop, not main`: the name and the one it took the place of."""
    match = _CALLED.search(bare(text))
    return (match.group(2).rstrip("."), match.group(3).rstrip(".")) if match else None


def _called(said: str) -> Stated | None:
    match = _CALLED.search(said)
    if not match or any(any(char.isdigit() for char in match.group(at)) for at in (2, 3)):
        return None
    return Stated(match.group(1).strip(), "is", match.group(2).rstrip("."))


def _valued(said: str) -> Stated | None:
    body = _ASIDE.split(said)[0]
    values = sorted(specifics(body))
    if _WISHED.search(body) or f"{(values or [''])[0]}%" in body or f"{(values or [''])[0]} %" in body:
        return None
    found = _of_ours(said, body) or _of_a_thing(said, body) or _told_from_the_end(body)
    if found is None or _RECORD.fullmatch(found[2]):
        return None
    subject, rest, value = found
    about = " ".join(sorted(tokens(rest.replace(value, " ")) - LIGHT))
    return Stated(subject, about or "is", value, tuple(sorted(specifics(said) - specifics(body))))


def _of_ours(said: str, body: str) -> tuple[str, str, str] | None:
    """`We run on X 3.2`: the thing, nothing else, its value."""
    ours = _OURS.search(said)
    values = specifics(body) - specifics(ours.group(1)) if ours else set[str]()
    return (ours.group(1), "", min(values)) if ours and len(values) == 1 else None


def _of_a_thing(said: str, body: str) -> tuple[str, str, str] | None:
    """`The X keeps 3 days`: the thing, what is said of it, the one value of the sentence."""
    match = _FACT.match(said) or (None if _FIRST_PERSON.search(body) else _DOES.match(said))
    if not match or _FIRST_PERSON.search(match.group(1)):
        return None
    values = [value for value in specifics(body) if value not in match.group(1)]
    if len(values) != 1:
        return None
    return match.group(1).strip(), body[: match.start(1)] + body[match.end(1) :], values[0]


def _told_from_the_end(body: str) -> tuple[str, str, str] | None:
    """`You reach the X on port 3`: the words that carry it, and the one value."""
    values = specifics(body)
    if len(values) != 1 or not _TOLD.match(body) or _FIRST_PERSON.search(body):
        return None
    (value,) = values
    named = re.findall(r"[\w`./-]+", body.replace(value, " "))
    words = [word.strip(".") for word in named if tokens(word) - LIGHT]
    return " ".join(words), "", value
