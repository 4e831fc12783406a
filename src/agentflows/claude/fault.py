"""Faults of an endpoint: what went wrong, whether to try again, whether it may have been billed.

Classified by exception class, by status and by the `type` field of Anthropic's error body, never by the
words of a message.
"""

import email.utils
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import anthropic
import httpx2

from agentflows.errors import EndpointError

FaultKind = Literal[
    "unreachable",
    "bad_url",
    "timeout",
    "dropped",
    "deadline",
    "circuit_open",
    "not_a_message",
    "invalid_request",
    "authentication",
    "billing",
    "permission",
    "not_found",
    "too_large",
    "conflict",
    "rate_limit",
    "server_error",
    "overloaded",
    "canceled",
    "expired",
    "missing",
]
"""`EndpointError.kind`.

* `unreachable`: no connection could be made; `bad_url`: none can be made to such an address
* `timeout`, `dropped`: the connection was made, and no whole answer came
* `deadline`: the time for the whole call ran out; `circuit_open`: too many calls in a row had failed
* `not_a_message`: status 200, but no message in it: something else than a Messages API answers there
* `canceled`, `expired`, `missing`: of a batch: the request did not run, before its end or at all; or it is not told
* all others: the endpoint refused, and said why
"""

REPLY_READING_ERRORS = (httpx2.TransportError, httpx2.DecodingError, httpx2.StreamError)
"""What a body can end with while it is read; the SDK lets these through as they are."""

_KIND_OF_TYPE: Mapping[str, FaultKind] = {
    "invalid_request_error": "invalid_request",
    "authentication_error": "authentication",
    "billing_error": "billing",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limit",
    "timeout_error": "timeout",
    "api_error": "server_error",
    "overloaded_error": "overloaded",
    "conflict_error": "conflict",
}
_KIND_OF_STATUS: Mapping[int, FaultKind] = {
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    429: "rate_limit",
    504: "timeout",
    529: "overloaded",
}
_RETRIED_EVENTS: frozenset[FaultKind] = frozenset({"rate_limit", "timeout", "server_error", "overloaded"})
_GATEWAY_STATUSES = (502, 504)
"""A proxy's word that it lost the endpoint: the call may have run, and been billed, behind it."""

_PASSING: frozenset[FaultKind] = frozenset(
    {
        "unreachable",
        "bad_url",
        "timeout",
        "dropped",
        "deadline",
        "not_a_message",
        "authentication",
        "billing",
        "conflict",
        "rate_limit",
        "server_error",
        "overloaded",
    }
)
"""Faults for which the request is not to blame. A model that is not there, or not allowed, may be one agent's own."""

_OF_QUESTION: frozenset[FaultKind] = frozenset({"invalid_request", "too_large"})
"""Faults of what was asked."""

