"""Focus: the lines of a long output that say what failed, the most telling first.

A failing run prints much that only looks like failure, such as what a passing test logs about the error it
provoked. Exceptions and compiler errors therefore come before names of failed tests, these before lines that
merely begin with `error:`, and vague words last.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agentflows.signature import error_line, error_signature

MAX_FAILURES = 8
"""Distinct failures that are pointed at in one output; more would be a list of symptoms."""

_EXAMINED = 400
"""Lines whose signature is taken: the rest of an output that repeats one failure in many forms is not read."""
_REACH = 120
"""Characters from the start of a focus within which its telling words end."""
_LEAD = 60
"""Characters shown before the telling words of a line that is longer than that."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_DIGITS = re.compile(r"\d+")
_PASSED_OVER = re.compile(r"(?i)\s*(?:\d+\s*\||at\s\S|[✓✔√]|\(pass\)|pass(?:ed)?\b|ok\b)")
"""How source listings, stack frames and passing tests begin: most lines of a test log."""
_NO_FAILURE = re.compile(
    r"""(?ix) \b(?:passed|ok)\s*(?:\[[^\]]*\]|\([^)]*\))?\s*\Z | \bwarn(?:ing)?\b | \bno\serrors?\b
    | \b0\s+(?:errors?|fail(?:ed|ures?)?)\b | \b(?:errors?|fail(?:ed|ures?)?):\s*0\b"""
)
"""Passing tests, warnings and counts of nothing."""
_TELLING = re.compile(
    r"""(?x) \b[A-Z]\w*(?:Error|Exception|Interrupt)(?:\ \[\w+\])?\s*:
    | ^\W*(?:E\s+)?(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\s*\Z
    | \berror\ TS\d+ | \berror\[\w+\] | \b[Cc]annot\ find\ (?:module|package)\b | \b[Mm]odule\ not\ found\b
    | \b[Nn]o\ such\ file\b | \b[Cc]ommand\ not\ found\b | \b[Pp]ermission\ denied\b | \b[Cc]onnection\ refused\b
    | \bE(?:NOENT|ACCES|CONNREFUSED|ADDRINUSE)\b | \bNo\ rule\ to\ make\ target\b | \b[Tt]imed?\ ?out\b
    | ^\W*panic\b | \bpanicked\ at\b | \b[Ss]egmentation\ fault\b"""
)
_FAILED_TEST = re.compile(r"^\W*FAIL(?:ED|URE)?\b|^\s*\(fail\)|^\s*[×✗✘✖]|^\s*not ok\b|\bFAILED\b")
_ERROR = re.compile(r"^\W*(?:[Ee]rror|ERROR|[Ff]atal|FATAL)\b|: (?:fatal )?error\b")
_VAGUE = re.compile(
    r"""(?ix) \b (?: errors? | fail(?:s|ed|ures?|ing)? | not\ found | cannot | can't | could\ not | unable | denied
    | invalid | unexpected | missing | fatal | exception | refused | rejected | conflict | abort(?:ed)?
    | undefined | unsupported | forbidden ) \b"""
)
_RANKS = (_TELLING, _FAILED_TEST, _ERROR, _VAGUE)
"""What a failure looks like, the most telling form first."""


class Failure(NamedTuple):
    """One line, or the telling part of a long one: `text[start:end]`."""

    start: int
    end: int
    signature: str


class _Candidate(NamedTuple):
    """A line in order of worth: how telling, whether it is the one that counts as the error, where."""

    rank: int
    lesser: bool
    start: int
    end: int


def failures(text: str) -> list[Failure]:
    """At most `MAX_FAILURES` lines that name a failure, the most telling first, each signature once.

    The line that `error_line` takes for the error comes second at the latest, whatever it says: it is the
    one by which errors are counted.
    """
    main = error_line(text)
    found = list(_distinct(text, sorted(_candidates(text, main))))
    at = next((at for at, failure in enumerate(found) if main[0] <= failure.start < main[1]), 0)
    if at > 1:
        found.insert(1, found.pop(at))
    return found[:MAX_FAILURES]


def _distinct(text: str, candidates: Sequence[_Candidate]) -> Iterator[Failure]:
    """The first of each signature; lines that differ in digits alone are not even compared."""
    signatures: set[str] = set()
    forms: set[str] = set()
    for candidate in candidates:
        part = text[candidate.start : candidate.end]
        form = _DIGITS.sub("0", part)
        enough = len(forms) >= _EXAMINED or len(signatures) >= MAX_FAILURES
        if form in forms or (enough and candidate.lesser):
            continue
        forms.add(form)
        signature = error_signature(part)
        if signature and signature not in signatures:
            signatures.add(signature)
            yield Failure(candidate.start, candidate.end, signature)


def _candidates(text: str, main: tuple[int, int]) -> Iterator[_Candidate]:
    """The line at `main` and every other that looks like a failure."""
    start = 0
    for line in text.split("\n"):
        end = start + len(line.rstrip())
        is_main = start <= main[0] < main[1] <= end
        plain = _ANSI.sub(lambda code: " " * len(code.group()), line) if "\x1b" in line else line
        if is_main or not _PASSED_OVER.match(plain):
            rank, words = _ranked(plain)
            shown = start + (_first_shown(plain, words) if words else 0)
            if is_main:
                yield _Candidate(rank, lesser=False, start=max(main[0], shown), end=main[1])
            elif words and not _NO_FAILURE.search(plain):
                yield _Candidate(rank, lesser=True, start=shown, end=end)
        start += len(line) + 1


def _ranked(line: str) -> tuple[int, re.Match[str] | None]:
    """How telling the line is and its most telling words; None of a line that names no failure."""
    for rank, pattern in enumerate(_RANKS):
        words = pattern.search(line)
        if words:
            return rank, words
    return len(_RANKS), None


def _first_shown(line: str, words: re.Match[str]) -> int:
    """Where showing the line begins, so that its telling words are reached even when it is cut."""
    start = len(line) - len(line.lstrip())
    return start if words.end() - start <= _REACH else max(start, words.start() - _LEAD)
