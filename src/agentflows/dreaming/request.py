"""What is asked of one dream."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agentflows.archive import Selection
from agentflows.change import (
    Budget,
)
from agentflows.home import EngineChoice

_TIME = r"^\s*(\d+[hdw]|\d{4}-?\d{2}-?\d{2}.*)?\s*$"
"""What a form takes for a time before `parse_time` reads it."""
MAX_INSTRUCTIONS = 4_096
"""Hosted limit, in characters."""


class SessionFilter(BaseModel):
    """Which sessions to read. What is left empty does not restrict; there is no ceiling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: str = Field(
        default="",
        title="Since",
        description="A date such as 2026-11-01, or an age such as 36h, 7d or 2w",
        json_schema_extra={"pattern": _TIME},
    )
    until: str = Field(
        default="",
        title="Until",
        description="A date, which is left out itself, or an age",
        json_schema_extra={"pattern": _TIME},
    )
    project: str = Field(default="", title="Project", description="The folder or product that was worked on")
    agent: str = Field(default="", title="Agent", description="Such as claude-code")
    outcome: Literal["any", "success", "failure"] = Field(
        default="any", title="Outcome", description="How they ended"
    )
    query: str = Field(
        default="", title="SQL condition", description="Over the view sessions, such as errors > 3"
    )
    ids: list[str] = Field(default=[], title="Session ids", description="These and no others")
    limit: int = Field(default=0, ge=0, title="At most", description="The newest so many; 0 is all")

    @field_validator("since", "until")
    @classmethod
    def _a_time(cls, value: str) -> str:
        parse_time(value)
        return value

    def selection(self, now: datetime | None = None) -> Selection:
        """The archive's own words for it."""
        return Selection(
            session_ids=tuple(self.ids) or None,
            since=parse_time(self.since, now),
            until=parse_time(self.until, now),
            project=self.project or None,
            agent=self.agent or None,
            verdict=None if self.outcome == "any" else self.outcome,
            query=self.query or None,
            limit=self.limit or None,
        )


def parse_time(text: str, now: datetime | None = None) -> datetime | None:
    """A date (`2026-11-01`, with or without a time) or an age (`36h`, `7d`, `2w`), in UTC; "" is None.

    Raises:
        ValueError: it is neither.
    """
    text = text.strip()
    if not text:
        return None
    units = {"h": "hours", "d": "days", "w": "weeks"}
    if text[:-1].isdigit() and text[-1] in units:
        base = now or datetime.now(UTC).replace(tzinfo=None)
        return base - timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is neither a date such as 2026-11-01 nor an age such as 7d."
        raise ValueError(msg) from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


class DreamRequest(BaseModel):
    """What is asked of one dream."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = "team"
    sessions: SessionFilter = SessionFilter()
    engine: EngineChoice = "auto"
    model: str = ""
    commit: Literal["review", "auto"] = "review"
    output: Literal["update_existing", "create_new"] = "update_existing"
    instructions: str = ""
    budget: Budget = Budget()
    calls: Literal["interactive", "batch", "auto"] = "interactive"
    """How a model is asked where there is much to ask: one by one, now; in batches, answered within a day and at half
    the price at Anthropic's endpoint; auto takes batches from 100 questions on. It changes no answer."""
    read_at_most: int = Field(default=0, ge=0)
    """Sessions to read anew, chosen by what they show (`agentflows.dream.selection`); 0 is as many as the budget allows."""
    support: int = Field(default=2, ge=1)
    """Distinct sessions, of distinct origin, that must say the same before it is proposed."""
    probes: str = ""
    """A folder of probes to replay with the changed memory; "" is the one AGENTFLOWS_PROBES names for the store, if any."""
    replay_budget: Budget = Budget()
    """Of the replay alone; what it spends counts for `budget` too."""

    @field_validator("instructions")
    @classmethod
    def _fits(cls, value: str) -> str:
        if len(value) > MAX_INSTRUCTIONS:
            msg = f"instructions are {len(value):,} characters; at most {MAX_INSTRUCTIONS:,} are allowed"
            raise ValueError(msg)
        return value
