"""What only a person can decide: who is asked, about which version, and what they said."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class HumanVerdict(BaseModel):
    """A person's word on one `human` criterion, bound to the very files it was said about."""

    model_config = ConfigDict(frozen=True)

    outcome_id: str
    iteration: int
    criterion_id: str
    met: Literal["met", "unmet"]
    reason: str = ""
    reviewer: str
    decided_at: datetime
    manifest_sha256: str


class Waiting(BaseModel):
    """A grading that is done but for what a person has to say."""

    model_config = ConfigDict(frozen=True)

    iteration: int
    criteria: tuple[str, ...]
    """Ids of the criteria a person is asked about."""
    manifest_sha256: str
    explanation: str
