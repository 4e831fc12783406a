"""Faithful: whether a claim says what its quotes say, as far as code can tell.

A verbatim quote is not enough: a claim that drops a "never" or changes a digit rests on genuine words.
`lost_negation`, `lost_hedge`, `turned_round` and `unbacked` find what code can be sure of; `doubts` names
what only looks wrong, so that a person decides. Neither list is a proof that a claim is true.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from agentflows.change import Quote
from agentflows.signature import hedges, negations, sentences, specifics, tokens

_WORD = re.compile(r"[^\W_]+(?:[-'’_.][^\W_]+)*")
_CLAUSE_END = re.compile(r"[,;:.!?()\n—–]|\b(?:but|so|because|aber|sondern|mais|pero|sino)\b", re.IGNORECASE)
_GOES_ON = re.compile(r"\s+\w|,\s+(?:(?:and|or|und|oder|et|ou|y|o)\s+)?[\w-]+\W*\Z")
"""More of the same clause, or the last item of a list."""
_CLAUSE_WORD = re.compile(r"\s+(?:but|so|because|since|and|as|aber|weil|und|mais|car|et|pero|porque|y)\b")
_ANSWER_NO = re.compile(r"\A\W*(?:no|nope|nein|non)\b\s*[,.!;:–—-]\s*", re.IGNORECASE)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
"""Japanese, Chinese, Korean."""
_TURNING = frozenset({"instead", "rather", "stop", "prohibited", "banned", "refrain", "statt", "stattdessen"})
"""Words that negate what follows and that a paraphrase may put for `not`."""
_LIMITS = (
    frozenset({"only", "nur", "seulement", "uniquement", "solo", "sólo", "solamente"}),
    frozenset({"unless", "except", "exclude", "excluding", "sauf", "außer", "salvo", "excepto", "hormis"}),
    frozenset({"without", "sans", "ohne", "sin"}),
)
_PLAIN = frozenset(
    [
        *("use", "do", "make", "run", "work", "be", "allow", "need", "want", "please", "always", "go", "ok"),
        *(
            "ever",
            "fine",
            "right",
            "good",
            "should",
            "must",
            "can",
            "will",
            "would",
            "could",
            "just",
            "also",
            "even",
        ),
    ]
)
"""Words that say too little to be what a negation is about."""
_WORD_KINDS = frozenset({"preference", "correction", "fact"})
_FOCUS_WORDS = 4
_STARTS = r"(?:\A|(?<=[.!?:;\"'“‘»(] )|(?<=[\"'“‘«(]))"
"""Where a sentence can start: after `not` nothing is repeated word for word."""
_KEPT = 0.5
"""At most this share of a quoted sentence's words in the claim: it may say more than was said."""
_BOUNDS = ("0.05", "0.01", "0.001", "0.0001", "1e-6")
"""How a p-value is written when it is smaller: `p < 0.01`."""
_LEFT_OUT = "it leaves out half of what a quoted sentence says"
_MOVED = "it has a quote's words in another order"
_CUT = "it breaks a quoted sentence off"
_OF_WORDING = frozenset({_LEFT_OUT, _MOVED, _CUT})
"""What to doubt in a wording that nobody used; where one quote says just this, others may say it in other words."""
_GROUNDED = 0.6
"""Below this share of a claim's words in its quotes a person compares them."""


@dataclass(frozen=True, slots=True)
class Polarity:
    """What a text denies and what it affirms, in stemmed words, without what says too little."""

    denied: frozenset[str]
    affirmed: frozenset[str]


@lru_cache(maxsize=50_000)
def is_negation(word: str) -> bool:
    """Whether one word turns a statement round or limits it. In a script without blanks, no word does nothing else."""
    return (bool(negations(word)) or word.lower() in _TURNING) and not _UNSPACED.search(word)


def has_negation(text: str) -> bool:
    """Whether anything in the text turns a statement round or limits it."""
    said = _ANSWER_NO.sub("", text)
    return any(is_negation(match.group()) for match in _WORD.finditer(said)) or bool(negations(said))


def content(text: str) -> set[str]:
    """The words that carry meaning, without negations and hedges: what two texts may share."""
    return {word for word in tokens(text) if not is_negation(word) and not _is_hedge(word)}


@lru_cache(maxsize=50_000)
def _is_hedge(word: str) -> bool:
    return bool(hedges(word))


def polarity(text: str) -> Polarity:
    """Split a text into what stands right after a negation in its clause and all the rest.

    Where only empty words follow ("npm is not allowed"), the negation is about what stands before it.
    """
    denied: set[str] = set()
    everything: set[str] = set()
    for clause in _CLAUSE_END.split(_ANSWER_NO.sub("", text)):
        words = [match.group() for match in _WORD.finditer(clause)]
        everything |= content(clause)
        for index, word in enumerate(words):
            if is_negation(word):
                denied |= _focus(words, index)
    return Polarity(frozenset(denied - _PLAIN), frozenset(everything - denied - _PLAIN))


