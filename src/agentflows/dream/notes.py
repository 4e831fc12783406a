"""Notes: what the reader of a report must know about the engine that made it."""

from typing import Protocol, runtime_checkable

from agentflows.dream.engine import Engine
from agentflows.dream.instructions import OUTSIDE

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
    """What this engine cannot judge, what it made of the instructions, and how much they left out."""
    if isinstance(engine, Noting):
        return [*engine.notes(instructions), *_left_out(engine)]
    given = ["The instructions were given to the model as guidance; the gates do not depend on them."]
    return [_JUDGED, *(given if instructions.strip() else []), *_left_out(engine)]


def _left_out(engine: Engine) -> list[str]:
    count = sum(refusal.gate == OUTSIDE for refusal in engine.dropped)
    patterns = "1 pattern was" if count == 1 else f"{count:,} patterns were"
    return [f"{patterns} outside your instructions."] if count else []
