"""Orchestrate a job: the crew of `agentflows.orchestration` over the doors of a home, durable at every turn.

`orchestrate` runs a whole job in this process; `flows/orchestrate.py` runs the same turns as Prefect tasks.
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentflows.errors import UsageError
from agentflows.form import faults
from agentflows.home import Home, open_home
from agentflows.orchestrating.begun import begin, resumed
from agentflows.orchestrating.remote import carry_out_turn, is_at_work, refused
from agentflows.orchestrating.request import Files, JobRequest
from agentflows.orchestrating.rubrics import check_rubrics
from agentflows.orchestrating.run import DONE, FINAL, JobRun
from agentflows.orchestrating.standing import as_it_stands
from agentflows.orchestrating.transcripts import transcript
from agentflows.orchestrating.turning import POINTS, perform
from agentflows.team import Orchestration, Plan, Team, TeamCaps, read_plan, read_team

__all__ = [
    "DONE",
    "FINAL",
    "POINTS",
    "Files",
    "JobRequest",
    "JobRun",
    "as_it_stands",
    "begin",
    "carry_out_turn",
    "check_rubrics",
    "is_at_work",
    "make_request",
    "orchestrate",
    "perform",
    "refused",
    "resume",
    "resumed",
    "transcript",
]


def orchestrate(
    task: str = "",
    *,
    team: Team | str | Path,
    workspace: str | Path,
    plan: Plan | str | Path | None = None,
    home: Home | str | Path | None = None,
    **options: Any,
) -> Orchestration:
    """Have a team do a job: led by its lead, or by a plan, which needs no model.

    The same call again goes on from where it was killed: no finished turn is repeated or paid twice.

    Args:
        task: what the lead is to do; with a plan it may be left out.
        team: a `Team`, or the path of a team folder.
        workspace: the folder all work in.
        plan: a `Plan`, or the path of a plan file.
        home: an open home, or its folder; None is AGENTFLOWS_HOME.
        options: the other fields of `JobRequest`: `files`, `key`.

    Raises:
        UsageError, PlanError, AgentFileError: what is asked for cannot be done; nothing was spent.
        SettingsError: it needs a model and none can be called.
        ConflictError: another process works in the workspace.
    """
    request = make_request(task, team=team, workspace=workspace, plan=plan, **options)
    if isinstance(home, Home):
        return _done(begin(home, request))
    with open_home(home) as doors:
        return _done(begin(doors, request))


def resume(
    name: str, *, home: Home | str | Path | None = None, limits: TeamCaps | None = None
) -> Orchestration:
    """Go on with a job by its id: one that was killed, interrupted or stopped; `limits` take the place of its caps.

    Raises:
        NotFoundError: there is none.
        OrchestrationError: it came to its end.
    """
    if isinstance(home, Home):
        return _done(resumed(home, name, limits=limits))
    with open_home(home) as doors:
        return _done(resumed(doors, name, limits=limits))


def _done(run: JobRun) -> Orchestration:
    with run:
        return run.go_on()


def make_request(
    task: str,
    *,
    team: Team | str | Path,
    workspace: str | Path,
    plan: Plan | str | Path | None = None,
    **options: Any,
) -> JobRequest:
    """What is asked, from files and words; see `orchestrate`.

    Raises:
        UsageError: a value cannot be; the message names each one.
        PlanError, AgentFileError: a file cannot be used.
    """
    try:
        return JobRequest(
            task=task,
            team=team if isinstance(team, Team) else read_team(Path(team).expanduser())[0],
            plan=plan if isinstance(plan, Plan) or plan is None else read_plan(Path(plan).expanduser()),
            workspace=Path(workspace).expanduser().resolve(),
            **options,
        ).settled()
    except ValidationError as error:
        msg = f"The job cannot be done as asked: {faults(error)}. Nothing was started."
        raise UsageError(msg) from error
