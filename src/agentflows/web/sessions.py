"""Pages of the archive: sessions, one transcript, one turn, a search, and the named patterns."""

from dataclasses import replace
from datetime import datetime
from typing import cast, get_args

from starlette.requests import Request
from starlette.responses import Response

from agentflows.archive import Archive, Selection
from agentflows.dreaming import parse_time
from agentflows.errors import NotFoundError, UsageError
from agentflows.session import SessionInfo, Span, Verdict
from agentflows.web.asked import Paging, counted, number, paging, wanted
from agentflows.web.context import as_read, in_context
from agentflows.web.links import job_url, session_url
from agentflows.web.site import Site

SESSIONS = 50
TURNS = 100
HITS = 50
ROWS = 50
SHOWN = 4_000
"""Characters of a turn in a transcript; its own page has the rest."""
WHOLE = 100_000
"""Characters of a turn on its own page."""


def listing(site: Site, request: Request) -> Response:
    """Sessions, the newest first, as far as they match."""
    asked = request.query_params
    page = paging(request, SESSIONS)
    found = site.home.archive.page(
        Selection(
            project=asked.get("project") or None,
            agent=asked.get("agent") or None,
            verdict=_verdict(asked.get("verdict", "")),
            since=_time(asked.get("since", ""), "since"),
            until=_time(asked.get("until", ""), "until"),
        ),
        text=asked.get("text", ""),
        format=asked.get("format", ""),
        offset=page.offset,
        limit=SESSIONS,
    )
    return site.page(
        request,
        "sessions.html",
        sessions=found.sessions,
        facets=site.home.archive.facets(),
        page=counted(page, found.total),
    )


def session(site: Site, request: Request) -> Response:
    """One transcript, a stretch at a time; at a turn when one is named."""
    archive = site.home.archive
    info = _info(archive, wanted(request, "id"))
    seq = number(request, "at", -1)
    page = counted(paging(request, TURNS), info.turns)
    if seq >= 0 and "page" not in request.query_params:
        page = counted(Paging(seq // TURNS + 1, TURNS), info.turns)
    turns = archive.turns(info.session_id, page.offset, page.offset + TURNS - 1)
    start, end = number(request, "start", -1), number(request, "end", -1)
    return site.page(
        request,
        "session.html",
        info=info,
        parent=_parent(archive, info),
        turns=as_read(turns, limit=SHOWN, seq=seq, start=start, end=end),
        page=page,
    )


def turn(site: Site, request: Request) -> Response:
    """One turn, whole; a very long one a stretch at a time."""
    archive = site.home.archive
    info = _info(archive, wanted(request, "id"))
    found = archive.turn(info.session_id, number(request, "seq"))
    offset = number(request, "offset")
    spans = tuple(Span(span.start - offset, span.end - offset, span.kind) for span in found.spans)
    part = replace(found, text=found.text[offset : offset + WHOLE], spans=spans)
    return site.page(
        request,
        "turn.html",
        info=info,
        turn=as_read([part], limit=WHOLE)[0],
        length=len(found.text),
        offset=offset,
        next_offset=offset + WHOLE if offset + WHOLE < len(found.text) else 0,
    )


def context(site: Site, request: Request) -> Response:
    """A quote with the turns around it: for a script to put under a change."""
    address = f"{wanted(request, 'id')}#{number(request, 'seq')}"
    place = number(request, "start"), number(request, "end")
    found = in_context(site.home.archive, address, *place, sha256=wanted(request, "sha256"))
    return site.part("context.html", context=found)


def search(site: Site, request: Request) -> Response:
    """Turns that contain some words."""
    words = request.query_params.get("q", "").strip()
    hits = site.home.archive.search(words, limit=HITS) if words else []
    return site.page(request, "search.html", words=words, hits=hits, most=HITS)


def patterns(site: Site, request: Request) -> Response:
    """The named questions about many sessions."""
    return site.page(request, "patterns.html", patterns=site.home.archive.patterns())


def pattern(site: Site, request: Request) -> Response:
    """The answer to one of them."""
    name = request.path_params["name"]
    page = paging(request, ROWS)
    rows = site.home.archive.pattern(name, limit=ROWS + 1, offset=page.offset)
    query = next(one for one in site.home.archive.patterns() if one.name == name)
    return site.page(
        request,
        "pattern.html",
        pattern=query,
        rows=rows[:ROWS],
        page=Paging(page.page, ROWS, has_more=len(rows) > ROWS),
    )


def _info(archive: Archive, session_id: str) -> SessionInfo:
    found = archive.info(Selection(session_ids=(session_id,)))
    if not found:
        msg = (
            f"The archive has no session {session_id!r}. It may have been forgotten. The list of sessions finds ids "
            "and titles; the search finds words."
        )
        raise NotFoundError(msg)
    return found[0]


def _parent(archive: Archive, info: SessionInfo) -> str:
    """Where the session that this one counts for is read: in the archive, or as the job of a team."""
    if info.root_id == info.session_id:
        return ""
    if archive.info(Selection(session_ids=(info.root_id,))):
        return session_url(info.root_id)
    return job_url(info.root_id) if info.root_id.startswith("job_") else ""


def _verdict(text: str) -> Verdict | None:
    if text and text not in get_args(Verdict):
        msg = f"Expected one of {', '.join(get_args(Verdict))} for `verdict`, found {text[:40]!r}."
        raise UsageError(msg)
    return cast("Verdict | None", text or None)


def _time(text: str, name: str) -> datetime | None:
    try:
        return parse_time(text)
    except (ValueError, OverflowError) as error:
        msg = f"`{name}`: {text[:40]!r} is neither a date such as 2026-11-01 nor an age such as 7d."
        raise UsageError(msg) from error
