"""Impact: how sessions ended before and after each version of a store, with intervals; worse versions are flagged."""

from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.serializers import JSONSerializer

from agentflows.deployments import version_of
from agentflows.form import titled
from agentflows.home import Home, open_home
from agentflows.impact import MINIMUM, Impact, markdown, measure, record, success_of, table
from agentflows.pictures import markdown_image
from agentflows.project import load_helper
from agentflows.scrubbing import scrubbed

_pages = load_helper("_pages", Path(__file__).resolve().parents[1])
_PLAIN = JSONSerializer(object_encoder="agentflows.errors.kind_of", object_decoder=None)
"""What Prefect keeps of a failure: its kind, as plain JSON. Its default is pickle, which runs code when it is read."""


class Work:
    """What the tasks share. A plain object, so that Prefect records none of it."""

    def __init__(self, home: Home) -> None:
        self.home = home


@task(task_run_name="compare sessions of {store}", cache_policy=NO_CACHE, persist_result=False)
@scrubbed
def compare(work: Work, store: str, options: dict[str, Any]) -> Impact:
    """Ask the archive how sessions ended, and hold them against the versions of the store."""
    return measure(work.home.state, work.home.archive, store, **options)


@task(task_run_name="report", cache_policy=NO_CACHE, persist_result=False)
@scrubbed
def publish(found: Impact) -> None:
    """Lay the table and the picture of success over time on the run's page."""
    slug = _pages.slug(found.store)
    _pages.lay_markdown(
        markdown(found, markdown_image(success_of(found))),
        key=f"impact-{slug}",
        description=f"Impact of {found.store} version {found.store_version}",
    )
    _pages.lay_table(table(found), key=f"impact-{slug}-versions", description="Before and after each version")


@flow(
    name="impact",
    flow_run_name="impact · {store}",
    persist_result=False,
    result_serializer=_PLAIN,
    version=version_of(__file__),
)
@scrubbed
def impact(
    store: Annotated[str, titled("Memory store", min_length=1)] = "team",
    project: Annotated[str, titled("Project")] = "",
    agent: Annotated[str, titled("Agent")] = "",
    against: Annotated[Literal["previous", "all"], titled("Compared with")] = "previous",
    minimum: Annotated[int, titled("Sessions on each side", ge=1)] = MINIMUM,
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Compare how sessions ended before and after each version of a store, within tasks.

    Args:
        store: The store whose versions are compared.
        project: Only sessions of this project; empty takes those that the store's dreams read.
        agent: Only sessions of this agent; empty takes those that the store's dreams read.
        against: previous is the sessions since the version before; all is all sessions before.
        minimum: How many are needed before anything is said.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.

    Returns:
        How many sessions count, each version's verdict, and which worse versions nothing has undone.
    """
    with open_home(home or None) as doors:
        if not doors.state.list_stores():  # the first week of an installation is no failure
            why = "There is no memory store yet, so there is nothing to compare: the first dream makes one."
            get_run_logger().info(why, extra={"progress": True})
            return {"store": store, "sessions": 0, "verdicts": {}, "worse": []}
        options = {"project": project, "agent": agent, "against": against, "minimum": minimum}
        found = compare(Work(doors), store, options)
        if not project and not agent and against == "previous" and minimum == MINIMUM:
            record(doors.state, found, actor=doors.actor())
        publish(found)
        for step in found.steps:
            get_run_logger().info(f"version {step.version}: {step.why}", extra={"progress": True})
        return {
            "store": found.store,
            "sessions": found.sessions,
            "verdicts": {str(step.version): step.verdict for step in found.steps},
            "worse": [step.version for step in found.to_undo],
        }


if __name__ == "__main__":
    impact()
