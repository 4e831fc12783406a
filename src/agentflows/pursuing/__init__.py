"""Pursue an outcome: the loop of `agentflows.outcome` over the doors of a home, durable at every step.

`pursue` runs a whole outcome in this process; `flows/outcome.py` runs the same steps as Prefect tasks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentflows.agent import AgentDefinition
from agentflows.agent_file import read_agent
from agentflows.errors import UsageError
from agentflows.evaluation import Outcome
from agentflows.form import faults
from agentflows.home import Home, open_home
from agentflows.pursuing.begun import begin, resumed
from agentflows.pursuing.deciding import Asked, asked, decide
from agentflows.pursuing.request import Grading, Limits, OutcomeRequest
from agentflows.pursuing.run import POINTS, OutcomeRun, check_gradable, check_request, go_on
from agentflows.pursuing.versions import ASIDE
from agentflows.rubric import Rubric, as_rubric

__all__ = [
    "ASIDE",
    "POINTS",
    "Asked",
    "Grading",
    "Limits",
    "OutcomeRequest",
    "OutcomeRun",
    "asked",
    "begin",
    "check_gradable",
    "check_request",
    "decide",
    "go_on",
    "make_request",
    "pursue",
    "resume",
    "resumed",
]


def pursue(
    description: str,
    *,
    rubric: Rubric | str | Path,
    agent: AgentDefinition | str | Path,
    workspace: str | Path,
    home: Home | str | Path | None = None,
    **options: Any,
) -> Outcome:
    """Have an agent work on a task until its rubric is satisfied, or there is a reason to stop.

    The same call again goes on from where it was killed: no finished attempt or grading is repeated or paid twice.

    Args:
        description: the task.
        rubric: a `Rubric`, a path of a Markdown file, or the Markdown itself.
        agent: an `AgentDefinition`, or the path of an agent file.
        workspace: the folder it works in.
        home: an open home, or its folder; None is AGENTFLOWS_HOME.
        options: the other fields of `OutcomeRequest`: `max_iterations`, `deliverables`, `limits`, `grading`, `memory`, `key`.

    Raises:
        UsageError: what is asked for cannot be done; nothing was spent.
        RubricError: the rubric cannot be graded as written.
        SettingsError: it needs a model and none can be called.
        ConflictError: another process works in the workspace.
        EndpointError: the writer's model cannot be reached; call again to go on.
    """
    request = make_request(description, rubric=rubric, agent=agent, workspace=workspace, **options)
    if isinstance(home, Home):
        return _pursued(begin(home, request))
    with open_home(home) as doors:
        return _pursued(begin(doors, request))


def resume(
    name: str,
    *,
    home: Home | str | Path | None = None,
    max_iterations: int | None = None,
    limits: Limits | None = None,
) -> Outcome:
    """Go on with an outcome by its id.

    One that was killed, waits for nothing more, broke in the grading, was interrupted, or ended at a limit that is
    raised now. Of `max_iterations` and `limits` what is given takes the place of what it had.

    Raises:
        NotFoundError: there is none.
        OutcomeError: nothing is left to go on with.
    """
    if isinstance(home, Home):
        return _pursued(resumed(home, name, max_iterations=max_iterations, limits=limits))
    with open_home(home) as doors:
        return _pursued(resumed(doors, name, max_iterations=max_iterations, limits=limits))


def _pursued(run: OutcomeRun) -> Outcome:
    with run:
        return go_on(run)


def make_request(
    description: str,
    *,
    rubric: Rubric | str | Path,
    agent: AgentDefinition | str | Path,
    workspace: str | Path,
    deliverables: Sequence[str] = (),
    **options: Any,
) -> OutcomeRequest:
    """What is asked, from files and words; see `pursue`.

    Raises:
        UsageError: a value cannot be; the message names each one.
        RubricError: the rubric cannot be graded as written.
    """
    graded, writer = as_rubric(rubric), agent if isinstance(agent, AgentDefinition) else read_agent(agent)
    try:
        return OutcomeRequest(
            description=description,
            # with whole paths: functions lie beside them, and it may go on in another folder
            rubric=graded.model_copy(update={"source": _whole(graded.source)}),
            agent=writer.model_copy(update={"source": _whole(writer.source)}),
            workspace=Path(workspace).expanduser().resolve(),
            deliverables=(deliverables,) if isinstance(deliverables, str) else tuple(deliverables),
            **options,
        )
    except ValidationError as error:
        msg = f"The outcome cannot be pursued as asked: {faults(error)}. Nothing was started."
        raise UsageError(msg) from error


def _whole(source: str) -> str:
    return str(Path(source).absolute()) if source else ""
