"""Rubrics: what done looks like, as Markdown that anyone can write, parsed into criteria that code can count.

A `Rubric` is words and pure functions; grading with one is the work of `agentflows.outcome`, writing a good one
that of `agentflows.workbench`.
"""

from agentflows.rubric.checking import KINDS
from agentflows.rubric.reading import MAX_RUBRIC_CHARS, RubricLike, as_rubric, parse_rubric, read_rubric
from agentflows.rubric.rendering import render_rubric, said
from agentflows.rubric.words import Check, CheckKind, Criterion, Judging, Rubric

__all__ = [
    "KINDS",
    "MAX_RUBRIC_CHARS",
    "Check",
    "CheckKind",
    "Criterion",
    "Judging",
    "Rubric",
    "RubricLike",
    "as_rubric",
    "parse_rubric",
    "read_rubric",
    "render_rubric",
    "said",
]
