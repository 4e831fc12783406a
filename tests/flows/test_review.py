"""The review flow on a real Prefect server: forms that leave nothing of a session there, and decisions given in words."""

from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow

from agentflows import load_flow, open_home, run_ingest
from agentflows.change import Change
from agentflows.dreaming import DreamRequest, dream_over
from tests.conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.prefect


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the example sessions."""
    folder = tmp_path_factory.mktemp("home")
    run_ingest(EXAMPLES / "sessions", home=folder)
    return folder


def held(home: Path, store: str) -> tuple[str, tuple[Change, ...]]:
    """A dream over a store with the example memory, and what it holds."""
    with open_home(home) as doors:
        doors.state.create_store(store, actor=doors.actor("tester"))
        doors.state.import_folder(store, EXAMPLES / "memory", actor=doors.actor("tester"))
        report = dream_over(doors, DreamRequest(store=store, engine="rules"))
    return report.dream.dream_id, report.changes


def inputs(run_id: UUID) -> set[str]:
    """What Prefect keeps of the run's forms."""
    with get_client(sync_client=True) as client:
        found = client.filter_flow_run_input(run_id, "", 200, set())
    return {item.key.removeprefix("suspended-").rpartition("-")[0] for item in found}


@pytest.mark.slow  # three runs, each with its forms; that the last form goes is tested in the browser, too
def test_forms_leave_nothing_in_prefect_when_they_were_carried_out_or_asked_anew(archived: Path):
    """They show quotes of sessions; what was decided stands in our own record."""
    dream_id, _ = held(archived, "forms")
    parameters: dict[str, Any] = {"dream_id": dream_id, "home": str(archived)}
    flow = load_flow("review", ROOT)
    with get_client(sync_client=True) as client:
        made = client.create_deployment(flow_id=client.create_flow_from_name("review"), name="review")
        run = client.create_flow_run_from_deployment(made, parameters=parameters)

        def goes_on(**words: Any) -> tuple[str, set[str]]:
            """How the run stands after a form, and what is kept."""
            if words:
                answer = client.resume_flow_run(run.id, run_input={"reviewer": "ada", **words})
                assert answer.status.value == "ACCEPT", answer.details
            with suppress(Pause):  # what a worker's process ends with
                run_flow(flow, client.read_flow_run(run.id), parameters, return_type="state")
            return str(client.read_flow_run(run.id).state_name), inputs(run.id)

        assert goes_on() == ("Suspended", {"ask-1"})
        assert goes_on(decision="by number") == ("Suspended", {"ask-2"}), "nothing was chosen"
        assert goes_on(approve="1") == ("Suspended", {"ask-3"})
        assert goes_on(decision="leave all") == ("Completed", set())
        client.delete_deployment(made)
    with open_home(archived) as home:
        assert [one.reviewer for one in home.state.decisions(dream_id)] == ["ada"]


def test_answers_to_flags_are_approved_beside_all_that_are_held(archived: Path):
    """An empty list of changes means all of them, whether a flag is answered or not."""
    dream_id, changes = held(archived, "answers")
    (flag,) = [number for number, one in enumerate(changes, 1) if one.op == "flag"]
    done = load_flow("review", ROOT)(
        dream_id=dream_id,
        decision="approve",
        answers=[{"change": str(flag), "answer": "keep-first"}],
        home=str(archived),
    )
    assert (len(done["committed"]), done["still_held"]) == (len(changes), 0)
