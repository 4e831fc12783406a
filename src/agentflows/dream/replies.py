"""What a model is asked to answer with, and what code makes of its proposals before anyone believes them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentflows.change import ChangeOp, ObservationKind, Risk
from agentflows.dream.engine import Proposal
from agentflows.memory import Entry
from agentflows.signature import negations, specifics

MAX_ENTRY_GROWTH = 600
"""Characters a new text may be longer than what it replaces: an entry is one lesson."""
MAX_ENTRY_SHOWN = 6_000
"""Characters of an entry that a model sees. What it has not seen whole, it may not rewrite."""

_WRITES: frozenset[ChangeOp] = frozenset({"add", "narrow", "supersede", "merge"})
_ENTRIES_NEEDED: dict[ChangeOp, tuple[int, int]] = {
    "add": (0, 0),
    "reinforce": (1, 1),
    "narrow": (1, 1),
    "supersede": (1, 1),
    "merge": (2, 20),
    "retire": (1, 1),
    "flag": (1, 20),
}
"""How few and how many entries an operation is about."""


class Reply(BaseModel):
    """Base of all replies: every field is asked for, and no other is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Said(Reply):
    """Words and the turn they are claimed to stand in."""

    seq: int
    text: str


class Lesson(Reply):
    """One observation as a model puts it. The quotes come first: evidence before the claim."""

    quotes: list[Said]
    kind: ObservationKind
    subject: str
    attribute: str
    scope: str
    claim: str
    when: str
    when_not: str
    stance: Literal["for", "against"]
    value: str
    said_outright: bool


class SessionReply(Reply):
    """What one session taught, and where it tried to give orders."""

    observations: list[Lesson]
    suspicious: list[Said]


class PairVerdict(Reply):
    """Whether both sides of one pair say the same."""

    pair: int
    why: str
    same: bool


class PairsReply(Reply):
    """A verdict for every pair."""

    pairs: list[PairVerdict]


class PatternReply(Reply):
    """What one pattern means for the memory."""

    reason: str
    op: Literal["nothing", "add", "reinforce", "merge", "supersede", "narrow", "retire", "flag"]
    entry_ids: list[str]
    path: str
    heading: str
    after: str
    risks: list[Literal["contradicts", "uncertain", "instruction_like", "action_bearing", "about_review"]]


class Tidying(Reply):
    """What to do with one group of entries."""

    nomination: int
    reason: str
    op: Literal["merge", "retire", "flag"]
    entry_ids: list[str]
    after: str


class TidyReply(Reply):
    """Everything to be done with the groups; empty where all is well."""

    proposals: list[Tidying]


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why code does not let a proposal through."""

    gate: str
    """What it is counted under: `invented_id`, `form`, `size` or `specifics`."""
    reason: str


def pattern_proposal(reply: PatternReply, entries: Sequence[Entry]) -> Proposal | Unfit | None:
    """The proposal in a reply about one pattern; None for `nothing`.

    It is unfit when it names entries that were not shown, breaks its operation's form or loses specifics.
    """
    if reply.op == "nothing":
        return None
    problem = _unfit(reply.op, reply.entry_ids, reply.after, entries)
    if problem:
        return problem
    chosen = _chosen(reply.entry_ids, entries)
    risks: set[Risk] = set(reply.risks)
    return Proposal(
        op=reply.op,
        entry_ids=tuple(entry.entry_id for entry in chosen),
        path=chosen[0].path if chosen else reply.path.strip(),
        heading="" if chosen else reply.heading.strip().lstrip("#").strip(),
        after=_after(reply.op, reply.after),
        reason=reply.reason.strip(),
        risks=tuple(sorted(risks)),
    )


def tidying_proposal(tidying: Tidying, entries: Sequence[Entry]) -> Proposal | Unfit:
    """The proposal in a reply about one nominated group.

    Unfit as in `pattern_proposal`, and when a retired entry says something that none of the rest says.
    """
    problem = _unfit(tidying.op, tidying.entry_ids, tidying.after, entries)
    if problem:
        return problem
    chosen = _chosen(tidying.entry_ids, entries)
    rest = [entry for entry in entries if entry not in chosen]
    if tidying.op == "retire" and all(_lost(chosen, entry.text) for entry in rest):
        return Unfit(
            "specifics", "no other entry of the group holds every number, path, name and `not` of this one"
        )
    return Proposal(
        op=tidying.op,
        entry_ids=tuple(entry.entry_id for entry in chosen),
        path=chosen[0].path,
        after=_after(tidying.op, tidying.after),
        reason=tidying.reason.strip(),
    )


def _chosen(entry_ids: Sequence[str], entries: Sequence[Entry]) -> list[Entry]:
    """The entries named, each once, in the order they were shown."""
    return [entry for entry in entries if entry.entry_id in set(entry_ids)]


def _after(op: ChangeOp, text: str) -> str | None:
    return text.strip("\n") if op in _WRITES else None


def _unfit(op: ChangeOp, entry_ids: Sequence[str], text: str, entries: Sequence[Entry]) -> Unfit | None:
    """What is wrong with an operation on these ids that would write this text."""
    unknown = sorted(set(entry_ids) - {entry.entry_id for entry in entries})
    if unknown:
        return Unfit("invented_id", f"no such entry was shown: {', '.join(unknown)[:200]}")
    chosen = _chosen(entry_ids, entries)
    least, most = _ENTRIES_NEEDED[op]
    if not least <= len(chosen) <= most:
        return Unfit("form", f"`{op}` was proposed for {len(chosen)} entries")
    after = _after(op, text)
    return None if after is None else _unfit_text(op, after, chosen)


def _unfit_text(op: ChangeOp, after: str, chosen: Sequence[Entry]) -> Unfit | None:
    """What is wrong with `after` in the place of the entries chosen."""
    if not after.strip():
        return Unfit("form", f"`{op}` was proposed without a text")
    if any(len(entry.text) > MAX_ENTRY_SHOWN for entry in chosen):
        return Unfit("size", f"an entry is longer than the {MAX_ENTRY_SHOWN:,} characters that were shown")
    replaced = sum(len(entry.text) for entry in chosen)
    if len(after) > replaced + MAX_ENTRY_GROWTH:
        return Unfit("size", f"the text has {len(after):,} characters where {replaced:,} stood")
    lost = _lost(chosen, after) if op in {"narrow", "merge"} else None
    return Unfit("specifics", f"the new text loses {', '.join(sorted(lost))[:200]}") if lost else None


def _lost(chosen: Sequence[Entry], text: str) -> set[str]:
    """Numbers, paths, commands, names and negations of the entries that `text` does not hold."""
    flat = " ".join(text.split())
    wanted = {item for entry in chosen for item in specifics(entry.text)}
    lost = {item for item in wanted if not re.search(rf"(?<!\w){re.escape(item)}(?!\w)", flat)}
    for entry in chosen:
        lost |= set(negations(entry.text) - negations(text))
    return lost
