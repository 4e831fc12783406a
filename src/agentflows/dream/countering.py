"""Countering: what code can see in the sources of a change that speaks against it.

It looks where the gates do not, around the quotes: a rule that was asked about, imagined or reported and not given; an
exception in the next sentence; a word taken back later; roles that changed sides. It finds only what is put plainly,
and "" from here is no proof that a claim is true.
"""

import re
from collections.abc import Iterator

from agentflows.change import Quote
from agentflows.dream.case import Case, Passage
from agentflows.dream.faithful import (
    content,
    has_negation,
    is_worded,
    lost_negation,
    own_words,
    turned_round,
)
from agentflows.dream.heeded import excludes, takes_back
from agentflows.dream.over import without_over
from agentflows.dream.stamp import current
from agentflows.dream.texts import own_part
from agentflows.signature import hedges, sentences, specifics, tokens

_ENOUGH = 2
"""Sessions whose quotes must be sound; one, where only one is quoted."""
_MOSTLY = 0.6
_SHOWN = 160

_POLITE = re.compile(r"(?i)^\W*(?:can|could|would|will) you\b|\bplease\b")
_IMAGINED = re.compile(
    r"(?i)^\W*(?:suppose|imagine|assume|hypothetically|what if|let'?s (?:say|pretend)|pretend|say we|as an example|for (?:example|instance)"
    r"|e\.g\.|if (?:we|you|i|someone|somebody) (?:were|had|did|wanted)\b|stell dir vor|angenommen|supposons|imagina)\b"
)
_REPORTED = re.compile(
    r"(?i)\b(?:he|she|they|somebody|someone|boss|manager|docs?|documentation|readme|wiki|guides?|manual|page|site|website|article|blog|post"
    r"|error|message|linter|log|ticket|issue|comment|reviewer|colleague|prompt|tool|output)(?: \w+)? "
    r"(?:says?|said|wrote|writes|told|tells|states?|claims?|reads|suggests?|recommends?|mentions?|asks?|wants?)\b[^.!?]{0,40}(?::|that\b|to\b|[\"“«'])"
)
_ON_SECOND_THOUGHT = (
    r"(?:(?:no|nein|non)\b\W*)?(?:oh|ah|sorry|wait|actually|hm+|warte|moment|entschuldigung|attends|pardon|perd[oó]n|espera)\b\W*"
    r"(?:(?:no|nein|non)\b\W+)?"
)
_NOT_MEANT = re.compile(
    rf"(?i)^\W*(?:{_ON_SECOND_THOUGHT}){{0,3}}(?:just kidding|kidding|j/?k\b|not really|(?:that|this|it)(?:'s| is| was) (?:wrong|false|not true|a joke|nonsense|outdated|old|no longer)"
    r"|wrong\b|never ?mind|scratch that|forget (?:that|it|what i said)|ignore (?:that|what i (?:just )?said)|i was (?:wrong|mistaken|joking)"
    r"|strike that|i take (?:that|it) back|on second thought|that (?:no longer|does not|doesn't) (?:holds?|appl(?:y|ies))|not anymore|no longer\W*$"
    r"|i mixed (?:that|it|this|them) up|i got (?:that|it) wrong|i misspoke|das war falsch|ich habe? mich (?:geirrt|vertan)|je me suis trompée?|me equivoqué"
    r"|vergiss das|oublie (?:ça|cela)|olvida eso)"
)
_OTHERWISE = re.compile(
    rf"(?i)^\W*(?:{_ON_SECOND_THOUGHT}){{1,3}}[^.!?]*\b(?:after all|instead|doch|lieber|finalement|plutôt|mejor)\b"
)
"""`No wait, use npm after all`: another choice, for what was said right before."""
_NAMED_BACK = re.compile(
    r"(?i)^\W*(?:never ?mind|forget|ignore)(?:\s+about)?\s+((?:the|my|our|your|those|these)\s+[^.,;:!?]+)"
)
"""`Never mind the warning on line 3`, unlike `Never mind`, says itself what it is about."""
_LIMITING = re.compile(
    r"(?i)^\W*(?:(?:but|and|or|though|however|well|ok(?:ay)?)[,:]?\s+){0,2}"
    r"(?:unless|except|not (?:for|in|on|when|if|during)|only (?:for|in|on|when|if|during|until)|(?:just|only) (?:this|for)\b|at least (?:for|in|until)"
    r"|(?:this|that|it)(?: only)? (?:applies|holds|counts|goes|is) (?:only|just)|i(?:'m| am) not sure|not sure|maybe\b|i think\b|i guess\b|außer|nur\b|sauf|salvo)"
)
_DENYING_LEAD = re.compile(
    r"(?i)\b(?:never|don'?t|do not|not|avoid|wrong|bad|mistakes?|forbidden|anti-?patterns?|no longer|instead of|outdated)\b[^.!?]{0,60}:\s*$"
)
_LIST_MARK = re.compile(r"(?:\s|[-*+•]|\d+[.)])+$")
_MENTIONED = re.compile(r"^\s*>|[\"“«„][^\"”»“]*$")
_CONDITION = re.compile(
    r"(?i)\b(?:if|when|whenever|unless|except(?: for| in| when| if)?|until|as long as|provided(?: that)?|only (?:for|in|on|during|when|if)"
    r"|wenn|falls|außer|si|sauf|cuando|salvo)\s+([^,.;:!?—–]+)"
)
_RELATION = re.compile(
    r"(?i)\b(before|after|instead of|rather than|depends? on|relies on|calls?|requires?|needs?|imports?|replaces?|overrides?|blocks?|precedes?"
    r"|follows?|over|than|into|wins over|owns?|approves?|reviews?)\b"
)
_LEADING = re.compile(r"(?i)^\W*(before|after|instead of|rather than)\s+([^,]+),\s*(.+)$")


