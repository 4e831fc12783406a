"""Proposals: what a pattern means for a store, by rules that a reader can follow with a finger.

In this order: an entry that already says it is reinforced; an entry that prescribes what fails keeps every
byte and gains the exception; an entry that gives another value for the same thing gives way to what a user
said later, and the old value stays with its date; else it is new.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from agentflows.change import Pattern, Risk
from agentflows.dream.absent import NOT_THERE
from agentflows.dream.engine import Proposal
from agentflows.dream.failures import CHECK, CHECK_RUN, FROM, is_misuse
from agentflows.dream.faithful import opposed, stands_in
from agentflows.dream.heeded import TAKEN_BACK, excludes
from agentflows.dream.overlap import contained, differing_negation, differing_qualifier, named_things
from agentflows.dream.prescribing import prescribes, warns
from agentflows.dream.replacing import WHICH, worded
from agentflows.dream.scopes import said_scope, without_scope
from agentflows.dream.stamp import current
from agentflows.dream.standing import ANSWERED
from agentflows.dream.stated import bare
from agentflows.dream.superseding import opposes, replaces
from agentflows.dream.workflows import CHECKED_FIRST
from agentflows.memory import Entry
from agentflows.signature import hedges, negations, specifics, tokens

LEARNED = "/learned.md"
"""Where what fits no file goes."""

HEADINGS = {
    "error": "Errors and what fixes them",
    "correction": "Corrections",
    "preference": "Standing preferences",
    "workflow": "Workflows",
    "fact": "Facts",
    "outcome": "What separates success from failure",
}

LATER = "A user said it otherwise later"
STAYS = "The old value stays with its date."
"""What is said of an entry that gives way; `sides` takes it back where nobody knows which was later."""

_CODE = re.compile(r"`([^`\n]+)`")
_WRITABLE = frozenset({"paragraph", "list_item", "quote"})
_SUPPORT_NOTE = re.compile(r"\s*\((?:seen in|said in|asked in|counted over) [^()]*\)\.?\s*\Z")
_DAY = re.compile(r"\b\d{4}-\d\d-\d\d\b(?=[:;),])")
"""A day in the notes that an entry ends in."""
_OFTEN = 5
"""Sessions from which something may be called frequent."""
_STRONG = 0.6
"""Share of a claim's words in one entry that makes that entry's file and heading the place for it."""


def propose(pattern: Pattern, entries: Sequence[Entry]) -> Proposal | None:
    """What the pattern means for the store; None when nothing can be acted on.

    A correction stays with the work it corrected: what it means for other work, rules cannot tell. An error
    that nothing was seen to fix is said only when it warns of what does not exist here.
    """
    text = entry_text(pattern)
    if pattern.scope:  # what is said of another project is neither right nor wrong in this one
        entries = [entry for entry in entries if said_scope(entry.text) in {"", pattern.scope}]
    writable = [entry for entry in entries if entry.kind in _WRITABLE]
    if not tokens(text) or pattern.kind == "correction" or _leads_nowhere(pattern):
        return _stale(pattern, writable)
    if pattern.attribute == TAKEN_BACK:
        return _supersede(pattern, writable) or _lifted(pattern, writable)
    return (
        _reinforce(pattern, entries)
        or _narrow(pattern, writable)
        or _supersede(pattern, writable)
        or _add(pattern, text, entries)
    )


def _leads_nowhere(pattern: Pattern) -> bool:
    is_check = pattern.attribute in {CHECK, CHECK_RUN} or pattern.attribute.startswith(FROM)
    return pattern.kind == "error" and not (is_check or pattern.value or is_misuse(pattern.attribute))


def entry_text(pattern: Pattern, *, note: bool = True) -> str:
    """The pattern as one list item: what to do, when and when not, and what it rests on."""
    claim = (
        worded(pattern.claim, pattern.subject, pattern.value) if pattern.attribute == WHICH else pattern.claim
    )
    parts = [bare(claim) if pattern.kind == "fact" else ANSWERED.sub("", claim.strip())]
    parts = [f"{part[:1].upper()}{part[1:]}" for part in parts]
    if pattern.kind == "preference":  # a polite question is a wish, not a question
        parts = [part.rstrip("? ") for part in parts]
    if pattern.kind == "workflow" and pattern.attribute == "asked for":
        parts = [_request_text(pattern)]
    if pattern.when and pattern.when not in pattern.claim:
        parts.append(f"When: {pattern.when}.")
    if pattern.when_not and pattern.when_not not in pattern.claim:
        parts.append(f"Not when: {pattern.when_not}.")
    body = " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)
    resting = support_note(pattern) if note else ""
    return f"- {_scope_prefix(pattern)}{body} {resting}".rstrip()


def _scope_prefix(pattern: Pattern) -> str:
    return f"In `{pattern.scope}`: " if pattern.scope else ""


def support_note(pattern: Pattern) -> str:
    """`(seen in 12 sessions, last on 2026-02-18)`, with the sources where those are fewer: copies of each other.

    "" for outcomes, whose claim has its counts.
    """
    if pattern.kind == "outcome":
        return ""
    verb = {"preference": "said", "correction": "said", "workflow": "seen", "fact": "said"}.get(
        pattern.kind, "seen"
    )
    count = len(pattern.sessions)
    when = f", last on {pattern.last_at:%Y-%m-%d}" if pattern.last_at else ""
    return f"({verb} in {count} session{'s' if count != 1 else ''}{_sources(pattern)}{when})"


def _sources(pattern: Pattern) -> str:
    """The sources of a pattern whose sessions copy each other; "" where each session has its own."""
    if not 0 < pattern.origins < len(pattern.sessions):
        return ""
    return f" from {pattern.origins} source{'s' if pattern.origins != 1 else ''}"


def _request_text(pattern: Pattern) -> str:
    """A request that comes back, as what to expect."""
    asked = _CODE.sub(r"\1", pattern.claim)
    match = re.search(r"“(.+)”", asked)
    words = match.group(1) if match else pattern.subject
    often = "Users here often ask" if len(pattern.sessions) >= _OFTEN else "Users here have asked"
    return f"{often} to “{words}”: prepare for it"


# -- reinforce ------------------------------------------------------------------------------------------


def _reinforce(pattern: Pattern, entries: Sequence[Entry]) -> Proposal | None:
    """An entry, or the entries of one section together, that already say it."""
    same = next((entry for entry in entries if _says(entry.text, pattern)), None)
    same = same or next((entry for entry in entries if _warns_already(entry.text, pattern)), None)
    held = [same] if same else _section_that_says(pattern, entries)
    if not held:
        return None
    named = "It is said already" if same else "Its section says it already"
    return Proposal(
        op="reinforce",
        entry_ids=tuple(entry.entry_id for entry in held),
        path=held[0].path,
        reason=f"{named}; {_evidence(pattern)}.",
    )


def _says(text: str, pattern: Pattern) -> bool:
    """Whether a text holds the claim: its exception, or its words, specifics, negations and hedges."""
    if pattern.kind == "error" and _exception_of(pattern).split(" (")[0] in text:
        return True
    own, ours = (_SUPPORT_NOTE.sub("", current(without_scope(each))) for each in (text, entry_text(pattern)))
    if pattern.kind == "outcome":
        return _without_numbers(own) == _without_numbers(ours)
    if _folded(ours).rstrip(".") in _folded(own):
        return True
    if specifics(ours) - specifics(own) or differing_negation(ours, own) or hedges(own) != hedges(ours):
        return False
    if named_things(ours) - named_things(own) or opposed(ours, own):
        return False
    return contained(tokens(ours), tokens(own)) >= 0.8 and not differing_qualifier(ours, own)


def _warns_already(text: str, pattern: Pattern) -> bool:
    """Whether a text warns of what was seen to fail, and names what to do instead."""
    remedy = pattern.value.removesuffix(" …")
    named = bool(remedy) and (stands_in(remedy, text) or f"`{remedy}`" in text)
    return pattern.kind == "error" and named and warns(text, pattern.subject)


def _section_that_says(pattern: Pattern, entries: Sequence[Entry]) -> list[Entry]:
    """Entries of one section that together name all the commands of a workflow, and what they stand before."""
    if pattern.kind != "workflow" or pattern.attribute != CHECKED_FIRST:
        return []
    commands = [command for command in _CODE.findall(pattern.claim) if command != pattern.subject]
    sections: dict[tuple[str, tuple[str, ...]], list[Entry]] = {}
    for entry in entries:
        if entry.kind != "heading":
            sections.setdefault((entry.path, entry.heading), []).append(entry)
    about = tokens(pattern.subject.rsplit(" ", 1)[-1])
    for (_, heading), members in sections.items():
        whole = " ".join([*heading, *(entry.text for entry in members)])
        if all(f"`{command}`" in whole for command in commands) and about & tokens(whole.replace("-", " ")):
            return [entry for entry in members if any(f"`{command}`" in entry.text for command in commands)]
    return []


# -- narrow ---------------------------------------------------------------------------------------------


def _narrow(pattern: Pattern, entries: Sequence[Entry]) -> Proposal | None:
    """The entry that tells to do what was seen to fail keeps its text and gains the exception."""
    if pattern.kind != "error" or pattern.attribute in {CHECK, CHECK_RUN} or not pattern.value:
        return None
    told = [(score, entry) for entry in entries if (score := prescribes(entry.text, pattern))]
    if not told:
        return None
    _, entry = max(told, key=lambda pair: pair[0])
    return Proposal(
        op="narrow",
        entry_ids=(entry.entry_id,),
        path=entry.path,
        after=_appended(
            entry,
            f"**Exception:** {'' if said_scope(entry.text) else _scope_prefix(pattern)}{_exception_of(pattern)}",
        ),
        reason=f"{_why_narrowed(pattern)}; {_evidence(pattern)}. What it says otherwise stays.",
        risks=("contradicts", "action_bearing"),
    )


def _why_narrowed(pattern: Pattern) -> str:
    if pattern.attribute == NOT_THERE:
        return f"It names `{pattern.subject}`, which was looked for and is not there"
    return f"It tells to use `{pattern.subject.split()[0]}`, and `{pattern.subject}` was seen to fail"


def _exception_of(pattern: Pattern) -> str:
    """What fails and what to do, with its counts."""
    if pattern.attribute == NOT_THERE:
        return f"`{pattern.subject}` is not there; it is at `{pattern.value}`. {support_note(pattern)}"
    manner = "directly" if " without " in pattern.claim else "instead"
    remedy = (
        f" Run `{pattern.value}` {manner}." if pattern.value.endswith("…") else f" Use `{pattern.value}`."
    )
    failed = re.match(r"`[^`]+` fails: (.+?)\.(?:\s|$)", pattern.claim)
    why = f": {failed.group(1)}" if failed else ""
    return f"`{pattern.subject}` fails{why}.{remedy if pattern.value else ''} {support_note(pattern)}"


def _appended(entry: Entry, addition: str) -> str:
    """The entry's text, byte for byte, and the addition on a line of its own that still belongs to it."""
    if entry.kind == "list_item":
        marker = re.match(r"\s*(?:[-*+]|\d+[.)])\s+", entry.text)
        return f"{entry.text}\n{' ' * len(marker.group()) if marker else '  '}{addition}"
    return f"{entry.text}\n{'> ' if entry.kind == 'quote' else ''}{addition}"


