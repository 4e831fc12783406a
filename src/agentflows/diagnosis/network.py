"""The model's endpoint and the Prefect server: asked, within a bounded time, for nothing that costs."""

import os
import tomllib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx2

from agentflows.diagnosis.check import Check, ok, problem, warning
from agentflows.diagnosis.machine import numbers
from agentflows.settings import Settings

_ANTHROPIC = "https://api.anthropic.com"
_SAFE_SERVER = (3, 6, 22)
"""Older servers answer some paths without the password (CVE-2026-3514, CVE-2026-7722)."""
_POOL = "agentflows"
"""As in prefect.yaml."""


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


@dataclass(frozen=True, slots=True)
class _Server:
    """The Prefect server that runs are recorded on."""

    url: str
    named_by: str
    headers: Mapping[str, str]
    seconds: float

    def get(self, path: str) -> httpx2.Response:
        """One question to it."""
        return httpx2.get(f"{self.url}{path}", headers=dict(self.headers), timeout=self.seconds)

    def post(self, path: str) -> httpx2.Response:
        """One question that Prefect wants posted."""
        return httpx2.post(f"{self.url}{path}", headers=dict(self.headers), json={}, timeout=self.seconds)


def check_prefect(*, seconds: float) -> list[Check]:
    """The server that records runs, and the pool for scheduled ones."""
    server = _server(seconds)
    if server is None:
        return [ok("prefect", "no server is named: each command starts a temporary one (10–20 s)")]
    what = f"{shown(server.url)} ({server.named_by})"
    fix = "Start it (prefect server start), or unset PREFECT_API_URL to have a temporary one."
    try:
        answer = server.get("/admin/version")
        if answer.status_code in {401, 403}:
            return [
                problem("prefect", f"{what} wants a password or another one", "Set PREFECT_API_AUTH_STRING.")
            ]
        if answer.status_code != 200:
            answer = server.get("/health")
        if answer.status_code != 200:
            return [problem("prefect", f"{what} answers with status {answer.status_code}", fix)]
        return [_version_check(what, answer.text.strip().strip('"')), _pool_check(server)]
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return [
            problem("prefect", f"{what} cannot be reached within {seconds:g} s: {type(error).__name__}", fix)
        ]


def _version_check(what: str, version: str) -> Check:
    found, own = numbers(version), numbers(metadata.version("prefect"))
    if not found:
        return ok("prefect", f"{what} answers")
    if found < _SAFE_SERVER:
        return problem(
            "prefect", f"{what} is {version}, with known holes in its login", "Upgrade it to 3.6.22 or newer."
        )
    if found[:2] < own[:2]:
        fix = f"Upgrade the server: pip install prefect=={metadata.version('prefect')} where it runs."
        return warning(
            "prefect", f"{what} is {version}, older than the client {metadata.version('prefect')}", fix
        )
    return ok("prefect", f"{what}, version {version}")


def _pool_check(server: _Server) -> Check:
    answer = server.get(f"/work_pools/{_POOL}")
    if answer.status_code == 404:
        fix = f"For scheduled runs: prefect work-pool create {_POOL} --type process"
        return warning("work pool", f"{_POOL!r} does not exist; runs from the command line need none", fix)
    if answer.status_code != 200:
        return warning(
            "work pool", f"{_POOL!r} cannot be read (status {answer.status_code})", "See the server's log."
        )
    if cast("dict[str, Any]", answer.json()).get("is_paused"):
        return warning("work pool", f"{_POOL!r} is paused", f"prefect work-pool resume {_POOL}")
    workers = server.post(f"/work_pools/{_POOL}/workers/filter")
    listed = cast("list[dict[str, Any]]", workers.json()) if workers.status_code == 200 else []
    online = sum(worker.get("status") == "ONLINE" for worker in listed)
    if not online:
        return warning("work pool", f"{_POOL!r} has no worker", f"prefect worker start --pool {_POOL}")
    return ok("work pool", f"{_POOL!r}, {online} worker{'s' if online > 1 else ''}")


def _server(seconds: float) -> _Server | None:
    profile = _profile()

    def setting(name: str) -> str:
        return os.environ.get(name, "") or profile.get(name, "")

    url = setting("PREFECT_API_URL").rstrip("/")
    if not url:
        return None
    login, key = setting("PREFECT_API_AUTH_STRING"), setting("PREFECT_API_KEY")
    headers: dict[str, str] = {}
    if login:
        headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
    elif key:
        headers = {"Authorization": f"Bearer {key}"}
    named_by = "PREFECT_API_URL" if os.environ.get("PREFECT_API_URL") else "Prefect's profile"
    return _Server(url, named_by, headers, seconds)


def _profile() -> dict[str, str]:
    """Settings of Prefect's active profile; none where there is no file, or one that cannot be read."""
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or _prefect_home() / "profiles.toml").expanduser()
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    active = os.environ.get("PREFECT_PROFILE") or content.get("active", "")
    profiles = cast("dict[str, dict[str, Any]]", content.get("profiles", {}))
    return {name: str(value) for name, value in profiles.get(str(active), {}).items()}


def _prefect_home() -> Path:
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect")


def shown(url: str) -> str:
    """A URL without the name and password it may carry, and without a query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a URL that cannot be read"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
