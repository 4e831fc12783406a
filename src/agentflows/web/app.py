"""The application: which page stands where, and what is said when something goes wrong."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from agentflows.errors import AgentflowsError, ConflictError, NotFoundError, UsageError
from agentflows.home import Home
from agentflows.web import dreams, front, reviewing, sessions, stores, work
from agentflows.web.access import Access
from agentflows.web.guard import Guard
from agentflows.web.site import Site
from agentflows.web.view import STATIC

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PAGES: tuple[tuple[str, Callable[[Site, Request], Response]], ...] = (
    ("/", front.front),
    ("/healthz", front.healthz),
    ("/help", front.explained),
    ("/pictures", front.pictures),
    ("/pictures/{name}.svg", front.picture),
    ("/stores", stores.listing),
    ("/stores/{store}", stores.store),
    ("/stores/{store}/file", stores.file),
    ("/stores/{store}/entry", stores.entry),
    ("/stores/{store}/history", stores.history),
    ("/stores/{store}/compare", stores.compare),
    ("/stores/{store}/recheck", stores.recheck),
    ("/dreams", dreams.listing),
    ("/dreams/{dream}", dreams.dream),
    ("/dreams/{dream}/changes/{number}", dreams.change),
    ("/dreams/{dream}/refused", dreams.refused),
    ("/dreams/{dream}/patterns", dreams.patterns),
    ("/dreams/{dream}/ledger", dreams.ledger),
    ("/dreams/{dream}/review", reviewing.show),
    ("/sessions", sessions.listing),
    ("/session", sessions.session),
    ("/turn", sessions.turn),
    ("/context", sessions.context),
    ("/search", sessions.search),
    ("/patterns", sessions.patterns),
    ("/patterns/{name}", sessions.pattern),
    ("/jobs", work.jobs),
    ("/jobs/{job}", work.job),
    ("/jobs/{job}/thread", work.thread),
    ("/outcomes", work.outcomes),
    ("/outcomes/{outcome}", work.outcome),
)


def create_app(home: Home, *, access: Access | None = None, reviewer: str = "") -> ASGIApp:
    """The web page over an open home, as an ASGI application. Without `access` it only shows.

    `reviewer` is who decides, on record; "" is AGENTFLOWS_REVIEWER or the login.
    """
    access = access or Access(can_write=False, is_private=False)
    site = Site(home, access, reviewer)
    routes = [Route(path, partial(page, site), methods=["GET"]) for path, page in _PAGES]
    routes += [
        Route("/login", partial(_login, site), methods=["GET"]),
        Route("/static/{name}", _static, methods=["GET"]),
        Route("/dreams/{dream}/review", partial(reviewing.mark, site), methods=["POST"]),
        Route("/dreams/{dream}/commit", partial(reviewing.commit, site), methods=["POST"]),
    ]
    handlers = {
        AgentflowsError: partial(_problem, site),
        HTTPException: partial(_no_page, site),
        Exception: partial(_broken, site),
    }
    pages = Starlette(routes=routes, exception_handlers=handlers)
    return Guard(pages, access=access, refuse=site.refusal)  # outside all else: it also sees what breaks


def _login(site: Site, request: Request) -> Response:
    """Turn the link that was printed into this browser's session. It works once; whoever only looks where it leads uses nothing up."""
    if request.method == "HEAD":
        return Response()
    session = site.access.redeem(request.query_params.get("token", ""))
    if not session and site.access.has_session(request.headers):
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    if not session:
        return site.refusal(
            request,
            HTTPStatus.FORBIDDEN,
            "This link was used already, or is not of this server. It works once, in one browser: if that was this one, "
            "go to the beginning. For another, start `agentflows ui` again.",
        )
    answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    if request.headers.get("sec-fetch-site", "cross-site") == "cross-site":
        # clicked in a web terminal or a chat: a strict cookie does not go along with a redirect that began there
        answer = site.welcome(request)
    answer.headers["Cache-Control"] = "no-store"
    answer.set_cookie(
        site.access.cookie,
        session,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _static(request: Request) -> Response:
    """A style sheet, a script or a picture of this package: by its name, and nothing else."""
    name = request.path_params["name"]
    kind = _KINDS.get(PurePosixPath(name).suffix)
    if kind is None or name not in {path.name for path in STATIC.iterdir()}:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"} if "v" in request.query_params else {}
    return FileResponse(STATIC / name, media_type=kind, headers=headers)


def _problem(site: Site, request: Request, error: Exception) -> Response:
    """An error of ours: its message says what was expected, found and to do."""
    statuses: tuple[tuple[type[AgentflowsError], int], ...] = (
        (NotFoundError, HTTPStatus.NOT_FOUND),
        (UsageError, HTTPStatus.BAD_REQUEST),
        (ConflictError, HTTPStatus.CONFLICT),
    )
    status = next(
        (status for kind, status in statuses if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR
    )
    return site.refusal(request, status, str(error))


def _no_page(site: Site, request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
    messages = {
        HTTPStatus.NOT_FOUND: "There is no such page. The sections above lead to all there are.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This page is only read. Nothing was done.",
    }
    return site.refusal(request, status, messages.get(HTTPStatus(status), str(getattr(error, "detail", ""))))


def _broken(site: Site, request: Request, error: Exception) -> Response:
    """An error of nobody's: the page says no more than that, and the terminal has the rest."""
    return site.refusal(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"The page could not be made ({type(error).__name__}). The terminal that runs `agentflows ui` says more.",
    )