def _focus(words: Sequence[str], index: int) -> set[str]:
    after: set[str] = set()
    for word in words[index + 1 :]:
        if is_negation(word) or len(after - _PLAIN) >= _FOCUS_WORDS:
            break
        after |= content(word)
    return after if after - _PLAIN else after | content(" ".join(words[:index]))


def related(claim: str, quoted: str) -> list[str]:
    """The sentences of `quoted` that `claim` takes words from."""
    said = content(claim)
    parts = [quoted[start:end] for start, end in sentences(quoted)] or [quoted]
    return [part for part in parts if content(part) & said]


def lost_negation(claim: str, quoted: str) -> str:
    """A sentence whose negation the claim dropped; "" when there is none."""
    own = own_words(claim, quoted)
    if has_negation(own):
        return ""
    return next((part for part in related(own, quoted) if has_negation(part)), "")


def lost_hedge(claim: str, quoted: str) -> str:
    """A sentence whose hedge the claim dropped, so that a remark became a fact; "" when there is none."""
    own = own_words(claim, quoted)
    if hedges(own):
        return ""
    return next((part for part in related(own, quoted) if hedges(part)), "")


def turned_round(claim: str, quoted: str) -> str:
    """A sentence that the claim says the other way round; "" when there is none.

    Either the claim affirms what is denied and denies what is affirmed ("X, not Y" → "Y, not X"), or it
    denies what the quote plainly affirms.
    """
    own = own_words(claim, quoted)
    ours = polarity(own)
    for part in related(own, quoted):
        theirs = polarity(part)
        if theirs.denied & ours.affirmed and theirs.affirmed & ours.denied:
            return part
        if ours.denied and not has_negation(part) and _mostly(ours.denied, theirs.affirmed):
            return part
    return ""


def own_words(claim: str, quoted: str) -> str:
    """What is left of the claim without the sentences it repeats word for word: only that can go wrong."""
    left = _folded(claim)
    for start, end in sentences(quoted):
        part = _folded(quoted[start:end]).strip(".!?…\"'* ")
        if part:
            left = re.sub(_STARTS + re.escape(part) + r"(?!\w)", " . ", left, flags=re.IGNORECASE)
    return left


def _folded(text: str) -> str:
    return " ".join(text.split())


def opposed(one: str, other: str) -> bool:
    """Whether one text denies most of what it denies of something that the other affirms."""
    ours, theirs = polarity(one), polarity(other)
    return _mostly(ours.denied, theirs.affirmed) or _mostly(theirs.denied, ours.affirmed)


def _mostly(words: frozenset[str], inside: frozenset[str]) -> bool:
    return len(words & inside) * 2 > len(words)


def doubts(claim: str, quoted: Sequence[str]) -> list[str]:
    """Why a person should compare a claim with its quotes; empty when code sees no reason.

    `quoted` holds the texts that the claim should follow from: prose that users and agents wrote.
    """
    found: list[str] = []
    by_text = [_sentence_doubts(claim, text) for text in quoted]
    is_said = any(not own and related(claim, text) for own, text in zip(by_text, quoted, strict=True))
    for own in by_text:
        found.extend(doubt for doubt in own if not (is_said and doubt in _OF_WORDING))
    if has_negation(own_words(claim, "\n\n".join(quoted))) and not any(map(has_negation, quoted)):
        found.append("it denies something and no quote does")
    said, covered = content(claim), {word for text in quoted for word in content(text)}
    share = len(said & covered) / len(said) if said else 0.0
    if share < _GROUNDED:
        found.append(f"only {share:.0%} of its words stand in its quotes")
    elif _is_stitched(claim, quoted):
        found.append("one of its sentences is put together from several quoted ones")
    return list(dict.fromkeys(found))


def _is_stitched(claim: str, quoted: Sequence[str]) -> bool:
    """Whether a sentence of the claim takes its words from several quoted ones that do not say the same.

    One word is enough: `Always deploy the router on Mondays` and `Never rebuild the parser without a backup` hold every
    word of `Always deploy the router without a backup`.
    """
    parts = [content(text[start:end]) for text in quoted for start, end in sentences(text)]
    held = {word for part in parts for word in part}
    own = own_words(claim, "\n\n".join(quoted))
    for words in (content(own[start:end]) for start, end in sentences(own)):
        best = max((len(words & _said_alike(part, parts)) for part in parts), default=0)
        if len(words) > 2 and best < max(_GROUNDED * len(words), len(words & held)):
            return True
    return False


def _said_alike(part: set[str], parts: Sequence[set[str]]) -> set[str]:
    """The words of a sentence, with those of sentences that say nearly the same."""
    alike = [other for other in parts if 2 * len(part & other) > len(part | other)]
    return {word for other in alike for word in other} | part


