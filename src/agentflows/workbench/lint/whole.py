"""Rules about a rubric as a whole, and about two criteria of it."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations

from agentflows.rubric import Check, Criterion, Rubric
from agentflows.signature import negations, specifics, tokens
from agentflows.workbench.finding import Finding
from agentflows.workbench.lint.checkable import suggestions
from agentflows.workbench.lint.criterion import first_paragraph
from agentflows.workbench.lint.sentence import masked, parts_of
from agentflows.workbench.lint.vocabulary import COUNTING, NEGATIVE, NUMBERS, OPPOSITES

MIN_CRITERIA, MAX_CRITERIA = 3, 15
"""What a machine-gradable rubric has (prior art: 3 to 15 criteria, one observable each)."""
MAX_COMPARED = 60
"""Criteria compared with one another, from the first: four times what a rubric should have."""
OVERLAP = 0.7
"""Share of the smaller criterion's words that the other has, from which on the two are one."""
_LOWER = frozenset({"at least", "more than", "a minimum of", "no fewer than"})
_UPPER = frozenset(
    {"at most", "no more than", "not more than", "less than", "fewer than", "up to", "a maximum of"}
)


def whole_findings(rubric: Rubric) -> Iterator[Finding]:
    """What is wrong with the rubric beyond single criteria."""
    yield from _counts(rubric)
    yield from _kinds(rubric)
    yield from _dangling(rubric)
    for first, second in combinations(rubric.criteria[:MAX_COMPARED], 2):
        problem = _contradiction(first, second)
        if problem:
            yield problem
        elif overlap := _overlap(first, second):
            yield overlap


def _counts(rubric: Rubric) -> Iterator[Finding]:
    number = len(rubric.criteria)
    if not any(criterion.required for criterion in rubric.criteria):
        first = max(rubric.criteria, key=lambda criterion: criterion.weight)
        yield Finding(
            rule="no_required",
            severity="error",
            why=f"Nothing is required: the threshold of {rubric.threshold:g} alone decides, and any criterion may be missed.",
            rewrite=f"- {first_paragraph(first)}\nRequire this one, or another: drop (optional) from what the work is worthless without.",
        )
    if number < MIN_CRITERIA:
        yield Finding(
            rule="too_few",
            severity="advice",
            why=f"It has {number} criteri{'on' if number == 1 else 'a'}; below {MIN_CRITERIA}, each carries several questions, or something is not asked.",
            rewrite="- The work has <what must be there>.\n- The work says <what must be true>.\n- The work has no <what must not be there>.",
            is_template=True,
        )
    if number > MAX_CRITERIA:
        extra = [
            f"`{criterion.criterion_id}`" for criterion in _least(rubric.criteria, number - MAX_CRITERIA)
        ]
        yield Finding(
            rule="too_many",
            severity="advice",
            why=f"It has {number} criteria; above {MAX_CRITERIA}, graders get careless and writers chase small gaps.",
            rewrite=f"Make these optional, turn them into checks, or drop them: {', '.join(extra)}.",
        )


def _least(criteria: Sequence[Criterion], number: int) -> list[Criterion]:
    """Those that would be missed least: optional before required, light before heavy, judged before checked."""
    return sorted(criteria, key=lambda one: (one.required, one.weight, one.judging == "check", -one.line))[
        :number
    ]


def _kinds(rubric: Rubric) -> Iterator[Finding]:
    judged = [criterion for criterion in rubric.criteria if criterion.judging == "judge"]
    if all(not item.check and NEGATIVE.search(masked(item.text)) for item in rubric.criteria):
        yield Finding(
            rule="negative_only",
            severity="warning",
            why="It says only what must not be: an empty deliverable meets it.",
            rewrite="- <file> exists. (check)\n  check: exists <file>\n- <file> <says or does the thing the task asks for>.",
            is_template=True,
        )
    could = [item for item in judged if next(suggestions(item), None)]
    if len(judged) == len(rubric.criteria) and len(judged) >= MIN_CRITERIA and not could:
        yield Finding(
            rule="all_judged",
            severity="advice",
            why="A model judges all of it. One check is free, the same each time, and cannot be talked round.",
            rewrite="- The deliverable is there. (check)\n  check: exists <file>",
            is_template=True,
        )


def _dangling(rubric: Rubric) -> Iterator[Finding]:
    """`It`, at the start: criteria are graded one by one, and then nobody knows what it is."""
    named = ""
    for criterion in rubric.criteria:
        text = first_paragraph(criterion)
        found = re.match(r"(?:It|They|This|These)\b(?= \w)", text)
        if not found:
            named = parts_of(text).subject or named
        elif not criterion.check and (found[0] in {"It", "They"} or parts_of(text).subject == found[0]):
            subject = named or "<What it is>"
            yield Finding(
                rule="dangling",
                severity="advice",
                criterion_id=criterion.criterion_id,
                line=criterion.line,
                words=found[0],
                why=f"{found[0]!r} stands for something outside of this criterion, which may be graded alone.",
                rewrite=f"- {subject}{text[found.end() :]}",
                is_template=not named,
            )


# -- two criteria --------------------------------------------------------------------------------------------


def _pair(rule: str, second: Criterion, *, words: str, why: str, rewrite: str) -> Finding:
    return Finding.model_validate(
        {
            "rule": rule,
            "severity": "error" if rule == "contradiction" else "warning",
            "criterion_id": second.criterion_id,
            "line": second.line,
            "words": words,
            "why": why,
            "rewrite": rewrite,
            "is_template": "<" in rewrite,
        }
    )


