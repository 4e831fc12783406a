"""One request as everything in this package sends it: bounded, reserved, retried, settled, learnt from and logged."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from agentflows.claude.exchange import Exchange, Trip
from agentflows.claude.pace import Deadline
from agentflows.claude.record import CallRecord, Estimate
from agentflows.claude.reply import Heard, UnusableError
from agentflows.claude.request import sha256_of
from agentflows.errors import EndpointError
from agentflows.model import TokenBound


class Sender:
    """Sends requests over one exchange. Safe to share between threads.

    Args:
        exchange: what talks to the endpoint.
        on_call: gets one record per request and its retries; None keeps no log.
    """

    def __init__(self, exchange: Exchange, on_call: Callable[[CallRecord], object] | None) -> None:
        self._exchange = exchange
        self._on_call = on_call
        self._bound = TokenBound()

    def most(self, texts: Sequence[str], max_tokens: int) -> Estimate:
        """The most that a request of these texts can take."""
        tokens, price = self._bound.of(texts), self._exchange.price
        return Estimate(tokens, max_tokens, price.at_most(tokens, max_tokens) if price else None)

    def send(
        self, body: dict[str, Any], texts: Sequence[str], *, purpose: str, deadline: Deadline, trip: Trip
    ) -> Heard:
        """The reply to `body`, whose input is `texts`.

        Raises:
            BudgetError, EndpointError: as `Exchange.send`.
        """
        cost = self.most(texts, int(body["max_tokens"]))
        heard = self._exchange.send(body, cost, purpose=purpose, deadline=deadline, trip=trip)
        self._bound.learn(texts, heard.usage.total - heard.usage.output_tokens)
        return heard

    @contextmanager
    def logged(self, purpose: str, body: dict[str, Any], trip: Trip) -> Generator[None]:
        """Write one request and its retries into the call log, however what is done inside ends."""
        clock = self._exchange.pace.clock
        started, outcome = clock(), "failed"
        try:
            yield
            outcome = "ok"
        except (EndpointError, UnusableError) as error:
            outcome = error.kind
            raise
        finally:
            self._log(purpose, sha256_of(body), trip, outcome, clock() - started)

    def _log(self, purpose: str, prompt_sha256: str, trip: Trip, outcome: str, seconds: float) -> None:
        if self._on_call is None or trip.attempts == 0:
            return
        record = CallRecord(
            model=self._exchange.model,
            purpose=purpose,
            prompt_sha256=prompt_sha256,
            outcome=outcome,
            stop_reason=trip.reply.stop_reason if trip.reply else "",
            usage=trip.usage,
            lost_tokens=trip.lost_tokens,
            dollars=trip.dollars,
            priced=self._exchange.price is not None,
            seconds=seconds,
            attempts=trip.attempts,
            request_id=trip.reply.request_id if trip.reply else "",
        )
        self._on_call(record)