def _sentence_doubts(claim: str, text: str) -> list[str]:
    found: list[str] = []
    own = own_words(claim, text)
    ours = polarity(own)
    for part in related(own, text):
        theirs = polarity(part)
        if theirs.denied & ours.affirmed - ours.denied:
            found.append("it affirms words that a quote denies")
        if ours.denied & theirs.affirmed and not ours.denied & theirs.denied:
            found.append("it denies words that a quote affirms")
        if len(content(part) & content(claim)) <= _KEPT * len(content(part)):
            found.append(_LEFT_OUT)
        if _is_cut(claim, part):
            found.append(_CUT)
        if _limits(part) - _limits(own):
            found.append("it does not keep a quote's only, unless or without")
        if any(not stands_in(item, claim) for item in specifics(part)):
            found.append("it leaves out a number or name of a quote")
        if _reordered(own, part):
            found.append(_MOVED)
    return found


def _is_cut(claim: str, part: str) -> bool:
    """Whether a sentence of the claim is the beginning or middle of a quoted one that goes on within its clause."""
    whole = _folded(part).casefold()
    for start, end in sentences(claim):
        own = _folded(claim[start:end]).casefold().rstrip(".!?… ")
        at = whole.find(own) if tokens(own) else -1
        if at >= 0 and _GOES_ON.match(whole, at + len(own)) and not _CLAUSE_WORD.match(whole, at + len(own)):
            return True
    return False


def _limits(text: str) -> set[int]:
    found = negations(text)
    return {number for number, words in enumerate(_LIMITS) if any(word in found for word in words)}


def _reordered(claim: str, part: str) -> bool:
    """Whether both say nearly the same words in a different order: roles may be swapped."""
    ours, theirs = _sequence(claim), _sequence(part)
    shared = [word for word in ours if word in theirs]
    if len(shared) < 2 or len(shared) < 0.8 * min(len(ours), len(theirs)):
        return False
    return shared != [word for word in theirs if word in ours]


def _sequence(text: str) -> list[str]:
    words = [word for match in _WORD.finditer(text) for word in content(match.group())]
    return list(dict.fromkeys(word for word in words if word not in _PLAIN))


def unbacked(claim: str, texts: Iterable[str], stats: Mapping[str, float] | None = None) -> list[str]:
    """Numbers, paths, ids, flags and code spans of the claim that stand neither in `texts` nor in `stats`."""
    wanted = specifics(claim)
    if not wanted:
        return []
    corpus = "\n".join(form for text in texts for form in _forms(text))
    counted = stat_forms(stats or {})
    return sorted(item for item in wanted if item not in counted and not stands_in(item, corpus))


def stands_in(item: str, text: str) -> bool:
    """Whether `item` stands in `text` by itself, not as part of a longer number, word or path."""
    left = r"(?<![\w.,])(?<![\s(]-)" if item[0].isdigit() else r"(?<!\w)" if _is_word(item[0]) else ""
    right = r"(?!\w)(?![.,]\d)" if item[-1].isdigit() else r"(?!\w)" if _is_word(item[-1]) else ""
    return re.search(left + re.escape(item) + right, text) is not None


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _forms(text: str) -> list[str]:
    """The text, and what it says once JSON escapes are undone: a tool call's input is JSON."""
    if "\\" not in text:
        return [text, " ".join(text.split())]
    unescaped = re.sub(r'\\(u[0-9a-fA-F]{4}|["\\/bfnrt])', _unescape, text)
    return [text, unescaped, " ".join(unescaped.split())]


def _unescape(match: re.Match[str]) -> str:
    char = json.loads(f'"{match.group()}"')
    return str(char) if str(char).isprintable() or char in "\n\t" else " "


def stat_forms(stats: Mapping[str, float]) -> set[str]:
    """How the numbers that code counted may be written: plain, rounded, in per cent, with thousands."""
    forms: set[str] = set()
    for value in stats.values():
        for number in (value, value * 100) if abs(value) <= 1 else (value,):
            for digits in range(3):
                forms |= {f"{number:.{digits}f}", f"{number:,.{digits}f}"}
        forms.add(f"{value:g}")
        if 0 <= value < 0.1:
            forms |= {f"{value:.3f}", f"{value:.4f}", f"{value:.0e}", f"{value:.1e}"}
            forms |= {bound for bound in _BOUNDS if value < float(bound)}
    return forms


def prose(quotes: Iterable[Quote]) -> list[str]:
    """The texts of the quotes that people and agents wrote, not what tools printed."""
    return [quote.text for quote in quotes if quote.kind in {"user", "agent"}]


def is_worded(kind: str, quotes: Sequence[Quote]) -> bool:
    """Whether a lesson restates somebody's words: by its kind, or because it rests on typed words alone.

    The second must not hang on the kind, which is its engine's to choose: an `error` that quotes nothing but a user's
    sentence is that sentence.
    """
    typed = bool(quotes) and all(quote.kind == "user" and quote.trust == 3 for quote in quotes)
    return kind in _WORD_KINDS or typed
