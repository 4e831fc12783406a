"""Pruning: duplicates, contradictions and lapsed dates among a store's own entries.

Entries come nominated, because they look alike; that is no reason yet. Nothing is ever pruned for being
unused, old or long.
"""

import re
from collections.abc import Sequence
from datetime import date
from itertools import combinations

from agentflows.dream.engine import Nomination, Proposal
from agentflows.dream.lapsing import ends
from agentflows.dream.order import names_moved, reordered
from agentflows.dream.overlap import (
    differing_negation,
    differing_qualifier,
    differing_specifics,
    jaccard,
    named_things,
)
from agentflows.dream.stamp import without_stamp
from agentflows.memory import Entry
from agentflows.signature import hedges, sentences, specifics, tokens

_PRUNABLE = frozenset({"list_item", "paragraph"})
_ALIKE = 0.8
"""Share of words two entries must have in common to be about the same thing."""
_SAME_PLACE, _OTHER_PLACE = 3, 5
"""Words in common for a contradiction, under one heading and under two."""
_OUT_OF_PLACE = 6
"""Words in common for entries under different headings: of fewer, the heading says what they are about."""
_MAX_SENTENCES = 2
"""Longer entries tell a story, which does not contradict another."""
_MAX_MERGED = 20
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»\n]+)[\"”“»]")


def prune(nominations: Sequence[Nomination], *, today: date) -> list[Proposal]:
    """What to do about nominated entries; each entry is touched once at most, in the order of nomination."""
    proposals: list[Proposal] = []
    taken: set[str] = set()
    for nomination in nominations:
        entries = [entry for entry in nomination.entries if entry.kind in _PRUNABLE and _stands_alone(entry)]
        for entry in entries:
            _take(proposals, taken, _lapsed(entry, today))
        entries = [entry for entry in entries if not _is_step(entry) and entry.entry_id not in taken]
        _take(proposals, taken, _same_all_over(entries))
        for left, right in combinations(entries, 2):
            _take(proposals, taken, duplicate(left, right) or contradiction(left, right))
    return proposals


def _same_all_over(entries: Sequence[Entry]) -> Proposal | None:
    """One merge of three or more entries that all say the same."""
    if len(entries) < 3:
        return None
    first, *rest = sorted(entries, key=lambda entry: (-len(entry.text), entry.text))
    same = [merge for merge in (duplicate(first, other) for other in rest) if merge]
    if len(same) < 2 or any(merge.entry_ids[0] != first.entry_id for merge in same):
        return None
    others = tuple(merge.entry_ids[1] for merge in same)[: _MAX_MERGED - 1]
    reason = f"All {len(others) + 1} say the same with the same numbers and names; the fullest text stays."
    return same[0].model_copy(update={"entry_ids": (first.entry_id, *others), "reason": reason})


def duplicate(left: Entry, right: Entry) -> Proposal | None:
    """A merge of two entries with the same words and specifics: the fuller text stays. Their counts of sessions say nothing."""
    one, other = (without_stamp(entry.text) for entry in (left, right))
    if any(differing_specifics(one, other)) or differing_negation(one, other):
        return None
    if _of_different_things(left, right) or _quoted(left.text) != _quoted(right.text):
        return None
    ours, theirs = tokens(one), tokens(other)
    if (
        _context(left) != _context(right)
        and len(ours & theirs) < _OUT_OF_PLACE
        and not _is_rooted(left, right)
    ):
        return None
    if reordered(one, other):
        return None
    if not ours or hedges(one) != hedges(other) or differing_qualifier(one, other):
        return None
    if not (ours <= theirs or theirs <= ours) or jaccard(ours, theirs) < _ALIKE:
        return None
    fuller, shorter = sorted((left, right), key=_fullest)
    return Proposal(
        op="merge",
        entry_ids=(fuller.entry_id, shorter.entry_id),
        path=fuller.path,
        after=fuller.text,
        reason=f"Both say the same with the same numbers and names; the fuller text stays, “{_short(shorter)}” goes.",
    )


def _fullest(entry: Entry) -> tuple[int, int, str]:
    """The fuller text first; of two as full the same one, whichever stands first in its memory."""
    said = without_stamp(entry.text)
    return -len(tokens(said)), -len(said), entry.text