def _stale(pattern: Pattern, entries: Sequence[Entry]) -> Proposal | None:
    """The entry that names a file which was looked for in vain: where it went, a person must say."""
    named = (entry for entry in entries if pattern.attribute == NOT_THERE and prescribes(entry.text, pattern))
    entry = next(named, None)
    if entry is None:
        return None
    return Proposal(
        op="flag",
        entry_ids=(entry.entry_id,),
        path=entry.path,
        reason=f"{_why_narrowed(pattern)}; {_evidence(pattern)}.",
        risks=("contradicts",),
    )


# -- supersede ------------------------------------------------------------------------------------------


def _supersede(pattern: Pattern, entries: Sequence[Entry]) -> Proposal | None:
    """The entry that gives another value for the same thing; the old one stays, with its date."""
    if pattern.kind not in {"preference", "fact", "correction"} or not pattern.user_origins:
        return None
    for entry in entries:
        whole = without_scope(entry.text)
        old = current(whole)
        if _is_of(pattern, entry.text) and replaces(pattern, old):
            new = without_scope(entry_text(pattern, note=False))
            if said_scope(entry.text) != pattern.scope:
                new = f"{_scope_prefix(pattern)}{new}"
            return Proposal(
                op="supersede",
                entry_ids=(entry.entry_id,),
                path=entry.path,
                after=f"{entry.text[: len(entry.text) - len(whole)]}{new} {_held(pattern, old, whole)}",
                reason=f"{LATER}; {_evidence(pattern)}. {STAYS}",
                risks=("contradicts",),
            )
    return None


