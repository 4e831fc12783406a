"""The first page, the pictures, and the pages that explain."""

from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agentflows.errors import NotFoundError
from agentflows.picturing import PICTURES, PictureName, draw
from agentflows.web.asked import wanted
from agentflows.web.site import Site

DREAMS = 20
SESSIONS = 6


def front(site: Site, request: Request) -> Response:
    """What waits for a person, and what happened lately."""
    state, archive = site.home.state, site.home.archive
    site.home.note_abandoned()
    found = archive.page(limit=SESSIONS)
    return site.page(
        request,
        "front.html",
        waits=state.dream_lines(waiting=True, limit=DREAMS),
        recent=state.dream_lines(limit=6),
        stores=state.list_stores(),
        sessions=found.sessions,
        archived=found.total,
        jobs=state.jobs(limit=4),
        outcomes=state.outcomes(limit=4),
    )


def pictures(site: Site, request: Request) -> Response:
    """All pictures of one store."""
    stores = site.home.state.list_stores()
    name = request.query_params.get("store", "")
    store = site.home.state.get_store(name) if name else next(iter(stores), None)
    return site.page(request, "pictures.html", stores=stores, store=store, pictures=PICTURES)


def picture(site: Site, request: Request) -> Response:
    """One picture of a store, as a file: it may bring its own style, and nothing else."""
    name = request.path_params["name"]
    if name not in PICTURES:
        msg = f"There is no picture {name!r}. There are: {', '.join(PICTURES)}."
        raise NotFoundError(msg)
    store = site.home.state.get_store(wanted(request, "store"))
    called = store.store_id if store.archived_at else store.name
    svg = draw(site.home, cast("PictureName", name), store=called)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return Response(svg, media_type="image/svg+xml", headers={"Content-Security-Policy": policy})


def explained(site: Site, request: Request) -> Response:
    """What the tiers, marks, statuses and keys mean."""
    return site.page(request, "help.html")


def healthz(site: Site, _: Request) -> Response:
    """Whether the state database answers."""
    site.home.state.waiting()
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