def counter_evidence(case: Case) -> str:
    """Why the sources speak against the change; "" where code sees nothing.

    A quote is unsound where its own turn, what follows it or what a user says later takes it back, limits it or shows
    that it was never said as such. A change falls when it has too few sound quotes left, when its words turn a quote's
    roles round or drop its condition, or when a user said later that what goes still holds.
    """
    if case.missing:
        return f"the archive does not hold {', '.join(case.missing[:3])} any more"
    if not case.claims and case.change.op != "flag":
        return "it asserts nothing that sources could carry"
    found = _entry_kept(case) or (_of_entries(case) if not case.change.quotes else "")
    if found or not case.change.quotes or not is_worded(case.kind, case.change.quotes):
        return found
    return _unsound(case) or _taken_back_elsewhere(case) or _turned(case)


def _quoted(case: Case) -> Iterator[tuple[Quote, Passage]]:
    """Each quote that people or agents wrote, with the stretch of its turn."""
    by_place = {(one.session_id, one.seq): one for one in case.passages if one.nearness == "quoted"}
    for quote in case.change.quotes:
        passage = next(
            (one for one in case.passages if one.nearness == "quoted" and _holds(one, quote)),
            by_place.get((quote.session_id, quote.seq)),
        )
        if passage is not None and quote.kind in {"user", "agent"}:
            yield quote, passage


def _holds(passage: Passage, quote: Quote) -> bool:
    return (passage.session_id, passage.seq) == (quote.session_id, quote.seq) and quote.text in passage.text


def _unsound(case: Case) -> str:
    """The first reason why a quote does not count, where too few sessions are left without one."""
    sound: set[str] = set()
    roots: set[str] = set()
    first = ""
    for quote, passage in _quoted(case):
        root = quote.root_id or quote.session_id
        roots.add(root)
        problem = _problem(quote, passage, case)
        if problem:
            first = first or f"{quote.address} {problem}"
        else:
            sound.add(root)
    return first if len(sound) < min(_ENOUGH, len(roots)) else ""


