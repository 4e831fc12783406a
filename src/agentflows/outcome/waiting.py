"""What only a person can decide: who is asked, and about which version."""

from pydantic import BaseModel, ConfigDict


class Waiting(BaseModel):
    """A grading that is done but for what a person has to say."""

    model_config = ConfigDict(frozen=True)

    iteration: int
    criteria: tuple[str, ...]
    """Ids of the criteria a person is asked about."""
    manifest_sha256: str
    explanation: str
