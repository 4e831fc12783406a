"""A job's own code where it lies in its workspace: taken as it was before any turn.

Functions of `python` agents and those that check run outside the sandbox. In the folder that all share a specialist
could write them anew, pass its own examination with them, and leave its walls.
"""

import secrets
from pathlib import Path

from agentflows.agent import AgentDefinition
from agentflows.orchestrating.request import JobRequest
from agentflows.orchestrating.staging import START, Staging
from agentflows.pursuing.versions import Snapshot, Versions
from agentflows.sandbox.rights import remove


def keep_own_code(staging: Staging, request: JobRequest) -> None:
    """Lay the workspace down once as it is now, if code of the job lies in it. Call it before the first turn.

    Raises:
        OutcomeError: the workspace is too large, or cannot be read.
    """
    target = staging.folder / START
    if target.exists() or not _is_inside(request):
        return
    draft = target.with_name(f"{START}-{secrets.token_hex(8)}")
    try:
        draft.mkdir(parents=True, mode=0o700)
        wanted = Snapshot(files=staging.take().work)
        Versions(staging.folder, draft, contents=staging.contents).lay_down(wanted)
        draft.rename(target)
    finally:
        remove(draft)


def own_folder(staging: Staging, folder: Path) -> Path:
    """The folder, or, of one in the workspace, what it held before any turn."""
    workspace, place = staging.shared.workspace, folder.resolve()
    return (
        staging.folder / START / place.relative_to(workspace) if place.is_relative_to(workspace) else folder
    )


def with_own_code(staging: Staging, request: JobRequest) -> JobRequest:
    """The request whose functions and rubrics are found as they were before any turn."""
    team, plan = request.team, request.plan
    sources = [team.source, plan.source if plan else "", *(agent.source for agent in team.specialists)]
    if not any(_is_below(source, request.workspace) for source in sources):
        return request

    def moved(source: str) -> str:
        return str(own_folder(staging, Path(source))) if source else ""

    def of(agent: AgentDefinition) -> AgentDefinition:
        return agent.model_copy(update={"source": moved(agent.source)})

    update = {"specialists": tuple(map(of, team.specialists)), "source": moved(team.source)}
    return request.model_copy(
        update={
            "team": team.model_copy(update=update),
            "plan": plan.model_copy(update={"source": moved(plan.source)}) if plan else None,
        }
    )


def _is_inside(request: JobRequest) -> bool:
    """Whether any of it lies in the workspace. The current folder is where functions that check are looked for last."""
    team, plan = request.team, request.plan
    is_graded = plan is None or any(task.rubric for task in plan.subtasks)
    sources = [team.source, plan.source if plan else "", *(agent.source for agent in team.specialists)]
    return any(_is_below(source, request.workspace) for source in [*sources, "." if is_graded else ""])


def _is_below(source: str, workspace: Path) -> bool:
    return bool(source) and Path(source).resolve().is_relative_to(workspace)
