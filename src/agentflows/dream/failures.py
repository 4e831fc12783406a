"""Failures: which errors of a session are worth a memory, and what failed in them.

Not every error is a mistake: what a person refused, what never ran, what found nothing and what timed out
is left out, and so is an error that names its own remedy, for it teaches nothing that is not said at the
moment it is needed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentflows.dream.absent import NOT_FOUND, NOT_THERE, is_gone, is_program, missing_place, missing_program
from agentflows.dream.steps import Step
from agentflows.session import Turn
from agentflows.signature import failing_step
from agentflows.signature.command import head_of

CHECK_RUN = "check run fails"
"""Attribute of a run of tests, by hand or in a commit hook, that ended in an error."""
CHECK = "check fails"
"""Attribute of a check of style, types or build that found something."""
FROM = "failures from "
"""Start of the attribute of failures that came from a place the work never touched."""
LOOK_AHEAD = 25
"""Steps after an error in which what got past it is looked for."""

_READABLE = 140
_REFUSED = re.compile(
    r"(?i)user doesn't want to proceed|tool use was rejected|request interrupted|user (?:rejected|denied|cancel|declin)"
    r"|permission (?:to use|denied by)|requires approval"
)
_NEVER_RAN = re.compile(r"(?i)sibling tool call errored|cancelled: parallel|skipped because")
_TIMEOUT = re.compile(r"(?i)\btimed? ?out\b|\bdeadline exceeded\b")
_REMEDY = re.compile(
    r"(?i)\b(?:read it (?:again|first)|re-?read|try again|retry|did you mean|use -\S+ if|please (?:use|provide|specify))"
)
_MISUSE = re.compile(
    r"(?i)unrecogni[sz]ed|unknown (?:sub)?(?:command|option|flag|argument)|command not found|unexpected argument"
    r"|(?:illegal|invalid) option|no such (?:command|option)|script not found|missing script|no rule to make"
    r"|no module named|not recognized as|is not a (?:\w+ )?command|permission denied|connection refused"
    r"|not a valid statement separator|syntax error near"
)
_TESTS = frozenset(
    {"test", "tests", "spec", "specs", "pytest", "jest", "vitest", "mocha", "rspec", "phpunit", "e2e"}
)
_CHECKS_WORDS = """
    lint format fmt check eslint ruff prettier flake8 clippy style rubocop vet black isort stylelint tsc
    mypy pyright typecheck types build compile flow
"""
_CHECKS = frozenset(_CHECKS_WORDS.split())


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed, and what failed in it."""

    step: Step
    result: Turn
    subject: str
    attribute: str
    is_check: bool
    is_test: bool


def diagnose(step: Step) -> Failure | None:
    """What failed in a step; None where nothing did, or nothing that is worth a memory."""
    result = step.result
    if result is None or not step.failed:
        return None
    text, signature = result.text, step.signature
    if not signature or any(rule.search(text[:2000]) for rule in (_REFUSED, _NEVER_RAN)):
        return None
    start, end = step.error_span
    line = text[start:end]
    if _TIMEOUT.search(line) or _REMEDY.search(line):
        return None
    absent = _absent(step, line)
    if absent:
        return Failure(step, result, *absent, is_check=False, is_test=False) if absent[0] else None
    echoed = failing_step(text)
    subject = echoed or _blamed(step, line) or step.head
    is_test, is_check = is_test_head(subject), is_check_head(subject)
    if (is_test or is_check) and (echoed or not is_misuse(line)):
        return Failure(step, result, subject, CHECK_RUN if is_test else CHECK, is_check=True, is_test=is_test)
    return Failure(step, result, subject, signature, is_check=False, is_test=False)


def _absent(step: Step, line: str) -> tuple[str, str] | None:
    """The program or file that is not there, and the attribute for it; ("", "") when it is nothing one can name."""
    program = missing_program(line) if step.command else ""
    if program:
        return (program, NOT_FOUND) if is_program(program, step) else ("", "")
    if not is_gone(line) or not (step.command or step.path):
        return None
    place = step.local(missing_place(line, step))
    return (place, NOT_THERE) if re.search(r"[^\W\d]", place) else ("", "")


def is_test_first(failure: Failure, steps: Sequence[Step]) -> bool:
    """Whether a test failed because it was written to: a test was edited before, and code alone after."""
    if any(word for word in failure.step.command.split() if _names_one_test(word)):
        return True
    before = [step for step in steps[: failure.step.index] if step.edits]
    after = [
        step for step in steps[failure.step.index + 1 : failure.step.index + 1 + LOOK_AHEAD] if step.edits
    ]
    wrote_tests = bool(before) and before[-1].edits_test
    return wrote_tests and bool(after) and not any(step.edits_test for step in after)


def echo_span(text: str, head: str) -> tuple[int, int] | None:
    """Where the last echo of a command of that head stands: `$ biome check --write`; None when none does."""
    found: tuple[int, int] | None = None
    for match in re.finditer(r"(?m)^\$ ([a-z./@].*)$", text):
        if head_of(match.group(1)) == head:
            found = match.span()
    return found


def echoed_steps(text: str) -> list[str]:
    """The commands a runner or hook echoed (`$ …`), in order."""
    return [line[2:].strip() for line in text.split("\n") if re.match(r"^\$ [a-z./@]", line)]


def readable(signature: str) -> str:
    """A signature as a person would say it: `…` for what was taken out, no closing dot."""
    text = re.sub(r"<[a-z]+>", "…", signature).replace("`", "'")
    text = re.sub(r"^(?:(?:-c: |line )?…: )+(?=\w)", "", text)
    text = re.sub(r"^(?:error|fatal)(?:\[\w+\])?:\s*|^[×✗✘✖!]\s*", "", text, flags=re.IGNORECASE)
    text = text.rstrip(".:? ")
    return text if len(text) <= _READABLE else f"{text[:_READABLE].rsplit(' ', 1)[0].rstrip('.,:; ')}…"


def is_misuse(error: str) -> bool:
    """Whether an error says that there is no such command, option or program here."""
    return bool(_MISUSE.search(error))


def is_test_head(head: str) -> bool:
    """Whether a command of that head runs tests."""
    return bool(_words(head) & _TESTS)


def is_types_head(head: str) -> bool:
    """Whether a command of that head checks types."""
    return bool(_words(head) & {"tsc", "mypy", "pyright", "typecheck", "types", "flow"})


def is_build_head(head: str) -> bool:
    """Whether a command of that head builds."""
    return bool(_words(head) & {"build", "compile"})


def is_check_head(head: str) -> bool:
    """Whether a command of that head checks style or types, or builds."""
    return bool(_words(head) & _CHECKS)


def _blamed(step: Step, line: str) -> str:
    """The program of a pipeline that its error line names: `cat: illegal option` blames `cat`, not `sed`."""
    named = re.match(r"^(?:\S*/)?([\w.+-]+): ", line)
    words = re.split(r"[\s|;&()]+", step.command)
    if not named or named.group(1) not in words or step.head.split()[0] == named.group(1):
        return ""
    flag = words[words.index(named.group(1)) + 1 : words.index(named.group(1)) + 2]
    return " ".join([named.group(1), *(word for word in flag if word.startswith("-"))])


def _words(head: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", head.lower()))


def _names_one_test(word: str) -> bool:
    return bool(re.search(r"[._](?:test|spec)\.\w+|(?:^|/)test_\w+\.py|::", word))
