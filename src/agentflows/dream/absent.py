"""Absent things: programs and files that an error says are not there.

What is absent is what such an error is about, not the command that stumbled over it: `cat`, `ls` and a
file tool that miss one file teach the same, and `cat` that misses two files teaches nothing of `cat`.
"""

import re
from collections.abc import Sequence

from agentflows.dream.steps import Step

NOT_FOUND = "command not found"
"""Attribute of a program that does not exist here."""
NOT_THERE = "not there"
"""Attribute of a file or folder that was looked for and is not there."""

_PROGRAMS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:^|[\s:])([^\s:]+): (?:command )?not found\s*\Z",
        r"\bcommand not found:? ['\"‘]?([^\s'\"’]+)",
        r"['\"‘]?([^\s'\"’]+)['\"’]? is not recognized as (?:an internal|the name of)",
        r"\bterm ['\"‘]([^'\"’]+)['\"’] is not recognized",
        r"\bexecutable file not found[^:]*: ['\"]?([^\s'\"]+)",
        r"\bspawn (\S+) ENOENT\b",
        r"\bexec: ['\"]([^'\"]+)['\"]: executable file not found",
    )
)
_NAME = re.compile(r"[a-z0-9_][\w.+-]*")
_GONE = re.compile(
    r"(?i)\bno such file or directory|\bENOENT\b|\bfile (?:does not exist|not found)|\bpath (?:does not exist|not found)"
    r"|\bcannot find (?:the )?(?:path|file)|\bdirectory does not exist"
)
_NAMED = (
    re.compile(r"['\"‘`]([^'\"’`\n]+)['\"’`]"),
    re.compile(r": ([^\s:][^:]*?): (?i:no such file)"),
    re.compile(r"(?i:no such file or directory|does not exist|not found): (\S+)"),
)


def missing_program(line: str) -> str:
    """The program that an error line says is not there, by its name; "" when it says no such thing."""
    found = (rule.search(line) for rule in _PROGRAMS)
    return next((match.group(1) for match in found if match), "")


def is_program(name: str, step: Step) -> bool:
    """Whether a name can be a program that the step called: prose given to a shell has no program in it."""
    return bool(_NAME.fullmatch(name)) and name in re.split(r"[\s|;&()`$'\"]+", step.command)


def is_gone(line: str) -> bool:
    """Whether an error line says that a file or folder is not there."""
    return bool(_GONE.search(line))


def missing_place(line: str, step: Step) -> str:
    """The file or folder that is not there: what a file tool was called for, or what a shell's error names."""
    if not step.command:
        return step.path
    found = (rule.search(line) for rule in _NAMED)
    return next((match.group(1).strip() for match in found if match), "")


def found_elsewhere(place: str, later: Sequence[Step]) -> tuple[Step, str] | None:
    """The later step that reached a file of the same name somewhere else, and where."""
    name = _base(place)
    if "." not in name.strip("."):  # a folder's or a program's name says too little to be the same thing
        return None
    for step in later:
        if not step.passed:
            continue
        words = [step.path] if not step.command else re.split(r"[\s|;&()`$'\"<>]+", step.command)
        other = next(
            (word for word in words if _base(word) == name and word.strip("./") != place.strip("./")), ""
        )
        if other and not step.local(other).endswith(step.local(place)):
            return step, step.local(other)
    return None


def _base(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
