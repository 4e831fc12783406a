"""The fake's Message Batches: created at once, ended after some polls, results in no useful order."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentflows.testing.strict import InvalidRequestError, check_create

_CUSTOM_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
_CREATED, _EXPIRES = "2026-01-05T09:00:00Z", "2026-01-06T09:00:00Z"

Run = Callable[[dict[str, Any]], dict[str, Any]]
"""Answers the parameters of one request with the `result` object of its line."""


@dataclass
class FakeBatch:
    """One batch."""

    ident: str
    requests: list[dict[str, Any]]
    """As created: `custom_id` and `params`."""
    polls_left: int
    canceled: bool = False
    results: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    ended: bool = False
    archived: bool = False

    @property
    def has_results(self) -> bool:
        """Whether they can be fetched."""
        return self.ended and not self.archived

    def archive(self) -> None:
        """Let four weeks pass: the batch ends, it can still be looked at, and its results are gone."""
        self.ended = self.archived = True

    def as_json(self, base_url: str) -> dict[str, Any]:
        """The batch as the API shows it."""
        kinds = [line["result"]["type"] for line in self.results]
        counts = {kind: kinds.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
        running = "canceling" if self.canceled else "in_progress"
        return {
            "id": self.ident,
            "type": "message_batch",
            "processing_status": "ended" if self.ended else running,
            "request_counts": {"processing": 0 if self.ended else len(self.requests), **counts},
            "created_at": _CREATED,
            "expires_at": _EXPIRES,
            "ended_at": _CREATED if self.ended else None,
            "cancel_initiated_at": _CREATED if self.canceled else None,
            "archived_at": _EXPIRES if self.archived else None,
            "results_url": f"{base_url}/v1/messages/batches/{self.ident}/results"
            if self.has_results
            else None,
        }


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    requests: list[dict[str, Any]] = Field(min_length=1)


class FakeBatches:
    """All batches of one fake."""

    def __init__(self, *, polls: int, run: Run) -> None:
        self._polls = polls
        self._run = run
        self._batches: dict[str, FakeBatch] = {}
        self._lock = threading.Lock()

    def create(self, body: Any) -> FakeBatch:
        """A new batch of checked requests.

        Raises:
            InvalidRequestError: one of them breaks a rule, or two have one `custom_id`.
        """
        checked = _requests(body)
        for number, request in enumerate(checked):
            _check(number, request)
        if len({request["custom_id"] for request in checked}) != len(checked):
            msg = "requests: `custom_id` must be unique within the batch"
            raise InvalidRequestError(msg)
        with self._lock:
            ident = f"msgbatch_fake_{len(self._batches) + 1:04d}"
            batch = self._batches[ident] = FakeBatch(ident, checked, self._polls)
        return batch

    def get(self, ident: str) -> FakeBatch | None:
        """The batch of that id, if there is one."""
        return self._batches.get(ident)

    def all(self) -> list[FakeBatch]:
        """Newest first."""
        return list(reversed(self._batches.values()))

    def poll(self, batch: FakeBatch) -> FakeBatch:
        """One look at the batch: it ends when there were enough of them."""
        with self._lock:
            batch.polls_left -= 1
            if batch.polls_left <= 0 and not batch.ended:
                self._end(batch)
        return batch

    def cancel(self, batch: FakeBatch) -> FakeBatch:
        """Stop it: what has not run is canceled at the next poll."""
        with self._lock:
            if not batch.ended:
                batch.canceled, batch.polls_left = True, 1
        return batch

    def _end(self, batch: FakeBatch) -> None:
        for request in reversed(batch.requests):  # another order than asked, as the API warns
            result = {"type": "canceled"} if batch.canceled else self._run(request["params"])
            batch.results.append({"custom_id": request["custom_id"], "result": result})
        batch.ended = True


def _requests(body: Any) -> list[dict[str, Any]]:
    try:
        return _Body.model_validate(body).requests
    except ValidationError as error:
        msg = "requests: must be a list of at least one request, and the only field"
        raise InvalidRequestError(msg) from error


def _check(number: int, request: dict[str, Any]) -> None:
    if set(request) != {"custom_id", "params"} or not _CUSTOM_ID.match(str(request.get("custom_id"))):
        msg = f"requests.{number}: needs `params` and a `custom_id` of 1-64 letters, digits, - and _, nothing else"
        raise InvalidRequestError(msg)
    if request["params"].get("stream"):
        msg = f"requests.{number}.params.stream: not supported in batches"
        raise InvalidRequestError(msg)
    try:
        check_create(request["params"])
    except InvalidRequestError as error:
        msg = f"requests.{number}.params.{error}"
        raise InvalidRequestError(msg) from error
