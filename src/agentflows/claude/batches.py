"""Message Batches: many questions at once, answered within a day, at half the price at Anthropic's own endpoint.

What outlives the process is one string, the handle's id. It names the batch and the reservation that pays for
it, so that a caller who stored it can collect after a restart. The API has no idempotency key: asking for the
same batch again makes, and bills, another one. Only the stored id prevents that.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from agentflows.claude.batch import BatchHandle, BatchResult, BatchState, Ticket
from agentflows.claude.exchange import Exchange, Request, Trip
from agentflows.claude.fault import CutReplyError, Fault, NotAMessageError, item_fault
from agentflows.claude.pace import Deadline
from agentflows.claude.record import Answer, CallRecord, Estimate
from agentflows.claude.reply import Heard, UnusableError, accept, heard
from agentflows.claude.request import Question, sha256_of
from agentflows.errors import EndpointError, ModelError, UsageError
from agentflows.session import Usage

MOST_REQUESTS = 100_000
"""What Anthropic takes in one batch, 256 MB at most (its guide to batch processing, as of November 2026)."""
SHARE = 0.5
"""Anthropic's price for anything in a batch, as a share of its list price, by the same guide. What ended in an
error, was canceled or expired is not billed."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the results."""

    custom_id: str
    reply: Heard | None = None
    fault: Fault | None = None
    """Why there is no reply."""
    dollars: float = 0.0
    lost_tokens: int = 0
    """Charged because the endpoint did not say what it used."""

    @property
    def usage(self) -> Usage:
        return self.reply.usage if self.reply else Usage()

    @property
    def tokens(self) -> int:
        return self.usage.total + self.lost_tokens


