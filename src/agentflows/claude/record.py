"""What a call gave and what it cost: the answer, the estimate before it, the line for the call log."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from agentflows.session import Usage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A validated answer, and what it took to get it."""

    value: T
    usage: Usage
    """As the endpoint counted, over all replies of the call: repairs included, lost attempts not."""
    model: str
    """The model that answered, in the endpoint's own words."""
    request_id: str
    """Of the reply that was accepted."""
    stop_reason: str
    dollars: float
    """What the budget was charged, attempts of unknown outcome in full; 0.0 for an unpriced model."""
    attempts: int
    """HTTP requests made: retries and repairs included."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The most that one call can take."""

    input_tokens: int
    output_tokens: int
    dollars: float | None
    """At list price, all input at its dearest rate; None for an unpriced model."""

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One request and its retries, for the call log. It holds no contents."""

    model: str
    purpose: str
    prompt_sha256: str
    """Of the request's whole body without the model: the same question has the same hash."""
    outcome: str
    """`ok`, or the kind of fault the request or its reply ended with."""
    stop_reason: str
    """"" when no reply came."""
    usage: Usage
    lost_tokens: int
    """Charged for attempts whose outcome is unknown."""
    dollars: float
    """Charged in all; 0.0 and `priced` false for an unpriced model."""
    priced: bool
    seconds: float
    """From the first attempt to the last reply, pauses included."""
    attempts: int
    request_id: str