def _problem(quote: Quote, passage: Passage, case: Case) -> str:
    claim = " ".join(case.claims)
    if quote.text.rstrip("\"'”*_) ").endswith("?") and not _POLITE.search(quote.text):
        return f"asks and does not say: {_short(quote.text)}"
    if _IMAGINED.search(quote.text) and not _IMAGINED.search(claim):
        return f"only imagines it: {_short(quote.text)}"
    if _REPORTED.search(quote.text) and not _REPORTED.search(claim):
        return f"reports what somebody or something else says: {_short(quote.text)}"
    return _beside(quote, passage, claim) or _after(quote, case)


def _beside(quote: Quote, passage: Passage, claim: str) -> str:
    """What the sentences right before and after the quote make of it."""
    at = passage.text.find(quote.text)
    before, after = passage.text[: max(at, 0)], passage.text[at + len(quote.text) :] if at >= 0 else ""
    lead = next((passage.text[start:end] for start, end in reversed(sentences(before))), "")
    line = before.rpartition("\n")[2]
    if (_MENTIONED.search(line) and line.count('"') % 2 == 1) or line.lstrip().startswith(">"):
        return f"is quoted there, not said: {_short(line + quote.text)}"
    if lead and _DENYING_LEAD.search(_LIST_MARK.sub("", before)) and not has_negation(claim):
        return f"stands under {_short(lead)}"
    if lead and lead.rstrip().endswith(":") and (_IMAGINED.search(lead) or _REPORTED.search(lead)):
        return f"stands under {_short(lead)}"
    following = next((after[start:end] for start, end in sentences(after)), "")
    if _is_about(following, quote.text) and _NOT_MEANT.search(following):
        return f"is taken back at once: {_short(following)}"
    if _LIMITING.search(following) and not _kept(following, claim):
        return f"is limited at once, and the claim is not: {_short(following)}"
    return ""


def _is_about(taken_back: str, quoted: str) -> bool:
    """Whether words that take something back may mean what is quoted: not where they name something else themselves."""
    named = _NAMED_BACK.search(taken_back)
    return named is None or bool(content(named.group(1)) & content(quoted))


def _kept(limit: str, claim: str) -> bool:
    """Whether the claim keeps a limit or a doubt: by its words, or by doubting too."""
    words = content(limit)
    return bool(words & content(claim)) or bool(hedges(limit) and hedges(claim))


def _after(quote: Quote, case: Case) -> str:
    """What a user typed later in the same session that takes the quote back."""
    own = [one for one in case.passages if one.session_id == quote.session_id and one.seq > quote.seq]
    typed = [one for one in own if one.kind == "user" and one.trust == 3 and one.nearness != "quoted"]
    for number, passage in enumerate(sorted(typed, key=lambda one: one.seq)):
        opening = next((passage.text[start:end] for start, end in sentences(passage.text)), "")
        if number == 0 and passage.starts and _NOT_MEANT.search(opening) and _is_about(opening, quote.text):
            return f"is taken back in {passage.address}: {_short(opening)}"
        if (
            number == 0
            and passage.starts
            and _OTHERWISE.search(opening)
            and tokens(opening) & tokens(quote.text)
        ):
            return f"is taken back in {passage.address}: {_short(opening)}"
        for start, end in sentences(passage.text):
            said = passage.text[start:end]
            if excludes(said, quote.text):
                return f"is taken back in {passage.address}: {_short(said)}"
    return ""


def _taken_back_elsewhere(case: Case) -> str:
    written = without_over(case.claims[0])
    for passage in case.passages:
        said = without_over(passage.text)
        if passage.nearness == "elsewhere" and passage.trust == 3 and excludes(said, written):
            return f"a user said otherwise later, in {passage.address}: {_short(passage.text)}"
    return ""


