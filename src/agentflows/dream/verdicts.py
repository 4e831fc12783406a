"""Verdicts: a change and its sources as a model sees them, what it is asked to answer, and what code makes of that.

A model that read hostile sources is one witness among others. It can refuse a change, never force one: words it claims
to have read are looked up, a claim it passed over is not upheld, and so is one on which it says two things.
"""

from collections.abc import Iterator
from typing import Literal

from agentflows.change import Change
from agentflows.dream.cards import entry_card
from agentflows.dream.case import Case, Passage
from agentflows.dream.engine import Verdict
from agentflows.dream.marks import mark, one_line, reveal
from agentflows.dream.replies import Reply
from agentflows.signature import tokens

Finding = Literal[
    "supported", "contradicted", "not_supported", "wider_scope", "roles_swapped", "negation_lost"
]
_LEAST_WORDS = 2
"""Words of a source that a verdict must show; all of them, where a source has fewer."""
_SHOWN = 200
_IN_WORDS: dict[Finding, str] = {
    "supported": "is supported",
    "contradicted": "is contradicted",
    "not_supported": "is not supported by the sources",
    "wider_scope": "says more than the sources",
    "roles_swapped": "swaps the roles",
    "negation_lost": "loses a negation",
}
_NEARNESS = {
    "quoted": "quoted",
    "around": "beside a quote",
    "later": "later in the session",
    "elsewhere": "later, in another session",
}


class ClaimVerdict(Reply):
    """What is said of one claim: the words that decide come first, the verdict last."""

    claim: int
    words: str
    why: str
    verdict: Finding


class RefuteReply(Reply):
    """A verdict for every claim."""

    claims: list[ClaimVerdict]


def case_card(case: Case) -> str:
    """A case as a model sees it: the words, their claims, the entries, the sources."""
    change = case.change
    under = f" · under {one_line(change.heading, 120)}" if change.heading else ""
    parts = [mark(f"change: {change.op} in {one_line(change.path, 200)}{under}")]
    if change.after and change.op not in {"reinforce", "flag"}:
        parts.append(f"{mark('words to be written')}\n{reveal(change.after)}")
    parts.extend(f"{mark(f'claim {number}')} {reveal(claim)}" for number, claim in enumerate(case.claims, 1))
    parts.extend(entry_card(entry) for entry in case.entries)
    if case.neighbours:
        parts.append(mark("entries that stay, nearest to it:"))
        parts.extend(entry_card(entry) for entry in case.neighbours)
    if change.quotes:
        parts.append(mark(_counted(change)))
    parts.extend(_source(number, passage) for number, passage in enumerate(case.passages, 1))
    return "\n\n".join(parts)


def _counted(change: Change) -> str:
    facts = [f"counted by code: {change.support} sessions for, {change.support_against} against"]
    facts.append(f"{change.origins} independent origins")
    facts += [f"{one_line(name, 60)} {value:g}" for name, value in sorted(change.stats.items())]
    return " · ".join(facts)


def _source(number: int, passage: Passage) -> str:
    day = f" {passage.at:%Y-%m-%d}" if passage.at else ""
    near = _NEARNESS[passage.nearness]
    head = f"source {number} · {one_line(passage.address, 120)} {passage.kind} t{passage.trust}{day} · {near}"
    return f"{mark(head)}\n{reveal(passage.text)}"


def ruling(reply: RefuteReply, case: Case) -> Verdict:
    """What a reply comes to: upheld only where every claim is supported, once, by words that stand in the sources."""
    doubt = ""
    for number, claim in enumerate(case.claims, 1):
        said = [one for one in reply.claims if one.claim == number]
        if len({one.verdict for one in said}) != 1:
            what = "two verdicts" if said else "no verdict"
            doubt = doubt or f"{what} on claim {number}: “{one_line(claim, _SHOWN)}”"
            continue
        against = next((one for one in said if one.verdict != "supported"), None)
        if against is not None:
            return Verdict(upheld=False, gate="refuted", reason=_against(claim, against, case))
        if not any(_stands(one.words, case) for one in said):
            words = one_line(said[0].words, _SHOWN)
            doubt = doubt or f"claim {number} is called supported by words that stand in no source: “{words}”"
    return Verdict(upheld=not doubt, gate="unjudged" if doubt else "", reason=doubt)


def _against(claim: str, said: ClaimVerdict, case: Case) -> str:
    place = next((name for name, text in _texts(case) if _within(said.words, text)), "")
    words = one_line(said.words, _SHOWN)
    shown = f": “{words}” ({place})" if place else "; no words of a source were shown for it"
    return f"“{one_line(claim, _SHOWN)}” {_IN_WORDS[said.verdict]}{shown}. {one_line(said.why, _SHOWN)}"


def _stands(words: str, case: Case) -> bool:
    return any(_within(words, text) for _, text in _texts(case))


def _within(words: str, text: str) -> bool:
    wanted, held = _flat(words), _flat(text)
    enough = len(wanted.split()) >= _LEAST_WORDS or (bool(tokens(wanted)) and wanted == held)
    return bool(wanted) and enough and wanted in held


def _texts(case: Case) -> Iterator[tuple[str, str]]:
    """Where words can stand: the sources and the entries, never the words on trial."""
    yield from ((passage.address, passage.text) for passage in case.passages)
    yield from ((entry.entry_id, entry.text) for entry in (*case.entries, *case.neighbours))


def _flat(text: str) -> str:
    return " ".join(text.split())
