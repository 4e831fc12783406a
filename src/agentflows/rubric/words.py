"""The words of a rubric."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Judging = Literal["check", "judge", "human"]
"""Who decides whether a criterion is met: code (`check`), a model that must quote its evidence (`judge`),
or a person (`human`)."""

CheckKind = Literal["command", "json_schema", "regex", "exists", "python"]
"""How code decides.

* `command`: a shell command in the sandbox over the frozen deliverables; exit code 0 is met
* `json_schema`: a file holds JSON that fits a schema
* `regex`: a pattern is found in a file (or, negated, is not)
* `exists`: a path or glob names at least one file
* `python`: `module:function`, called with the folder of the deliverables; True is met
"""


class Check(BaseModel):
    """How code decides about one criterion. Only the fields of its kind are used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: CheckKind
    command: str = ""
    path: str = ""
    """The file or glob, relative to the deliverables (`json_schema`, `regex`, `exists`)."""
    pattern: str = ""
    """Python's `re`, searched with `MULTILINE` (`regex`)."""
    negated: bool = False
    """`regex`, `exists`: met when it is *not* found."""
    json_schema: dict[str, Any] = {}
    function: str = ""
    """`module:function` (`python`)."""
    timeout_seconds: float = Field(default=60, gt=0, le=3600)


class Criterion(BaseModel):
    """One checkable part of what done looks like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    criterion_id: str
    """Stable within the rubric: given by its author, or made of its words."""
    text: str
    judging: Judging = "judge"
    required: bool = True
    """Whether the work cannot be done without it. What is not required counts by its weight only."""
    weight: float = Field(default=1, gt=0)
    evidence: str = ""
    """What the grader must quote, and from where, in the author's words; "" leaves it to the grader."""
    check: Check | None = None
    """With `judging="check"`, and only then."""
    group: str = ""
    """The heading it stands under; "" where that is the rubric's title, or none."""
    line: int = 0
    """1-based line of the Markdown it starts on."""


class Rubric(BaseModel):
    """What done looks like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    guidance: str = ""
    """The Markdown outside the criteria: what every criterion is to be read with."""
    criteria: tuple[Criterion, ...]
    threshold: float = Field(default=1, gt=0, le=1)
    """The weighted share of met criteria that is enough, once every required one is met."""
    text: str = ""
    """The Markdown itself, up to 262,144 characters (hosted limit)."""
    sha256: str = ""
    """Of `text`."""
    source: str = ""
    """The file it came from; "" when it was given as text."""
