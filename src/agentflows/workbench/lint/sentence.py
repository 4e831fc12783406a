"""A criterion's sentence, taken apart as far as a rewrite needs it: subject, verb, the things it names."""

import re
from dataclasses import dataclass

from agentflows.workbench.lint.vocabulary import (
    AUXILIARIES,
    BASE_VERBS,
    FINITE,
    MODALS,
    OPENS_OBJECT,
    THIRD_PERSON,
)

_MASKED = re.compile(r"`[^`\n]*`|“[^”\n]*”|\"[^\"\n]*\"|(?<!\w)'[^'\n]*'(?!\w)|\((?:[^()\n]*)\)")
_WORD = re.compile(r"[^\s,;]+")
_AND = re.compile(r",? (?:and(?! ?/? ?or\b)|as well as|but(?: also)?|plus)(?: also| that)? |; ")
_ONE_THING = re.compile(
    r"\b(?:between|from|neither|either|whether|before|after|pros|terms|up|back|again|more|one)\s*\Z",
    re.IGNORECASE,
)
_PREPOSITIONS = frozenset(
    ["to", "of", "for", "in", "on", "with", "from", "by", "at", "about", "into", "under", "against"]
)
_ADJECTIVE = r"(?:[\w-]+ )?[\w-]+"
_ADJECTIVES = r"(?:[\w-]+,? ){0,3}[\w-]+"
_ARTICLES = frozenset(["the", "a", "an", "all", "its", "every", "each", "of", "any"])
_DASH_TAIL = re.compile(r"\s*[.;:,]+\s*\Z")


@dataclass(frozen=True, slots=True)
class Parts:
    """A sentence as subject, predicate and what follows the verb."""

    subject: str
    """"" when no verb was found, or when it begins with one."""
    verb: str
    """The finite verb with its auxiliaries: `must name`."""
    rest: str


def masked(text: str) -> str:
    """The text with code, quotes and brackets blanked, so that places stay and words in them do not count."""
    return _MASKED.sub(lambda found: "¤" * len(found[0]), text)


def parts_of(text: str) -> Parts:
    """Find the main verb: the first finite word that is not part of a relative clause before it."""
    hidden = masked(text)
    words = list(_WORD.finditer(hidden))
    for place, word in enumerate(words):
        if place and _is_verb(words, place):
            end = word.end()
            follows = place + 1
            while follows < len(words) and _goes_on(words[follows][0].lower(), word[0].lower()):
                end = words[follows].end()
                follows += 1
            return Parts(text[: word.start()].strip(), text[word.start() : end], text[end:].strip())
    return Parts("", "", text)


def _is_verb(words: list[re.Match[str]], place: int) -> bool:
    """Whether the predicate begins here: a finite word that is no plural noun and in no relative clause."""
    word, before = words[place][0].lower().strip(".,"), words[place - 1][0].lower()
    if before in {"that", "which", "who", "to"}:
        return False
    if word in BASE_VERBS and is_plural(before) and before not in FINITE - {*THIRD_PERSON}:
        return True
    return word in FINITE and not _is_noun(words, place)


def _is_noun(words: list[re.Match[str]], place: int) -> bool:
    """Whether a word that could be a verb is a noun: after an article, or before the verb itself."""
    before = words[place - 1][0].lower()
    after, then = (
        words[place + step][0].lower().strip(".,") if place + step < len(words) else "" for step in (1, 2)
    )
    word = words[place][0].lower()
    if word in AUXILIARIES or word in MODALS:
        return False
    has_verb = after in BASE_VERBS and (
        not then or then in OPENS_OBJECT | _PREPOSITIONS or then.startswith("¤")
    )
    return before in _ARTICLES or after in AUXILIARIES | MODALS or has_verb


def is_plural(words: str) -> bool:
    """Whether the last word looks like a plural."""
    last = words.rsplit(maxsplit=1)[-1].lower() if words.split() else ""
    return last.endswith("s") and not last.endswith(("ss", "us", "is", "`"))


def agreeing(text: str, subject: str) -> str:
    """`The notes has …` as `The notes have …`: the verb after a plural subject."""
    if not is_plural(subject) or not text.startswith(f"{subject} "):
        return text
    verb, _, rest = text[len(subject) + 1 :].partition(" ")
    plural = {"is": "are", "has": "have", "was": "were", "does": "do"}.get(verb) or THIRD_PERSON.get(
        verb, verb
    )
    return f"{subject} {plural} {rest}"


def _goes_on(word: str, verb: str) -> bool:
    """Whether a word still belongs to the verb: `must not name`, `does name`."""
    if word in {"not", "be", "have", "been", "also"}:
        return True
    return verb in MODALS | {"does", "do"} and word in BASE_VERBS


def subject_of(text: str) -> str:
    """What a criterion is about, as its author calls it; `It` when its sentence does not say."""
    begins = re.match(r"(?:The|Every|Each|All|Its?) `?[\w./-]+`?", text)
    return parts_of(text).subject or (begins[0] if begins else "It")