class Batches:
    """The batch endpoints of one model, on the exchange that all its requests go through.

    Args:
        exchange: sends and retries; its purse pays.
        share: of the list price, what this endpoint asks for requests in batches.
        on_call: gets one record per result, when its batch is collected for the first time.
    """

    def __init__(
        self, exchange: Exchange, share: float, on_call: Callable[[CallRecord], object] | None = None
    ) -> None:
        self._exchange = exchange
        self._share = share
        self._on_call = on_call
        self._api = exchange.sdk.messages.batches.with_streaming_response

    def submit(
        self, questions: Sequence[tuple[Question, Estimate]], *, purpose: str, deadline: Deadline
    ) -> BatchHandle:
        """Reserve for all, then create the batch once; see `Claude.submit_batch`."""
        custom_ids = tuple(sha256_of(question.body()) for question, _ in questions)
        unique = dict(zip(custom_ids, questions, strict=True))
        _check_size(len(unique))
        costs = [cost for _, cost in unique.values()]
        tokens = sum(cost.tokens for cost in costs)
        dollars = self._share * sum(cost.dollars or 0.0 for cost in costs)
        requests = [
            {"custom_id": custom_id, "params": {"model": self._exchange.model, **question.body()}}
            for custom_id, (question, _) in unique.items()
        ]
        reservation = self._exchange.purse.reserve(tokens, dollars, purpose)
        trip = Trip()
        try:
            create = self._request("create", requests=requests)
            batch_id = self._exchange.fetch(create, _batch_id, deadline=deadline, trip=trip, is_safe=False)
        except BaseException as error:
            self._give_up(error, reservation, tokens, dollars, trip)
            raise
        most_tokens = max(cost.tokens for cost in costs)
        most_dollars = self._share * max(cost.dollars or 0.0 for cost in costs)
        ticket = Ticket(batch_id, reservation, len(unique), most_tokens, most_dollars, purpose)
        return BatchHandle(str(ticket), custom_ids)

    def poll(self, handle: str, *, deadline: Deadline) -> BatchState:
        """How far it is."""
        return self._state("retrieve", Ticket.read(handle), deadline)

    def cancel(self, handle: str, *, deadline: Deadline) -> BatchState:
        """Stop what has not begun."""
        return self._state("cancel", Ticket.read(handle), deadline)

    def collect(
        self, handle: str, schemas: Mapping[str, type[BaseModel]], *, deadline: Deadline
    ) -> Iterator[BatchResult]:
        """Fetch everything, settle and log it if that was not done before, then hand it out."""
        ticket = Ticket.read(handle)
        state = self._state("retrieve", ticket, deadline)
        if not state.is_ended:
            msg = (
                f"The batch {ticket.batch_id} is {state.status} with {state.processing:,} of {state.requests:,} "
                "requests under way. Poll it until it has ended, then collect."
            )
            raise UsageError(msg)
        if state.is_gone:
            gone = f"the results of the batch {ticket.batch_id} are kept no more"
            raise Fault("not_found", gone).error(self._exchange.url, 1, tokens=0, dollars=0.0)
        read = partial(self._read, ticket=ticket, expected=state.requests)
        results = self._request("results", message_batch_id=ticket.batch_id)
        lines = self._exchange.fetch(results, read, deadline=deadline, trip=Trip())
        self._settle(ticket, lines, state)
        return self._outcomes(ticket, lines, schemas)

    # -- requests --------------------------------------------------------------------------------

    def _request(self, method: str, **given: Any) -> Request:
        return cast("Request", partial(getattr(self._api, method), **given))

    def _state(self, method: str, ticket: Ticket, deadline: Deadline) -> BatchState:
        request = self._request(method, message_batch_id=ticket.batch_id)
        return self._exchange.fetch(request, _state, deadline=deadline, trip=Trip())

    def _give_up(
        self, error: BaseException, reservation: str, tokens: int, dollars: float, trip: Trip
    ) -> None:
        """Close the reservation of a batch that was not created, or perhaps was: then it counts as spent."""
        if isinstance(error, EndpointError) and not trip.is_lost:
            self._exchange.purse.refund(reservation)
            return
        self._exchange.purse.settle(reservation, tokens, dollars)
        if isinstance(error, EndpointError):
            error.tokens, error.dollars = tokens, dollars

    # -- results ---------------------------------------------------------------------------------

    def _read(self, raw: bytes, *, ticket: Ticket, expected: int) -> list[_Line]:
        found: dict[str, _Line] = {}
        for text in raw.splitlines():
            if text.strip():
                line = self._line(_decoded(text), ticket)
                found.setdefault(line.custom_id, line)
        if len(found) < expected:
            msg = f"the results are not whole: {len(found)} of {expected}"
            raise CutReplyError(msg)
        return list(found.values())

    def _line(self, line: dict[str, Any], ticket: Ticket) -> _Line:
        result = _object(line.get("result"))
        custom_id: Any = line.get("custom_id")
        if not result or not isinstance(custom_id, str):
            msg = f"expected a result with its custom id, found {sorted(line)[:8]}"
            raise NotAMessageError(msg)
        kind = str(result.get("type"))
        if kind == "succeeded":
            return self._succeeded(custom_id, result.get("message"), ticket)
        if kind == "errored":
            return _Line(custom_id, fault=_item_fault(result.get("error")))
        if kind == "canceled":
            return _Line(custom_id, fault=Fault("canceled", "its batch was canceled before it began"))
        if kind == "expired":
            return _Line(custom_id, fault=Fault("expired", "its batch ran out of time before it began"))
        return self._unknown(
            custom_id, Fault("not_a_message", f"expected one of four results, found {kind!r}"), ticket
        )

    def _succeeded(self, custom_id: str, message: Any, ticket: Ticket) -> _Line:
        try:
            reply = heard(message, str(message.get("id") or ""))
        except (ValueError, TypeError, AttributeError) as error:
            return self._unknown(custom_id, Fault("not_a_message", str(error)), ticket)
        if not reply.is_counted:
            return _Line(custom_id, reply, None, ticket.most_dollars, ticket.most_tokens)
        price = self._exchange.price
        return _Line(custom_id, reply, None, self._share * price.cost(reply.usage) if price else 0.0)

    def _unknown(self, custom_id: str, fault: Fault, ticket: Ticket) -> _Line:
        return _Line(custom_id, None, fault, ticket.most_dollars, ticket.most_tokens)

    def _settle(self, ticket: Ticket, lines: Sequence[_Line], state: BatchState) -> None:
        """Charge the batch and log its calls, the first time it is collected."""
        untold = max(0, ticket.requests - len(lines))
        tokens = sum(line.tokens for line in lines) + untold * ticket.most_tokens
        dollars = sum(line.dollars for line in lines) + untold * ticket.most_dollars
        try:
            self._exchange.purse.settle(ticket.reservation_id, tokens, dollars)
        except UsageError:  # no longer open: it was collected before
            return
        for line in lines:
            self._log(line, ticket, state)

    def _log(self, line: _Line, ticket: Ticket, state: BatchState) -> None:
        if self._on_call is None:
            return
        record = CallRecord(
            model=self._exchange.model,
            purpose=ticket.purpose,
            prompt_sha256=line.custom_id,
            outcome=line.fault.kind if line.fault else "ok",
            stop_reason=line.reply.stop_reason if line.reply else "",
            usage=line.usage,
            lost_tokens=line.lost_tokens,
            dollars=line.dollars,
            priced=self._exchange.price is not None,
            seconds=state.seconds,
            attempts=1,
            request_id=line.reply.request_id if line.reply else "",
        )
        self._on_call(record)

    def _outcomes(
        self, ticket: Ticket, lines: Sequence[_Line], schemas: Mapping[str, type[BaseModel]]
    ) -> Iterator[BatchResult]:
        told = {line.custom_id for line in lines}
        for line in lines:
            if line.custom_id in schemas:
                yield line.custom_id, self._outcome(line, schemas[line.custom_id])
        for custom_id in schemas:
            if custom_id not in told:
                fault = Fault(
                    "missing", f"the results of the batch {ticket.batch_id} do not tell what became of it"
                )
                yield custom_id, self._outcome(self._unknown(custom_id, fault, ticket), BaseModel)

    def _outcome(self, line: _Line, schema: type[BaseModel]) -> Answer[Any] | ModelError:
        if line.reply is None:
            fault = line.fault or Fault("missing", "there is no reply")
            return fault.error(self._exchange.url, 1, tokens=line.tokens, dollars=line.dollars)
        reply = line.reply
        try:
            value = accept(reply, schema)
        except UnusableError as fault:
            error = fault.error(self._exchange.model)
            error.request_id, error.attempts = reply.request_id, 1
            error.tokens, error.dollars = line.tokens, line.dollars
            return error
        model = reply.model or self._exchange.model
        return Answer(value, reply.usage, model, reply.request_id, reply.stop_reason, line.dollars, 1)