def _entry_kept(case: Case) -> str:
    """What a user said later that keeps the entry which is to go."""
    if case.change.op not in {"supersede", "retire"} or not case.change.before:
        return ""
    before = current(case.change.before)
    old = content(before)
    for passage in case.passages:
        said = content(passage.text)
        alike = len(old & said) >= _MOSTLY * len(old | said)
        same = not excludes(passage.text, before) and not takes_back(passage.text)
        if _is_the_new(passage.text, case):
            continue
        if passage.nearness == "elsewhere" and passage.trust == 3 and alike and same:
            return f"a user still said so later, in {passage.address}: {_short(passage.text)}"
    return ""


def _is_the_new(text: str, case: Case) -> bool:
    """Whether a text says what is to take the entry's place: the new value or name, and not the old one.

    Such texts share most words with the entry, so likeness alone takes them for the entry said again.
    """
    quoted = " ".join(without_over(quote.text) for quote in case.change.quotes)
    old, said = current(case.change.before or ""), without_over(text)
    for parts in (specifics, content):
        brought, gone = parts(quoted) - parts(old), parts(old) - parts(quoted)
        if brought and gone:
            return bool(parts(said) & brought) and not parts(said) & gone
    return False


def _of_entries(case: Case) -> str:
    """Whether a text made of entries says one of them the other way round."""
    if case.change.op != "merge" or not case.change.after:
        return ""
    for entry in case.entries:
        lost = lost_negation(case.change.after, entry.text) or turned_round(case.change.after, entry.text)
        if lost:
            return f"it does not keep what {entry.entry_id} says: {_short(lost)}"
    return ""


def _turned(case: Case) -> str:
    """Whether what is written changes the sides of a relation, or drops the condition that every quote has."""
    written = own_part(case.change.after or "", case.change.before or "")
    own = " ".join(case.claims) if case.change.op == "add" else written
    conditions: list[str] = []
    free = False
    for quote, _ in _quoted(case):
        left = own_words(own, quote.text)
        for sentence in (quote.text[start:end] for start, end in sentences(quote.text)):
            swapped = next(
                (part for part in _parts(left) if sides_swapped(part, sentence)),
                "",
            )
            if swapped:
                return f"it turns the roles round of {quote.address}: {_short(sentence)}"
        dropped = _dropped_condition(own, quote.text)
        free = free or not dropped
        conditions.extend([f"{quote.address}: {_short(dropped)}"] if dropped else [])
    if conditions and not free and case.change.op == "add":
        return f"it drops a condition of its quotes, {conditions[0]}"
    return ""


def _parts(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def _dropped_condition(claim: str, quoted: str) -> str:
    """A condition of a quoted sentence of which the claim keeps no word; "" when it keeps all."""
    said = content(claim)
    for sentence in _parts(quoted):
        if not content(sentence) & said:
            continue
        for match in _CONDITION.finditer(sentence):
            words = content(match.group(1))
            if words and not words & said:
                return match.group()
    return ""


def sides_swapped(claim: str, quoted: str) -> bool:
    """Whether both relate the same two things, such as `A before B`, with the sides exchanged."""
    ours, theirs = _sides(claim), _sides(quoted)
    if ours is None or theirs is None or ours[0] != theirs[0]:
        return False
    (_, our_left, our_right), (_, their_left, their_right) = ours, theirs
    crossed = bool(our_left & their_right) and bool(our_right & their_left)
    # a verb may stay on its side; what is related to may not
    return crossed and not our_right & their_right


def _sides(text: str) -> tuple[str, set[str], set[str]] | None:
    """The relation of a sentence, and the words on both sides; `before A, B` is `B before A`."""
    leading = _LEADING.search(text)
    if leading:
        return leading.group(1).casefold(), content(leading.group(3)), content(leading.group(2))
    match = _RELATION.search(text)
    if match is None:
        return None
    left, right = content(text[: match.start()]), content(text[match.end() :])
    relation = match.group().casefold()
    relation = (
        relation
        if " " in relation or relation in {"before", "after", "over", "than", "into"}
        else relation.rstrip("s")
    )
    return (relation, left - right, right - left) if left and right else None


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return f"“{flat if len(flat) <= _SHOWN else flat[:_SHOWN].rstrip() + '…'}”"
