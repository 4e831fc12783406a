"""Guard: what every request must be before a page sees it, and what every answer says to the browser."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentflows.web.access import Access

MOST_BYTES = 8 << 20
"""A form with decisions on hundreds of changes, each with a text of its own."""
OPEN_PATHS = ("/static/", "/login", "/healthz")
"""What is answered without a session, also where reading needs one. None of it says anything of the home."""

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing but our own files: no script or style inside a page, no picture from elsewhere, no frame around it."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
Refuse = Callable[[Request, int, str], Response]
"""Makes the page that says what was wrong: request, status, message."""


class Guard:
    """Stands before the whole application. What it refuses no page ever sees."""

    def __init__(self, app: ASGIApp, *, access: Access, refuse: Refuse) -> None:
        self._app = app
        self._access = access
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, pass on, and add the headers."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        told = _telling(send)
        problem = self._problem(request)
        if problem:
            await self._refuse(request, *problem)(scope, receive, told)
        else:
            await self._app(scope, _bounded(receive), told)

    def _problem(self, request: Request) -> tuple[int, str] | None:
        headers, path = request.headers, request.scope["path"]
        if not self._access.knows_host(headers.get("host", "")):
            return HTTPStatus.MISDIRECTED_REQUEST, (
                "This server answers to its address and to localhost. Another name has to be allowed when it is "
                "started: `agentflows ui --allow-host NAME`."
            )
        if request.method not in {"GET", "HEAD", "POST"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, "Pages are read with GET, and decisions are sent with POST."
        if not self._access.may_read(headers) and not path.startswith(OPEN_PATHS):
            return HTTPStatus.UNAUTHORIZED, (
                "Reading needs the link that `agentflows ui` printed when it started. It works once, in one browser; "
                "start it again for a new one."
            )
        return self._write_problem(request) if request.method == "POST" else None

    def _write_problem(self, request: Request) -> tuple[int, str] | None:
        headers = request.headers
        if not self._access.can_write:
            return HTTPStatus.FORBIDDEN, (
                "This server only shows. Start it with `agentflows ui --write` to decide here, or decide with "
                "`agentflows review`."
            )
        if not self._access.may_write(headers):
            return HTTPStatus.FORBIDDEN, (
                "Deciding needs the link that `agentflows ui --write` printed when it started. It works once, in one "
                "browser; start it again for a new one."
            )
        if not _is_same_origin(headers):
            return HTTPStatus.FORBIDDEN, "The form was not sent from a page of this server. Nothing was done."
        if headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Expected a form. Nothing was done."
        if not headers.get("content-length", "").isdigit() or int(headers["content-length"]) > MOST_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, (
                f"A form may hold {MOST_BYTES:,} bytes. Decide on fewer changes at once. Nothing was done."
            )
        return None


def _is_same_origin(headers: Headers) -> bool:
    """Whether the browser says that a page of this very server sent it. One that says nothing is not believed."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = urlsplit(headers.get("origin", ""))
    return origin.scheme in {"http", "https"} and origin.netloc == headers.get("host", "")


def _bounded(receive: Receive) -> Receive:
    """The same, for no more bytes than were announced and allowed."""
    taken = 0

    async def take() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= MOST_BYTES else {"type": "http.disconnect"}

    return take


def _telling(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "private, no-cache")
        await send(message)

    return tell
