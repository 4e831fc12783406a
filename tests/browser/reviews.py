"""Reviews of a held dream on a real server: started, resumed and looked at as Prefect's pages do."""

from pathlib import Path
from typing import Any

from agentflows import open_home
from agentflows.change import Decision
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES
from tests.prefect_server import PrefectSite, wait_for

_AT_REST = {"Suspended", "Completed", "Failed", "Crashed", "Cancelled"}


class Reviews:
    """A home with the example sessions and memory, and a worker that works there."""

    def __init__(self, site: PrefectSite, home: Path) -> None:
        self.site, self.home = site, home
        with open_home(home) as doors:
            ingest_files(doors, discover(EXAMPLES / "sessions"))
            doors.state.create_store("example", actor=doors.actor("tester"))
            doors.state.import_folder("example", EXAMPLES / "memory", actor=doors.actor("tester"))
        self.start_worker()

    def start_worker(self) -> None:
        self.site.start_worker({"AGENTFLOWS_HOME": str(self.home)})

    def dream(self) -> str:
        """Hold 13 changes, without Prefect; the dream's id."""
        with open_home(self.home) as doors:
            return dream_over(doors, DreamRequest(store="example", engine="rules")).dream.dream_id

    def run(self, deployment: str, **parameters: Any) -> str:
        """Run a deployment, and wait until it comes to rest; the run's id."""
        found = self.site.call("GET", f"/deployments/name/{deployment}/{deployment}")["id"]
        run = self.site.call("POST", f"/deployments/{found}/create_flow_run", {"parameters": parameters})[
            "id"
        ]
        self.wait(run, "")
        return run

    def waiting(self) -> dict[str, Any]:
        """The review that waits for a person, as soon as there is one."""
        asked = {"flow_runs": {"state": {"name": {"any_": ["Suspended"]}}}}
        return wait_for("a review that waits", lambda: self.site.call("POST", "/flow_runs/filter", asked))[0]

    def state(self, run: str) -> dict[str, Any]:
        return self.site.call("GET", f"/flow_runs/{run}")["state"]

    def wait(self, run: str, since: str) -> str:
        """The name of the state in which the run comes to rest after the state `since`."""

        def rests() -> str | None:
            state = self.state(run)
            return state["name"] if state["name"] in _AT_REST and state["id"] != since else None

        name = wait_for(f"run {run} to come to rest", rests)
        assert name in {"Suspended", "Completed"}, self.site.log("worker.log")
        return name

    def send(self, run: str, **words: Any) -> dict[str, Any]:
        """What the server says to a form that is sent as the pages do."""
        return self.site.call("POST", f"/flow_runs/{run}/resume", {"run_input": {"reviewer": "ada", **words}})

    def resume(self, run: str, **words: Any) -> str:
        """Send a form, and wait until the run comes to rest."""
        since = self.state(run)["id"]
        answer = self.send(run, **words)
        assert answer["status"] == "ACCEPT", answer
        return self.wait(run, since)

    def shown(self, run: str) -> tuple[str, dict[str, Any]]:
        """The text above the form that waits, and the fields of the form."""
        key = self.state(run)["state_details"]["run_input_keyset"]
        text, schema = (
            self.site.call("GET", f"/flow_runs/{run}/input/{key[name]}") for name in ("description", "schema")
        )
        return text, schema["properties"]

    def statuses(self, dream_id: str) -> dict[int, str]:
        with open_home(self.home) as doors:
            return {number: one.status for number, one in enumerate(doors.state.dream(dream_id).changes, 1)}

    def committed(self, dream_id: str) -> list[int]:
        return [number for number, status in self.statuses(dream_id).items() if status == "committed"]

    def decisions(self, dream_id: str) -> list[Decision]:
        with open_home(self.home) as doors:
            return doors.state.decisions(dream_id)

    def version(self) -> int:
        with open_home(self.home) as doors:
            return doors.state.get_store("example").version