def _check_size(requests: int) -> None:
    if not 1 <= requests <= MOST_REQUESTS:
        msg = f"A batch takes 1 to {MOST_REQUESTS:,} different requests, found {requests:,}. Divide them among batches."
        raise UsageError(msg)


def _decoded(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError as error:
        msg = f"expected JSON, found something else: {error}"
        raise NotAMessageError(msg) from error
    if not isinstance(value, dict):
        msg = f"expected a JSON object, found {type(value).__name__}"
        raise NotAMessageError(msg)
    return _object(value)


def _batch_id(raw: bytes) -> str:
    _state(raw)
    return str(_decoded(raw)["id"])


def _state(raw: bytes) -> BatchState:
    batch = _decoded(raw)
    counts: Any = batch.get("request_counts")
    try:
        return BatchState.model_validate(
            {**(counts or {}), **batch, "status": batch.get("processing_status")}, strict=False
        )
    except (ValidationError, TypeError) as error:
        msg = f"expected a message batch, found an object with {sorted(batch)[:8]}"
        raise NotAMessageError(msg) from error


def _item_fault(error: Any) -> Fault:
    """The fault in the `error` of a result, which holds an error body as any refused request gets it."""
    body = _object(error)
    detail = _object(body.get("error")) or body
    return item_fault(str(detail.get("type") or ""), str(detail.get("message") or "it gave no reason"))


def _object(value: Any) -> dict[str, Any]:
    """A decoded JSON object; anything else counts as an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
