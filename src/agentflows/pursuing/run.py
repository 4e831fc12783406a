"""One outcome under way: the loop's steps over the doors of a home, each durable before the next begins.

What makes a kill harmless, in the order of one attempt: the workspace as it was before it (`before/n`); the
runner's own state after every reply, where it has one; the transcript, as soon as the runner returns (`done/n`);
the workspace as it was left (`after/n`); then the attempt itself, in one transaction with the outcome. A re-run
takes the newest of these that is there. Only where none is, the workspace is put back and the attempt made again.

An attempt that somebody interrupted is no attempt yet: where its runner can go on mid-way, its state and the
workspace as it left it (`left/n`) wait for the outcome to be gone on with; else it begins anew, as another session.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from agentflows.agent import Job, Transcript
from agentflows.change import Budget, Cost
from agentflows.errors import (
    AgentflowsError,
    EndpointError,
    OutcomeError,
    PassesOn,
    SettingsError,
    UsageError,
)
from agentflows.evaluation import Attempt, Deliverable, Evaluation, Outcome
from agentflows.home import Home
from agentflows.outcome import FINAL, Steps, Waiting, manifest_sha256, pursue_loop
from agentflows.pursuing.contents import Contents
from agentflows.pursuing.holding import Hold
from agentflows.pursuing.judging import Judging
from agentflows.pursuing.labels import label
from agentflows.pursuing.request import ANSWER, ANSWER_FILE, OutcomeRequest
from agentflows.pursuing.seen import Seen
from agentflows.pursuing.versions import Snapshot, Versions
from agentflows.recording import Showing, record_run
from agentflows.rubric import Rubric
from agentflows.store.failpoints import failpoint
from agentflows.terminating import terminable

POINTS = (
    "outcome.begun",
    "outcome.before",
    "outcome.ran",
    "outcome.after",
    "outcome.graded",
    "outcome.kept",
    "outcome.restored",
)
"""Failpoints, in the order an iteration passes them."""
_TEXT_CHARS = 4_000


class OutcomeRun:
    """One outcome under way in this process, which holds its workspace until the context ends.

    Make it with `begin` or `resumed`, and use it as a context manager.
    """

    def __init__(self, home: Home, request: OutcomeRequest, outcome: Outcome, hold: Hold) -> None:
        self.home = home
        self.request = request
        self.outcome = outcome
        self.is_done = outcome.result in FINAL
        """Whether nothing is left to do: an earlier run of the same command finished it."""
        self._versions = versions_of(home, outcome.outcome_id, request, Seen())
        self._versions.sweep()
        self._hold = hold
        self.also_stop: Callable[[], str] = str
        """Asked beside the database: whoever delegated the task may have a reason of its own to end it."""
        self.passes_on: PassesOn = lambda _: False
        """Which errors whoever delegated the task takes: they end nothing, and the outcome is gone on with later."""
        self.also_keep: Callable[[], None] = _nothing
        """Called before anything is kept that the workspace belongs to: whoever delegated it may keep that, too."""
        self.own_folder: Callable[[Path], Path] = Path
        """Where the user's own version of a folder lies, if whoever delegated the task lets agents write there."""

        self.is_shown = False
        """Whether somebody may look at an attempt before its end, as at a job's threads."""

    @property
    def folder(self) -> Path:
        """Where its versions lie."""
        return self._versions.folder

    # -- the loop's steps ----------------------------------------------------------------------------

    def work(self, outcome: Outcome, iteration: int, feedback: str) -> Attempt:
        """Run the writer, or take what a killed process left of the same attempt, and freeze the result."""
        started = _now()
        self._hold.check()
        transcript = self._ran(outcome, iteration, feedback)
        if transcript.end == "interrupted":
            deliverables = self._set_aside(iteration)
        else:
            deliverables = self._delivered(iteration, transcript)
            self._versions.freeze(iteration, deliverables)
        if self.request.is_archived:
            record_run(self.home, transcript)
        redact = self.home.redactor().redact
        cost = self._cost(f"attempt/{iteration}")
        return Attempt(
            outcome_id=outcome.outcome_id,
            iteration=iteration,
            end=transcript.end,
            detail=redact(transcript.detail),
            session_id=transcript.session.session_id,
            text=redact(transcript.text)[:_TEXT_CHARS],
            deliverables=deliverables,
            manifest_sha256=manifest_sha256(deliverables),
            usage=cost.usage if cost.usage.total else transcript.usage,
            dollars=cost.dollars if cost.calls else transcript.dollars,
            tool_calls=transcript.tool_calls,
            tool_errors=transcript.tool_errors,
            started_at=transcript.session.started_at or started,
            ended_at=_now(),
        )

    def grade(self, outcome: Outcome, attempt: Attempt) -> Evaluation | Waiting:
        """Grade what was frozen; the run joins the archive's with its label."""
        started = _now()
        self._hold.check()
        after = self._snapshot(f"after/{attempt.iteration}")
        start = self._snapshot("start")
        judging = Judging(
            self.home,
            self.request,
            self._versions,
            after,
            attempt,
            start=start,
            stop=self.stop,
            passes_on=self.passes_on,
            own_folder=self.own_folder,
        )
        found = judging.grade(outcome)
        failpoint("outcome.graded")
        if isinstance(found, Waiting):
            return found
        redact = self.home.redactor().redact_value
        cost = self._cost(f"grade/{attempt.iteration}")
        update = {
            "criteria": tuple(
                type(item).model_validate(redact(item.model_dump(mode="json"))) for item in found.criteria
            ),
            "usage": cost.usage,
            "dollars": cost.dollars,
            "started_at": started,
            "ended_at": _now(),
        }
        evaluation = found.model_copy(update=update)
        self._label(attempt, evaluation)
        return evaluation

    def restore(self, outcome: Outcome, iteration: int) -> None:  # noqa: ARG002 - the loop's form
        """Put a version back; what stands in the workspace now is kept aside first."""
        wanted = self._snapshot(f"after/{iteration}")
        self._put_back(wanted)
        failpoint("outcome.restored")

    def keep(self, outcome: Outcome) -> None:
        """Keep the outcome, and, when it is final, what the workspace holds: a re-run then knows it."""
        self._hold.check()
        if outcome.result in FINAL:
            self._take("final")
        self.also_keep()
        self.home.state.save_outcome(outcome)
        self.outcome = outcome
        failpoint("outcome.kept")
        if outcome.result in FINAL:
            self._forget(outcome)

    def stop(self) -> str:
        """Why somebody asked this outcome to end, or the job it belongs to; "" when nobody did."""
        return self.home.state.stop_asked(self.outcome.outcome_id) or self.also_stop()

    # -- one attempt ---------------------------------------------------------------------------------

    def _ran(self, outcome: Outcome, iteration: int, feedback: str) -> Transcript:
        state, done = self.home.state, self._name(f"done/{iteration}")
        if kept := state.runner_state(done):
            return Transcript.model_validate_json(kept)
        job_id = self._job_id(iteration)
        midway = state.runner_state(job_id)
        self._stand_ready(iteration, is_midway=bool(midway))
        failpoint("outcome.before")
        levels = {
            **self.request.within,
            (whole := f"outcome:{outcome.outcome_id}"): self.request.limits.outcome,
            f"{whole}/writer": self.request.limits.writer,
            f"{whole}/attempt/{iteration}": Budget(),
        }
        job = self._job(outcome, job_id, feedback, midway)
        with state.run_purse(levels, job_id) as purse:

            def keep(text: str) -> None:
                self.also_keep()
                purse.keep(text)

            agent, is_capped = self.request.agent, self.request.has_money_cap
            show = Showing(self.home, self._name(f"attempt/{iteration}")) if self.is_shown else None
            runner = self.home.runner(
                agent, purse, is_money_capped=is_capped, passes_on=self._ends_no_attempt, show=show
            )
            transcript = runner.run(agent, job, keep=keep, stop=self.stop)
        failpoint("outcome.ran")
        if transcript.end != "interrupted":
            self.also_keep()
            state.keep_runner_state(done, transcript.model_dump_json())
        return transcript

    def _ends_no_attempt(self, error: AgentflowsError) -> bool:
        """An endpoint that is down midway is no end, as it is none before the first reply: the same command goes on."""
        return (isinstance(error, EndpointError) and error.is_passing) or self.passes_on(error)

    def _job_id(self, iteration: int) -> str:
        """Of an attempt: another one each time it begins anew, so that no session is told in two ways."""
        again = self.home.state.runner_state(self._name(f"again/{iteration}"))
        return self._name(f"attempt/{iteration}{again}")

    def _delivered(self, iteration: int, transcript: Transcript) -> tuple[Deliverable, ...]:
        """The files of an attempt that are graded, out of the workspace as it was left."""
        wanted = self.request.deliverables
        if ANSWER in wanted and not self._has(f"after/{iteration}"):
            self._versions.write(ANSWER_FILE, transcript.text if transcript.end == "finished" else "")
        after = self._taken(f"after/{iteration}")
        failpoint("outcome.after")
        globs = [ANSWER_FILE if one == ANSWER else one for one in wanted]
        return after.deliverables(
            after.named(globs) if globs else after.changed_since(self._snapshot("start"))
        )

    def _set_aside(self, iteration: int) -> tuple[Deliverable, ...]:
        """Keep what an interrupted attempt goes on from, or have it begin anew; nothing of it is delivered."""
        state = self.home.state
        if state.runner_state(self._job_id(iteration)):
            self._take(f"left/{iteration}")
        else:
            again = self._name(f"again/{iteration}")
            times = int(state.runner_state(again).strip("-") or 0)
            state.keep_runner_state(again, f"-{times + 1}")
        return ()

    def _job(self, outcome: Outcome, job_id: str, feedback: str, midway: str) -> Job:
        first = outcome.attempts[0].session_id if outcome.attempts else ""
        return Job(
            job_id=job_id,
            task=self.request.description,
            feedback=feedback,
            workspace=self.request.workspace,
            memory=self._memory(outcome),
            state=midway or self._context(outcome),
            project=self.request.project,
            parent_id=self.request.parent_id or first,
        )

    def _context(self, outcome: Outcome) -> str:
        """The writer's own context after its last attempt, so that it revises and does not begin anew."""
        if not outcome.attempts:
            return self.request.context
        kept = self.home.state.runner_state(self._name(f"done/{outcome.attempts[-1].iteration}"))
        return Transcript.model_validate_json(kept).state if kept else ""

    def _memory(self, outcome: Outcome) -> dict[str, str]:
        if self.request.memory_files is not None:
            return self.request.memory_files
        if not outcome.memory_store:
            return {}
        return self.home.state.files(outcome.memory_store, outcome.memory_version)

    def _stand_ready(self, iteration: int, *, is_midway: bool) -> None:
        """The workspace as this attempt found it; a runner that goes on mid-way takes it as it left it."""
        if is_midway and self._has(left := f"left/{iteration}"):
            self._put_back(self._snapshot(left))
            self.home.state.keep_runner_state(self._name(left), "")
        if not self._has(f"before/{iteration}"):
            self._take(f"before/{iteration}")
        elif not is_midway:
            self._put_back(self._snapshot(f"before/{iteration}"))

    # -- versions ------------------------------------------------------------------------------------

    def _put_back(self, wanted: Snapshot) -> None:
        present = self._versions.take()
        if present.sha256 != wanted.sha256:
            self._versions.share(present)
            kept = f"{self._name('aside')}/{present.sha256[:12]}"
            self.home.state.keep_runner_state(kept, present.model_dump_json())
            if not self.request.place and not self._is_known(present):
                self._versions.lay_aside(present, wanted)
            self._versions.restore(wanted, present)

    def _is_known(self, present: Snapshot) -> bool:
        """Whether this is a version of the outcome's own, and not also what somebody else wrote meanwhile."""
        last = len(self.outcome.attempts)
        names = (
            "start",
            "final",
            *(f"{kind}/{n}" for n in range(last + 1) for kind in ("before", "after", "left")),
        )
        return any(self._snapshot(one).lasting == present.lasting for one in names if self._has(one))

    def _take(self, name: str) -> Snapshot:
        snapshot = self._versions.take()
        self._versions.share(snapshot)
        self.home.state.keep_runner_state(self._name(name), snapshot.model_dump_json())
        return snapshot

    def _taken(self, name: str) -> Snapshot:
        return self._snapshot(name) if self._has(name) else self._take(name)

    def _has(self, name: str) -> bool:
        return bool(self.home.state.runner_state(self._name(name)))

    def _snapshot(self, name: str) -> Snapshot:
        kept = self.home.state.runner_state(self._name(name))
        if not kept:
            msg = f"The version {name!r} of {self.outcome.outcome_id} is not kept. Run again with another --key."
            raise OutcomeError(msg)
        return Snapshot.model_validate_json(kept)

    def _name(self, part: str) -> str:
        return f"{self.outcome.outcome_id}/{part}"

    def _forget(self, outcome: Outcome) -> None:
        """Drop the runners' own records, which hold unredacted words, but for the contexts that may be gone on from."""
        last = outcome.attempts[-1].iteration if outcome.attempts else None
        is_halfway = outcome.result == "interrupted"
        for iteration in range(len(outcome.attempts) + 1):
            if not (is_halfway and iteration == len(outcome.attempts)):
                self.home.state.keep_runner_state(self._job_id(iteration), "")
            if iteration not in {last, outcome.best_iteration}:
                self.home.state.keep_runner_state(self._name(f"done/{iteration}"), "")

    # -- the rest ------------------------------------------------------------------------------------

    def _cost(self, level: str) -> Cost:
        return self.home.state.spent(f"outcome:{self.outcome.outcome_id}/{level}")

    def _label(self, attempt: Attempt, evaluation: Evaluation) -> None:
        kept = self.home.state.runner_state(self._name(f"done/{attempt.iteration}"))
        found = label(evaluation)
        if kept and found is not None and self.request.is_archived:
            record_run(self.home, Transcript.model_validate_json(kept), found)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hold.close()


