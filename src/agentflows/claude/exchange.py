"""One request until it is answered: reserve, send, settle, and again where that may help.

The only owner of retries: the SDK's are off. Every attempt has a reservation of its own, because an attempt
that got lost may have been billed.
"""

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

import anthropic

from agentflows.budget import Purse
from agentflows.claude.fault import (
    SEEN_ERRORS,
    CutReplyError,
    DeadlineError,
    Fault,
    FaultKind,
    NotAMessageError,
    fault_of,
    with_detail,
)
from agentflows.claude.pace import Breaker, Deadline, Pace
from agentflows.claude.record import Estimate
from agentflows.claude.reply import Heard, heard
from agentflows.claude.stream import Listener
from agentflows.errors import EndpointError
from agentflows.model import Price
from agentflows.session import Usage

T = TypeVar("T")

Request = Callable[..., AbstractContextManager[anthropic.APIResponse[Any]]]
"""A method of the SDK's `with_streaming_response`, all arguments bound but `timeout`."""

CONNECT_SECONDS = 10.0
STREAM_SILENCE_SECONDS = 120.0
"""A stream that says nothing for so long is dead: a live one sends pings."""
STREAM_ABOVE_TOKENS = 21_333
"""Replies that may grow longer are streamed: a plain one of that length can take ten minutes without a sign
of life, and the SDK itself refuses it under its default timeout."""

_BREAKING: frozenset[FaultKind] = frozenset(
    {"unreachable", "timeout", "dropped", "deadline", "not_a_message", "server_error", "overloaded"}
)
"""Faults that say the endpoint is not well. The others are answers."""


@dataclass(slots=True)
class Trip:
    """What one request has cost so far: filled in along the way, so that a failure leaves it behind too."""

    attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    lost_tokens: int = 0
    dollars: float = 0.0
    reply: Heard | None = None
    is_lost: bool = False
    """Whether the last attempt that failed may have been carried out all the same."""

    @property
    def tokens(self) -> int:
        """Charged in all."""
        return self.usage.total + self.lost_tokens


