"""Schedules: the server as people install it plans the runs that `prefect.yaml` asks for."""

import pytest

from agentflows.deployments import read_deployments
from tests.conftest import ROOT
from tests.prefect_server import PrefectSite, wait_for

pytestmark = pytest.mark.prefect


def test_runs_of_every_schedule_that_is_on_are_planned(prefect_site: PrefectSite):
    """Under SQLAlchemy 2.1 Prefect's scheduler fails, only its log says so, and no night ever begins."""
    on = {one.name for one in read_deployments(ROOT) if any(when.active for when in one.schedules)}
    deployed = prefect_site.call("POST", "/deployments/filter", {})
    names = {one["id"]: one["name"] for one in deployed}
    asked = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "limit": 200}

    def planned() -> set[str]:
        runs = prefect_site.call("POST", "/flow_runs/filter", asked)
        return {names[run["deployment_id"]] for run in runs if run["auto_scheduled"]}

    assert wait_for("the runs of all schedules", lambda: planned() if planned() >= on else None) == on
