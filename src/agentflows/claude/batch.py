"""The words of a batch: what is asked, the handle that outlives a process, how far it is, what came of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agentflows.claude.record import Answer
from agentflows.errors import ModelError, UsageError

BatchStatus = Literal["in_progress", "canceling", "ended"]
"""Results can be collected once it is `ended`, which a canceled batch becomes too."""


@dataclass(frozen=True, slots=True)
class BatchAsk:
    """One question of a batch. The fields are those of `Claude.ask`."""

    system: Sequence[str]
    user: Sequence[str]
    schema: type[BaseModel]
    max_tokens: int = 8000


@dataclass(frozen=True, slots=True)
class BatchHandle:
    """A batch that was handed in."""

    id: str
    """All that is needed to poll and to collect, in this process or another. Store it at once."""
    custom_ids: tuple[str, ...]
    """What each request's result goes by, in the order of the requests. It is a hash of the question, so that
    another process can work it out again; equal questions are asked once and share it."""


class BatchState(BaseModel):
    """How far a batch is. The counts of results are zero until it has ended."""

    model_config = ConfigDict(frozen=True)

    status: BatchStatus
    processing: int
    succeeded: int
    errored: int
    canceled: int
    expired: int
    created_at: datetime
    expires_at: datetime | None = None
    """When the endpoint gives up on what it has not begun."""
    ended_at: datetime | None = None
    archived_at: datetime | None = None
    """When its results went; the batch itself can still be looked at."""
    results_url: str | None = None

    @property
    def is_ended(self) -> bool:
        """Whether results can be collected."""
        return self.status == "ended"

    @property
    def is_gone(self) -> bool:
        """Whether it has ended and there are no results any more: the endpoint keeps them for weeks, not for ever."""
        return self.is_ended and (self.archived_at is not None or not self.results_url)

    @property
    def requests(self) -> int:
        """All of them, whatever became of them."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired

    @property
    def seconds(self) -> float:
        """From its creation to its end; 0.0 before that."""
        return (self.ended_at - self.created_at).total_seconds() if self.ended_at else 0.0


BatchResult = tuple[str, Answer[Any] | ModelError]
"""A custom id, and its answer or the reason why there is none."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a handle's id says: it has to outlive the process that made it."""

    batch_id: str
    reservation_id: str
    requests: int
    most_tokens: int
    """Of its dearest request: what one of unknown outcome is charged."""
    most_dollars: float
    purpose: str

    def __str__(self) -> str:
        fields = (
            self.batch_id, self.reservation_id, self.requests, self.most_tokens, self.most_dollars, self.purpose,
        )  # fmt: skip
        return json.dumps(fields)

    @staticmethod
    def read(text: str) -> "Ticket":
        """The ticket in a handle's id.

        Raises:
            UsageError: that is no id of a batch.
        """
        try:
            batch_id, reservation_id, requests, tokens, dollars, purpose = json.loads(text)
            return Ticket(
                str(batch_id), str(reservation_id), int(requests), int(tokens), float(dollars), str(purpose)
            )
        except (ValueError, TypeError) as error:
            msg = f"{text[:80]!r} is no id of a batch. Give the `id` of what `submit_batch` returned, unchanged."
            raise UsageError(msg) from error
