"""Rules about one criterion. Each is a function from a criterion to its findings."""

import re
from collections.abc import Callable, Iterator

from agentflows.rubric import Criterion
from agentflows.signature import sentences
from agentflows.workbench.finding import Finding, finding
from agentflows.workbench.lint.checkable import JSON, counted, file_in, suggestions
from agentflows.workbench.lint.sentence import (
    agreeing,
    halves,
    lower_first,
    masked,
    parts_of,
    sentence,
    subject_of,
)
from agentflows.workbench.lint.vocabulary import (
    CIRCULAR,
    COMPARATIVE,
    COMPARED,
    FINITE,
    HEDGED,
    NEGATIVE,
    PROCESS,
    STATES_OF_MIND,
    THIRD_PERSON,
    UNVERIFIABLE,
    VAGUE,
    VAGUE_RE,
    VAGUE_WORDS,
    VERBOSITY,
    WORKS,
)

CriterionRule = Callable[[Criterion], Iterator[Finding]]

_PLACEHOLDER = re.compile(
    r"<(?!https?:|mailto:)[A-Za-z0-9][^<>\n]{0,80}>|\bTODO:|\bTBD\b|\bXXX\b|\[(?:insert|your)\b[^\]]*\]"
)
_ADDS = re.compile(
    r"\A(?:it|they|this|these|also|in addition|additionally|furthermore|moreover)\b", re.IGNORECASE
)
_DEMANDS = re.compile(r"\b(?:must|should|shall|has to|have to|needs to|need to)\b", re.IGNORECASE)
_NESTED = re.compile(r"(?m)^[-*+] (.+)$|^\d+[.)] (.+)$")


def marks(criterion: Criterion, *, judging: str = "") -> str:
    """The markers of a criterion, to be kept in a rewrite."""
    said = [] if (judging or criterion.judging) == "judge" else [judging or criterion.judging]
    if not criterion.required:
        said.append("optional")
    if criterion.weight != 1:
        said.append(f"weight {criterion.weight:g}")
    return f" ({', '.join(said)})" if said else ""


def as_items(texts: list[str], criterion: Criterion) -> str:
    """Criteria in place of one, as list items with its markers; the weight is shared out."""
    share = criterion.model_copy(
        update={"weight": round(criterion.weight / max(1, len(texts)), 3) if criterion.weight != 1 else 1}
    )
    return "\n".join(f"- {text}{marks(share)}" for text in texts)


def _under(criterion: Criterion, markup: str) -> str:
    nested = "\n".join(f"  {line}" for line in markup.split("\n"))
    return f"- {sentence(first_paragraph(criterion))}{marks(criterion, judging='check')}\n{nested}"


def first_paragraph(criterion: Criterion) -> str:
    """The sentence of a criterion, without what is nested in it."""
    return criterion.text.split("\n\n", 1)[0]


# -- rules ---------------------------------------------------------------------------------------------------


def double_barrelled(criterion: Criterion) -> Iterator[Finding]:
    """Two things in one criterion: with one of them done, neither verdict is true."""
    parts, words = _parts(criterion)
    is_one_file = any(one.what == JSON for one in suggestions(criterion))
    if len(parts) > 1 and not criterion.check and not is_one_file:
        yield finding(
            "double_barrelled",
            "warning",
            criterion,
            words=words,
            why=f"It asks for {len(parts)} things and has one verdict: with one of them missing, neither met nor unmet is true.",
            rewrite=as_items(parts, criterion),
        )


def _parts(criterion: Criterion) -> tuple[list[str], str]:
    text = first_paragraph(criterion)
    nested = [(found[1] or found[2]).strip() for found in _NESTED.finditer(criterion.text[len(text) :])]
    if len(nested) > 1:
        stem = text.rstrip(" :.")
        colon = "" if stem.split()[-1].lower() in FINITE else ":"
        return [sentence(f"{stem}{colon} {lower_first(item)}") for item in nested], nested[1]
    spans = [text[start:end] for start, end in sentences(text)]
    more = [one for one in spans[1:] if _ADDS.match(one) and (parts_of(one).verb or _DEMANDS.search(one))]
    if more:
        subject = subject_of(spans[0])
        whole = [re.sub(r"\A(?:It|They|This|These)\b", subject, one) for one in spans]
        return [sentence(part) for one in whole for part in (halves(one) or [one])], more[0]
    if len(spans) > 1:
        first = halves(spans[0])
        return ([*first[:-1], " ".join([first[-1], *spans[1:]])] if first else []), (
            first[-1] if first else ""
        )
    split = halves(text)
    return split, split[-1] if split else ""