def _moments(pattern: Pattern) -> list[datetime]:
    quoted = [quote.at for quote in pattern.quotes]
    return [moment for moment in (pattern.first_at, *quoted, pattern.last_at) if moment]


def _lifted(pattern: Pattern, entries: Sequence[Entry]) -> Proposal | None:
    """The entry that a user's later word goes back on, in words too far from its own to take its place: a person must say."""
    for entry in entries:
        if _is_of(pattern, entry.text) and excludes(pattern.claim, current(without_scope(entry.text))):
            reason = f"A user said “{pattern.claim.strip()}”, which goes back on it; {_evidence(pattern)}."
            ids = (entry.entry_id,)
            return Proposal(op="flag", entry_ids=ids, path=entry.path, reason=reason, risks=("contradicts",))
    return None


def _is_of(pattern: Pattern, text: str) -> bool:
    """Whether an entry is about the pattern's project, or of none and about a thing that both call by its name."""
    scope = said_scope(text)
    return scope == pattern.scope or (not scope and bool(named_things(text) & named_things(pattern.claim)))


def _held(pattern: Pattern, old: str, whole: str) -> str:
    """What held before, and until when; in the words of a claim that denies it, that it no longer does.

    A value that held once before comes back on the first day after the last one that the entry names.
    """
    days = sorted({f"{moment:%Y-%m-%d}" for moment in _moments(pattern)})
    known = max(_DAY.findall(whole), default="")
    since = next((day for day in days if day > known), days[0] if days else "")
    day = f" {since}" if since else ""
    if pattern.kind == "preference" and opposes(pattern, old):  # the old rule must not be read as one
        return f"(since{day or ' then'}; before, it was said otherwise)"
    when = "no longer since" if negations(ANSWERED.sub("", pattern.claim)) else "until"
    return f"({when if day else 'before'}{day}: {old.strip().rstrip('.')})"


