"""Asking a model without asking twice: answers are kept, questions can be gathered, a tight budget is waited for."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from agentflows.errors import (
    BudgetError,
    CanaryError,
    DeferredError,
    EndpointError,
    RefusedQuestionError,
)
from agentflows.memory import sha256
from agentflows.redaction.canaries import Canaries
from agentflows.store import State

if TYPE_CHECKING:
    from agentflows.claude import Answer, Claude

T = TypeVar("T", bound=BaseModel)
Found = TypeVar("Found")
_NONE_PLANTED = Canaries()
_REFUSED = 3
"""So many questions refused, and none answered, speak of the endpoint and not of the questions."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A question that nobody has asked yet."""

    key: str
    """What its answer is kept under."""
    system: tuple[str, ...]
    user: tuple[str, ...]
    schema: type[BaseModel]
    max_tokens: int

    @property
    def chars(self) -> int:
        """Of its text."""
        return sum(map(len, (*self.system, *self.user)))


@dataclass(frozen=True, slots=True)
class Remembered(Generic[T]):
    """An answer that was paid for earlier."""

    value: T


def _any(_: object) -> bool:
    return True


class Asker:
    """Asks one model, but never the same thing twice: an answer is kept under the sha256 of all that shaped it.

    What was paid for survives a kill; a re-run of the same dream sends nothing again. Safe for many threads.

    Args:
        client: makes, or returns, the model's client.
        state: where answers are kept.
        model: the model's id.
        canaries: what no question may hold.
        goes_on: whether a question that the endpoint refuses for what it holds is one without a usable reply; else it
            is an error of the endpoint. Whoever goes on asks `check_endpoint` when many were asked.
    """

    def __init__(
        self,
        client: Callable[[], "Claude"],
        state: State,
        model: str,
        canaries: Canaries = _NONE_PLANTED,
        *,
        goes_on: bool = False,
    ) -> None:
        self.client = client
        self.model = model
        self._state = state
        self._canaries = canaries
        self._goes_on = goes_on
        self._has_answered = False
        self._refused: dict[str, EndpointError] = {}
        self._gathered: dict[str, Gathered] | None = None
        self._local = threading.local()
        self._turn = threading.Condition()
        self._under_way = 0
        self._waiting = 0
        self._ended = 0

    def __call__(
        self,
        *,
        system: Sequence[str],
        user: Sequence[str],
        schema: type[T],
        max_tokens: int,
        purpose: str,
        usable: Callable[[T], bool] = _any,
    ) -> "Answer[T] | Remembered[T]":
        """Ask, or remember an answer that `usable` takes: one that fits the schema may still say nothing.

        Raises:
            DeferredError: questions are being gathered; this one is among them now.
            BudgetError: the budget does not allow it, though nobody else is asking any more.
            CanaryError: it holds a canary, and nothing was sent.
            RefusedQuestionError: the endpoint refuses this question, and whoever asks goes on without it.
            EndpointError, ModelOutputError: as in `Claude.ask`.
        """
        number = self._canaries.number_in("\n".join((*system, *user)))
        if number and self._gathered is not None:
            raise DeferredError  # it is refused when it is asked in earnest
        if number:
            msg = (
                f"A question ({purpose}) holds a canary (number {number}), which was planted to be carried nowhere. "
                "Nothing was sent. Find what carried it: `agentflows archive search`."
            )
            raise CanaryError(msg)
        given: str | None = getattr(self._local, "given", None)
        if given is not None:
            self._answered()
            return Remembered(schema.model_validate_json(given))
        key = "ask:" + sha256(repr((self.model, list(system), list(user), _json_schema(schema), max_tokens)))
        found = self._state.cached([key])
        if key in found and usable(known := schema.model_validate_json(found[key])):
            self._answered()
            return Remembered(known)
        if self._gathered is not None:
            self._gathered[key] = Gathered(key, tuple(system), tuple(user), schema, max_tokens)
            raise DeferredError

        def send() -> "Answer[T]":
            return self.client().ask(
                system=system, user=user, schema=schema, max_tokens=max_tokens, purpose=purpose
            )

        with self._refusals_of(key):
            answer = self._patiently(send)
        self._answered()
        if usable(answer.value):
            self._state.cache({key: answer.value.model_dump_json()})
        return answer

    def check_endpoint(self) -> None:
        """Tell an endpoint that refuses whatever it is asked from one that refuses some questions.

        A question that was refused while others were answered is known for it, and speaks of itself from then on.

        Raises:
            EndpointError: it refused several questions, and answered none.
        """
        if not self._has_answered:
            if len(self._refused) >= _REFUSED:
                raise next(reversed(self._refused.values()))
            return
        self._state.cache({key: str(error) for key, error in self._refused.items()})
        self._refused.clear()

    @contextmanager
    def _refusals_of(self, key: str) -> Generator[None]:
        """Note that the endpoint refuses a question, unless that is known of it."""
        try:
            yield
        except EndpointError as error:
            if not (self._goes_on and error.is_of_question):
                raise
            if not self._state.cached([_refusal(key)]):
                self._refused[_refusal(key)] = error
            raise _refused_question(error) from error

    def _answered(self) -> None:
        self._has_answered = True

    @contextmanager
    def gathering(self) -> Generator[dict[str, Gathered]]:
        """While it lasts, questions without an answer are written down, by key, and raise `DeferredError`."""
        self._gathered = {}
        try:
            yield self._gathered
        finally:
            self._gathered = None

    @contextmanager
    def given(self, reply: str) -> Generator[None]:
        """While it lasts, this thread's questions have this answer, paid for under another wording of them."""
        self._local.given = reply
        try:
            yield
        finally:
            self._local.given = None

    def _patiently(self, ask: Callable[[], Found]) -> Found:
        """Ask; where the budget is all set aside for calls under way, wait for one of them to give back its rest."""
        with self._turn:
            self._under_way += 1
        try:
            while True:
                ended = self._ended
                try:
                    return ask()
                except BudgetError:
                    if not self._someone_ended(ended):
                        raise
        finally:
            with self._turn:
                self._under_way -= 1
                self._ended += 1
                self._turn.notify_all()

    def _someone_ended(self, before: int) -> bool:
        """Wait until a call that was under way has ended; False when this is the only one left."""
        with self._turn:
            if self._ended == before and self._under_way - self._waiting <= 1:
                return False
            self._waiting += 1
            self._turn.wait_for(lambda: self._ended > before)
            self._waiting -= 1
            return True


def _refusal(key: str) -> str:
    return f"refused:{key}"


def _refused_question(error: EndpointError) -> RefusedQuestionError:
    refused = RefusedQuestionError(str(error))
    refused.kind, refused.status, refused.request_id = error.kind, error.status, error.request_id
    refused.attempts, refused.tokens, refused.dollars = error.attempts, error.tokens, error.dollars
    return refused


@cache
def _json_schema(schema: type[BaseModel]) -> dict[str, object]:
    return schema.model_json_schema()  # some milliseconds each time it is made
