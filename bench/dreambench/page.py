"""What a model is shown, taken apart again: the turns of a digest, the entries, pairs and groups of the other questions."""

import re
from dataclasses import dataclass
from typing import Literal

from agentflows.testing import FakeRequest

Task = Literal["extract", "same", "propose", "prune", "refute"]
_TASKS: dict[str, Task] = {
    "what did this session teach": "extract",
    "do these pairs say the same": "same",
    "what does this pattern mean": "propose",
    "tidy these entries": "prune",
    "try to refute this change": "refute",
}
_TURN = re.compile(r"⟦#(\d+) (\w+)([^⟧]*)⟧ ")
_ENTRY = re.compile(r"⟦entry (\S+)(?: · under [^⟧]*)?⟧\n(.*?)(?=\n\n⟦|\Z)", re.DOTALL)
_PAIR = re.compile(r"⟦pair (\d+)⟧\n⟦A⟧\n(.*?)\n⟦B⟧\n(.*?)(?=\n\n⟦pair |\Z)", re.DOTALL)
_GROUP = re.compile(r"⟦nomination (\d+) · [^⟧]*⟧\n(.*?)(?=\n\n⟦nomination |\Z)", re.DOTALL)
_CLAIM = re.compile(r"^claim: (.*)$", re.MULTILINE)
_TRIED = re.compile(r"^⟦claim (\d+)⟧ (.*)$", re.MULTILINE)
_SOURCE = re.compile(r"⟦source \d+ · [^⟧]*⟧\n(.*?)(?=\n\n⟦|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shown:
    """One turn of a digest."""

    seq: int
    kind: str
    """`user`, `agent`, `call`, `result`, `error` …"""
    trust: int
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """One entry of the memory."""

    entry_id: str
    text: str


def task_of(request: FakeRequest) -> Task:
    """Which of the five questions a request asks.

    Raises:
        ValueError: none of them.
    """
    text = request.text
    for words, task in _TASKS.items():
        if words in text:
            return task
    msg = (
        f"The request {request.number} asks none of {list(_TASKS)}. Bring the benchmark's page.py up to date."
    )
    raise ValueError(msg)


def material(request: FakeRequest) -> str:
    """What stands between the two fences."""
    text = request.text
    fence = re.search(r"two lines that read (\w+) and nothing else", text)
    if fence is None:
        msg = f"The request {request.number} names no fence. Bring the benchmark's page.py up to date."
        raise ValueError(msg)
    return text.split(f"\n{fence[1]}\n")[1]


def turns(text: str) -> list[Shown]:
    """The turns of a digest, in order."""
    heads = list(_TURN.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)] if heads else []
    return [
        Shown(
            int(head[1]),
            head[2],
            int((re.search(r"\bt(\d)\b", head[3]) or ["", "1"])[1]),
            text[head.end() : end].rstrip("\n"),
        )
        for head, end in zip(heads, ends, strict=True)
    ]


def entries(text: str) -> list[Card]:
    """The entries shown."""
    return [Card(found[1], found[2].strip("\n")) for found in _ENTRY.finditer(text)]


def pairs(text: str) -> list[tuple[int, str, str]]:
    """The pairs: number, and the claims of both sides."""
    return [(int(found[1]), claim(found[2]), claim(found[3])) for found in _PAIR.finditer(text)]


def groups(text: str) -> list[tuple[int, list[Card]]]:
    """The nominated groups: number and entries."""
    return [(int(found[1]), entries(found[2])) for found in _GROUP.finditer(text)]


def tried(text: str) -> list[tuple[int, str]]:
    """The claims of a change on trial: number and statement."""
    return [(int(found[1]), found[2]) for found in _TRIED.finditer(text)]


def sources(text: str) -> list[str]:
    """What is shown of the sources of a change on trial, and its entries."""
    return [*_SOURCE.findall(text), *(card.text for card in entries(text))]


def claim(card: str) -> str:
    """The claim on a card."""
    found = _CLAIM.search(card)
    return found[1] if found else ""


def scope(card: str) -> str:
    """The scope on a card."""
    found = re.search(r"^scope: (.*)$", card, re.MULTILINE)
    return found[1] if found else ""
