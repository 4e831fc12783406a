"""The rubric of a sub-task: its own text, or a file beside the plan or the team."""

from pathlib import Path, PurePosixPath

from agentflows.errors import AgentflowsError, PlanError, UsageError
from agentflows.home import Home
from agentflows.orchestrating.request import JobRequest
from agentflows.rubric import Rubric, parse_rubric, read_rubric
from agentflows.team import ThreadTurn

_MARKS = ("\n", "- ")
"""What no file name holds: a rubric given as its text."""


def rubric_of(home: Home, request: JobRequest, turn: ThreadTurn) -> Rubric:
    """The rubric that a turn is graded by.

    Raises:
        NotFoundError, RubricError: there is no such file, or it cannot be graded as written.
    """
    text = turn.order.rubric
    if _is_text(text):
        return parse_rubric(text)
    path = _beside(text, request)
    kept = "" if path else home.state.runner_state(_name(turn))
    return parse_rubric(kept, source=text) if kept else read_rubric(path or Path(text))


def keep_rubric(home: Home, request: JobRequest, turn: ThreadTurn) -> None:
    """Keep the rubric of a turn that is given as a file, for a worker that does not have it.

    Raises:
        NotFoundError, RubricError: there is no such file, or it cannot be graded as written.
    """
    text = turn.order.rubric
    if text and not _is_text(text):
        path = _beside(text, request) or Path(text)
        read_rubric(path)
        home.state.keep_runner_state(_name(turn), path.read_text("utf-8"))


def check_rubrics(request: JobRequest) -> list[Rubric]:
    """The rubrics of the plan: every one can be used, before anything is paid for work that it is to grade.

    Raises:
        PlanError: one cannot; the message names the line of the plan and what is wrong.
    """
    plan, found = request.plan, list[Rubric]()
    for task in plan.subtasks if plan else ():
        text = task.rubric
        try:
            if text:
                is_text = _is_text(text)
                found.append(
                    parse_rubric(text) if is_text else read_rubric(_beside(text, request) or Path(text))
                )
        except AgentflowsError as error:
            where = plan.source if plan and plan.source else "the plan"
            msg = f"{where}, line {task.line}: the rubric of {task.subtask_id} cannot be used. {error}"
            raise PlanError(msg) from error
    return found


def led_rubric(request: JobRequest, given: str) -> str:
    """The rubric that a live lead gave with an order: a list of its own, or the name of a file beside the team's.

    Functions that check run outside the sandbox, so a person writes which: what a model says names none.

    Raises:
        RubricError: it cannot be graded as written.
        UsageError: it names a function.
    """
    text = given.strip()
    if not text or _of_the_team(text, request):
        return text
    text = f"{text}\n"
    for criterion in parse_rubric(text).criteria:
        if criterion.check is not None and criterion.check.kind == "python":
            msg = (
                f"The criterion {criterion.criterion_id} is checked by a Python function, which runs outside the sandbox: "
                "a rubric of yours cannot name one. Use another check, such as `command`, or let a grader judge it."
            )
            raise UsageError(msg)
    return text


def _of_the_team(text: str, request: JobRequest) -> bool:
    name = PurePosixPath(text)
    return not (_is_text(text) or name.is_absolute() or ".." in name.parts) and bool(_beside(text, request))


def _is_text(rubric: str) -> bool:
    return any(mark in rubric for mark in _MARKS)


def _beside(text: str, request: JobRequest) -> Path | None:
    """The rubric file of that name beside the plan or the team, if there is one."""
    for beside in (request.plan.source if request.plan else "", request.team.source):
        if beside:
            folder = Path(beside) if Path(beside).is_dir() else Path(beside).parent
            if (folder / text).is_file():
                return folder / text
    return None


def _name(turn: ThreadTurn) -> str:
    return f"{turn.job_id}/{turn.thread_id}/{turn.number}/rubric"
