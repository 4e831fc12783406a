"""Rubrics: what done looks like, as Markdown that anyone can write, parsed into criteria that code can count.

A `Rubric` is words and pure functions; grading with one is the work of `agentflows.outcome`, writing a good one
that of `agentflows.workbench`.
"""

from agentflows.rubric.words import Check, CheckKind, Criterion, Judging, Rubric

__all__ = ["Check", "CheckKind", "Criterion", "Judging", "Rubric"]
