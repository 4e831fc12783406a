"""Notes: what the reader of a report must know about the engine that made it."""

from typing import Protocol, runtime_checkable

from agentflows.dream.engine import Engine

_JUDGED = (
    "A model read the sessions and judged what they mean. Code checked that every quote stands at its address "
    "and that numbers, paths, names, negations and hedges survive; it cannot check that a claim follows."
)


@runtime_checkable
class Noting(Protocol):
    """An engine that says for itself what it cannot judge."""

    def notes(self, instructions: str = "") -> list[str]:
        """What this engine cannot judge, and which instructions it follows."""
        ...


def engine_notes(engine: Engine, instructions: str) -> list[str]:
    """What this engine cannot judge and what it made of the instructions."""
    if isinstance(engine, Noting):
        return engine.notes(instructions)
    given = ["The instructions were given to the model as guidance; the gates do not depend on them."]
    return [_JUDGED, *(given if instructions.strip() else [])]
