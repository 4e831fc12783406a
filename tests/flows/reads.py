"""What the server of the flow tests has, newest first: it is shared, and gives 200 of everything at most."""

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterName,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.objects import Artifact, FlowRun
from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort


def runs(name: str) -> list[FlowRun]:
    """The flow runs with these words in their names, the newest first."""
    wanted = FlowRunFilter(name=FlowRunFilterName(like_=name))
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.START_TIME_DESC)


def task_names(run: FlowRun) -> set[str]:
    """The names of a flow run's task runs."""
    of_run = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run.id]))
    with get_client(sync_client=True) as client:
        return {task.name for task in client.read_task_runs(task_run_filter=of_run)}


def artifacts() -> dict[str, Artifact]:
    """By key, the newest of each."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(sort=ArtifactSort.CREATED_DESC)
    return {str(one.key): one for one in reversed(found)}
