"""The grader's doors: a model client for each grading, and a sandbox for each command that checks."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from agentflows.asking import Asker
from agentflows.errors import PassesOn, StoppedError
from agentflows.evaluation import Attempt, CriterionResult, Evaluation, Outcome
from agentflows.home import Home
from agentflows.outcome import Frozen, Grader, Grading, Waiting, grade, run_check
from agentflows.pursuing.request import OutcomeRequest
from agentflows.pursuing.versions import Snapshot, Versions
from agentflows.rubric import Check, Criterion, Rubric
from agentflows.sandbox import Limits as SandboxLimits
from agentflows.sandbox import Run, Sandbox
from agentflows.store import LedgerPurse

_LOOK_SECONDS = 1.0


class Judging:
    """One grading of one version, with what it needs opened when it is needed.

    Args:
        home: the doors.
        request: the task, the rubric and how to grade. The writer's side of it is not read here.
        versions: where the versions lie.
        snapshot: the whole workspace as the attempt left it, for checks.
        attempt: whose deliverables are graded. Only their paths and hashes are read.
        start: the workspace before any agent wrote to it.
        stop: asked often; a text is the reason to end without a verdict. A judge's reply under way is waited for: it is paid.
        passes_on: which errors are no verdict, as whoever delegated the task has it graded later.
        own_folder: where the user's own version of a folder lies that others may have written to meanwhile.
    """

    def __init__(  # noqa: PLR0913 - what a grading is made of, each with its name
        self,
        home: Home,
        request: OutcomeRequest,
        versions: Versions,
        snapshot: Snapshot,
        attempt: Attempt,
        *,
        start: Snapshot,
        stop: Callable[[], str] = str,
        passes_on: PassesOn = lambda _: False,
        own_folder: Callable[[Path], Path] = Path,
    ) -> None:
        self._home = home
        self._own_folder = own_folder
        self._request = request
        self._versions = versions
        self._snapshot = snapshot
        self._attempt = attempt
        self._start = start
        self._stop_now = stop
        self._stop = _seldom(stop)
        self._passes_on = passes_on

    def grade(self, outcome: Outcome) -> Evaluation | Waiting:
        """Checks, judge, people; see `agentflows.outcome.grade`."""
        attempt = self._attempt
        frozen = self._versions.freeze(attempt.iteration, attempt.deliverables)
        frozen = Frozen(frozen.folder, frozen.deliverables, self._home.redactor(pii=()).redact)
        said = self._home.state.verdicts(outcome.outcome_id, frozen.manifest_sha256)
        with self._versions.copy(self._snapshot) as folder:
            self._folder = folder
            return grade(
                outcome_id=outcome.outcome_id,
                iteration=attempt.iteration,
                task=self._request.description,
                rubric=self._request.rubric,
                frozen=frozen,
                check=self._check,
                judge=self._judge,
                said={one.criterion_id: one for one in said},
                passes_on=self._passes_on,
            )

    # -- checks --------------------------------------------------------------------------------------

    def _check(self, criterion: Criterion, _: Frozen) -> CriterionResult:
        check = criterion.check or Check(kind="exists")
        with self._modules(is_needed=check.kind == "python") as search:
            return run_check(
                check,
                self._folder,
                criterion_id=criterion.criterion_id,
                shell=self._shell,
                search=search,
                stop=self._stop,
            )

    @contextmanager
    def _modules(self, *, is_needed: bool) -> Generator[Sequence[Path]]:
        """Where functions that check are looked for: beside the rubric, then in the current folder.

        They run outside the sandbox. Of a folder in the workspace it is therefore the one the user had there at the
        start: an agent that could change it would pass its own examination, and leave its walls.
        """
        workspace, source = self._request.workspace, Path(self._request.rubric.source)
        beside = [source.resolve().parent] if self._request.rubric.source and source.exists() else []
        folders = [self._own_folder(one) for one in (*beside, Path.cwd())]
        if not is_needed or not any(workspace in (one, *one.parents) for one in folders):
            yield folders
            return
        with self._versions.copy(self._start) as copy:
            yield [
                copy / one.relative_to(workspace) if workspace in (one, *one.parents) else one
                for one in folders
            ]

    def _shell(self, command: str, *, folder: Path, seconds: float) -> Run:
        """In a copy of its own, which it may write to: builds and tests leave files behind."""
        del folder
        with self._versions.copy(self._snapshot) as copy:
            limits = SandboxLimits(seconds=seconds)
            sandbox = Sandbox(copy, mode=self._home.settings.sandbox, limits=limits)
            ran = sandbox.run(command, stop=self._stop)
        if ran.reason == "stopped":
            raise StoppedError(self._stop())
        return ran

    # -- the judge -----------------------------------------------------------------------------------

    def _judge(self, task: str, rubric: Rubric, criteria: Sequence[Criterion], frozen: Frozen) -> Grading:
        grading, home = self._request.grading, self._home
        model = judge_model(home, self._request)
        # closed with the grading: a job of hundreds of graded threads would run out of descriptors
        with closing(
            home.claude(self._purse(), model=model, is_money_capped=self._request.has_money_cap)
        ) as client:
            # remembers every reply: a killed grading pays for none twice
            ask = Asker(lambda: client, home.state, model)
            asks = [ask] * grading.panel
            grader = Grader(asks, calls=grading.calls, max_tokens=grading.max_tokens, stop=self._stop_now)
            return grader.grade(task, rubric, criteria, frozen)

    def _purse(self) -> LedgerPurse:
        limits = self._request.limits
        return self._home.state.purse(
            {
                **self._request.within,
                (whole := f"outcome:{self._attempt.outcome_id}"): limits.outcome,
                f"{whole}/grader": limits.grader,
                f"{whole}/grade/{self._attempt.iteration}": type(limits.grader)(),
            }
        )


def judge_model(home: Home, request: OutcomeRequest) -> str:
    """The grader's model: the request's, else the judge's of the settings, else the writer's default."""
    return request.grading.model or home.settings.judge_model or home.settings.model


def _seldom(stop: Callable[[], str]) -> Callable[[], str]:
    """The same for whoever asks often: it looks into the database once a second, and a reason that was given stays."""
    looked_at, why = float("-inf"), ""

    def asked() -> str:
        nonlocal looked_at, why
        if not why and time.monotonic() - looked_at >= _LOOK_SECONDS:
            looked_at, why = time.monotonic(), stop()
        return why

    return asked
