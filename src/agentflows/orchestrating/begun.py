"""Beginning and going on: which job a command means, what is refused before it, and from where it goes on."""

import hashlib

from agentflows.change import Budget
from agentflows.errors import OrchestrationError, SettingsError, UsageError
from agentflows.home import Home
from agentflows.orchestrating.request import JobRequest
from agentflows.orchestrating.rubrics import check_rubrics
from agentflows.orchestrating.run import DONE, JobRun, final_name
from agentflows.orchestrating.staging import Staging, settle
from agentflows.orchestration import check_estimate, estimate
from agentflows.pursuing import check_gradable
from agentflows.pursuing.holding import Hold
from agentflows.runners.command import check_command
from agentflows.store.failpoints import failpoint
from agentflows.team import Orchestration, TeamCaps


def begin(home: Home, request: JobRequest) -> JobRun:
    """The job that this command means: the one it began earlier and did not finish, or a new one.

    One that was stopped, by hand or at a cap, goes on too. One that is done is returned as it is while the workspace
    is as it left it, unless it failed; once that has changed, the same command is new work.

    Raises:
        UsageError, PlanError: what is asked for cannot be done; nothing was spent.
        ConflictError: another process works in the workspace.
    """
    request.check()
    rubrics = check_rubrics(request)
    _check_home(home, request)
    if request.dispatch == "tasks":  # elsewhere it is for the workers to have keys and programs
        for rubric in rubrics:
            check_gradable(home, rubric)
    hold = Hold(home.state, str(request.workspace), home.actor().name, (request.task or "a plan")[:60])
    try:
        earlier = home.state.jobs(base_id=request.base_id, limit=1)
        if earlier and earlier[0].status not in DONE:
            home.state.stop_job(earlier[0].job_id, "")
            home.state.save_job_request(earlier[0].job_id, request.model_dump_json())
            return JobRun(home, request, earlier[0], hold)
        if earlier:  # a process that was killed after the end left its copies
            Staging(home, earlier[0].job_id, request.workspace).tidy()
        if earlier and _is_as_left(home, request, earlier[0]):
            return JobRun(home, request, earlier[0], hold)
        nth = home.state.count_jobs(request.base_id)
        name = hashlib.sha256(f"{request.base_id}\x1f{nth}".encode()).hexdigest()[:16]
        plan, team = request.plan, request.team
        job = Orchestration(
            job_id=f"job_{name}",
            title=_title(request),
            task=request.task or (plan.task if plan else ""),
            team=team.name,
            team_sha256=team.sha256,
            workspace=str(request.workspace),
            mode="plan" if plan else "live",
            dispatch=request.dispatch,
            plan=plan,
        )
        settle(home, job.job_id, _staging_url(home, request))
        begun = home.state.begin_job(job, base_id=request.base_id, request=request.model_dump_json())
        failpoint("job.begun")
        return JobRun(home, request, begun, hold)
    except BaseException:
        hold.close()
        raise


def resumed(home: Home, name: str, *, limits: TeamCaps | None = None) -> JobRun:
    """The job of that id, to go on from where it stands.

    Args:
        home: the doors.
        name: its id, or the beginning of it.
        limits: caps that take the place of those it had; what is empty in them stays.

    Raises:
        NotFoundError: there is none.
        OrchestrationError: it came to its end.
    """
    job = home.state.job(name)
    if job.status in DONE:
        msg = f"The job {job.job_id} ended as {job.status!r}; nothing is left to go on with. Run it again with another --key."
        raise OrchestrationError(msg)
    request = JobRequest.model_validate_json(home.state.job_request(job.job_id)).capped(limits or TeamCaps())
    hold = Hold(home.state, str(request.workspace), home.actor().name, job.job_id)
    try:
        home.state.stop_job(job.job_id, "")
        home.state.save_job_request(job.job_id, request.model_dump_json())
        home.state.save_job(job.model_copy(update={"status": "running", "detail": ""}))
        return JobRun(home, request, home.state.job(job.job_id), hold)
    except BaseException:
        hold.close()
        raise


def _is_as_left(home: Home, request: JobRequest, job: Orchestration) -> bool:
    staging = Staging(home, job.job_id, request.workspace)
    kept = staging.kept(final_name(job)) if job.status != "failed" else ""
    return bool(kept) and staging.take().sha256 == staging.version(kept).sha256


def _staging_url(home: Home, request: JobRequest) -> str:
    """Where the job's files travel; "" where all who work on it share a folder.

    Raises:
        UsageError, SettingsError: workers that share no folder could not do its turns, or their records were lost.
    """
    settings = home.settings
    if not settings.staging_url or request.dispatch != "deployment":
        return ""
    if request.files != "staged":
        msg = (
            "Turns that work in the folder itself (files: shared) need a folder that all workers see, and "
            "AGENTFLOWS_STAGING_URL says that they have none. Take files: staged, or unset it where all mount the folder."
        )
        raise UsageError(msg)
    unset = [
        name
        for name, value in (
            ("AGENTFLOWS_STATE_URL", settings.state_url),
            ("AGENTFLOWS_ARCHIVE_URL", settings.archive_url),
        )
        if not value
    ]
    if unset:
        msg = (
            f"AGENTFLOWS_STAGING_URL is for workers that share no folder, and {' and '.join(unset)} is not set: what they "
            "record would stay on their machines. Set it to the same place for all."
        )
        raise SettingsError(msg)
    home.depot("check")
    return settings.staging_url


def _check_home(home: Home, request: JobRequest) -> None:
    request.check_apart(home.settings.home_path)
    _staging_url(home, request)
    for agent in (
        *request.team.specialists,
        *([request.team.lead] if request.team.lead and not request.plan else []),
    ):
        if agent.memory:
            home.state.get_store(agent.memory)
    _check_models(home, request)
    if request.plan is not None:
        found = estimate(request.plan, request.team, home.prices, model=home.settings.model)
        check_estimate(found, request.team, request.plan.source or "the plan")


def _check_models(home: Home, request: JobRequest) -> None:
    """An agent that needs a model, or a program, fails before the first turn, not after the last but one."""
    needed = (
        [request.agent(task) for task in request.plan.subtasks]
        if request.plan
        else [*request.team.specialists, *([request.team.lead] if request.team.lead else [])]
    )
    for agent in needed:
        if agent.runner == "command" and request.dispatch == "tasks":
            check_command(agent)
    if asks := next((agent for agent in needed if agent.runner == "messages"), None):
        home.runner(asks, home.state.purse({"job:check": Budget(tokens=0)}))


def _title(request: JobRequest) -> str:
    plan = request.plan
    said = (plan.title or plan.task if plan else "") or request.task or request.team.name
    return said.strip().splitlines()[0][:80]