def vague(criterion: Criterion) -> Iterator[Finding]:
    """Words that two graders read differently."""
    text = criterion.text
    found = [match for match in VAGUE_RE.finditer(masked(text)) if not _is_defined(text, match)]
    if not found:
        return
    subject = subject_of(halves(text)[0] if halves(text) else text)
    lines: list[str] = []
    for key in dict.fromkeys(VAGUE_WORDS[match[0].lower()] for match in found):
        made = VAGUE[key].format(subject=subject, lower=lower_first(subject))
        made = agreeing(made, subject)
        lines.append(f"- {made[0].upper()}{made[1:]}{marks(criterion)}")
    words = ", ".join(dict.fromkeys(match[0] for match in found))
    yield finding(
        "vague",
        "warning",
        criterion,
        words=words,
        why=f"Two graders read {words!r} differently, and a model reads it kindly. Say what can be seen when it is so.",
        rewrite="\n".join(dict.fromkeys(lines)),
    )


def _is_defined(text: str, match: re.Match[str]) -> bool:
    """Whether the sentence itself says what the word means: `short (at most 50 words)`, `clear: it names …`, `well-known`."""
    after = text[match.end() : match.end() + 40]
    is_term = match[0].lower() in {"well", "good", "enough", "clean", "short", "clear"} and after.startswith(
        ("-", "_", "/")
    )
    before = text[max(0, match.start() - 14) : match.start()].lower()
    is_verb = match[0].lower() in {"clear", "clean"} and before.endswith(("to ", "must ", "can "))
    return is_term or is_verb or bool(re.match(r"\s*(?:\([^)]*\d|:\s|\bmeans\b|\benough\b|, that is)", after))


def circular(criterion: Criterion) -> Iterator[Finding]:
    """It asks for the verdict itself."""
    if found := CIRCULAR.search(masked(criterion.text)):
        subject = subject_of(criterion.text)
        yield finding(
            "circular",
            "error",
            criterion,
            words=found[0],
            why=f"{found[0]!r} is what the rubric has to find out: the grader can only repeat it.",
            rewrite=f"- {sentence(f'{subject} <does the first thing the task asks for>')[:-1]}.\n- {subject} <does the second thing the task asks for>.",
        )


def unverifiable(criterion: Criterion) -> Iterator[Finding]:
    """Nothing in the deliverables can show it."""
    if criterion.judging != "judge":
        return
    found = UNVERIFIABLE.search(masked(criterion.text))
    if not found:
        return
    subject, file = subject_of(criterion.text), file_in(criterion.text) or "<file>"
    if WORKS.search(found[0]):
        what = "no quote from a file shows that there is none"
        rewrite = f"- {sentence(f'{subject} passes its tests')} (check)\n  check: `<command>`"
    elif STATES_OF_MIND.search(found[0]):
        what = "it is a state of mind, and files show none"
        rewrite = (
            f"- {file} answers this question of {lower_first(subject)}: <the question>; quote the answer."
        )
    elif PROCESS.search(found[0]):
        what = "it tells how the work was done, and the grader sees only what was made"
        rewrite = f"- {file} has <the trace this leaves: a test for each case, a source for each figure>."
    else:
        what = "it lies outside of what was made, or in the future"
        rewrite = f"- {subject} <has the property that can be seen today>."
    yield finding(
        "unverifiable",
        "error",
        criterion,
        words=found[0],
        why=f"The grader cannot confirm {found[0]!r}: {what}.",
        rewrite=rewrite,
    )


def verbosity(criterion: Criterion) -> Iterator[Finding]:
    """It pays for length."""
    if criterion.check:
        return
    found = VERBOSITY.search(masked(criterion.text))
    if found:
        subject = subject_of(criterion.text)
        yield finding(
            "verbosity",
            "warning",
            criterion,
            words=found[0],
            why=f"{found[0]!r} is met by writing more, not by saying more.",
            rewrite=f"- {subject} names <the first fact a reader needs>.\n- {subject} names <the second fact a reader needs>.\n"
            f"- {subject} has at most <300> words. (check, optional)\n"
            f'  check: `test "$(wc -w < {file_in(criterion.text) or "<file>"})" -le <300>`',
        )


def counting(criterion: Criterion) -> Iterator[Finding]:
    """A model has to count."""
    if criterion.judging != "judge":
        return
    found = counted(criterion.text)
    if found:
        yield finding(
            "counting",
            "warning",
            criterion,
            words=found.words,
            why=f"Models count badly; a command counts {found.what} for nothing.",
            rewrite=_under(criterion, found.markup),
        )


