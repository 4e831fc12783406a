"""The one client: asks a model for structured output, within a budget and a deadline, and tells what it cost."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

import anthropic
import httpx2
from pydantic import BaseModel

from agentflows.budget import Purse
from agentflows.claude.batch import BatchAsk, BatchHandle, BatchResult, BatchState
from agentflows.claude.batches import SHARE, Batches
from agentflows.claude.exchange import Exchange, Trip
from agentflows.claude.fault import SEEN_ERRORS, Fault, fault_of
from agentflows.claude.loop import Ending, Loop, Reply, Rules, Tool, Watch
from agentflows.claude.pace import Breaker, Deadline, Pace
from agentflows.claude.record import Answer, CallRecord, Estimate
from agentflows.claude.reply import UnusableError, accept
from agentflows.claude.request import Mode, Question, conversation, question
from agentflows.claude.sender import Sender
from agentflows.claude.talk import Talk
from agentflows.errors import BudgetError, EndpointError, ModelError, SettingsError
from agentflows.model import PRICES, Price, price
from agentflows.session import Usage

M = TypeVar("M", bound=BaseModel)

ANTHROPIC_URL = "https://api.anthropic.com"
REPAIRS = 2
"""How often a model is told what was wrong with its reply before the call fails."""
PING_TOKENS = 1

_NO_KEY = "unused"
"""The SDK insists on a key; servers of one's own often ignore it."""
_NO_MODEL_LIST = (404, 405, 501)


@dataclass(slots=True)
class _Call:
    """One logical call: all its requests."""

    purpose: str
    trips: list[Trip] = field(default_factory=list[Trip])

    @property
    def attempts(self) -> int:
        return sum(trip.attempts for trip in self.trips)

    @property
    def dollars(self) -> float:
        return sum(trip.dollars for trip in self.trips)

    @property
    def tokens(self) -> int:
        return sum(trip.tokens for trip in self.trips)

    @property
    def usage(self) -> Usage:
        return sum((trip.usage for trip in self.trips), start=Usage())


class _NoSchemaError(Exception):
    """The endpoint does not know `output_config`, or takes no notice of it."""


