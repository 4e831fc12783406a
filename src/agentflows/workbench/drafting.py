"""A first rubric from a task and examples: checks that tell good from bad, tried on both, and questions for a judge.

Without a model, checks come from the contrast of the examples and questions from the sentences of the task. With one,
the model writes; its checks are tried on the examples all the same, and those that do not tell them apart go.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agentflows.errors import UsageError
from agentflows.marks import mark, one_line, reveal
from agentflows.rubric import Criterion, Rubric, parse_rubric, render_rubric
from agentflows.rubric.reading import words_id
from agentflows.signature import sentences
from agentflows.workbench.asking import MAX_EXAMPLE_CHARS, Ask, ask_draft
from agentflows.workbench.contrast import Decide, Sample, common_files, verified
from agentflows.workbench.finding import Finding
from agentflows.workbench.lint import lint
from agentflows.workbench.lint.sentence import halves, lower_first, sentence
from agentflows.workbench.lint.vocabulary import BASE_VERBS, THIRD_PERSON

MAX_JUDGED = 8
"""Questions for a judge in a draft without a model."""
_MAKES = frozenset(
    [
        "write",
        "create",
        "add",
        "make",
        "produce",
        "generate",
        "draft",
        "prepare",
        "compose",
        "build",
        "give",
        "provide",
        "put",
    ]
)
_PLEASE = re.compile(
    r"\A(?:please|kindly|then|also|and|first|finally|next|make sure (?:that|to)|ensure (?:that)?|be sure to)[\s,]+",
    re.IGNORECASE,
)
_NEVER = re.compile(r"\A(?:do not|don't|never|avoid)\s+", re.IGNORECASE)
_VERB = {base: third for third, base in THIRD_PERSON.items()}


class Draft(BaseModel):
    """A drafted rubric, and what is known of it."""

    model_config = ConfigDict(frozen=True)

    rubric: Rubric
    findings: tuple[Finding, ...]
    """Of the linter, on the draft itself."""
    notes: tuple[str, ...]
    """What was tried on the examples, and what was left out."""


def draft(
    task: str, good: Sequence[Path], bad: Sequence[Path] = (), *, decide: Decide, ask: Ask | None = None
) -> Draft:
    """Draft a rubric.

    Args:
        task: what the agent is told to do.
        good: folders of artifacts that did it.
        bad: folders of artifacts that did not.
        decide: decides one check on one folder, for real.
        ask: asks a model; None drafts from the contrast and the task's sentences alone.

    Raises:
        UsageError: there is neither a task nor a good example.
        RubricError: the model's draft cannot be read.
    """
    if not task.strip() and not good:
        msg = "A draft needs a task or a good example, found neither. Name one."
        raise UsageError(msg)
    goods, bads = [Sample(path) for path in good], [Sample(path) for path in bad]
    checks, notes = _checks(goods, bads, decide)
    if ask:
        rubric, more = _asked(ask, task, goods, bads, decide)
        criteria = [*rubric.criteria, *(one for one in checks if not _has(rubric, one))]
        rubric = rubric.model_copy(update={"criteria": tuple(_unique(criteria))})
        notes += more
    else:
        judged = _from_task(reveal(task), common_files(goods) if goods else [])
        if not checks and not judged:
            msg = (
                "Nothing could be drafted: the task has no sentence that asks for something, and no check tells the "
                "examples apart. Say what is to be done, or give a bad example."
            )
            raise UsageError(msg)
        rubric = Rubric(title=_title(reveal(task)), criteria=tuple(_unique([*checks, *judged])))
    written = parse_rubric(render_rubric(rubric))
    return Draft(rubric=written, findings=tuple(lint(written)), notes=tuple(notes))


def _checks(
    good: Sequence[Sample], bad: Sequence[Sample], decide: Decide
) -> tuple[list[Criterion], list[str]]:
    """Criteria that hold on every good example and fail on a bad one."""
    if not good:
        return [], ["no good example: no check was drafted"]
    found = verified(good, bad, decide)
    criteria = [
        Criterion(
            criterion_id=words_id(one.candidate.text),
            text=one.candidate.text,
            judging="check",
            check=one.candidate.check,
        )
        for one in found
    ]
    if not bad:
        return criteria, [
            "no bad example: the checks hold on the good ones; that they can fail is not shown (rubric prove)"
        ]
    notes = [f"{len(criteria)} checks hold on all {len(good)} good examples and fail on a bad one"]
    missed = [bad[n].folder.name for n in range(len(bad)) if not any(n in one.fails_on for one in found)]
    if missed:
        notes.append(f"no check fails on: {', '.join(missed)}; what is wrong there is for a judge")
    return criteria, notes


def _unique(criteria: Sequence[Criterion]) -> list[Criterion]:
    taken: set[str] = set()
    done: list[Criterion] = []
    for criterion in criteria:
        name, number = criterion.criterion_id, 2
        while name in taken:
            name, number = f"{criterion.criterion_id}-{number}", number + 1
        taken.add(name)
        done.append(criterion.model_copy(update={"criterion_id": name}))
    return done


# -- without a model -----------------------------------------------------------------------------------------


def _title(task: str) -> str:
    spans = sentences(task)
    first = task[slice(*spans[0])] if spans else "Drafted rubric"
    words = re.sub(r"[#`*_<>\[\]]", "", " ".join(first.split())).rstrip(". ")
    return words if len(words) <= 80 else f"{words[:79].rsplit(' ', 1)[0]}…"


def _from_task(task: str, files: Sequence[str]) -> list[Criterion]:
    """Questions for a judge: each sentence of the task that asks for something, as something to be seen."""
    subject = f"`{files[0]}`" if len(files) == 1 else "The work"
    place = files[0] if len(files) == 1 else "the deliverables"
    asked: list[str] = []
    for start, end in sentences(task):
        for order in _orders(" ".join(task[start:end].split())):
            said = _as_seen(order, subject)
            asked.extend(part for part in (halves(said) or [said]) if part)
    return [
        Criterion(
            criterion_id=words_id(text),
            text=text,
            evidence=f"the words of {place} that show that {lower_first(text).rstrip('.')}",
        )
        for text in dict.fromkeys(asked)
        if not re.search(r"\((?:check|judge|human|optional|required|weight)\b", text)
    ][:MAX_JUDGED]


def _orders(said: str) -> list[str]:
    """`Name it and list the others.` as two orders."""
    found = re.split(rf",? and (?=(?:{'|'.join(sorted(BASE_VERBS))})\b)|; ", said)
    return found if found[0].split(maxsplit=1)[0].lower() in BASE_VERBS else [said]


def _as_seen(said: str, subject: str) -> str:
    """`List every step.` as `The work lists every step.`; "" for what asks for nothing."""
    said = re.sub(r"\A(?:[-*+]|\d+[.)])\s+", "", said)
    while found := _PLEASE.match(said):
        said = said[found.end() :]
    if said.endswith("?") or not said.strip(" .:"):
        return ""
    if found := _NEVER.match(said):
        return _negative(said[found.end() :], subject)
    first, _, rest = said.partition(" ")
    verb = first.lower()
    if verb in _MAKES and rest:
        return sentence(f"{subject} has {rest}")
    if verb in BASE_VERBS and rest:
        return sentence(f"{subject} {_VERB[verb]} {rest}")
    if re.match(r"(?:it|this|they)\b", said, re.IGNORECASE):
        return sentence(re.sub(r"\A\w+", lambda _: subject, said, count=1))
    demands = re.search(r"\b(?:must|should|shall|has to|have to|needs? to)\b", said)
    return (
        sentence(said)
        if demands or re.match(r"(?:The|Every|Each|All|No|At least|At most|Exactly)\b", said)
        else ""
    )


def _negative(rest: str, subject: str) -> str:
    first, _, more = rest.partition(" ")
    return sentence(f"{subject} does not {first.lower()} {more}") if more else ""


# -- with a model --------------------------------------------------------------------------------------------


def _asked(
    ask: Ask, task: str, good: Sequence[Sample], bad: Sequence[Sample], decide: Decide
) -> tuple[Rubric, list[str]]:
    share = MAX_EXAMPLE_CHARS // max(1, len(good) + len(bad))
    rubric, notes = ask_draft(
        ask, task, [_shown(one, share) for one in good], [_shown(one, share) for one in bad]
    )
    kept: list[Criterion] = []
    for criterion in rubric.criteria:
        why = _unfit(criterion, good, bad, decide)
        if not why:
            kept.append(criterion)
            continue
        notes.append(f"the model's check {criterion.criterion_id!r} {why}: it is for the judge now")
        evidence = criterion.evidence or "the words that decide it"
        kept.append(criterion.model_copy(update={"judging": "judge", "check": None, "evidence": evidence}))
    return rubric.model_copy(update={"criteria": tuple(kept)}), notes


def _unfit(criterion: Criterion, good: Sequence[Sample], bad: Sequence[Sample], decide: Decide) -> str:
    """Why a check does not tell the examples apart; "" when it does, or when there is nothing to try it on."""
    if criterion.check is None or not good:
        return ""
    if any(decide(criterion.check, one.folder) != "met" for one in good):
        return "does not hold on a good example"
    if bad and all(decide(criterion.check, one.folder) == "met" for one in bad):
        return "holds on every bad example as well"
    return ""


def _has(rubric: Rubric, criterion: Criterion) -> bool:
    return any(one.check is not None and one.check == criterion.check for one in rubric.criteria)


def _shown(sample: Sample, chars: int) -> str:
    """The files of an example as text, cut to `chars`."""
    parts = [f"{mark(one_line(path, 200))}\n{reveal(text)}" for path, text in sample.texts.items()]
    whole = "\n\n".join(parts)
    return whole if len(whole) <= chars else f"{whole[:chars]}\n{mark('… cut here')}"
