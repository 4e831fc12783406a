"""What an operator is told of: the events that flows emit, and the names of the automations that act on them.

An event carries ids and counts, and never a word of a session, a memory or a task: whoever is told looks it up.
"""

from collections.abc import Mapping
from typing import Any, Literal

HELD = "agentflows.changes.held"
"""Changes of a dream wait for a person."""
BUDGET = "agentflows.budget.reached"
"""A run was ended, refused or cut short by its budget."""

CRASHED = "agentflows: a run whose process is gone counts as crashed"
TELL_HELD = "agentflows: changes wait for review"
TELL_FAILED = "agentflows: a run failed or crashed"
TELL_BUDGET = "agentflows: a budget is reached"

TAG = "agentflows"
"""The tag of every deployment of `prefect.yaml`."""

Kind = Literal["dream", "outcome", "job"]


def changes_held(dream_id: str, store: str, held: int) -> dict[str, Any]:
    """The event of a dream that ended with changes for a person, as keywords of Prefect's `emit_event`."""
    return {
        "event": HELD,
        "resource": _resource("dream", dream_id),
        "payload": {"dream_id": dream_id, "store": store, "held": held},
    }


def budget_reached(kind: Kind, identity: str, spent: Mapping[str, float]) -> dict[str, Any]:
    """The event of a run that its budget ended; `spent` is in tokens and dollars."""
    return {
        "event": BUDGET,
        "resource": _resource(kind, identity),
        "payload": {"kind": kind, "id": identity, **spent},
    }


def _resource(kind: Kind, identity: str) -> dict[str, str]:
    return {"prefect.resource.id": f"agentflows.{kind}.{identity}", "prefect.resource.name": identity}
