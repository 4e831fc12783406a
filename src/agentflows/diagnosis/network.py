"""The model's endpoint: asked, within a bounded time, for nothing that costs."""

from urllib.parse import quote

import httpx2

from agentflows.diagnosis.check import Check, ok, problem, warning
from agentflows.diagnosis.server import shown
from agentflows.settings import Settings

_ANTHROPIC = "https://api.anthropic.com"


def check_model(settings: Settings, *, seconds: float) -> Check:
    """Whether a model can be asked: key present, endpoint reachable, model known. The key is sent, never shown."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    if not settings.has_endpoint:
        found = "no key and no endpoint: dreams use the rules engine; rubrics are graded by their checks only"
        return warning(
            "model", found, "Set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL for a server of your own."
        )
    base = settings.base_url or _ANTHROPIC
    what = f"{settings.model} at {shown(base)} ({'a key is set' if key else 'no key'})"
    headers = {"anthropic-version": "2023-06-01"} | ({"x-api-key": key} if key else {})
    try:
        answer = httpx2.get(
            f"{base.rstrip('/')}/v1/models/{quote(settings.model)}", headers=headers, timeout=seconds
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        fix = "Check ANTHROPIC_BASE_URL, the network and proxies."
        return problem("model", f"{what} cannot be reached within {seconds:g} s: {type(error).__name__}", fix)
    if answer.status_code in {401, 403}:
        return problem("model", f"{what}: the key was refused", "Check ANTHROPIC_API_KEY.")
    if answer.status_code >= 500:
        return warning("model", f"{what} answers with status {answer.status_code}", "Try again later.")
    if answer.status_code == 404 and not settings.base_url:
        return problem("model", f"{what}: no such model", "Set AGENTFLOWS_MODEL to one of the account.")
    if answer.status_code != 200:
        return ok("model", f"{what} answers, and does not say which models it has")
    return ok("model", f"{what} answers")