def go_on(run: OutcomeRun, steps: Steps | None = None) -> Outcome:
    """The loop over the steps of a run, to its end or to where a person is asked.

    `steps` may stand between the loop and the run, as a flow's tasks do.
    """
    if run.is_done:
        return run.outcome
    with terminable():
        return pursue_loop(run.outcome, run.request.rubric, steps or run, passes_on=run.passes_on)


def versions_of(home: Home, outcome_id: str, request: OutcomeRequest, seen: Seen | None = None) -> Versions:
    """Where the versions of an outcome lie: in the home, or, as part of a job whose files travel, with the job's.

    `seen` are earlier readings of the workspace in this process.
    """
    above = home.settings.home_path
    if not request.depot:
        return Versions(above / "outcomes" / outcome_id, request.workspace, seen)
    folder, depot = above / "jobs" / request.depot, home.depot(request.depot)
    return Versions(folder / "outcomes" / outcome_id, request.workspace, seen, Contents(depot.folder, depot))


def check_request(home: Home, request: OutcomeRequest) -> None:
    """Refuse what cannot come to an end, before anything costs.

    Raises:
        UsageError: the workspace is no folder, is the home or holds it, or a check lacks its definition.
        SettingsError: a criterion needs a model and none can be called.
        NotFoundError: the memory store does not exist.
    """
    workspace, own = request.workspace, home.settings.home_path
    if not workspace.is_dir():
        msg = f"The workspace {workspace} is no folder. Make it, or name another with --workspace."
        raise UsageError(msg)
    is_inside = own in workspace.parents and own / "jobs" not in workspace.parents  # there a job's copies lie
    if workspace == Path("/") or own == workspace or workspace in own.parents or is_inside:
        msg = f"The workspace {workspace} and the home {own} lie in each other. Name a folder that holds only the work."
        raise UsageError(msg)
    check_gradable(home, request.rubric)
    if request.store:
        home.state.get_store(request.store)


def check_gradable(home: Home, rubric: Rubric) -> None:
    """Refuse a rubric that cannot be graded here.

    Raises:
        UsageError: a check lacks its definition.
        SettingsError: a criterion needs a model and none can be called.
    """
    for criterion in rubric.criteria:
        if criterion.judging == "check" and criterion.check is None:
            msg = f"The criterion {criterion.criterion_id!r} is to be checked and says not how. Give it a check."
            raise UsageError(msg)
    if any(one.judging == "judge" for one in rubric.criteria) and not home.settings.has_endpoint:
        msg = (
            "The rubric has criteria that a model judges, and none can be called. Set ANTHROPIC_API_KEY or "
            "ANTHROPIC_BASE_URL; or write them as checks, or as questions to a person (`human`)."
        )
        raise SettingsError(msg)


def outcome_id(request: OutcomeRequest, start: Snapshot, earlier: int) -> str:
    """The same command over the same workspace has the same id, until it came to its end there."""
    whole = f"{request.base_id}\x1f{start.sha256}\x1f{earlier}"
    return f"outc_{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


def _nothing() -> None:
    pass


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
