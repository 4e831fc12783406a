"""Proof that a rubric can fail: spoil a good artifact in many ways and see which criteria notice.

A criterion that no mutation can fail may be decoration; a mutation that no criterion notices is a gap. Neither is
certain: the mutations are mechanical, and only what was graded for real counts.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentflows.errors import UsageError
from agentflows.evaluation import Met
from agentflows.rubric import Criterion, Rubric
from agentflows.workbench.mutations import Mutation, apply_mutation, artifact_files, mutations_of
from agentflows.workbench.planting import plants

Grade = Callable[[Path], Mapping[str, Met]]
"""Grades a folder: criterion id → verdict. Criteria it leaves out were not graded."""

ProofStatus = Literal["proven", "cannot_fail", "fails_on_good", "needs_model", "needs_person", "not_graded"]
"""What is known of a criterion.

* `proven`: met on the good artifact, and some mutation fails it
* `cannot_fail`: met on the good artifact and on every mutation of it
* `fails_on_good`: not met on the good artifact itself, so that nothing can be shown
* `needs_model`, `needs_person`, `not_graded`: nothing graded it here
"""


class Tried(BaseModel):
    """One mutation, and who noticed."""

    model_config = ConfigDict(frozen=True)

    mutation: Mutation
    caught_by: tuple[str, ...]
    """Criteria met on the good artifact and not on this one, in the rubric's order."""


class CriterionProof(BaseModel):
    """What the mutations say of one criterion."""

    model_config = ConfigDict(frozen=True)

    criterion_id: str
    status: ProofStatus
    baseline: Met | None
    """On the good artifact; None when it was not graded."""
    caught: int = 0
    """Mutations it noticed."""
    alone: int = 0
    """Mutations that no other graded criterion noticed."""


class Proof(BaseModel):
    """Which criteria of a rubric can fail, and what none of them notices."""

    model_config = ConfigDict(frozen=True)

    rubric_sha256: str
    artifact: str
    criteria: tuple[CriterionProof, ...]
    tried: tuple[Tried, ...]
    seconds: float = 0

    @property
    def cannot_fail(self) -> tuple[str, ...]:
        """Criteria that were graded and that no mutation failed."""
        return tuple(one.criterion_id for one in self.criteria if one.status == "cannot_fail")

    @property
    def gaps(self) -> tuple[Mutation, ...]:
        """Mutations that no graded criterion noticed."""
        return tuple(one.mutation for one in self.tried if not one.caught_by)


def prove(
    rubric: Rubric,
    artifact: Path,
    grade: Grade,
    *,
    mutations: Sequence[Mutation] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Proof:
    """Show which criteria can fail.

    Args:
        rubric: what is proven.
        artifact: the folder of a good artifact; it is copied, never changed.
        grade: grades a copy, for real.
        mutations: what to try; None derives them from the artifact, and plants what the rubric forbids.
        progress: told how many are done, of how many.

    Raises:
        UsageError: there is no artifact, or nothing of it was graded.
        LimitError: the artifact is too large.
    """
    started = time.monotonic()
    chosen = [*mutations_of(artifact), *plants(rubric, artifact)] if mutations is None else list(mutations)
    artifact_files(artifact)
    baseline = _graded(artifact, None, grade)
    if not baseline:
        msg = (
            "Nothing of this rubric can be graded here: it has no checks, and no model is there to judge. "
            "Add a check, or set ANTHROPIC_API_KEY or ANTHROPIC_BASE_URL."
        )
        raise UsageError(msg)
    tried: list[Tried] = []
    for mutation in chosen:
        after = _graded(artifact, mutation, grade)
        caught = tuple(
            criterion.criterion_id
            for criterion in rubric.criteria
            if baseline.get(criterion.criterion_id) == "met"
            and after.get(criterion.criterion_id, "met") != "met"
        )
        tried.append(Tried(mutation=mutation, caught_by=caught))
        if progress:
            progress(len(tried), len(chosen))
    return Proof(
        rubric_sha256=rubric.sha256,
        artifact=str(artifact),
        criteria=tuple(
            _of(criterion, baseline.get(criterion.criterion_id), tried) for criterion in rubric.criteria
        ),
        tried=tuple(tried),
        seconds=round(time.monotonic() - started, 3),
    )


def _graded(artifact: Path, mutation: Mutation | None, grade: Grade) -> Mapping[str, Met]:
    """The verdicts on a copy of the artifact, spoilt or not. Each has a copy of its own: graders may write."""
    with tempfile.TemporaryDirectory(prefix="agentflows-proof-") as scratch:
        copy = Path(scratch) / "artifact"
        shutil.copytree(artifact, copy, symlinks=True)
        if mutation:
            apply_mutation(mutation, copy)
        return grade(copy)


def _of(criterion: Criterion, baseline: Met | None, tried: Sequence[Tried]) -> CriterionProof:
    name = criterion.criterion_id
    caught = [one for one in tried if name in one.caught_by]
    return CriterionProof(
        criterion_id=name,
        status=_status(criterion, baseline, is_caught=bool(caught)),
        baseline=baseline,
        caught=len(caught),
        alone=sum(one.caught_by == (name,) for one in caught),
    )


def _status(criterion: Criterion, baseline: Met | None, *, is_caught: bool) -> ProofStatus:
    if baseline is None:
        ungraded: Mapping[str, ProofStatus] = {"judge": "needs_model", "human": "needs_person"}
        return ungraded.get(criterion.judging, "not_graded")
    if baseline != "met":
        return "fails_on_good"
    return "proven" if is_caught else "cannot_fail"
