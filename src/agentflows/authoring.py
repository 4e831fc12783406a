"""Rubrics worked on with real doors: checks run in the sandbox, criteria are judged by a model where one may be asked.

The workbench itself takes callables; here they are made from a home.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agentflows.asking import Asker
from agentflows.change import Budget
from agentflows.errors import SettingsError
from agentflows.evaluation import Deliverable, Met
from agentflows.home import Home, open_home
from agentflows.outcome import Frozen, Grader, run_check
from agentflows.rubric import Check, Criterion, Rubric, RubricLike, as_rubric
from agentflows.sandbox import Limits, Run, Sandbox
from agentflows.store.opened import new_id
from agentflows.workbench import (
    SEVERITIES,
    Agreement,
    Draft,
    Finding,
    Label,
    Mutation,
    Proof,
    agree,
    ask_lint,
    draft,
    files_in,
    lint,
    prove,
    read_labels,
)

Folders = str | Path | Sequence[str | Path]
"""Folders; one alone may stand for itself."""


def lint_rubric(rubric: RubricLike) -> list[Finding]:
    """What is wrong with a rubric as it is written, with what to write instead. Asks no model.

    Raises:
        RubricError: it is no rubric at all.
    """
    return lint(as_rubric(rubric))


def review_rubric(
    rubric: RubricLike, *, budget: Budget | None = None, home: str | Path | None = None
) -> list[Finding]:
    """What code and a model find in a rubric: one call on top of `lint_rubric`.

    Raises:
        SettingsError: neither a key nor an endpoint is configured.
        ModelOutputError, EndpointError, BudgetError: the model gave no usable answer.
    """
    found = as_rubric(rubric)
    with open_home(home) as doors:
        judged = ask_lint(Bench(doors, found, budget).asker, found)
    return sorted([*lint(found), *judged], key=lambda one: (one.line, SEVERITIES.index(one.severity)))


def draft_rubric(
    task: str,
    *,
    good: Folders = (),
    bad: Folders = (),
    model: bool | None = None,
    budget: Budget | None = None,
    home: str | Path | None = None,
) -> Draft:
    """Draft a rubric from a task and the folders of good and bad artifacts; its checks were tried on them.

    Args:
        task: what the agent is told to do.
        good: folders of artifacts that did it.
        bad: folders of artifacts that did not.
        model: whether to ask one; None does where a key or an endpoint is configured.
        budget: of the model's calls; None is no ceiling.
        home: the home folder.

    Raises:
        UsageError: there is neither a task nor a good example, or a folder is missing.
        SandboxError: a check is a command, and no sandbox can be made here.
        SettingsError: `model`, and neither a key nor an endpoint is configured.
    """
    with open_home(home) as doors:
        bench = Bench(doors, budget=budget)
        has_model = doors.settings.has_endpoint if model is None else model
        return draft(
            task,
            _folders(good),
            _folders(bad),
            decide=bench.decide,
            ask=bench.asker if has_model else None,
        )


def _folders(given: Folders) -> list[Path]:
    """The folders; of one string, not its letters: the first would be the root of the file system."""
    return [Path(one) for one in ([given] if isinstance(given, str | Path) else given)]


def prove_rubric(  # noqa: PLR0913 - what a proof is given, each with its name
    rubric: RubricLike,
    artifact: str | Path,
    *,
    task: str = "",
    judge: bool = False,
    budget: Budget | None = None,
    mutations: Sequence[Mutation] | None = None,
    progress: Callable[[int, int], None] | None = None,
    home: str | Path | None = None,
) -> Proof:
    """Spoil a good artifact in many ways and see which criteria notice.

    Args:
        rubric: what is proven.
        artifact: the folder of a good artifact; it is copied, never changed.
        task: what the work was, for the judge.
        judge: ask a model about judged criteria: one call for the artifact and one for each mutation.
        budget: of those calls together; None is no ceiling.
        mutations: what to try; None derives them from the artifact.
        progress: told how many are done, of how many.
        home: the home folder.

    Raises:
        SandboxError: a check is a command, and no sandbox can be made here.
        SettingsError: `judge`, and neither a key nor an endpoint is configured.
        UsageError: there is no artifact, or nothing of the rubric can be graded.
    """
    found = as_rubric(rubric)
    with open_home(home) as doors:
        bench = Bench(doors, found, budget or Budget())
        return prove(
            found,
            Path(artifact),
            lambda folder: bench.grade(folder, task=task, judge=judge),
            mutations=mutations,
            progress=progress,
        )


def measure_agreement(
    rubric: RubricLike, labels: str | Path, verdicts: str | Path | None = None, *, grader: str = "grader"
) -> Agreement:
    """How far a grader agrees with people; both from CSV files (`agentflows.workbench.labels` has the columns).

    Raises:
        NotFoundError: there is no such file.
        RubricError: a line is wrong, or labels and verdicts have no item in common.
    """
    found = as_rubric(rubric)
    said: list[Label] = read_labels(verdicts, found) if verdicts else []
    renamed = [one.model_copy(update={"rater": grader}) for one in said]
    return agree(found, read_labels(labels, found), renamed, grader=grader)


class Bench:
    """Grades folders with a rubric, and decides single checks, through the doors of a home."""

    def __init__(self, home: Home, rubric: Rubric | None = None, budget: Budget | None = None) -> None:
        self._home = home
        self._rubric = rubric
        self._budget = budget or Budget()
        source = Path(rubric.source) if rubric and rubric.source else None
        beside = [source.resolve().parent] if source and source.exists() else []
        self._search = [*beside, Path.cwd()]
        self._asker: Asker | None = None

    def grade(self, folder: Path, *, task: str, judge: bool) -> Mapping[str, Met]:
        """Verdicts on every criterion that can be graded here.

        Raises:
            SandboxError: a check is a command, and no sandbox can be made here.
            SettingsError: a model is to judge, and none can be called.
        """
        rubric = self._rubric
        criteria = rubric.criteria if rubric else ()
        found: dict[str, Met] = {
            one.criterion_id: self.decide(one.check, folder) for one in criteria if one.check
        }
        judged = [one for one in criteria if one.judging == "judge"]
        if rubric and judge and judged:
            found.update(self._judged(task, rubric, judged, folder))
        return found

    def decide(self, check: Check, folder: Path) -> Met:
        """One check on one folder.

        Raises:
            SandboxError: it is a command, and no sandbox can be made here.
        """
        return run_check(check, folder, shell=self._shell, search=self._search).met

    def _shell(self, command: str, *, folder: Path, seconds: float) -> Run:
        """In a copy of its own, which it may write to: builds and tests leave files behind."""
        with tempfile.TemporaryDirectory(prefix="agentflows-check-") as scratch:
            copy = Path(scratch) / "work"
            shutil.copytree(folder, copy, symlinks=True)
            mode = self._home.settings.sandbox
            return Sandbox(copy, mode=mode, limits=Limits(seconds=seconds)).run(command)

    def _judged(
        self, task: str, rubric: Rubric, judged: Sequence[Criterion], folder: Path
    ) -> Mapping[str, Met]:
        redact = self._home.redactor(pii=()).redact
        deliverables = tuple(_deliverables(folder))
        if not deliverables:  # nothing was left behind: nobody has to be asked
            return {one.criterion_id: "unmet" for one in judged}
        frozen = Frozen(folder, deliverables, redact)
        grading = Grader([self.asker]).grade(task or rubric.title, rubric, judged, frozen)
        return {one.criterion_id: one.met for one in grading.results}

    @property
    def asker(self) -> Asker:
        """Asks the judge's model, within the budget; replies are kept.

        Raises:
            SettingsError: neither a key nor an endpoint is configured.
        """
        if self._asker is None:
            home = self._home
            if not home.settings.has_endpoint:
                msg = (
                    "A model is to be asked and none can be called. Set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL "
                    "for a server of your own; or leave it out."
                )
                raise SettingsError(msg)
            model = home.settings.judge_model or home.settings.model
            name = self._rubric.sha256[:16] if self._rubric else "draft"
            # the budget is of this command's calls; what an earlier one spent is not theirs
            purse = home.state.purse({f"workbench:{name}/{new_id('run')}": self._budget})
            is_capped = self._budget.dollars is not None
            client = home.kept(home.claude(purse, model=model, is_money_capped=is_capped))
            self._asker = Asker(lambda: client, home.state, model, home.canaries)
        return self._asker


def _deliverables(folder: Path) -> list[Deliverable]:

    return [
        Deliverable(
            path=path, sha256=hashlib.sha256(raw := file.read_bytes()).hexdigest(), size_bytes=len(raw)
        )
        for path, file in files_in(folder).items()
    ]