def contradiction(left: Entry, right: Entry) -> Proposal | None:
    """A flag on two entries that say different things of the same thing; which holds, a person knows."""
    one, other = (without_stamp(entry.text) for entry in (left, right))
    ours, theirs = differing_specifics(one, other)
    bare = [tokens(_without(text, specifics(text))) for text in (one, other)]
    if _of_different_things(left, right) or _quoted(left.text) != _quoted(right.text):
        return None
    if max(len(sentences(entry.text)) for entry in (left, right)) > _MAX_SENTENCES:
        return None
    together = _context(left) == _context(right) or (bare[0] == bare[1] and bool(named_things(one)))
    needed = _SAME_PLACE if together else _OTHER_PLACE - (bare[0] == bare[1])
    if len(bare[0] & bare[1]) < needed or jaccard(*bare) < _ALIKE or differing_qualifier(one, other):
        return None
    told = ""
    denies = differing_negation(one, other)
    is_other_value = len(ours) == len(theirs) <= 2 and all(map(_is_value, ours | theirs))
    if ours and is_other_value and not denies:
        told = f"{_listed(ours)} in one, {_listed(theirs)} in the other"
    elif not ours and not theirs and denies:
        told = "one denies or limits what the other says"
    elif not ours and not theirs and names_moved(one, other):
        told = "the same names stand in each other's places"
    if not told:
        return None
    return Proposal(
        op="flag",
        entry_ids=(left.entry_id, right.entry_id),
        path=left.path,
        reason=f"“{_short(left)}” ({left.path}) and “{_short(right)}” ({right.path}) may contradict: {told}.",
        risks=("contradicts",),
    )


def _context(entry: Entry) -> tuple[str, tuple[str, ...]]:
    return entry.path, entry.heading


def _of_different_things(left: Entry, right: Entry) -> bool:
    """Whether file and headings say that two entries are about different places, versions or days."""
    one, other = (f"{entry.path} {' '.join(entry.heading)}" for entry in (left, right))
    if differing_qualifier(one, other):
        return True
    ours, theirs = (specifics(" ".join(entry.heading)) for entry in (left, right))
    return ours != theirs


def _is_rooted(left: Entry, right: Entry) -> bool:
    """Whether both name one place in full, so that no heading is needed to tell which: a URL, a path from the root."""
    shared = specifics(left.text) & specifics(right.text)
    return any("://" in item or re.match(r"/[\w.-]+/[\w.-]", item) for item in shared)


def _quoted(text: str) -> set[str]:
    """What stands in quotation marks: words that are meant as they are."""
    return {match.group(1).casefold() for match in _QUOTED.finditer(text)}


def _is_step(entry: Entry) -> bool:
    """Whether an entry is one step of a numbered procedure: the same step in two procedures stays in both."""
    return bool(re.match(r"\s*\d+[.)]\s", entry.text))


def _stands_alone(entry: Entry) -> bool:
    """Whether an entry says something by itself: a label or an introduction belongs to what follows it."""
    return len(tokens(entry.text)) >= 3 and not entry.text.rstrip().rstrip("*_").endswith(":")


def _is_value(item: str) -> bool:
    """Whether two different ones can be two values of one thing; two names are two things."""
    return item[:1].isdigit() or (item[:1] in {"v", "-", "+"} and item[1:2].isdigit())


def _lapsed(entry: Entry, today: date) -> Proposal | None:
    """An entry whose own words end it: retired when it is one sentence, else flagged."""
    for end in ends(entry.text):
        if end >= today:
            continue
        alone = len(sentences(entry.text)) == 1
        return Proposal(
            op="retire" if alone else "flag",
            entry_ids=(entry.entry_id,),
            path=entry.path,
            reason=f"It says itself that it held until {end}, and that is past."
            + ("" if alone else " Only a part of it is dated, so a person should decide."),
            risks=("deletes",) if alone else ("uncertain",),
        )
    return None


def _take(proposals: list[Proposal], taken: set[str], proposal: Proposal | None) -> None:
    if proposal and not taken & set(proposal.entry_ids):
        proposals.append(proposal)
        taken.update(proposal.entry_ids)


def _without(text: str, parts: set[str]) -> str:
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, " ")
    return text


def _listed(items: set[str]) -> str:
    return ", ".join(sorted(items))


def _short(entry: Entry) -> str:
    text = " ".join(entry.text.split())
    return text if len(text) <= 80 else f"{text[:79].rstrip()}…"