def _overlap(first: Criterion, second: Criterion) -> Finding | None:
    if first.check or second.check:
        if first.check != second.check:
            return None
    elif not _is_same(first, second):
        return None
    longer = max(first, second, key=lambda one: len(one.text))
    return _pair(
        "overlap",
        second,
        words=first.criterion_id,
        why=f"It asks much the same as {first.criterion_id!r} (line {first.line}): one gap counts twice.",
        rewrite=f"- {longer.text}\nKeep this one, and drop the other; or say in each what the other does not.",
    )


@lru_cache(maxsize=1024)
def _words(text: str) -> frozenset[str]:
    return frozenset(_tokens_of(text))


def _tokens_of(text: str) -> set[str]:
    return tokens(
        re.sub(
            r"\b(?:must|should|shall|contain|contains|include|includes|has|have|mention|mentions)\b", "", text
        )
    )


def _is_same(first: Criterion, second: Criterion) -> bool:
    """Whether most words of the shorter stand in the longer, and no number, path or code tells them apart."""
    subject = parts_of(first.text).subject
    shared = _words(subject) if subject and subject == parts_of(second.text).subject else frozenset[str]()
    one, two = _words(first.text) - shared, _words(second.text) - shared
    small = min(len(one), len(two))
    if small < 2 or len(one & two) / small < OVERLAP or len(one & two) / len(one | two) < OVERLAP / 2:
        return False
    mine, yours = specifics(first.text), specifics(second.text)
    if mine != yours and mine and yours:
        return False
    return len(one ^ two) == 0 or small > 2


def _contradiction(first: Criterion, second: Criterion) -> Finding | None:
    why = ""
    if first.check and second.check:
        why = _opposed_checks(first.check, second.check)
    else:
        why = _opposed_limits(first, second) or _opposed_words(first, second) or _negated(first, second)
    if not why:
        return None
    return _pair(
        "contradiction",
        second,
        words=first.criterion_id,
        why=f"It contradicts {first.criterion_id!r} (line {first.line}): {why}. No work can meet both.",
        rewrite=f"Keep one of the two, or say when each holds:\n- In <this case>: {first_paragraph(first)}\n- In <the other case>: {first_paragraph(second)}",
    )


def _opposed_checks(first: Check, second: Check) -> str:
    is_same = first.model_copy(update={"negated": second.negated}) == second and first.kind in {
        "regex",
        "exists",
    }
    return "the one check is the other, turned round" if is_same and first.negated != second.negated else ""


def _limits(text: str) -> Iterator[tuple[str, str, int]]:
    """(thing, `low` | `high` | `exact`, number) of every count in a text."""
    for found in COUNTING.finditer(masked(text)):
        digits = found["number"].replace(",", "")
        number = NUMBERS.get(digits.lower()) or int(digits)
        if not found["how"]:
            continue
        how = found["how"].lower()
        yield found["thing"].lower(), "low" if how in _LOWER else "high" if how in _UPPER else "exact", number


def _opposed_limits(first: Criterion, second: Criterion) -> str:
    if specifics(first.text) & specifics(second.text) == set() and not _words(first.text) & _words(
        second.text
    ):
        return ""
    for thing, kind, number in _limits(first.text):
        for other, kind2, number2 in _limits(second.text):
            low = number if kind != "high" else number2
            high = number2 if kind != "high" else number
            kinds = {kind, kind2}
            opposed = (kinds == {"exact"} and number != number2) or (
                kinds in ({"low", "high"}, {"low", "exact"}, {"high", "exact"})
                and _beyond(kind, kind2, low, high)
            )
            if thing == other and opposed:
                return f"{number:,} {thing} and {number2:,} {other} exclude each other"
    return ""


def _beyond(kind: str, kind2: str, low: int, high: int) -> bool:
    if kind == "exact" and kind2 == "low":
        low, high = high, low
    return low > high


def _about(criterion: Criterion) -> set[str]:
    """What a criterion is about: its words without those that oppose others."""
    opposing = {word for pair in OPPOSITES for side in pair for word in side}
    return {word for word in _words(criterion.text) if word not in opposing}


def _opposed_words(first: Criterion, second: Criterion) -> str:
    one = set(re.findall(r"[\w-]+", masked(first.text).lower()))
    two = set(re.findall(r"[\w-]+", masked(second.text).lower()))
    mine, yours = _about(first), _about(second)
    if mine and yours and not mine & yours:
        return ""
    for this, that in OPPOSITES:
        for left, right in ((this, that), (that, this)):
            if one & left and two & right and not one & right and not two & left:
                return f"{min(one & left)} against {min(two & right)}"
    return ""


def _named(criterion: Criterion) -> set[str]:
    """Code and file names in it: what tells two sentences of the same words apart."""
    return {
        one for one in specifics(criterion.text) if f"`{one}`" in criterion.text or "." in one or "/" in one
    }


def _negated(first: Criterion, second: Criterion) -> str:
    """The same words, and one of the two turned round."""
    one, two = _words(first.text), _words(second.text)
    mine, yours = negations(first.text), negations(second.text)
    bare_one, bare_two = one - set(mine), two - set(yours)
    small = min(len(bare_one), len(bare_two))
    if small < 2 or bool(mine) == bool(yours) or _named(first) != _named(second):
        return ""
    is_same = len(bare_one & bare_two) == small and len(bare_one ^ bare_two) <= 1
    return "the one says no to what the other asks for" if is_same else ""
