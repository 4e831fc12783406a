"""What the workbench asks a model, and how little of the answer it takes on trust.

Criteria come back as Markdown that goes through the same parser as an author's; checks are tried on the examples.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from agentflows.errors import RubricError
from agentflows.marks import fence_for, reveal
from agentflows.prompts import prompt_sha256, render
from agentflows.rubric import Criterion, Rubric, parse_rubric, render_rubric
from agentflows.workbench.finding import Finding

T = TypeVar("T", bound=BaseModel)
Value_co = TypeVar("Value_co", covariant=True)

PROMPTS = ("rubric_draft", "rubric_lint", "rubric_material")
MAX_EXAMPLE_CHARS = 24_000
"""Of all examples together that one question shows."""
_DRAFT_TOKENS = 6_000
_LINT_TOKENS = 5_000


class Answer(Protocol[Value_co]):
    """What comes back from a model."""

    @property
    def value(self) -> Value_co:
        """The reply, valid for the schema asked for."""
        ...


class Ask(Protocol):
    """Asks a model for one structured reply.

    Raises `ModelOutputError` for a reply that cannot be used, `EndpointError` and `BudgetError` where asking cannot
    go on.
    """

    def __call__(
        self, *, system: Sequence[str], user: Sequence[str], schema: type[T], max_tokens: int, purpose: str
    ) -> Answer[T]:
        """Ask once."""
        ...


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DraftReply(_Reply):
    """A rubric as a model writes it."""

    title: str
    guidance: str
    items: list[str]
    """Each the Markdown of one list item, without the bullet; nested lines indented by two blanks."""


class Problem(_Reply):
    """What a model finds in one criterion."""

    criterion_id: str
    words: str
    why: str
    rewrite: str


class LintReply(_Reply):
    """What a model finds in a rubric."""

    problems: list[Problem]


def workbench_prompt_sha256() -> str:
    """Identity of the prompts' text."""
    return prompt_sha256(*PROMPTS)


def ask_draft(ask: Ask, task: str, good: Sequence[str], bad: Sequence[str]) -> tuple[Rubric, list[str]]:
    """A model's draft, and what of it could not be read.

    Raises:
        RubricError: not one of its criteria can be read.
        ModelOutputError, EndpointError, BudgetError: from `ask`.
    """
    parts = [*(f"A good example:\n{text}" for text in good), *(f"A bad example:\n{text}" for text in bad)]
    body = "\n\n".join([f"The task:\n{reveal(task)}", *parts])
    reply = ask(
        system=[render("rubric_draft")],
        user=[_material(body)],
        schema=DraftReply,
        max_tokens=_DRAFT_TOKENS,
        purpose="rubric_draft",
    ).value
    return _read(reply)


def _material(body: str) -> str:
    return render("rubric_material", fence=fence_for(body), material=body)


def _read(reply: DraftReply) -> tuple[Rubric, list[str]]:
    """Each item on its own, so that one bad one costs no other."""
    criteria: list[Criterion] = []
    refused: list[str] = []
    for item in reply.items:
        first, *more = item.strip().removeprefix("- ").split("\n")
        try:
            found = parse_rubric(
                "\n".join([f"- {first}", *(f"  {line}" if line[:2] != "  " else line for line in more)])
            )
        except RubricError as error:
            refused.append(f"left out, for it cannot be read ({error}): {first[:80]}")
            continue
        criteria.extend(found.criteria)
    if not criteria:
        msg = f"The model's draft holds no criterion that can be read: {'; '.join(refused) or 'it is empty'}. Draft again."
        raise RubricError(msg)
    return _whole(reply, criteria), refused


def _whole(reply: DraftReply, criteria: Sequence[Criterion]) -> Rubric:
    """As one rubric: ids made unique, guidance kept where it is prose."""
    taken: set[str] = set()
    unique: list[Criterion] = []
    for criterion in criteria:
        name, number = criterion.criterion_id, 2
        while name in taken:
            name, number = f"{criterion.criterion_id}-{number}", number + 1
        taken.add(name)
        unique.append(criterion.model_copy(update={"criterion_id": name}))
    title = " ".join(reply.title.split())
    rubric = Rubric(title=title, guidance=reply.guidance.strip(), criteria=tuple(unique))
    try:
        return parse_rubric(render_rubric(rubric))
    except RubricError:
        return parse_rubric(render_rubric(rubric.model_copy(update={"guidance": ""})))


def ask_lint(ask: Ask, rubric: Rubric) -> list[Finding]:
    """What a model finds that code does not see. Problems of criteria that do not exist are left out.

    Raises:
        ModelOutputError, EndpointError, BudgetError: from `ask`.
    """
    body = reveal(render_rubric(rubric))
    reply = ask(
        system=[render("rubric_lint")],
        user=[_material(body)],
        schema=LintReply,
        max_tokens=_LINT_TOKENS,
        purpose="rubric_lint",
    ).value
    by_id = {criterion.criterion_id: criterion for criterion in rubric.criteria}
    return [
        _judged(problem, by_id[problem.criterion_id])
        for problem in reply.problems
        if problem.criterion_id in by_id
    ]


def _judged(problem: Problem, criterion: Criterion) -> Finding:
    words = " ".join(problem.words.split())
    whole = " ".join(f"{criterion.text} {criterion.evidence}".split())
    return Finding(
        rule="judged",
        severity="warning",
        criterion_id=criterion.criterion_id,
        line=criterion.line,
        words=words if words in whole else "",
        why=" ".join(problem.why.split()),
        rewrite=problem.rewrite.strip(),
        is_template="<" in problem.rewrite and ">" in problem.rewrite,
    )