class Claude:
    """A Claude model, or any other behind an endpoint that speaks the Messages API.

    Safe to use from many threads: at most `concurrency` calls are under way at once, the others wait.

    Args:
        model: the model's id.
        api_key: for Anthropic's endpoint it is needed; other servers may do without.
        base_url: the server's root; "" is Anthropic's own.
        purse: asked before every attempt, told after it.
        deadline_seconds: for one logical call, from when it gets its turn: attempts, pauses and repairs.
        attempts: HTTP requests at most per request that is to be answered.
        concurrency: calls at once.
        slots: in their place, those that several clients share.
        breaker: likewise, for clients of one model at one endpoint.
        http_client: an `httpx2.Client` of one's own; it stays open when this is closed.
        on_call: gets one record per request and its retries, for the call log. What it raises, `ask` raises.
        prices: by model id; see `agentflows.model`.
        is_money_capped: whether the purse has a ceiling in money. An unpriced model is refused under one.
        pace: where time and chance come from.

    Raises:
        SettingsError: there is neither a key nor a server of one's own.
        BudgetError: there is a ceiling in money, and no price for the model.
    """

    def __init__(  # noqa: PLR0913 - the one place where everything about model calls is set
        self,
        *,
        model: str,
        api_key: str | None,
        base_url: str = "",
        purse: Purse,
        deadline_seconds: float = 600,
        attempts: int = 4,
        concurrency: int = 8,
        http_client: httpx2.Client | None = None,
        on_call: Callable[[CallRecord], object] | None = None,
        prices: Mapping[str, Price] = PRICES,
        is_money_capped: bool = False,
        pace: Pace | None = None,
        slots: threading.Semaphore | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self.model = model
        self.url = base_url or ANTHROPIC_URL
        self.price = price(model, prices)
        self._check_price(is_money_capped)
        self._owns_http = http_client is None
        self._sdk = _sdk(api_key, base_url, http_client)
        self._pace = pace or Pace()
        self._deadline_seconds = deadline_seconds
        self._slots = slots or threading.BoundedSemaphore(concurrency)
        self._mode: Mode = "native"
        breaker = breaker or Breaker(self._pace.clock)
        self._exchange = Exchange(
            self._sdk, model, self.url, purse, self.price, self._pace, breaker, attempts
        )
        self._sender = Sender(self._exchange, on_call)
        self._batches = Batches(self._exchange, SHARE if self.url == ANTHROPIC_URL else 1.0, on_call)

    def __repr__(self) -> str:
        return f"<Claude {self.model} at {self.url}>"

    def _check_price(self, is_money_capped: bool) -> None:  # noqa: FBT001 - private
        if is_money_capped and self.price is None:
            msg = (
                f"The budget has a ceiling in dollars, and no price is known for {self.model!r}. Give its price "
                "with AGENTFLOWS_PRICES, or set a ceiling in tokens instead."
            )
            raise BudgetError(msg)

    def ask(
        self,
        *,
        system: Sequence[str],
        user: Sequence[str],
        schema: type[M],
        max_tokens: int = 8000,
        purpose: str,
    ) -> Answer[M]:
        """Ask for a value of `schema`.

        Put what stays the same from call to call into `system` and first into `user`, what changes last: all
        but the last block of `user` is marked for the prompt cache.

        Args:
            system: instructions, as blocks.
            user: the material and the question, as blocks of one message.
            schema: a pydantic model whose JSON is an object. Rules that JSON schema cannot enforce are
                checked here, and the model is told, twice at most, what it broke.
            max_tokens: of the reply, thinking included.
            purpose: what the call is for, for budget and log.

        Raises:
            BudgetError: the purse does not allow it.
            EndpointError: no reply came; `kind` says why.
            ModelOutputError: the reply is not what was asked for; `kind` says in which way.
        """
        asked = question(system, user, schema, max_tokens)
        with self._slots:
            return self._converse(asked, schema, purpose)

    def estimate(
        self, *, system: Sequence[str], user: Sequence[str], schema: type[BaseModel], max_tokens: int = 8000
    ) -> Estimate:
        """The most that `ask` with these arguments takes if its first reply is good."""
        return self._most(question(system, user, schema, max_tokens))

    # -- conversations ---------------------------------------------------------------------------

    def converse(
        self,
        talk: Talk,
        *,
        system: Sequence[str],
        tools: Sequence[Tool],
        rules: Rules,
        watch: Watch,
        purpose: str,
    ) -> Ending:
        """Let the model work with tools until there is a reason to end; `talk` is what was said, then and now.

        Every request is reserved, retried, settled and logged as those of `ask` are. Only `finished` is success.

        Raises:
            BudgetError: not even the first reply is affordable; or a later one, and the rules pass that on.
            EndpointError: there was no first reply, for the reason in its `kind`; or no later one likewise.
        """
        definitions = [tool.definition for tool in tools]
        fixed = [*system, *(json.dumps(definition) for definition in definitions)]

        def ask(said: Talk) -> Reply:
            body = conversation(system, said.messages, definitions, rules.max_tokens)
            return self._reply(body, [*fixed, *said.texts], purpose, rules.remaining)

        def size(said: Talk) -> int:
            return self._sender.most([*fixed, *said.texts], 0).input_tokens

        return Loop(ask, size, talk, tools, rules, watch).run()

    def _reply(
        self, body: dict[str, Any], texts: Sequence[str], purpose: str, remaining: Callable[[], float]
    ) -> Reply:
        trip = Trip()
        with self._slots:
            if remaining() <= 0:  # a turn may have been waited for; nothing was sent
                over = Fault("deadline", "the time of the run is over")
                raise over.error(self.url, 0, tokens=0, dollars=0.0)
            deadline = self._pace.deadline(min(self._deadline_seconds, remaining()))
            with self._sender.logged(purpose, body, trip):
                heard = self._sender.send(body, texts, purpose=purpose, deadline=deadline, trip=trip)
        return Reply(
            content=heard.content,
            stop_reason=heard.stop_reason,
            usage=trip.usage,
            tokens=trip.tokens,
            dollars=trip.dollars,
            model=heard.model or self.model,
            message_id=heard.message_id,
            detail=heard.refusal_category,
        )

    # -- batches ---------------------------------------------------------------------------------

    def submit_batch(self, requests: Sequence[BatchAsk], *, purpose: str) -> BatchHandle:
        """Hand in many questions to be answered within a day.

        The budget reserves the most that all of them can cost, and gets back the rest when they are collected.

        Store the handle's `id` before anything else is done. The API knows no idempotency key: handing in the same
        questions again makes and bills another batch, so a caller who finds a stored id collects instead. A
        process that dies before it stored the id loses the batch; the budget then counts it as spent.

        Raises:
            UsageError: there are no requests, or too many for one batch.
            BudgetError: the purse does not allow all of them together; nothing was sent.
            EndpointError: no batch is known to have been created. Where one may have been all the same (the
                connection was lost, say), it is not tried again and the budget counts it as spent.
        """
        asked = [question(ask.system, ask.user, ask.schema, ask.max_tokens) for ask in requests]
        costed = [(one, self._most(one)) for one in asked]
        with self._slots:
            return self._batches.submit(costed, purpose=purpose, deadline=self._deadline())

    def poll_batch(self, handle_id: str) -> BatchState:
        """Look how far a batch is. Once a minute is often enough.

        Raises:
            UsageError: that is no id of a batch.
            EndpointError: it could not be found out, for the reason in its `kind`.
        """
        with self._slots:
            return self._batches.poll(handle_id, deadline=self._deadline())

    def cancel_batch(self, handle_id: str) -> BatchState:
        """Stop what has not begun. What has begun is finished and billed; poll until the batch has ended.

        Raises:
            UsageError, EndpointError: as in `poll_batch`.
        """
        with self._slots:
            return self._batches.cancel(handle_id, deadline=self._deadline())

    def collect_batch(self, handle_id: str, schemas: Mapping[str, type[BaseModel]]) -> Iterator[BatchResult]:
        """The results of an ended batch in no particular order: custom id, and `Answer` or `ModelError`.

        Everything is fetched and settled before the first result is handed out, so stopping halfway loses
        nothing, and collecting again gives the same and charges nothing. The endpoint keeps results for weeks.
        Replies are held to their schema as in `ask`, but there is nobody to repair them: ask again.

        Args:
            handle_id: the `id` of what `submit_batch` returned, here or in another process.
            schemas: by custom id, the schema of each result wanted; the others are settled, not handed out.

        Raises:
            UsageError: that is no id of a batch, or the batch has not ended.
            EndpointError: the results cannot be had, `not_found` where they are kept no more; what was reserved
                stays reserved.
        """
        with self._slots:
            return self._batches.collect(handle_id, schemas, deadline=self._deadline())

    # -- the endpoint ----------------------------------------------------------------------------

    def check(self) -> str:
        """Find out whether the model can be called; returns one line that says what was found.

        Asks for the model's description. Where a server has none, it sends one short message, which costs
        some ten tokens.

        Raises:
            EndpointError: it cannot, for the reason and with the advice in its one line.
            BudgetError: the purse does not allow the short message.
        """
        try:
            found = self._sdk.models.retrieve(self.model, timeout=30)
        except SEEN_ERRORS as error:
            fault = fault_of(error)
            if fault.status not in _NO_MODEL_LIST:
                raise fault.error(self.url, 1, tokens=0, dollars=0.0) from error
            found = None
        except ValueError:  # a 200 that is no JSON
            found = None
        if getattr(
            found, "id", ""
        ):  # else it is no description, and may be no Messages API: a message will tell
            return f"{self.model} at {self.url}: {getattr(found, 'lifecycle', None) or 'available'}"
        self._ping()
        return f"{self.model} at {self.url}: answers messages"

    def close(self) -> None:
        """Close the connections, unless they belong to the caller."""
        if self._owns_http:
            self._sdk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- one logical call ------------------------------------------------------------------------

    def _converse(self, asked: Question, schema: type[M], purpose: str) -> Answer[M]:
        call = _Call(purpose)
        deadline = self._deadline()
        try:
            if self._mode == "native":
                try:
                    return self._until_usable(asked, schema, call, deadline)
                except _NoSchemaError:
                    self._mode = "prompted"  # for this endpoint's later calls too
            return self._until_usable(asked.prompted(), schema, call, deadline)
        except ModelError as error:
            error.attempts, error.tokens, error.dollars = call.attempts, call.tokens, call.dollars
            raise

    def _until_usable(self, asked: Question, schema: type[M], call: _Call, deadline: Any) -> Answer[M]:
        while True:
            try:
                return self._once(asked, schema, call, deadline)
            except EndpointError as error:
                if asked.mode == "native" and _says_no_schema(error):
                    raise _NoSchemaError from error
                raise
            except UnusableError as fault:
                if asked.mode == "native" and fault.kind == "no_json":
                    raise _NoSchemaError from fault  # an endpoint that enforces schemas cannot say this
                if not fault.is_repairable or len(asked.repairs) == REPAIRS:
                    error = fault.error(self.model)
                    error.request_id = _request_id(call)
                    raise error from fault
                asked = asked.repaired(_text(call), fault.detail)

    def _once(self, asked: Question, schema: type[M], call: _Call, deadline: Any) -> Answer[M]:
        body = asked.body()
        trip = Trip()
        call.trips.append(trip)
        with self._sender.logged(call.purpose, body, trip):
            reply = self._sender.send(body, asked.texts, purpose=call.purpose, deadline=deadline, trip=trip)
            value = accept(reply, schema)
        return Answer(
            value, call.usage, reply.model or self.model, reply.request_id, reply.stop_reason, call.dollars,
            call.attempts,
        )  # fmt: skip

    def _deadline(self) -> Deadline:
        return self._pace.deadline(self._deadline_seconds)

    def _most(self, asked: Question) -> Estimate:
        return self._sender.most(asked.texts, asked.max_tokens)

    def _ping(self) -> None:
        body = {"max_tokens": PING_TOKENS, "messages": [{"role": "user", "content": "ping"}]}
        trip = Trip()
        with self._sender.logged("check", body, trip):
            deadline = self._pace.deadline(min(self._deadline_seconds, 60))
            self._sender.send(body, ["ping"], purpose="check", deadline=deadline, trip=trip)


def _sdk(api_key: str | None, base_url: str, http_client: httpx2.Client | None) -> anthropic.Anthropic:
    if not api_key and not base_url:
        msg = (
            "No model can be called: there is neither a key nor an endpoint. Set ANTHROPIC_API_KEY, or "
            "ANTHROPIC_BASE_URL for a server of your own."
        )
        raise SettingsError(msg)
    return anthropic.Anthropic(
        api_key=api_key or _NO_KEY,
        base_url=base_url or ANTHROPIC_URL,
        max_retries=0,
        http_client=http_client or anthropic.DefaultHttpxClient(verify=_trusted()),
    )


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates this process trusts, read once: reading them takes longer than all else a client is made of."""
    return httpx2.create_ssl_context()


def _says_no_schema(error: EndpointError) -> bool:
    # The one place where the words of an error count: compatible servers have no code for a field they lack.
    return error.kind == "invalid_request" and "output_config" in str(error)


def _text(call: _Call) -> str:
    reply = call.trips[-1].reply
    return reply.text if reply else ""


def _request_id(call: _Call) -> str:
    reply = call.trips[-1].reply
    return reply.request_id if reply else ""