def sentence(text: str) -> str:
    """One sentence: a capital first, one full stop last."""
    clean = _DASH_TAIL.sub("", " ".join(text.split()))
    if not clean:
        return ""
    if clean.isdecimal():
        return clean  # with a stop it would open a list
    first = clean if clean[0] in "`\"'“" else clean[0].upper() + clean[1:]
    return f"{first}."


def lower_first(text: str) -> str:
    """For use inside a sentence; names in capitals stay."""
    return text if len(text) < 2 or text[1].isupper() or text[0] in "`\"'“" else text[0].lower() + text[1:]


# -- two criteria in one -------------------------------------------------------------------------------------


def halves(text: str) -> list[str]:
    """The criteria that one sentence joins, each a sentence of its own; [] when it asks for one thing."""
    clean = _DASH_TAIL.sub("", text)
    hidden = masked(clean)
    main = parts_of(clean)
    for found in _AND.finditer(hidden):
        left, right = clean[: found.start()], clean[found.end() :]
        if (
            not right.strip()
            or _ONE_THING.search(hidden[: found.start()])
            or _is_range(hidden[: found.start()])
        ):
            continue
        both = _split(main, left, right)
        if both:
            return [sentence(part) for one in both for part in (halves(one) or [one])]
    return []


def _is_range(left: str) -> bool:
    return bool(
        re.search(r"\b(?:between|from) [^,;]{1,30}\Z|\bboth [^,;]{0,20}directions?", left, re.IGNORECASE)
    )


def _split(main: Parts, left: str, right: str) -> list[str]:
    """The two criteria around one `and`; [] when it joins two halves of one thing."""
    if not main.verb:
        return []
    if len(left) <= len(main.subject):
        return _two_subjects(main, left, right)
    second = _second_clause(main, right)
    if second:
        return [left, second]
    first = _first_word(right)
    head = f"{main.subject} {main.verb}"
    if first in OPENS_OBJECT or right[:1] in '`"“' or first[:1].isdigit():
        return _two_objects(head, main, left, right)
    is_state = main.verb.split()[-1].lower() in {"is", "are", "be"}
    before = left[len(head) :].strip()
    if is_state and re.fullmatch(_ADJECTIVE, right.strip(" .")) and re.fullmatch(_ADJECTIVES, before):
        return [left, f"{head} {right}"]
    return []


def _second_clause(main: Parts, right: str) -> str:
    """What follows `and`, with the subject it needs, where it is a predicate or a clause; else ""."""
    first, modal = _first_word(right), main.verb.split()[0]
    if first in THIRD_PERSON or first in AUXILIARIES | MODALS:
        return f"{main.subject} {right}"
    if first in BASE_VERBS and modal.lower() in MODALS:
        return f"{main.subject} {modal} {right}"
    if first in BASE_VERBS and is_plural(main.subject) and main.verb.lower() in BASE_VERBS:
        return f"{main.subject} {right}"
    if first in {"it", "they"} and parts_of(right).verb:
        return f"{main.subject} {right[len(first) :].strip()}"
    is_clause = parts_of(right).subject and first in OPENS_OBJECT and not _is_relative(right)
    return right if is_clause else ""


def _first_word(text: str) -> str:
    return (_WORD.match(text) or [""])[0].lower().strip(".,")


def _is_relative(right: str) -> bool:
    return (_WORD.match(right) or [""])[0].lower() in {
        "who",
        "what",
        "when",
        "where",
        "why",
        "how",
        "whether",
        "which",
        "that",
    }


def _two_subjects(main: Parts, left: str, right: str) -> list[str]:
    words = main.verb.split()
    both = [left.strip(" ,"), right.split(f" {main.verb}", 1)[0].strip()]
    if not all(both) or not all(_has_article(one) for one in both):
        return []
    singular = {"are": "is", "were": "was", "have": "has", "do": "does"}.get(words[0], words[0])
    verbs = [words[0] if is_plural(one) else singular for one in both]
    return [" ".join([one, verb, *words[1:], main.rest]) for one, verb in zip(both, verbs, strict=True)]


def _has_article(text: str) -> bool:
    return (_WORD.match(text) or [""])[0].lower() in OPENS_OBJECT or text[:1] in '`"“'


def _two_objects(head: str, main: Parts, left: str, right: str) -> list[str]:
    """`names the author and the date`: each object gets the head of the sentence."""
    objects = (
        left[len(head) :].strip() if left.startswith(head) else main.rest[: len(left) - len(head)].strip()
    )
    first = (_WORD.match(objects) or [""])[0].lower()
    if first in _PREPOSITIONS and (_WORD.match(right) or [""])[0].lower() not in _PREPOSITIONS:
        head = f"{head} {first}"
        objects = objects[len(first) :].strip()
    listed = [part.strip() for part in re.split(r",\s+", objects) if part.strip()]
    if not listed or (len(listed) > 1 and not all(_stands_alone(part) for part in listed)):
        listed = [objects]
    return [f"{head} {part}" for part in [*listed, right]]


def _stands_alone(part: str) -> bool:
    return _has_article(part) or len(part.split()) <= 3
