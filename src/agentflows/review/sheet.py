"""A sheet of waiting changes: by risk or by file, in pages that a person can read, and the words that pick some of them.

Numbers are those of `review show`, so that a form, the command line and the web page speak of the same change.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentflows.change import Change, DreamReport, Risk
from agentflows.errors import UsageError
from agentflows.review.choosing import OPEN, ends_of

GroupBy = Literal["risk", "file"]
PAGE = 20
"""Changes on one page: what a person reads at one go, and what a form shows without becoming slow."""
FLAGS = "flags"
NO_RISK = "no risk"
_GRAVEST_FIRST: tuple[Risk, ...] = (
    "flips_probe",
    "mass_prune",
    "deletes",
    "contradicts",
    "about_review",
    "instruction_like",
    "action_bearing",
    "untested",
    "uncertain",
    "low_trust",
    "single_support",
)
MEANING: Mapping[str, str] = {
    FLAGS: "a question that only you can answer",
    "flips probe": "a task that passed fails with it",
    "mass prune": "the dream removes much of the store",
    "deletes": "text of the store goes",
    "contradicts": "it and an entry, or another lesson, cannot both hold",
    "about review": "it is about reviews, secrets or permissions",
    "instruction like": "it reads like an order to an agent",
    "action bearing": "it has a command, an address or a path to act on",
    "untested": "no probe could tell",
    "uncertain": "its quotes say it less surely",
    "low trust": "it rests on words of a tool, a file or a page",
    "single support": "one session or source says so, or fewer than asked for",
    NO_RISK: "nothing speaks against it; the dream was told to hold everything",
}
"""What each class of risk means, in the order of a sheet."""


class Group(BaseModel):
    """Changes that are looked at together."""

    model_config = ConfigDict(frozen=True)

    name: str
    """A class of risk or a path: the word that picks all of them."""
    numbers: tuple[int, ...]


class Sheet(BaseModel):
    """What waits of a dream, laid out to be read."""

    model_config = ConfigDict(frozen=True)

    report: DreamReport
    waiting: dict[int, Change]
    """By number, in the order of the dream."""
    by: GroupBy
    groups: tuple[Group, ...]
    """Each waiting change once: by its gravest risk, or by its file."""

    @property
    def pages(self) -> list[tuple[int, ...]]:
        """The numbers of each page, in reading order: group by group, never more than `PAGE` of them."""
        numbers = [number for group in self.groups for number in group.numbers]
        return [tuple(numbers[start : start + PAGE]) for start in range(0, len(numbers), PAGE)]

    @property
    def flags(self) -> list[int]:
        """The numbers of the flags among them."""
        return [number for number, change in self.waiting.items() if change.op == "flag"]


def sheet(report: DreamReport, by: GroupBy = "risk") -> Sheet:
    """The waiting changes of a dream, grouped."""
    waiting = {number: change for number, change in enumerate(report.changes, 1) if change.status in OPEN}
    names = _names(waiting, by)
    groups = [
        Group(name=name, numbers=numbers) for name in names if (numbers := _in_group(waiting, name, by))
    ]
    return Sheet(report=report, waiting=waiting, by=by, groups=tuple(groups))


def risk_of(change: Change) -> str:
    """The class a change is looked at in: a flag, its gravest risk in words, or none."""
    if change.op == "flag":
        return FLAGS
    return next((_worded(risk) for risk in _GRAVEST_FIRST if risk in change.risks), NO_RISK)


def picked(
    text: str, changes: Mapping[int, Change], *, among: Collection[int], shown: Collection[int] = ()
) -> list[int]:
    """The numbers that a reviewer's words mean, sorted. Words for several pick `among` those that waited.

    Words stand between commas: a number, a range such as 5-9, `all`, `shown` (this page), a class of risk such as
    `low trust`, or a file. A word that means several leaves flags out: a flag asks a question, and only its number
    or `flags` answers that it was looked at.

    Raises:
        UsageError: a word means nothing here; the message lists what can be said.
    """
    found: set[int] = set()
    for word in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        found.update(_numbers(word, changes) or _named(word, {one: changes[one] for one in among}, shown))
    return sorted(found)


def ranges(numbers: Iterable[int]) -> str:
    """`1-3, 7`, of sorted numbers."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)


def _names(waiting: Mapping[int, Change], by: GroupBy) -> list[str]:
    return list(MEANING) if by == "risk" else sorted({change.path for change in waiting.values()})


def _in_group(waiting: Mapping[int, Change], name: str, by: GroupBy) -> tuple[int, ...]:
    return tuple(
        number
        for number, change in waiting.items()
        if (risk_of(change) if by == "risk" else change.path) == name
    )


def _worded(risk: str) -> str:
    return risk.replace("_", " ")


def _numbers(word: str, changes: Mapping[int, Change]) -> list[int]:
    """A number or a range; [] where the word is neither."""
    ends = ends_of(word)
    if ends is None:
        return []
    first, last = ends
    if first > last or first not in changes or last not in changes:
        msg = f"{word!r} is no change of this dream: it has {len(changes)}, numbered from 1. Give numbers such as 1,4,7-9."
        raise UsageError(msg)
    return list(range(first, last + 1))


def _named(word: str, changes: Mapping[int, Change], shown: Collection[int]) -> list[int]:
    name = " ".join(word.casefold().replace("-", " ").replace("_", " ").split())
    if name in {FLAGS, "flag"}:
        return [number for number, change in changes.items() if change.op == "flag"]
    asks = {number: change for number, change in changes.items() if change.op != "flag"}
    if name == "all":
        return list(asks)
    if name in {"shown", "page", "this page"}:
        return [number for number in shown if number in asks]
    if name in MEANING:
        return [number for number, change in asks.items() if risk_of(change) == name]
    of_file = [number for number, change in asks.items() if word in {change.path, change.path.lstrip("/")}]
    if of_file:
        return of_file
    files = sorted({change.path for change in changes.values()})
    msg = (
        f"{word!r} names no change. Give numbers such as 1,4,7-9, or all, shown, a class of risk "
        f"({', '.join(MEANING)}) or a file ({', '.join(files[:5])}{' …' if len(files) > 5 else ''})."
    )
    raise UsageError(msg)


__all__ = [
    "FLAGS",
    "MEANING",
    "NO_RISK",
    "PAGE",
    "Group",
    "GroupBy",
    "Sheet",
    "picked",
    "ranges",
    "risk_of",
    "sheet",
]
