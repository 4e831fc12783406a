"""What the fake answers, before it is bytes on a connection: routes, checks, scripted replies, faults."""

import itertools
import json
import re
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from agentflows.testing.batches import FakeBatches
from agentflows.testing.counting import PromptCache, input_tokens
from agentflows.testing.messages import events, message
from agentflows.testing.replies import TYPE_OF_STATUS, Reply
from agentflows.testing.scripts import FakeRequest, ScriptError, Scripts
from agentflows.testing.strict import InvalidRequestError, check_count_tokens, check_create

OutputConfig = Literal["supported", "rejected", "ignored"]
"""What the endpoint makes of `output_config`: as hosted; a 400 that names it; no notice at all."""

Drop = Literal["", "before_headers", "after_headers", "mid_body"]

MAX_BODY_BYTES = 32 * 1024 * 1024
_ANSWERED_FAULTS = ("error", "broken_json", "wrong_content_type")
_DROPS: Mapping[str, Drop] = {
    "drop_before_headers": "before_headers",
    "drop_after_headers": "after_headers",
    "drop_mid_body": "mid_body",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back on the connection."""

    body: bytes | tuple[bytes, ...]
    """A tuple is a stream: its pieces go out one by one."""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    delay_seconds: float = 0.0
    trickle_seconds: float = 0.0
    drop: Drop = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What kind of endpoint this is."""

    api_key: str = "fake-key"
    output_config: OutputConfig = "supported"
    models: Collection[str] | None = None
    """The model ids it knows; None is every id."""
    lists_models: bool = True
    """Whether `/v1/models` exists; many compatible servers lack it."""
    allowed_betas: Collection[str] = ()
    """Values of the `anthropic-beta` header that are expected."""
    extra_fields: Collection[str] = ()
    """Top-level request fields that are tolerated beyond the API's, such as `temperature`."""
    cache_minimum_tokens: int = 1024
    """Shorter prefixes are not cached."""
    batch_polls: int = 1
    """How often a batch must be looked at before it has ended."""


_PAUSED = ("pause_turn", "compaction")


class RefusalError(Exception):
    """A request that gets an HTTP error of Anthropic's shape."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FakeAPI:
    """Routes and their answers. Knows nothing of sockets."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.scripts = Scripts()
        self.requests: list[FakeRequest] = []
        self.script_errors: list[ScriptError] = []
        self.refused: list[str] = []
        """What was wrong with each request that broke a rule."""
        self.batches = FakeBatches(polls=behaviour.batch_polls, run=self._run_in_batch)
        self._cache = PromptCache(behaviour.cache_minimum_tokens)
        self._paused: set[str] = set()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def handle(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, base_url: str
    ) -> Answer:
        """The answer to one HTTP request; header names in lower case. Never raises for a bad request."""
        with self._lock:
            number = next(self._numbers)
        ident = f"req_fake_{number:06d}"
        try:
            answer = self._route(number, method, path.partition("?")[0], headers, body, base_url)
        except RefusalError as refusal:
            with self._lock:
                self.refused.append(str(refusal))
            answer = _error(refusal.status, str(refusal), ident)
        except ScriptError as error:
            with self._lock:
                self.script_errors.append(error)
            answer = _error(400, f"The fake's script is at fault. {error}", ident)
        answer.headers.setdefault("request-id", ident)
        return answer

    def _route(
        self, number: int, method: str, path: str, headers: Mapping[str, str], body: bytes, base_url: str
    ) -> Answer:
        self._check_headers(headers)
        if len(body) > MAX_BODY_BYTES:
            raise RefusalError(413, "Request exceeds the maximum size")
        if (method, path) == ("POST", "/v1/messages"):
            return self._create(number, _decoded(body, headers), dict(headers))
        if (method, path) == ("POST", "/v1/messages/count_tokens"):
            return self._count(_decoded(body, headers))
        if path.startswith("/v1/messages/batches"):
            return self._batch_or_fault(number, method, path, headers, body, base_url)
        if method == "GET" and path.startswith("/v1/models"):
            return self._model(path.removeprefix("/v1/models").lstrip("/"))
        raise RefusalError(404, f"Not found: {method} {path}")

    def _check_headers(self, headers: Mapping[str, str]) -> None:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        key = headers.get("x-api-key") or bearer
        if not key:
            raise RefusalError(401, "x-api-key header is required")
        if key != self.behaviour.api_key:
            raise RefusalError(401, "invalid x-api-key")
        if not headers.get("anthropic-version"):
            raise RefusalError(400, "anthropic-version: header is required")
        betas = {value.strip() for value in headers.get("anthropic-beta", "").split(",") if value.strip()}
        unexpected = sorted(betas - set(self.behaviour.allowed_betas))
        if unexpected:
            raise RefusalError(400, f"Unexpected value(s) {unexpected} for the `anthropic-beta` header")

    def _create(self, number: int, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        self._check_message(body, partial(check_create, is_resumed=self._goes_on(body)))
        request = FakeRequest(number, body, headers)
        with self._lock:
            self.requests.append(request)
        reply = self.scripts.answer(self._as_seen(request))
        if reply.fault == "expired":
            msg = (
                "The script answers with `expired`, which only a request in a batch can be; this one is not."
            )
            raise ScriptError(msg)
        if reply.fault in _ANSWERED_FAULTS:
            return _timed(_faulty(reply, f"req_fake_{number:06d}"), reply)
        full = message(reply, body, f"msg_fake_{number:06d}", self._cache.usage(body))
        if reply.stop_reason in _PAUSED and full["content"]:
            self._paused.add(_words(full["content"][-1]))
        drop = _DROPS.get(reply.fault or "", "")
        if not body.get("stream"):
            return _timed(Answer(json.dumps(full).encode(), drop=drop), reply)
        pieces = tuple(events(reply, full))
        return _timed(Answer(pieces, content_type="text/event-stream; charset=utf-8", drop=drop), reply)

    def _goes_on(self, body: Any) -> bool:
        """Whether the request ends with a reply of ours that was paused."""
        match body:
            case {"messages": [*_, {"role": "assistant", "content": [*_, {"type": "text"} as last]}]}:
                return _words(last) in self._paused
            case _:
                return False

    def _as_seen(self, request: FakeRequest) -> FakeRequest:
        """The request as this endpoint's model sees it: without what the endpoint ignores."""
        if self.behaviour.output_config == "supported":
            return request
        seen = {key: value for key, value in request.body.items() if key != "output_config"}
        return FakeRequest(request.number, seen, request.headers)

    def _check_message(self, body: dict[str, Any], check: Any) -> None:
        if "output_config" in body and self.behaviour.output_config == "rejected":
            raise RefusalError(400, "output_config: Extra inputs are not permitted")
        try:
            check(body, extra_fields=self.behaviour.extra_fields)
        except InvalidRequestError as error:
            raise RefusalError(400, str(error)) from error
        self._check_model(body["model"])

    def _check_model(self, model: str) -> None:
        if self.behaviour.models is not None and model not in self.behaviour.models:
            raise RefusalError(404, f"model: {model}")

    def _count(self, body: dict[str, Any]) -> Answer:
        self._check_message(body, check_count_tokens)
        return _json({"input_tokens": input_tokens(body)})

    def _model(self, ident: str) -> Answer:
        if not self.behaviour.lists_models:
            raise RefusalError(404, "Not found: GET /v1/models")
        if ident:
            self._check_model(ident)
            return _json(_model_info(ident))
        known = [_model_info(name) for name in self.behaviour.models or ()]
        return _json({"data": known, "has_more": False, "first_id": None, "last_id": None})

    def _batch_or_fault(
        self, number: int, method: str, path: str, headers: Mapping[str, str], body: bytes, base_url: str
    ) -> Answer:
        fault = self.scripts.batch_fault()
        if fault and fault.fault in _ANSWERED_FAULTS:
            return _faulty(fault, f"req_fake_{number:06d}")
        answer = self._batch(
            method, path, headers, body, base_url
        )  # a connection may drop after the work was done
        return replace(answer, drop=_DROPS.get(fault.fault or "", "")) if fault else answer

    def _batch(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, base_url: str
    ) -> Answer:
        ident, _, action = path.removeprefix("/v1/messages/batches").lstrip("/").partition("/")
        if not ident:
            return self._batch_collection(method, headers, body, base_url)
        batch = self.batches.get(ident)
        if batch is None:
            raise RefusalError(404, f"Message Batch with id {ident} not found")
        if (method, action) == ("GET", ""):
            return _json(self.batches.poll(batch).as_json(base_url))
        if (method, action) == ("POST", "cancel"):
            return _json(self.batches.cancel(batch).as_json(base_url))
        if (method, action) == ("GET", "results") and batch.has_results:
            lines = b"".join(json.dumps(line).encode() + b"\n" for line in batch.results)
            return Answer(lines, content_type="application/x-jsonl")
        raise RefusalError(404, f"Not found, or not ready: {method} {path}")

    def _batch_collection(
        self, method: str, headers: Mapping[str, str], body: bytes, base_url: str
    ) -> Answer:
        if method != "POST":
            listed = [batch.as_json(base_url) for batch in self.batches.all()]
            return _json({"data": listed, "has_more": False, "first_id": None, "last_id": None})
        try:
            return _json(self.batches.create(_decoded(body, headers)).as_json(base_url))
        except InvalidRequestError as error:
            raise RefusalError(400, str(error)) from error

    def _run_in_batch(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            request = FakeRequest(next(self._numbers), params, {})
            self.requests.append(request)
        try:
            reply = self.scripts.answer(request)
        except ScriptError as error:
            with self._lock:
                self.script_errors.append(error)
            reply = Reply.error(400, f"The fake's script is at fault. {error}")
        if reply.fault == "expired":
            return {"type": "expired"}
        if reply.fault:
            detail = {"type": reply.error_type or "api_error", "message": reply.error_message}
            return {"type": "errored", "error": {"type": "error", "error": detail, "request_id": None}}
        ident = f"msg_fake_{request.number:06d}"
        return {"type": "succeeded", "message": message(reply, params, ident, self._cache.usage(params))}


def _decoded(body: bytes, headers: Mapping[str, str]) -> Any:
    if "json" not in headers.get("content-type", ""):
        raise RefusalError(400, "content-type: must be application/json")
    try:
        return json.loads(body)
    except ValueError as error:
        raise RefusalError(400, f"The request body is not valid JSON: {error}") from error


def _words(block: Mapping[str, Any]) -> str:
    return str(block.get("text", ""))


def _json(data: Any) -> Answer:
    return Answer(json.dumps(data).encode())


def _error(status: int, text: str, ident: str, kind: str = "") -> Answer:
    detail = {"type": kind or TYPE_OF_STATUS.get(status, "api_error"), "message": text}
    return Answer(json.dumps({"type": "error", "error": detail, "request_id": ident}).encode(), status)


def _timed(answer: Answer, reply: Reply) -> Answer:
    return replace(answer, delay_seconds=reply.delay_seconds, trickle_seconds=reply.trickle_seconds)


def _faulty(reply: Reply, ident: str) -> Answer:
    if reply.fault == "broken_json":
        return Answer(b'{"id": "msg_fake", "type": "message", "content": [{"ty')
    if reply.fault == "wrong_content_type":
        return Answer(b"<html><body>Please sign in.</body></html>", content_type="text/html")
    made = _error(reply.status, reply.error_message, ident, reply.error_type)
    return replace(made, status=reply.status, headers=dict(reply.headers))


def _model_info(ident: str) -> dict[str, Any]:
    line = re.match(r"claude-([a-z]+)-\d", ident)
    return {
        "id": ident,
        "type": "model",
        "display_name": ident,
        "created_at": "2026-01-05T00:00:00Z",
        "lifecycle": "active",
        "line": line[1] if line else None,
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }
