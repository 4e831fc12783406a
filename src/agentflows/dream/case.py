"""Case: one change on trial, with all that it is to be judged by.

Why its engine proposed it is left out on purpose: whoever judges it has only the sources to go by.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentflows.change import Change
from agentflows.memory import Entry
from agentflows.session import Trust, TurnKind

Nearness = Literal["quoted", "around", "later", "elsewhere"]
"""Why a passage is shown: it holds a quote, stands beside one, was typed later in the same session, or in another."""


class Passage(BaseModel):
    """A stretch of one turn."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    seq: int
    kind: TurnKind
    trust: Trust
    at: datetime | None
    nearness: Nearness
    text: str
    starts: bool = True
    """Whether the turn begins here."""

    @property
    def address(self) -> str:
        """`session_id#seq`."""
        return f"{self.session_id}#{self.seq}"


class Case(BaseModel):
    """One change and all that it is to be judged by."""

    model_config = ConfigDict(frozen=True)

    change: Change
    """Without reason, risks and status: those are its engine's and the gates' opinion."""
    kind: str
    """The kind of observation it rests on; "" for a change made from the store's own words."""
    claims: tuple[str, ...]
    """What would be asserted, one statement each; never empty but for a flag."""
    entries: tuple[Entry, ...] = ()
    """The entries it touches, whole."""
    neighbours: tuple[Entry, ...] = ()
    """For a retirement: entries near the one that goes."""
    passages: tuple[Passage, ...] = ()
    missing: tuple[str, ...] = ()
    """Addresses of quotes whose turn is not in the archive any more."""
