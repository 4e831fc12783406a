"""Rubrics back to Markdown, in one canonical form."""

from collections.abc import Iterator
from itertools import groupby

from agentflows.errors import RubricError
from agentflows.rubric.checking import check_words
from agentflows.rubric.item import fenced
from agentflows.rubric.reading import heading_words, parse_rubric
from agentflows.rubric.words import Check, Criterion, Rubric

_UNSAID = {"text", "sha256", "source"}


def render_rubric(rubric: Rubric) -> str:
    """Write a rubric as Markdown that `parse_rubric` reads as the same rubric.

    Every id is written out, guidance stands before the criteria, and each run of one group under its heading.

    Raises:
        RubricError: Markdown cannot say it: a rubric made in Python whose guidance holds a list, for instance.
    """
    text = "\n\n".join(_blocks(rubric)) + "\n"
    if said(parse_rubric(text)) != said(rubric):
        msg = (
            "The rubric cannot be written as Markdown: read back, it would differ. "
            "Keep lists, headings and rules out of its guidance, and markers such as (optional) out of its texts."
        )
        raise RubricError(msg)
    return text


def said(rubric: Rubric) -> object:
    """What a rubric says, without where it says it."""
    fields = rubric.model_dump(exclude=_UNSAID)
    for criterion in fields["criteria"]:
        del criterion["line"]
    return fields


def _blocks(rubric: Rubric) -> Iterator[str]:
    front = [] if rubric.threshold == 1 else [f"threshold: {_number(rubric.threshold)}"]
    is_heading = heading_words(f"# {rubric.title}") == rubric.title and rubric.title
    if rubric.title and not is_heading:
        front.insert(0, f'title: "{rubric.title}"')
    if front:
        yield "\n".join(["---", *front, "---"])
    if is_heading:
        yield f"# {rubric.title}"
    if rubric.guidance:
        yield rubric.guidance
    for place, (group, criteria) in enumerate(
        groupby(rubric.criteria, key=lambda criterion: criterion.group)
    ):
        if group or place:
            yield f"## {group}" if group else "---"
        yield "\n".join(_item(criterion) for criterion in criteria)


def _item(criterion: Criterion) -> str:
    first, *more = criterion.text.split("\n\n")
    parts = [f"**{criterion.criterion_id}**: {first}{_marks(criterion)}"]
    if criterion.evidence:
        parts.append(f"Evidence: {criterion.evidence}")
    if more:
        parts.append("\n" + "\n\n".join(more))
    if criterion.check:
        parts.append(_check(criterion.check))
    lines = "\n".join(parts).split("\n")
    return "- " + "\n".join([lines[0], *(f"  {line}" if line else "" for line in lines[1:])])


def _marks(criterion: Criterion) -> str:
    marks = [] if criterion.judging == "judge" else [criterion.judging]
    if not criterion.required:
        marks.append("optional")
    if criterion.weight != 1:
        marks.append(f"weight {_number(criterion.weight)}")
    return f" ({', '.join(marks)})" if marks else ""


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")


def _check(check: Check) -> str:
    header, body = check_words(check)
    return fenced(body, f"check {header}")
