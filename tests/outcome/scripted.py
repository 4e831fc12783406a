"""A world for the loop: what the writer leaves and what the grader says, by script; and what the loop asked for."""

from collections.abc import Callable, Sequence

from agentflows.errors import BudgetError
from agentflows.evaluation import Attempt, CriterionResult, Deliverable, Evaluation, Met, Outcome, RunEnd
from agentflows.outcome import Waiting, manifest_sha256
from agentflows.outcome.verdict import score, verdict
from agentflows.rubric import Criterion, Rubric

RUBRIC = Rubric(
    criteria=(Criterion(criterion_id="a", text="A holds."), Criterion(criterion_id="b", text="B holds."))
)


def outcome(max_iterations: int = 3) -> Outcome:
    return Outcome(
        outcome_id="outc_1",
        description="Do it",
        rubric_sha256="",
        agent="writer",
        workspace="/w",
        max_iterations=max_iterations,
    )


def result(criterion_id: str, met: Met, reason: str = "") -> CriterionResult:
    return CriterionResult(
        criterion_id=criterion_id, met=met, judging="judge", reason=reason or f"{criterion_id} is {met}"
    )


def left(content: str, iteration: int = 0, *, end: RunEnd = "finished", detail: str = "") -> Attempt:
    """An attempt that left one file; "" is none."""
    made = (Deliverable(path="f", sha256=content, size_bytes=1),) if content else ()
    return Attempt(
        outcome_id="outc_1",
        iteration=iteration,
        end=end,
        detail=detail,
        deliverables=made,
        manifest_sha256=manifest_sha256(made),
    )


def graded(marks: str, *, reason: str = "", rubric: Rubric = RUBRIC) -> Evaluation:
    """An evaluation; `marks` has a letter for each criterion: m(et), u(nmet) or ?."""
    words: dict[str, Met] = {"m": "met", "u": "unmet", "?": "cannot_tell"}
    results = tuple(
        result(criterion.criterion_id, words[mark], reason)
        for criterion, mark in zip(rubric.criteria, marks, strict=True)
    )
    return Evaluation(
        outcome_id="outc_1",
        iteration=0,
        result=verdict(rubric, results, has_deliverables=True),
        score=score(rubric, results),
        criteria=results,
    )


class World:
    """The loop's steps, by script. A callable in the scripts is called, and may raise."""

    def __init__(
        self,
        works: Sequence[Attempt | Exception],
        grades: Sequence[Evaluation | Waiting | Exception],
        stops: Callable[[], str] = lambda: "",
    ) -> None:
        self.works = list(works)
        self.grades = list(grades)
        self.told: list[str] = []
        self.graded: list[int] = []
        self.restored: list[int] = []
        self.kept: list[Outcome] = []
        self._stops = stops

    def work(self, outcome: Outcome, iteration: int, feedback: str) -> Attempt:
        self.told.append(feedback)
        found = self.works.pop(0)
        if isinstance(found, Exception):
            raise found
        return found.model_copy(update={"iteration": iteration})

    def grade(self, outcome: Outcome, attempt: Attempt) -> Evaluation | Waiting:
        self.graded.append(attempt.iteration)
        found = self.grades.pop(0)
        if isinstance(found, Exception):
            raise found
        return found.model_copy(update={"iteration": attempt.iteration})

    def restore(self, outcome: Outcome, iteration: int) -> None:
        self.restored.append(iteration)

    def keep(self, outcome: Outcome) -> None:
        self.kept.append(outcome)

    def stop(self) -> str:
        return self._stops()


NO_MONEY = BudgetError("The budget does not allow it.")