def comparative(criterion: Criterion) -> Iterator[Finding]:
    """More or better than nothing named."""
    hidden = masked(criterion.text)
    found = COMPARATIVE.search(hidden)
    if not found or COMPARED.search(hidden) or criterion.check:
        return
    text = criterion.text.rstrip(" .")
    yield finding(
        "comparative",
        "warning",
        criterion,
        words=found[0],
        why=f"{found[0]!r} compares with nothing: every result passes.",
        rewrite=f"- {text} than <the version or number it is compared with> by at least <10 %>, measured by `<command>`.",
    )


def hedged(criterion: Criterion) -> Iterator[Finding]:
    """A requirement that leaves it open."""
    hidden = masked(first_paragraph(criterion))
    found = HEDGED.search(hidden)
    if not found:
        return
    text = first_paragraph(criterion)
    said = (
        re.sub(HEDGED, "", text)
        if not re.search(r"\b(?:should|could|might|may)\b", hidden, re.IGNORECASE)
        else re.sub(r"\b(?:should|could|might|may)\b", "must", text, flags=re.IGNORECASE)
    )
    said = sentence(re.sub(HEDGED, "", re.sub(r"\s*,\s*(?=[.]|$)", "", said)))
    weaker = sentence(re.sub(r"\A[,\s]+", "", said))
    optional = criterion.model_copy(update={"required": False})
    yield finding(
        "hedged",
        "advice",
        criterion,
        words=found[0],
        why=f"{found[0]!r} leaves open whether it is required: one grader lets it pass, another does not.",
        rewrite=f"- {weaker}{marks(criterion)}"
        if criterion.required and found[0].lower() == "should"
        else f"- {weaker}{marks(optional)}",
    )


def negative(criterion: Criterion) -> Iterator[Finding]:
    """What is absent cannot be quoted."""
    if criterion.judging != "judge" or criterion.evidence or not NEGATIVE.search(masked(criterion.text)):
        return
    found = NEGATIVE.search(masked(criterion.text))
    if next(suggestions(criterion), None) is not None:
        return
    place = file_in(criterion.text) or "the deliverables"
    yield finding(
        "negative",
        "advice",
        criterion,
        words=found[0] if found else "",
        why="What is absent cannot be quoted, so a grader that did not look says the same as one that did.",
        rewrite=f"- {sentence(first_paragraph(criterion))}{marks(criterion)}\n  Evidence: each passage of {place} that could break this, quoted; met when there is none",
    )


def no_evidence(criterion: Criterion) -> Iterator[Finding]:
    """It leaves to the grader what to quote."""
    if criterion.judging != "judge" or criterion.evidence or not any(map(str.isalnum, criterion.text)):
        return
    if NEGATIVE.search(masked(criterion.text)):
        return
    parts = parts_of(first_paragraph(criterion))
    place = file_in(criterion.text) or "the deliverables"
    verb = THIRD_PERSON.get(parts.verb.lower()) and parts.verb
    what = (
        f"in which {lower_first(parts.subject)} {parts.verb} {parts.rest}"
        if verb
        else f"that show that {lower_first(first_paragraph(criterion))}"
    )
    yield finding(
        "no_evidence",
        "advice",
        criterion,
        why="It does not say what to quote: a grader may quote a heading and be content.",
        rewrite=f"- {sentence(first_paragraph(criterion))}{marks(criterion)}\n  Evidence: the words of {place} {what.rstrip(' .;')}",
    )


def check_would_do(criterion: Criterion) -> Iterator[Finding]:
    """Code could decide it: the same each time, and for nothing."""
    if criterion.judging != "judge":
        return
    found = next(suggestions(criterion), None)
    if found and (found.what == JSON or len(_parts(criterion)[0]) < 2):
        yield finding(
            "check_would_do",
            "advice",
            criterion,
            words=found.words,
            why=f"Code decides {found.what} the same way each time, and for nothing; a model sometimes errs.",
            rewrite=_under(criterion, found.markup),
        )


def placeholder(criterion: Criterion) -> Iterator[Finding]:
    """A template that was never filled in."""
    check = criterion.check
    places = [masked(criterion.text), masked(criterion.evidence)]
    if check:
        places += [text for text in (check.command, check.path) if re.search(r"<[a-z][a-z ]* ?[a-z]*>", text)]
    found = next((match for text in places if (match := _PLACEHOLDER.search(text))), None)
    if found:
        yield finding(
            "placeholder",
            "error",
            criterion,
            words=found[0],
            why=f"{found[0]!r} was left for the author to fill in.",
            rewrite=f"Fill in {found[0]}; put it in backticks if it is meant as it stands.",
        )


CRITERION_RULES: tuple[CriterionRule, ...] = (
    placeholder,
    circular,
    unverifiable,
    double_barrelled,
    vague,
    verbosity,
    counting,
    comparative,
    hedged,
    negative,
    check_would_do,
    no_evidence,
)
