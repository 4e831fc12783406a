"""The Prefect server that is named here: asked over HTTP, within a bounded time, without Prefect's two seconds of imports."""

import os
import tomllib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2


@dataclass(frozen=True, slots=True)
class Server:
    """The Prefect server that runs are recorded on."""

    url: str
    """Of its API."""
    named_by: str
    headers: Mapping[str, str]
    seconds: float

    def get(self, path: str) -> httpx2.Response:
        """One question to it."""
        return httpx2.get(f"{self.url}{path}", headers=dict(self.headers), timeout=self.seconds)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> httpx2.Response:
        """One question that Prefect wants posted. It changes nothing; where CSRF protection is on, a token goes along."""
        sent = dict(self.headers)
        answer = self._post(path, body, sent)
        if answer.status_code != 403 or "CSRF" not in answer.text:
            return answer
        client = str(uuid4())
        token = cast("dict[str, Any]", self.get(f"/csrf-token?client={client}").json()).get("token", "")
        return self._post(path, body, sent | {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": client})

    def _post(self, path: str, body: Mapping[str, Any] | None, headers: dict[str, str]) -> httpx2.Response:
        return httpx2.post(f"{self.url}{path}", headers=headers, json=dict(body or {}), timeout=self.seconds)

    def listed(self, path: str, body: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The objects it names in answer to a filter; none where it refuses."""
        answer = self.post(path, body)
        return cast("list[dict[str, Any]]", answer.json()) if answer.status_code == 200 else []

    @property
    def page(self) -> str:
        """Where a person looks at it."""
        return shown(self.url).removesuffix("/api")

    @property
    def told(self) -> str:
        """Its address, without a password, and who named it."""
        return f"{shown(self.url)} ({self.named_by})"


def find_server(seconds: float) -> Server | None:
    """The server that `PREFECT_API_URL` or Prefect's profile names; None where none is named."""
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
    return Server(url, named_by, headers, seconds)


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
