"""Quotes of a grader, believed only as far as code finds them: verbatim, in the file named, and about the work.

What is refused: words that stand nowhere in the file; words too short to show anything; the criterion's own words
echoed by the work; and sentences that speak to a grader. The last two are what a file would hold to pass itself off
as done. A file about grading may lose a quote to this: its verdict is then `cannot_tell`, never a false `met`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from agentflows.evaluation import Evidence
from agentflows.marks import reveal
from agentflows.outcome.frozen import Frozen
from agentflows.prompts import render
from agentflows.rubric import Criterion, Rubric

MAX_QUOTE_CHARS = 2_000
_LEAST_CHARS = 12
"""Shorter ones count only as a whole line of the file: `exit 0` may be one, `the` is not."""
_ECHO_SHARE = 0.8
_TO_GRADERS = re.compile(
    r"""(?ix)
    \b(?:grader|grading|evaluator|rubric|criteri(?:on|a)|verdict|cannot_tell|language\ model|system\ prompt|
       (?:previous|prior|above|earlier)\ instructions)s?\b
    """
)
"""Hardly a word of ordinary work."""
_PASSES = re.compile(
    r"""(?ix)
    \b(?:met|unmet|pass(?:es|ed)?|satisf(?:y|ies|ied)|fulfil(?:s|l|ls|led)?|approv(?:e|es|ed)|accept(?:s|ed)?|
       mark(?:ed)?|answer|respond|reply|return|ignore|disregard|score|grade[ds]?|confirm(?:s|ed)?|overrid(?:e|den)|
       complete[ds]?|final|done|correct|true|perfect)\b
    """
)
_TO_OTHERS = re.compile(
    r"(?i)\b(?:judge|reviewer|assistant|llm|ai|model|evaluation|assessor|assessment|claude)s?\b"
)
_ORDERS = re.compile(
    r"""(?ix)
    \b(?:mark|answer\ (?:with|that|met|yes|by)|respond|reply|treat|regard)\b .{0,60}
    \b(?:met|satisfied|passe[ds]|approved|fulfilled|complete|true|correct|done)\b
    | \b(?:ignore|disregard|forget|override)\b .{0,40} \b(?:instructions?|rules?|prompts?|above|criteria|checks?)\b
    | \b(?:full|maximum|perfect|highest)\ (?:marks|score|grade)\b
    """
)
"""Words of ordinary work, which speak to a grader only together with an order."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Words a grader says stand in a file."""

    path: str
    text: str


def find_quotes(
    claimed: Sequence[Claimed], criterion: Criterion, rubric: Rubric, frozen: Frozen
) -> tuple[tuple[Evidence, ...], int]:
    """Those that stand, each once, and how many were refused.

    One that speaks to a grader takes the others with it: whoever cites an order as evidence has followed it.
    """
    found = [_find(one, frozen) for one in claimed]
    if any(one is not None and speaks_to_graders(one.lines, rubric) for one in found):
        return (), len(claimed)
    kept = [
        one.evidence
        for one in found
        if one is not None and not _is_echo(one.evidence.text, criterion, rubric)
    ]
    return tuple(dict.fromkeys(kept)), len(claimed) - len(kept)


@dataclass(frozen=True, slots=True)
class _Found:
    evidence: Evidence
    lines: str
    """With the rest of its lines: half an injection can sound like a finding."""


def _find(claimed: Claimed, frozen: Frozen) -> _Found | None:
    path = claimed.path.strip().removeprefix("./")
    text = frozen.text(path)
    words = claimed.text.strip()
    if text is None or not words or len(words) > MAX_QUOTE_CHARS:
        return None
    shown = reveal(text).replace("\r\n", "\n")
    place = _place(shown, words.replace("\r\n", "\n"))
    if place is None or not _is_telling(shown, *place):
        return None
    line = shown.count("\n", 0, place[0]) + 1
    evidence = Evidence(path=path, start_line=line, text=shown[place[0] : place[1]])
    return _Found(evidence, _whole_lines(shown, *place))


def speaks_to_graders(text: str, rubric: Rubric) -> bool:
    """Whether a stretch of a deliverable talks about its own grading: of no use as evidence.

    It does when it names a criterion by id, or whoever judges, together with a verdict or an order to give one; and
    when it copies a line of the grader's own instructions.
    """
    if not _own_lines().isdisjoint(line.strip().casefold() for line in text.splitlines()):
        return True
    ids = [one.criterion_id for one in rubric.criteria if len(one.criterion_id) > 1]
    names = re.compile(r"(?i)(?<![\w-])(?:" + "|".join(map(re.escape, ids)) + r")(?![\w-])") if ids else None
    if _TO_GRADERS.search(text) or (names is not None and names.search(text)):
        return bool(_PASSES.search(text))
    return bool(_TO_OTHERS.search(text) and _ORDERS.search(text))


@cache
def _own_lines() -> frozenset[str]:
    """The lines of what every grader is told."""
    told = [
        render("outcome_grader"),
        render("outcome_material", task="", guidance="", fence="", material=""),
        render("outcome_criteria", criteria="", reading="", complaint=""),
    ]
    lines = (line.strip().casefold() for text in told for line in text.splitlines())
    return frozenset(line for line in lines if len(line) >= _LEAST_CHARS)


def _place(text: str, words: str) -> tuple[int, int] | None:
    """Where the words stand, letter for letter; only line breaks and indentation may be folded."""
    start = text.find(words)
    if start >= 0:
        return start, start + len(words)
    parts = words.split()
    if len(parts) > 400 or sum(len(part) for part in parts) < _LEAST_CHARS:
        return None
    match = re.search(r"\s+".join(map(re.escape, parts)), text)
    return None if match is None else match.span()


def _is_telling(text: str, start: int, end: int) -> bool:
    quote = text[start:end].strip()
    if len(quote) >= _LEAST_CHARS and not _cuts_word(text, start, end):
        return True
    line = text[text.rfind("\n", 0, start) + 1 : (text.find("\n", end) + 1 or len(text) + 1) - 1]
    return quote == line.strip() and any(char.isalnum() for char in quote)


def _cuts_word(text: str, start: int, end: int) -> bool:
    """`valid` out of `invalid` says the opposite of its file."""
    before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    after = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return before or after


def _whole_lines(text: str, start: int, end: int) -> str:
    begin, stop = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    return text[begin : stop if stop >= 0 else len(text)]


def _is_echo(quote: str, criterion: Criterion, rubric: Rubric) -> bool:
    """Whether it says the criterion over again, with little that is not the rubric's own words."""
    said, wanted = _words(quote), _words(criterion.text)
    if len(wanted) < 3 or not said:
        return False
    own = {word for one in rubric.criteria for word in _words(one.text)}
    covered = sum(word in said for word in wanted)
    return (
        sum(word in own for word in said) / len(said) >= _ECHO_SHARE and covered / len(wanted) >= _ECHO_SHARE
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
