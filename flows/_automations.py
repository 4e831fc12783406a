"""Automations: crashed runs are noticed, and a person is told of what waits. `agentflows automations` runs this."""

from datetime import timedelta
from typing import Any, Literal

from prefect.automations import AutomationCore, EventTrigger, Posture
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.exceptions import ObjectNotFound

from agentflows.errors import NotFoundError, UsageError
from agentflows.notices import BUDGET, CRASHED, HELD, TAG, TELL_BUDGET, TELL_FAILED, TELL_HELD

SILENT = timedelta(seconds=90)
"""Three heartbeats, at the frequency that `prefect.yaml` sets."""
Became = Literal["made", "changed", "as it was", "removed"]


def apply(block: str = "") -> dict[str, Became]:
    """Have the server keep our automations, and no other ones by their names; doing it again changes nothing.

    Args:
        block: Who is told, as `TYPE/NAME` of a notification block, such as `slack-webhook/ops`; "" tells nobody.

    Raises:
        UsageError: that is no name of a block.
        NotFoundError: the server has no such block.
    """
    with get_client(sync_client=True) as client:
        wanted = [_crashed(), *(_told(_block(client, block)) if block else [])]
        return {one.name: _keep(client, one) for one in wanted}


def remove() -> dict[str, Became]:
    """Take our automations out."""
    found: dict[str, Became] = {}
    with get_client(sync_client=True) as client:
        for name in (CRASHED, TELL_HELD, TELL_FAILED, TELL_BUDGET):
            for one in client.read_automations_by_name(name):
                client.delete_automation(one.id)
                found[name] = "removed"
    return found


def _block(client: SyncPrefectClient, block: str) -> Any:
    kind, _, name = block.partition("/")
    if not kind or not name:
        msg = f"{block!r} is no block. Give it as TYPE/NAME, such as slack-webhook/ops; `prefect block ls` lists them."
        raise UsageError(msg)
    try:
        return client.read_block_document_by_name(name, kind).id
    except ObjectNotFound as error:
        msg = f"The server has no block {block!r}. Make it on its page Blocks, or name another; `prefect block ls` lists them."
        raise NotFoundError(msg) from error


def _keep(client: SyncPrefectClient, wanted: AutomationCore) -> Became:
    there = client.read_automations_by_name(wanted.name)
    if not there:
        client.create_automation(wanted)
        return "made"
    first, *doubles = there
    for one in doubles:
        client.delete_automation(one.id)
    if _words(first) == _words(wanted):
        return "as it was"
    client.update_automation(first.id, wanted.model_copy(update={"enabled": first.enabled}))
    return "changed"


def _words(one: AutomationCore) -> dict[str, Any]:
    """What decides whether two are the same; whether it is switched on is the operator's."""
    told = one.model_dump(mode="json", include={"name", "description", "trigger", "actions"})
    told["trigger"].pop("id", None)
    for sets in ("after", "expect", "for_each"):
        told["trigger"][sets] = sorted(told["trigger"][sets])
    return told


def _crashed() -> AutomationCore:
    crash = ChangeFlowRunState(
        name="Crashed",
        state=StateType.CRASHED,
        message="Its process is gone: no sign of life for 90 s. Run it again; nothing is done or paid twice.",
        force=False,
    )
    return AutomationCore(
        name=CRASHED,
        description="After a heartbeat anything is expected of a run of agentflows within 90 s: another one, or its end.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match={"prefect.resource.id": "prefect.flow-run.*"},  # pyright: ignore[reportArgumentType]
            # Runs of others on the same server may send theirs less often: they are no concern of ours. With `PART`.
            match_related={"prefect.resource.id": f"prefect.tag.{TAG}*", "prefect.resource.role": "tag"},  # pyright: ignore[reportArgumentType]
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENT,
        ),
        actions=[crash],
    )


def _told(block: Any) -> list[AutomationCore]:
    payload = "{{ event.payload | tojson }}"
    return [
        _notice(TELL_HELD, {HELD}, block, "Changes wait for review", payload, is_of_flows=False),
        _notice(TELL_BUDGET, {BUDGET}, block, "A budget is reached", payload, is_of_flows=False),
        _notice(
            TELL_FAILED,
            {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            block,
            "A run failed or crashed",
            "{{ flow.name }} is {{ flow_run.state.name }}: run {{ flow_run.id }}, {{ flow_run|ui_url }}",
            is_of_flows=True,
        ),
    ]


def _notice(
    name: str, events: set[str], block: Any, subject: str, body: str, *, is_of_flows: bool
) -> AutomationCore:
    match = {"prefect.resource.id": "prefect.flow-run.*"} if is_of_flows else {}
    related = {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
    return AutomationCore(
        name=name,
        description="Made by agentflows automations.",
        trigger=EventTrigger(
            expect=events,
            match=match,  # pyright: ignore[reportArgumentType]
            match_related=related if is_of_flows else {},  # pyright: ignore[reportArgumentType]
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[SendNotification(block_document_id=block, subject=f"agentflows: {subject}", body=body)],
    )