# -- add ------------------------------------------------------------------------------------------------


def _add(pattern: Pattern, text: str, entries: Sequence[Entry]) -> Proposal:
    place = _place(pattern, entries)
    risks: list[Risk] = []
    if pattern.kind == "outcome" and "association" in pattern.claim.lower():
        risks.append("uncertain")
    if len(pattern.sessions) < 2 and pattern.kind != "outcome":
        risks.append("single_support")
    if pattern.kind in {"fact", "preference"} and any(
        replaces(pattern, current(without_scope(entry.text))) for entry in entries
    ):
        risks.append("contradicts")
    return Proposal(
        op="add",
        path=place[0],
        heading=place[1],
        after=text,
        reason=f"Nothing near says it; {_evidence(pattern)}.",
        risks=tuple(risks),
    )


def _place(pattern: Pattern, entries: Sequence[Entry]) -> tuple[str, str]:
    """The file and heading of an entry about the same thing; else the file of what was learned."""
    words, subject = tokens(pattern.claim), tokens(pattern.subject)
    if pattern.kind != "outcome":
        for entry in entries:
            own = tokens(entry.text)
            if (
                entry.kind in _WRITABLE
                and entry.heading
                and subject <= own
                and contained(words, own) >= _STRONG
            ):
                return entry.path, entry.heading[-1]
    return LEARNED, HEADINGS[pattern.kind]


# -- words ----------------------------------------------------------------------------------------------


def _evidence(pattern: Pattern) -> str:
    """How well it is supported, in words."""
    count = len(pattern.sessions)
    if pattern.kind == "outcome":
        return "counted over the archive"
    text = f"{count} session{'s' if count != 1 else ''}{_sources(pattern)} show{'s' if count == 1 else ''} it"
    if pattern.said_outright:
        text += ", and a user said it as a rule"
    if pattern.sessions_against:
        text += f"; {len(pattern.sessions_against)} speak against it"
    return text


def _without_numbers(text: str) -> list[str]:
    return [word for word in _words(text) if not word[0].isdigit()]


def _folded(text: str) -> str:
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    return re.findall(r"[\w./:@-]+", text.lower())
