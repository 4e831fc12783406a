"""Automations: one command makes them, and a second changes nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent

from agentflows.errors import NotFoundError, UsageError
from agentflows.notices import BUDGET, CRASHED, HELD, TELL_BUDGET, TELL_FAILED, TELL_HELD, changes_held
from agentflows.project import load_helper
from tests.conftest import ROOT

pytestmark = pytest.mark.prefect


@pytest.fixture
def script() -> Iterator[Any]:
    """The script, and none of its automations before and after."""
    found = load_helper("_automations", ROOT)
    found.remove()
    yield found
    found.remove()


def test_automations_are_made_once(script: Any):
    """Whoever runs the command at every deployment has each of them once, as it is today."""
    block: Any = CustomWebhookNotificationBlock.model_validate({"name": "ops", "url": "http://127.0.0.1:9/"})
    block.save("ops", overwrite=True)
    assert script.apply() == {CRASHED: "made"}
    told = script.apply("custom-webhook/ops")
    assert told == {CRASHED: "as it was", TELL_HELD: "made", TELL_BUDGET: "made", TELL_FAILED: "made"}
    assert set(script.apply("custom-webhook/ops").values()) == {"as it was"}
    with get_client(sync_client=True) as client:
        found = {one.name: one for one in client.read_automations()}
    assert [found[name].trigger.model_dump()["expect"] for name in (TELL_HELD, TELL_BUDGET)] == [
        {HELD},
        {BUDGET},
    ]
    assert set(script.remove()) == set(told)


@pytest.mark.parametrize(
    ("tag", "is_ours"), [("agentflows", True), ("agentflows-part", True), ("theirs", False), ("", False)]
)
def test_only_runs_of_ours_are_called_crashed(script: Any, tag: str, is_ours: bool):  # noqa: FBT001
    """Whoever shares the server may have runs that give a sign of life every five minutes, and live."""
    script.apply()
    with get_client(sync_client=True) as client:
        (made,) = client.read_automations_by_name(CRASHED)
    trigger = EventTrigger.model_validate(made.trigger.model_dump(mode="json"))
    related = [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"}] if tag else []
    for name in ("prefect.flow-run.heartbeat", "prefect.flow-run.Completed"):
        event = ReceivedEvent.model_validate(
            {
                "id": str(uuid4()),
                "occurred": datetime.now(UTC).isoformat(),
                "event": name,
                "resource": {"prefect.resource.id": f"prefect.flow-run.{uuid4()}"},
                "related": related,
            }
        )
        assert trigger.covers(event) == is_ours


def test_a_block_that_is_not_there_is_named(script: Any):
    """And nothing is made."""
    with pytest.raises(NotFoundError, match="no block 'slack-webhook/nobody'"):
        script.apply("slack-webhook/nobody")
    with pytest.raises(UsageError, match="TYPE/NAME"):
        script.apply("ops")
    assert script.remove() == {}


def test_an_event_has_ids_and_counts_only():
    """It goes to a chat: no word of a session or a memory."""
    assert changes_held("drm_1", "team", 3) == {
        "event": HELD,
        "resource": {"prefect.resource.id": "agentflows.dream.drm_1", "prefect.resource.name": "drm_1"},
        "payload": {"dream_id": "drm_1", "store": "team", "held": 3},
    }
