"""Lint: what is wrong with a rubric as it is written, and what to write instead. No model is needed."""

from agentflows.rubric import Rubric
from agentflows.workbench.finding import SEVERITIES, Finding
from agentflows.workbench.lint.criterion import CRITERION_RULES
from agentflows.workbench.lint.whole import whole_findings

__all__ = ["lint"]

MAX_CHARS = 1_000
"""Of one criterion that are looked at: what is longer is no sentence, and rules over sentences would take for ever."""


def lint(rubric: Rubric) -> list[Finding]:
    """Find what will make the verdicts of a rubric wrong, unsteady or dear; deterministic.

    Returns:
        Findings by line, those of the whole rubric first; of one line the gravest first.
    """
    cut = [one.model_copy(update={"text": one.text[:MAX_CHARS]}) for one in rubric.criteria]
    rubric = rubric.model_copy(update={"criteria": tuple(cut)})
    found = [*whole_findings(rubric)]
    for criterion in rubric.criteria:
        own = [problem for rule in CRITERION_RULES for problem in rule(criterion)]
        found.extend(_without_repeats(own))
    return sorted(found, key=lambda one: (one.line, SEVERITIES.index(one.severity)))


def _without_repeats(found: list[Finding]) -> list[Finding]:
    """Leave out advice that another finding on the same criterion makes moot."""
    rules = {one.rule for one in found}
    moot: set[str] = set()
    if rules - {"no_evidence", "negative"}:
        moot |= {"no_evidence", "negative"}
    if rules & {"circular", "unverifiable"}:
        moot |= {"vague", "check_would_do"}
    if "counting" in rules:
        moot |= {"check_would_do"}
    if "verbosity" in rules:
        moot |= {"counting", "vague"}
    return [one for one in found if one.rule not in moot]
