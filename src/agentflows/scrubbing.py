"""Scrub: an error leaves its secrets behind before whoever runs us keeps its text in states, logs and events.

An endpoint may repeat the key it refused, a driver the password of its URL, a function of yours anything. Prefect keeps
an error's words in several columns and files; so every flow and every task of ours is `scrubbed`.
"""

import functools
import secrets
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from agentflows.errors import AgentflowsError
from agentflows.redaction import Redactor
from agentflows.settings import load_settings

P = ParamSpec("P")
R = TypeVar("R")


def scrubbed(work: Callable[P, R]) -> Callable[P, R]:
    """The same function, whose errors hold no secret: what looks like one is replaced, and the chain behind it goes."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except Exception as error:
            clean = without_secrets(error)
            if clean is error:
                raise
            raise clean from None

    return run


def without_secrets(error: Exception) -> Exception:
    """The error itself where neither it nor what it came from holds a secret; else one of its kind without them."""
    redactor = _redactor()
    told = [f"{one}\n{one.args}\n{vars(one)}" for one in _chain(error)]
    return error if all(redactor.redact(text) == text for text in told) else _again(error, redactor)


def _again(error: Exception, redactor: Redactor) -> Exception:
    message = redactor.redact(str(error))
    if isinstance(error, AgentflowsError):
        clean: Exception = type(error)(message)
        clean.__dict__.update({name: _clean(value, redactor) for name, value in vars(error).items()})
    else:
        clean = AgentflowsError(f"{type(error).__name__}: {message}")
    return clean.with_traceback(error.__traceback__)


def _clean(value: Any, redactor: Redactor) -> Any:
    """What an error carries, for code to branch on: as it is, or in words without secrets."""
    text = str(value)
    return (
        value
        if redactor.redact(text) == text
        else redactor.redact_value(value if isinstance(value, list) else text)
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that a traceback of it tells."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting.extend((one.__cause__, one.__context__))
        waiting.extend(getattr(one, "exceptions", ()))  # of a group


def _redactor() -> Redactor:
    """Under a key of its own: an error may be that the home's key cannot be read."""
    try:
        key = load_settings().api_key
    except AgentflowsError:
        key = None
    own = [key.get_secret_value()] if key else []
    return Redactor(secrets.token_bytes(32), own_secrets=[secret for secret in own if secret], pii=())