_ADVICE: Mapping[FaultKind, str] = {
    "unreachable": "Check that the server runs and that ANTHROPIC_BASE_URL names its root",
    "bad_url": "Set ANTHROPIC_BASE_URL to the server's root, such as http://localhost:8000",
    "timeout": "Try again later, or raise AGENTFLOWS_DEADLINE_SECONDS",
    "dropped": "Try again later; what was already read is kept",
    "deadline": "Try again later, or raise AGENTFLOWS_DEADLINE_SECONDS",
    "not_a_message": "Check that ANTHROPIC_BASE_URL names the root of a server that speaks the Messages API",
    "invalid_request": "It refuses what this request holds, or lacks a feature the request uses; its own words say which",
    "authentication": "Check ANTHROPIC_API_KEY",
    "billing": "Check the account's credit and spending limits",
    "permission": "Check what the key is allowed to use",
    "not_found": "Check AGENTFLOWS_MODEL and ANTHROPIC_BASE_URL",
    "too_large": "Ask about less at once, or raise the limit of the server or of the proxy before it",
    "conflict": "Try again",
    "rate_limit": "Try again later, or lower AGENTFLOWS_CONCURRENCY",
    "server_error": "Try again later; what was already read is kept",
    "overloaded": "Try again later; what was already read is kept",
    "canceled": "Ask again if the answer is still wanted",
    "expired": "Ask again",
    "missing": "Ask again; the budget counts it as spent",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One attempt that failed."""

    kind: FaultKind
    detail: str
    status: int = 0
    request_id: str = ""
    is_retried: bool = False
    """Whether another attempt may help."""
    is_charged: bool = False
    """Whether it may have run and been billed: then the budget counts it as spent."""
    retry_after: float | None = None
    """Seconds the endpoint asks to wait."""

    def error(self, url: str, attempts: int, *, tokens: int, dollars: float) -> EndpointError:
        """What the caller gets to see."""
        times = f" ({attempts} attempts)" if attempts > 1 else ""
        detail = " ".join(self.detail.split())[:300].rstrip(".")
        status = f"status {self.status}, " if self.status else ""
        message = (
            f"The model endpoint {url} failed{times}: {status}{self.kind}: {detail}. {_ADVICE[self.kind]}."
        )
        error = EndpointError(message)
        error.kind, error.status, error.request_id = self.kind, self.status, self.request_id
        error.attempts, error.tokens, error.dollars = attempts, tokens, dollars
        error.is_passing = self.kind in _PASSING
        error.is_of_question = self.kind in _OF_QUESTION
        return error


class NotAMessageError(Exception):
    """A 200 that is no message. Billed perhaps."""


class CutReplyError(Exception):
    """A stream that ended cleanly before its end."""


class DeadlineError(Exception):
    """The time for the whole call ran out while a reply was being read."""


SEEN_ERRORS = (
    anthropic.APIError,
    NotAMessageError,
    CutReplyError,
    DeadlineError,
    *REPLY_READING_ERRORS,
)
"""All that `fault_of` can classify. Anything else is a bug, and passes through."""


def fault_of(error: Exception) -> Fault:
    """What kind of fault one of `SEEN_ERRORS` is."""
    if isinstance(error, anthropic.APIStatusError):
        return _status_fault(error)
    if isinstance(error, anthropic.APIConnectionError):
        cause = error.__cause__
        found = _transport_fault(cause) if isinstance(cause, Exception) else None
        return found or Fault("dropped", error.message, is_retried=True, is_charged=True)
    if isinstance(error, DeadlineError):
        return Fault("deadline", "the time for the whole call ran out", is_charged=True)
    if isinstance(error, CutReplyError):
        return Fault("dropped", str(error), is_retried=True, is_charged=True)
    return _transport_fault(error) or Fault("not_a_message", str(error), status=200, is_charged=True)


def item_fault(error_type: str, detail: str) -> Fault:
    """The fault of one request in a batch whose error is of Anthropic's type `error_type`."""
    return Fault(_KIND_OF_TYPE.get(error_type, "server_error"), detail)


def _transport_fault(error: Exception) -> Fault | None:
    detail = str(error) or type(error).__name__
    if isinstance(error, (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.InvalidURL)):
        return Fault("bad_url", detail)
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)):
        return Fault("unreachable", detail, is_retried=True)
    if isinstance(error, httpx2.TimeoutException):
        return Fault("timeout", detail, is_retried=True, is_charged=True)
    if isinstance(error, (httpx2.TransportError, httpx2.StreamError)):
        return Fault("dropped", detail, is_retried=True, is_charged=True)
    return None


def _status_fault(error: anthropic.APIStatusError) -> Fault:
    status = error.status_code
    is_event = status == 200  # an `error` event in a stream; the model had begun to write
    default: FaultKind = "server_error" if status >= 500 or is_event else "invalid_request"
    kind = _KIND_OF_TYPE.get(error.type or "") or _KIND_OF_STATUS.get(status, default)
    is_retried = kind in _RETRIED_EVENTS if is_event else status in (408, 429) or status >= 500
    headers = error.response.headers
    return Fault(
        kind=kind,
        detail=error.api_message or error.message,
        status=status,
        request_id=error.request_id or "",
        is_retried=is_retried and headers.get("x-should-retry") != "false",
        is_charged=is_event or status in _GATEWAY_STATUSES,
        retry_after=retry_after(headers),
    )


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds the endpoint asks to wait: `retry-after-ms`, or `retry-after` as a number or a date.

    None when it does not ask, or asks for something that is no time to come.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / scale
        except ValueError:
            continue
        return seconds if math.isfinite(seconds) and seconds >= 0 else None
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    if date is None:
        return None
    seconds = email.utils.mktime_tz(date) - (time.time() if now is None else now)
    return seconds if seconds >= 0 else None


def with_detail(fault: Fault, more: str) -> Fault:
    """The same fault with a clause added to its detail."""
    return replace(fault, detail=f"{fault.detail.rstrip('.')}; {more}")
