"""A webhook hears of what waits, of budgets and of failures: from a run to the request that a chat would get."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import tags
from prefect.settings import PREFECT_API_URL

from agentflows import load_flow, open_home, run_ingest
from agentflows.errors import BudgetError
from agentflows.notices import TAG
from agentflows.testing import FakeMessagesAPI
from tests import command_line
from tests.conftest import EXAMPLES, ROOT
from tests.operating.receiver import Receiver, listening

pytestmark = pytest.mark.prefect


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A chat's webhook that the automations of this test's server tell."""
    variables = command_line.foreign_variables() | {"PREFECT_API_URL": PREFECT_API_URL.value() or ""}
    with listening(variables) as made:
        yield made


def test_a_webhook_hears_of_held_changes_a_reached_budget_and_a_failed_run(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each once, with what is needed to look it up, and no word of a session or a memory."""
    run_ingest(EXAMPLES / "sessions", home=tmp_path)
    with open_home(tmp_path) as home:
        home.state.create_store("told", actor=home.actor("tester"))
        home.state.import_folder("told", EXAMPLES / "memory", actor=home.actor("tester"))
    dream = load_flow("dream", ROOT)
    with tags(TAG), FakeMessagesAPI() as fake:  # as the deployments of prefect.yaml have it
        held = dream(store="told", engine="rules", home=str(tmp_path))
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", fake.api_key)
        with pytest.raises(BudgetError):
            dream(store="told", engine="claude", budget={"tokens": 9}, home=str(tmp_path))
    waiting = json.loads(receiver.hears("agentflows: Changes wait for review"))
    assert waiting == {"dream_id": held["dream_id"], "store": "told", "held": held["held"]}
    reached = json.loads(receiver.hears("agentflows: A budget is reached"))
    assert (reached["kind"], reached["store"], reached["budget_tokens"]) == ("dream", "told", 9)
    failed = receiver.hears("agentflows: A run failed or crashed")
    assert re.fullmatch(r"dream is Failed: run [0-9a-f-]{36}, \S+", failed), failed
    assert len(receiver.heard) == 3