@dataclass(frozen=True, slots=True)
class Exchange:
    """Sends requests to one model at one endpoint. Safe to share between threads.

    A body that stalls after it began may be waited for beyond the deadline, by one read timeout at most.
    """

    sdk: anthropic.Anthropic
    model: str
    url: str
    purse: Purse
    price: Price | None
    pace: Pace
    breaker: Breaker
    attempts: int

    def send(
        self, body: Mapping[str, Any], cost: Estimate, *, purpose: str, deadline: Deadline, trip: Trip
    ) -> Heard:
        """The endpoint's reply, whatever it says. `trip` tells what it took, also when this raises.

        Raises:
            BudgetError: the purse does not allow (another) attempt; nothing was sent for it.
            EndpointError: no reply came, for the reason in its `kind`.
        """
        with self._watched():
            trip.reply = self._until_answered(body, cost, purpose, deadline, trip)
        return trip.reply

    def fetch(
        self,
        request: Request,
        read: Callable[[bytes], T],
        *,
        deadline: Deadline,
        trip: Trip,
        is_safe: bool = True,
    ) -> T:
        """What `read` makes of the body of the answer to a request that no purse needs to be asked for.

        `read` raises `NotAMessageError` or `CutReplyError` for a body that cannot be right. `is_safe` is whether
        doing it twice does no harm; if not, it is not tried again after an attempt that may have been carried out.

        Raises:
            EndpointError: no answer came, for the reason in its `kind`; `trip.is_lost` tells which sort it was.
        """
        with self._watched():
            while True:
                self._check_deadline(deadline, trip)
                trip.attempts += 1
                try:
                    return read(self._body(request, deadline)[0])
                except (*SEEN_ERRORS, anthropic.AnthropicError) as error:
                    # the SDK looks at batches by itself, too
                    fault = fault_of(error)
                    trip.is_lost = fault.is_charged
                    fault, pause = self._verdict(fault, trip.attempts, deadline)
                    if pause is None or (trip.is_lost and not is_safe):
                        raise self._error(fault, trip) from error
                self.pace.sleep(pause)

    @contextmanager
    def _watched(self) -> Generator[None, None, None]:
        """Let the breaker decide beforehand, and tell it afterwards."""
        self._admit()
        try:
            yield
        except EndpointError as error:
            if error.kind in _BREAKING:
                self.breaker.failed()
            else:
                self.breaker.succeeded()
            raise
        except BaseException:
            self.breaker.abandoned()
            raise
        self.breaker.succeeded()

    def _admit(self) -> None:
        wait = self.breaker.admit()
        if wait > 0:
            error = EndpointError(
                f"The model endpoint {self.url} failed for too many calls in a row, so {self.model} is left alone "
                f"for {wait:.0f} s more. Run again later: what was already read is kept."
            )
            error.kind, error.is_passing = "circuit_open", True
            raise error

    def _until_answered(
        self, body: Mapping[str, Any], cost: Estimate, purpose: str, deadline: Deadline, trip: Trip
    ) -> Heard:
        while True:
            self._check_deadline(deadline, trip)
            reservation = self.purse.reserve(cost.tokens, cost.dollars or 0.0, purpose)
            trip.attempts += 1
            try:
                reply = self._once(body, deadline)
            except SEEN_ERRORS as error:
                fault = fault_of(error)
                self._close(reservation, cost if fault.is_charged else None, trip)
                fault, pause = self._verdict(fault, trip.attempts, deadline)
                if pause is None:
                    raise self._error(fault, trip) from error
            except BaseException:
                self._close(reservation, cost, trip)
                raise
            else:
                self._settle(reservation, reply, cost, trip)
                return reply
            self.pace.sleep(pause)

    def _check_deadline(self, deadline: Deadline, trip: Trip) -> None:
        if deadline.remaining <= 0:
            raise self._error(Fault("deadline", "the time for the whole call ran out"), trip)

    def _error(self, fault: Fault, trip: Trip) -> EndpointError:
        return fault.error(self.url, trip.attempts, tokens=trip.tokens, dollars=trip.dollars)

    def _verdict(self, fault: Fault, attempts: int, deadline: Deadline) -> tuple[Fault, float | None]:
        """The fault, and how long to wait before trying again; None for not at all."""
        if not fault.is_retried or attempts >= self.attempts:
            return fault, None
        pause = max(self.pace.backoff(attempts), fault.retry_after or 0.0)
        if pause < deadline.remaining:
            return fault, pause
        left = max(deadline.remaining, 0)
        return with_detail(
            fault, f"the next attempt is due in {pause:.0f} s, the deadline in {left:.0f} s"
        ), None

    def _close(self, reservation: str, lost: Estimate | None, trip: Trip) -> None:
        """Settle an attempt without a reply: in full if it is `lost`, by a refund if it never ran."""
        if lost is None:
            self.purse.refund(reservation)
            return
        trip.lost_tokens += lost.tokens
        trip.dollars += lost.dollars or 0.0
        self.purse.settle(reservation, lost.tokens, lost.dollars or 0.0)

    def _settle(self, reservation: str, reply: Heard, cost: Estimate, trip: Trip) -> None:
        if not reply.is_counted:
            self._close(reservation, cost, trip)
            return
        spent = self.price.cost(reply.usage) if self.price else 0.0
        trip.usage += reply.usage
        trip.dollars += spent
        self.purse.settle(reservation, reply.usage.total, spent)

    # -- one attempt -----------------------------------------------------------------------------

    def _once(self, body: Mapping[str, Any], deadline: Deadline) -> Heard:
        listen = self._streamed if body["max_tokens"] > STREAM_ABOVE_TOKENS else self._whole
        try:
            return listen(body, deadline)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            msg = f"expected JSON, found something else: {error}"
            raise NotAMessageError(msg) from error

    def _whole(self, body: Mapping[str, Any], deadline: Deadline) -> Heard:
        create = cast("Request", self.sdk.messages.with_streaming_response.create)
        raw, request_id = self._body(partial(create, model=self.model, **body), deadline, "application/json")
        return _heard(json.loads(raw), request_id)

    def _body(self, request: Request, deadline: Deadline, content_type: str = "") -> tuple[bytes, str]:
        """The body of an answer, and the request's id.

        The raw body, because the SDK answers a 200 of another content type with a `str`, and because a timeout
        per read does not bound a server that trickles.
        """
        with request(timeout=_timeout(deadline, silence=deadline.remaining)) as response:
            _expect(content_type, response.headers)
            raw = b"".join(_within(deadline, response.iter_bytes()))
            return raw, response.headers.get("request-id", "")

    def _streamed(self, body: Mapping[str, Any], deadline: Deadline) -> Heard:
        listener = Listener()
        timeout = _timeout(deadline, silence=STREAM_SILENCE_SECONDS)
        with self.sdk.messages.create(model=self.model, timeout=timeout, stream=True, **body) as stream:
            _expect("text/event-stream", stream.response.headers)
            for event in _within(deadline, stream):
                listener.take(event.to_dict())
            request_id = stream.response.headers.get("request-id", "")
        if listener.missing:
            msg = f"the stream is not whole: {listener.missing}"
            raise CutReplyError(msg)
        return _heard(listener.message(), request_id)


def _timeout(deadline: Deadline, *, silence: float) -> anthropic.Timeout:
    left = max(deadline.remaining, 0.001)
    return anthropic.Timeout(min(left, silence), connect=min(left, CONNECT_SECONDS))


def _within(deadline: Deadline, pieces: Iterable[T]) -> Iterator[T]:
    for piece in pieces:
        if deadline.remaining <= 0:
            raise DeadlineError
        yield piece


def _expect(content_type: str, headers: Mapping[str, str]) -> None:
    found = headers.get("content-type", "")
    if content_type not in found:
        msg = f"expected a reply of type {content_type}, found {found!r}"
        raise NotAMessageError(msg)


def _heard(message: Any, request_id: str) -> Heard:
    if not isinstance(message, dict):
        msg = f"expected a JSON object, found {type(message).__name__}"
        raise NotAMessageError(msg)
    try:
        return heard(message, request_id)  # pyright: ignore[reportUnknownArgumentType]: read with care there
    except (ValueError, TypeError, AttributeError) as error:
        raise NotAMessageError(str(error)) from error
