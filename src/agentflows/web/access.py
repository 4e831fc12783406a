"""Access: who may read and who may decide. One link, used once, becomes one browser's session; every form has a token."""

import hashlib
import hmac
import secrets
import threading
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

_BYTES = 32


class Access:
    """The secrets of one server. They live in memory and end with it.

    Without `can_write` nobody can decide anything. `is_private` asks for the session to read, too.
    """

    def __init__(self, *, can_write: bool, is_private: bool, hosts: frozenset[str] = frozenset()) -> None:
        self.can_write = can_write
        self.is_private = is_private
        self._hosts = hosts
        self._link = secrets.token_urlsafe(_BYTES)
        self._session = secrets.token_urlsafe(_BYTES)
        self._forms = secrets.token_bytes(_BYTES)
        self._redeeming = threading.Lock()
        self.cookie = f"agentflows-{secrets.token_hex(4)}"
        """Its name differs from server to server: cookies are shared by all ports of a host."""

    @property
    def has_link(self) -> bool:
        """Whether there is anything to log in for."""
        return self.can_write or self.is_private

    @property
    def link(self) -> str:
        """What the link carries; "" once it was used."""
        return self._link

    def redeem(self, link: str) -> str:
        """The session for the link, which then is used up; "" for any other."""
        with self._redeeming:  # of two requests at once one is the first
            if not self._link or not self.has_link:
                return ""
            if not hmac.compare_digest(link.encode(), self._link.encode()):
                return ""
            self._link = ""
            return self._session

    def has_session(self, headers: Headers) -> bool:
        """Whether a request comes from the browser that used the link."""
        found = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        return self.has_link and hmac.compare_digest(found.encode(), self._session.encode())

    def may_read(self, headers: Headers) -> bool:
        """Whether a request is shown anything."""
        return not self.is_private or self.has_session(headers)

    def may_write(self, headers: Headers) -> bool:
        """Whether a request may decide."""
        return self.can_write and self.has_session(headers)

    def form_token(self, path: str) -> str:
        """What a form that is sent to `path` must carry."""
        return hmac.new(self._forms, path.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, path: str, token: str) -> bool:
        """Whether a form for `path` came from a page of ours."""
        return hmac.compare_digest(token.encode(), self.form_token(path).encode())

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names this server: an address, localhost, or a name that was allowed.

        A page elsewhere can have its own name point here (DNS rebinding), but then the name is its own.
        """
        name = host_of(header).lower()
        return name == "localhost" or name in self._hosts or _is_address(name)


def host_of(header: str) -> str:
    """The name or address of a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
