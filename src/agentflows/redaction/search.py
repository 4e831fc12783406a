"""Finding: one cheap pass says whether a text can hold anything at all, and only then each rule looks."""

import functools
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agentflows.redaction import borrowed
from agentflows.redaction.formats import CONTEXTS, FORMATS, ISSUED_LENGTHS, looks_random
from agentflows.redaction.personal import PII
from agentflows.redaction.rule import Matcher, Rule, Span, compiled
from agentflows.redaction.views import BASE64, WRAPPED, View, Wrapped, decoded, unwrapped, views

OWN = "own-secret"
_DEPTH = 2
"""Base64 within base64 is opened, and no deeper."""
_GATE_MEMORY = 32 << 20
_WEAK_KEYWORD = 4
"""A borrowed rule's keyword shorter than this is in nearly every text: the rule's own pattern stands in the gate instead."""
_UPPER_BOUND = re.compile(r"\{(\d+),\d{2,}\}")
"""In the gate `{6,256}` reads `{6,}`: it matches no less, and the automaton is ten times smaller."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Hit:
    """One place that has to go."""

    start: int
    end: int
    kind: str
    rank: int
    secret: str
    """As it reads in plain, so that one secret gets one placeholder however it was written."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What to look for, ready to run.

    A gate matches every text in which one of its rules could find something; a text that passes neither is clean.
    Two gates because one automaton for all is no faster and needs far more memory.
    """

    own_gate: Any
    """Also matches a token over several lines, and base64 of text."""
    borrowed_gate: Any
    formats: tuple[Matcher, ...]
    own: tuple[Matcher, ...]
    borrowed: tuple[Matcher, ...]


@functools.cache
def rules(pii: tuple[str, ...]) -> Rules:
    """Compile the rules once per process, when first needed.

    Raises:
        SettingsError: the borrowed rules cannot be read.
    """
    others = borrowed.load()
    own = (*FORMATS, *CONTEXTS, *(PII[kind] for kind in pii))
    matchers = tuple(Matcher(rule) for rule in own)
    return Rules(
        own_gate=_gate([*map(_loosened, own), BASE64, WRAPPED]),
        borrowed_gate=_gate(_borrowed_parts(others)),
        formats=matchers[: len(FORMATS)],
        own=matchers,
        borrowed=tuple(Matcher(rule) for rule in others),
    )


def _gate(parts: Iterable[str]) -> Any:
    return compiled("|".join(f"(?:{part})" for part in parts), memory=_GATE_MEMORY, capture=False)


def _loosened(rule: Rule) -> str:
    return _UPPER_BOUND.sub(r"{\1,}", rule.pattern)


def _borrowed_parts(others: Sequence[Rule]) -> list[str]:
    weak = [
        rule
        for rule in others
        if any(len(word) < _WEAK_KEYWORD for word in rule.keywords) or not rule.keywords
    ]
    words = {word for rule in others if rule not in weak for word in rule.keywords}
    return [*map(_loosened, weak), "(?i:" + "|".join(re.escape(word) for word in sorted(words)) + ")"]


def find(text: str, known: Rules, own_secrets: Sequence[str]) -> list[Hit]:
    """All that has to go, in order, without overlaps; overlapping finds become one."""
    return _merged(_find(text, known, own_secrets, _DEPTH))


def _find(text: str, known: Rules, own_secrets: Sequence[str], depth: int) -> list[Hit]:
    hits: list[Hit] = []
    for view in views(text):
        here = [_own_hit(m) for secret in own_secrets for m in re.finditer(re.escape(secret), view.text)]
        data = _encoded(view.text)
        if known.own_gate.search(data):
            here += _plain(view.text, data, known.own)
            here += _over_lines(view.text, known.formats)
            if depth:
                here += _in_base64(view.text, known, own_secrets, depth - 1)
        if known.borrowed_gate.search(data):
            here += _plain(view.text, data, known.borrowed)
        hits += _mapped(view, here)
    return hits


def _encoded(text: str) -> bytes:
    """UTF-8. A lone surrogate, which has none, becomes one other character, so that offsets stay."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()


def _own_hit(match: re.Match[str]) -> Hit:
    return Hit(match.start(), match.end(), OWN, 0, match.group())


def _plain(text: str, data: bytes, matchers: Iterable[Matcher]) -> list[Hit]:
    lowered = data.lower()
    found = [(matcher.rule, span) for matcher in matchers for span in matcher.find(data, lowered)]
    place = _characters(text, data, [span for _, span in found])
    return [
        Hit(place[start], place[end], rule.kind, rule.rank, data[start:end].decode())
        for rule, (start, end) in found
    ]


def _characters(text: str, data: bytes, spans: list[Span]) -> dict[int, int]:
    """Character offset of each byte offset in use."""
    offsets = sorted(set(itertools.chain.from_iterable(spans)))
    if len(data) == len(text):
        return {offset: offset for offset in offsets}
    places: dict[int, int] = {}
    last, count = 0, 0
    for offset in offsets:
        count += len(data[last:offset].decode())
        places[offset] = count
        last = offset
    return places


def _over_lines(text: str, formats: tuple[Matcher, ...]) -> list[Hit]:
    hits: list[Hit] = []
    for wrapped in unwrapped(_SURROGATE.sub("\ufffd", text)):
        joined = wrapped.view.text
        whole = next((hit for hit in _plain(joined, _encoded(joined), formats) if hit.start == 0), None)
        if whole and whole.end > wrapped.first and not _is_complete(wrapped, formats):
            hits += _mapped(wrapped.view, [whole])
    return hits


def _is_complete(wrapped: Wrapped, formats: tuple[Matcher, ...]) -> bool:
    """Whether the token ends with its line, and what follows is something else."""
    first = wrapped.view.text[: wrapped.first]
    kinds = {hit.kind for hit in _plain(first, _encoded(first), formats) if hit.end == wrapped.first}
    issued = max((ISSUED_LENGTHS.get(kind, 0) for kind in kinds), default=0)
    if issued:
        return wrapped.first >= issued
    return bool(kinds) and not (len(wrapped.second) >= 10 and looks_random(wrapped.second))


def _in_base64(text: str, known: Rules, own_secrets: Sequence[str], depth: int) -> list[Hit]:
    clean = _SURROGATE.sub("\ufffd", text)
    return [
        hit for view in decoded(clean) for hit in _mapped(view, _find(view.text, known, own_secrets, depth))
    ]


def _mapped(view: View, hits: list[Hit]) -> list[Hit]:
    if not hits or view.places is None:
        return hits
    spans = view.original([(hit.start, hit.end) for hit in hits])
    return [Hit(*span, hit.kind, hit.rank, hit.secret) for span, hit in zip(spans, hits, strict=True)]


def _merged(hits: list[Hit]) -> list[Hit]:
    merged: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, h.rank)):
        if not merged or hit.start >= merged[-1].end:
            merged.append(hit)
            continue
        last = merged[-1]
        best = min(last, hit, key=lambda h: (h.rank, h.start - h.end))
        merged[-1] = Hit(last.start, max(last.end, hit.end), best.kind, best.rank, best.secret)
    return merged
