"""What the workbench finds in a rubric, and what to write instead."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from agentflows.rubric import Criterion

Rule = Literal[
    "double_barrelled", "vague", "unverifiable", "circular", "verbosity", "counting", "comparative", "hedged",
    "negative", "no_evidence", "check_would_do", "placeholder", "dangling", "overlap", "contradiction", "no_required",
    "too_few", "too_many", "negative_only", "all_judged", "judged",
]  # fmt: skip
"""What is wrong.

* of one criterion: `double_barrelled` two verdicts in one; `vague` words that two graders read differently;
  `unverifiable` nothing in the deliverables can show it; `circular` it asks whether the work is good; `verbosity` it
  pays for length; `counting` a model has to count; `comparative` more or better than nothing named; `hedged` should,
  if possible; `negative` what is absent cannot be quoted; `no_evidence` it does not say what to quote;
  `check_would_do` code could decide it; `placeholder` a template that was never filled in;
  `dangling` its subject stands in another criterion
* of the whole: `overlap`, `contradiction` of two criteria; `no_required`, `too_few` (below 3), `too_many` (above
  15), `negative_only`, `all_judged`
* `judged`: a model found it
"""
RULES: tuple[Rule, ...] = get_args(Rule)

Severity = Literal["error", "warning", "advice"]
"""`error`: its verdicts will mean nothing; `warning`: graders will disagree; `advice`: it could be better."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class Finding(BaseModel):
    """One problem of a rubric."""

    model_config = ConfigDict(frozen=True)

    rule: Rule
    severity: Severity
    criterion_id: str = ""
    """"" for the rubric as a whole."""
    line: int = 0
    """1-based line of the Markdown; 0 for the rubric as a whole."""
    words: str = ""
    """The criterion's own words that are the problem."""
    why: str
    """What goes wrong when it is graded as written."""
    rewrite: str = ""
    """Markdown to write instead: list items, or a sentence where there is nothing to write."""
    is_template: bool = False
    """Whether the rewrite has `<…>` for the author to fill in."""


def finding(
    rule: Rule, severity: Severity, criterion: Criterion, *, words: str = "", why: str, rewrite: str = ""
) -> Finding:
    """A finding about one criterion."""
    return Finding(
        rule=rule,
        severity=severity,
        criterion_id=criterion.criterion_id,
        line=criterion.line,
        words=words,
        why=why,
        rewrite=rewrite,
        is_template="<" in rewrite and ">" in rewrite,
    )
