"""Fixes: what got a session past an error, as far as its next steps show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agentflows.dream.absent import NOT_FOUND, NOT_THERE, found_elsewhere
from agentflows.dream.failures import LOOK_AHEAD, Failure, echoed_steps, is_misuse
from agentflows.dream.steps import Step
from agentflows.signature.command import head_of

FIXING = re.compile(r"(?i)\bfix\b|--fix|--write|\bformat\b|\bfmt\b|(?<=\s)-w\b|--autocorrect|--apply")
_ABSENT = re.compile(
    r"(?i)\b(?:unknown|no such|not found:?|unrecognized) (?:skill|tool|agent|model|function|mode)\b"
)
_THINKING = re.compile(r"(?i)think|todo|plan|calculate")
_LOOKING_WORDS = """
    ls cat grep rg head tail wc find which pwd echo cd ps tree stat file less jq diff date env
"""
_LOOKING = frozenset(_LOOKING_WORDS.split())
_ASKING = frozenset(["status", "diff", "log", "show", "list", "ps", "logs", "version", "help", "branch"])
_SETTINGS = re.compile(
    r"(?i)(?:\A|[/\\])(?:\.env[^/\\]*|[^/\\]+\.(?:toml|ya?ml|ini|cfg|conf|properties)|[^/\\]*(?:config|rc)\.(?:[cm]?[jt]s|json|py)"
    r"|tsconfig[^/\\]*\.json|package\.json|\.\w+rc|makefile|dockerfile|procfile)\Z"
)
"""Files that say how things run, not what they do."""
_MAX_PREFIX = 4
"""Words that can stand for one program: `uv run --frozen pytest`."""
_LINE_NUMBER = re.compile(r"(?m)^\s*\d+[→\t]")


@dataclass(frozen=True, slots=True)
class Fix:
    """What got past an error."""

    kind: Literal["unwrapped", "fixer", "reread", "changed", "instead"]
    step: Step
    value: str
    """The command, tool or argument that made the difference."""
    claim: str
    fields: tuple[str, ...] = ()
    """The names of the arguments that made it."""


def find_fix(failure: Failure, steps: Sequence[Step]) -> Fix | None:
    """The step after a failure that got past it; None when none did within the look-ahead."""
    later = [
        step
        for step in steps[failure.step.index + 1 : failure.step.index + 1 + LOOK_AHEAD]
        if step.call.thread == failure.step.call.thread
    ]
    if failure.is_check:
        return _fixer(failure, later)
    if failure.attribute == NOT_THERE:
        return _moved(failure, later)
    return (
        _unwrapped(failure, later)
        or _misspaced(failure, steps)
        or _prepared(failure, later)
        or configured(failure, later)
        or _replaced(failure, later)
        or _again(failure, later)
        or _instead(failure, later)
    )


def _fixer(failure: Failure, later: Sequence[Step]) -> Fix | None:
    """What ran between a failed check and its first success: a fixing command, or edits by hand."""
    end = next((at for at, step in enumerate(later) if _reruns(failure, step)), None)
    between = later if end is None else later[: end + 1]
    for step in between:
        if step.command and FIXING.search(" ".join(step.chain)) and not step.command.startswith("git "):
            command = next((part for part in step.chain if FIXING.search(part)), step.chain[0])
            return Fix(
                "fixer", step, command, f"`{command}` repairs what can be repaired, the rest is by hand."
            )
    if end is None or not any(step.edits for step in between):
        return None
    return Fix("changed", later[end], "", "the findings are edited by hand.")


def _reruns(failure: Failure, step: Step) -> bool:
    """Whether a step ran the same check (or what it was part of) and passed."""
    if not step.passed or not step.command or step.result is None:
        return False
    same = failure.step.head in step.heads or failure.subject in step.heads
    return same or failure.subject in map(head_of, echoed_steps(step.result.text))


def _unwrapped(failure: Failure, later: Sequence[Step]) -> Fix | None:
    """The same command without its first word, run next."""
    if not failure.step.command:
        return None
    for command in failure.step.chain:
        wrapper, _, rest = command.partition(" ")
        for step in later[:3]:
            if rest and rest in step.chain and step.signature != failure.attribute:
                first = rest.split()[0]
                claim = f"The same command without `{wrapper}` runs: `{rest}`."
                return Fix("unwrapped", step, f"{first} …", claim)
    return None


def _prepared(failure: Failure, later: Sequence[Step]) -> Fix | None:
    """The very same command, run again with success, and the last command in between that did something."""
    again = next(
        (at for at, step in enumerate(later) if step.passed and step.chain == failure.step.chain), None
    )
    if not failure.step.command or again is None:
        return None
    between = [step for step in later[:again] if step.passed and step.command and not _only_looks(step)]
    if not between or len(between[-1].chain[-1]) > 120:
        return None
    command = between[-1].chain[-1]
    return Fix("fixer", between[-1], command, f"It worked after `{command}`.")


def configured(failure: Failure, steps: Sequence[Step]) -> Fix | None:
    """The very same command, run again with success after nothing but settings were edited."""
    later = [step for step in steps if step.index > failure.step.index]
    again = next(
        (at for at, step in enumerate(later) if step.passed and step.chain == failure.step.chain), None
    )
    edits = [step for step in later[:again] if step.edits] if again is not None else []
    if not failure.step.command or not edits or not all(_SETTINGS.search(step.path) for step in edits):
        return None
    path = edits[-1].local(edits[-1].path)
    return Fix("fixer", edits[-1], path, f"It worked after `{path}` was edited.", ("file_path",))


def _moved(failure: Failure, later: Sequence[Step]) -> Fix | None:
    """A file of the same name, reached somewhere else."""
    found = found_elsewhere(failure.subject, later[:5])
    if not found:
        return None
    step, place = found
    return Fix("instead", step, place, f"It is at `{place}`.")


def _replaced(failure: Failure, later: Sequence[Step]) -> Fix | None:
    """The same command by another program, where the first one does not exist or does not know it."""
    if not failure.step.command or not (failure.attribute == NOT_FOUND or is_misuse(failure.attribute)):
        return None
    for command in failure.step.chain:
        program, _, rest = command.partition(" ")
        for step in later[:5]:
            for other in step.chain if step.passed else ():
                put = other.removesuffix(rest or program).rstrip()
                if put in ("", other, program) or len(put.split()) > _MAX_PREFIX or "=" in put:
                    continue
                value = f"{put} …" if rest else other
                return Fix("instead", step, value, f"This works: `{other}`.")
    return None


def _only_looks(step: Step) -> bool:
    """Whether a shell call changes nothing: it lists, reads, searches or asks for a state."""
    return all(head.split()[0] in _LOOKING or head.split()[-1] in _ASKING for head in step.heads)


def _misspaced(failure: Failure, steps: Sequence[Step]) -> Fix | None:
    """Text given to a file tool that the file holds with other blanks: tabs for spaces, another indent."""
    failed = failure.step
    if not failed.edits:
        return None
    near = steps[max(0, failed.index - 40) : failed.index + 9]
    reads = [step for step in near if step.reads and step.path == failed.path and step.passed and step.result]
    texts = [value for value in failed.given.values() if isinstance(value, str) and len(value) > 20]
    for read in sorted(reads, key=lambda step: abs(step.index - failed.index)):
        held = _LINE_NUMBER.sub("", read.result.text if read.result else "")
        if any(_unspaced(text) in _unspaced(held) and text not in held for text in texts):
            tabs = " (it indents with tabs)" if "\n\t" in held else ""
            claim = (
                f"The text given differed from the file only in whitespace{tabs}: "
                "read the lines again and copy them byte for byte."
            )
            return Fix("reread", read, "copy exact bytes", claim)
    return None


def _unspaced(text: str) -> str:
    return "".join(text.split())


def _again(failure: Failure, later: Sequence[Step]) -> Fix | None:
    """The same thing done again, otherwise, with success."""
    failed = failure.step
    for at, step in enumerate(later):
        if not step.passed or step.head != failed.head or step.path != failed.path:
            continue
        if not failed.command and failed.path and _read_between(later[:at], failed.path):
            claim = "Reading the exact lines again before the next try worked."
            return Fix("reread", step, "read again", claim)
        if failed.command:
            if _joined_otherwise(failed, step):
                return Fix("changed", step, step.command, f"This worked: `{step.command}`.")
            command = next((part for part in step.chain if head_of(part) == failed.head), step.chain[0])
            if len(command) > 120 or command in failed.chain:
                return None
            return Fix("changed", step, command, f"This worked: `{command}`.")
        return _changed_fields(failed, step)
    return None


def _joined_otherwise(failed: Step, step: Step) -> bool:
    """Whether two calls run the same commands and differ in how they are joined, as `;` and `&&`."""
    plain = not any(mark in failed.command + step.command for mark in "|\n") and len(step.command) <= 120
    return plain and step.chain == failed.chain and step.command != failed.command


def _read_between(steps: Sequence[Step], path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return any(
        (step.reads and step.path == path) or (step.command and name in step.command) for step in steps
    )


def _changed_fields(failed: Step, step: Step) -> Fix | None:
    """What was different in the call that worked; None when all of it was, for then it was another call."""
    old, new = failed.given, step.given
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if not names:
        return Fix("changed", step, "", "The same call worked later.")
    if len(names) == len({*old, *new}):
        return None
    added, gone = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    claim = f"It worked with another {_listed(names)}."
    if len(added) + len(gone) == len(names):
        claim = f"It worked with {_listed(added)}{' instead of ' if gone else ' given'}{_listed(gone)}."
        claim = claim if added else f"It worked without {_listed(gone)}."
    return Fix("changed", step, ", ".join(names[:3]), claim, tuple(names[:3]))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:3])


def _instead(failure: Failure, later: Sequence[Step]) -> Fix | None:
    """What was done instead, right after: another command, or a tool whose name says nearly the same."""
    failed = failure.step
    if later and failed.path and later[0].reads and later[0].path == failed.path:
        return Fix("reread", later[0], "read again", "The lines were read again next.")
    absent = bool(_ABSENT.search(failure.attribute)) and not failed.command
    step = next((step for step in later[:3] if step.passed and not _THINKING.search(step.tool)), None)
    if step is None or step.head == failed.head or (failed.command and not step.command):
        return None
    if not (step.command or absent or len(_name_words(step.tool) & _name_words(failed.tool)) >= 2):
        return None
    told = step.chain[0] if step.chain and len(step.chain[0]) <= 60 else step.head
    if absent:
        return Fix("instead", step, told, f"It does not exist here; the work went on with `{told}`.")
    return Fix("instead", step, told, f"The work went on with `{told}` instead.")


def _name_words(tool: str) -> set[str]:
    return set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", tool).lower()))
