"""What an operator is told of: the events that flows emit, and the names of the automations that act on them.

An event carries ids and counts, and never a word of a session, a memory or a task: whoever is told looks it up.
"""

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
"""The tag of every deployment of `prefect.yaml`, and so of their runs."""
PART = "agentflows-part"
"""The tag of a run inside another one: when that one fails somebody is told, and of its parts once is enough."""

Kind = Literal["dream", "outcome", "job"]
Name = Literal["store", "team"]
"""What a refused run is known by: it has no id yet."""


def changes_held(dream_id: str, store: str, held: int) -> dict[str, Any]:
    """The event of a dream that ended with changes for a person, as keywords of Prefect's `emit_event`."""
    return {
        "event": HELD,
        "resource": _resource("dream", dream_id),
        "payload": {"dream_id": dream_id, "store": store, "held": held},
    }


def budget_reached(kind: Kind, identity: str, *, tokens: int, dollars: float) -> dict[str, Any]:
    """The event of a run that a budget ended or cut short, with what it spent so far."""
    return {
        "event": BUDGET,
        "resource": _resource(kind, identity),
        "payload": {"kind": kind, "id": identity, "tokens": tokens, "dollars": dollars, "refused": False},
    }


def budget_refused(
    kind: Kind, what: Name, name: str, *, tokens: int | None, dollars: float | None
) -> dict[str, Any]:
    """The event of a run that was not begun, as its ceilings do not suffice: these, None where there is none."""
    ceilings = {"budget_tokens": tokens, "budget_dollars": dollars}
    return {
        "event": BUDGET,
        "resource": _resource(what, name),
        "payload": {"kind": kind, what: name, "tokens": 0, "dollars": 0.0, "refused": True}
        | {unit: most for unit, most in ceilings.items() if most is not None},
    }


def _resource(kind: Kind | Name, identity: str) -> dict[str, str]:
    return {"prefect.resource.id": f"agentflows.{kind}.{identity}", "prefect.resource.name": identity}
