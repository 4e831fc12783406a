"""Pages of dreams: what was read, proposed, refused, counted and spent, and why."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from agentflows.change import Change, DreamReport
from agentflows.dream import telling, unread_line
from agentflows.errors import NotFoundError
from agentflows.web.asked import Paging, counted, paging
from agentflows.web.context import in_context
from agentflows.web.diff import Part, by_word
from agentflows.web.site import Site

DREAMS = 25
CHANGES = 50
LINES = 100
QUOTES = 8


def listing(site: Site, request: Request) -> Response:
    """Dreams, the newest first."""
    site.home.note_abandoned()
    page = paging(request, DREAMS)
    store = request.query_params.get("store", "")
    waits = request.query_params.get("waiting") == "1"
    lines = site.home.state.dream_lines(store or None, waiting=waits, offset=page.offset, limit=DREAMS + 1)
    return site.page(
        request,
        "dreams.html",
        lines=lines[:DREAMS],
        stores=site.home.state.list_stores(),
        chosen=store,
        waits=waits,
        page=Paging(page.page, DREAMS, has_more=len(lines) > DREAMS),
    )


def dream(site: Site, request: Request) -> Response:
    """One dream: what it proposes, and the account of what it read and spent."""
    report = _report(site, request)
    page = counted(paging(request, CHANGES), len(report.changes))
    numbered = list(enumerate(report.changes, 1))[page.offset : page.offset + CHANGES]
    return site.page(
        request,
        "dream.html",
        **_common(site, report),
        changes=[(number, change, parts(change)) for number, change in numbered],
        page=page,
        done=site.kept(request.query_params.get("done", "")),
    )


def change(site: Site, request: Request) -> Response:
    """One proposed change, with every quote in its context."""
    report = _report(site, request)
    number = _numbered(request.path_params["number"], report)
    found = report.changes[number - 1]
    quotes = telling(found.quotes)
    page = counted(paging(request, QUOTES), len(quotes))
    known = {one.pattern_id: one for one in report.patterns}
    decision = {one.change_id: one for one in site.home.state.decisions(report.dream.dream_id)}
    return site.page(
        request,
        "change.html",
        **_common(site, report),
        number=number,
        change=found,
        parts=parts(found),
        proposed=site.home.state.proposed_change(found.change_id),
        decision=decision.get(found.change_id),
        patterns=[known[name] for name in found.pattern_id.split("\n") if name in known],
        quotes=[
            (quote, in_context(site.home.archive, quote.address, quote.start, quote.end, sha256=quote.sha256))
            for quote in quotes[page.offset : page.offset + QUOTES]
        ],
        page=page,
    )


def refused(site: Site, request: Request) -> Response:
    """What the gates did not let through, and why."""
    report = _report(site, request)
    gate = request.query_params.get("gate", "")
    chosen = [one for one in report.refusals if not gate or one.gate == gate]
    page = counted(paging(request, LINES), len(chosen))
    shown = chosen[page.offset : page.offset + LINES]
    return site.page(request, "refused.html", **_common(site, report), refusals=shown, gate=gate, page=page)


def patterns(site: Site, request: Request) -> Response:
    """What independent sessions said alike."""
    report = _report(site, request)
    page = counted(paging(request, CHANGES), len(report.patterns))
    shown = report.patterns[page.offset : page.offset + CHANGES]
    return site.page(request, "dream_patterns.html", **_common(site, report), patterns=shown, page=page)


def ledger(site: Site, request: Request) -> Response:
    """What became of every entry of the input."""
    report = _report(site, request)
    fate = request.query_params.get("fate", "")
    lines = sorted(report.ledger.lines, key=lambda line: line.fate == "kept")
    lines = [line for line in lines if not fate or line.fate == fate]
    page = counted(paging(request, LINES), len(lines))
    numbers = {one.change_id: number for number, one in enumerate(report.changes, 1)}
    return site.page(
        request,
        "ledger.html",
        **_common(site, report),
        lines=lines[page.offset : page.offset + LINES],
        fate=fate,
        numbers=numbers,
        page=page,
    )


def parts(change: Change) -> tuple[Part, ...]:
    """What a change does to the text, by word; of one that writes nothing, the text it is about."""
    if change.op in {"reinforce", "flag"}:
        return (Part("same", change.before or ""),)
    return by_word(change.before or "", change.after or "")


def _common(site: Site, report: DreamReport) -> dict[str, Any]:
    statuses: dict[str, int] = {}
    for one in report.changes:
        statuses[one.status] = statuses.get(one.status, 0) + 1
    return {
        "report": report,
        "dream": report.dream,
        "statuses": statuses,
        "held": sum(statuses.get(status, 0) for status in ("held", "approved")),
        "output": site.home.state.get_store(report.dream.output_store_id or report.dream.store_id),
        "unread": unread_line(report) if report.coverage.unread else "",
    }


def _report(site: Site, request: Request) -> DreamReport:
    return site.home.state.dream(request.path_params["dream"])


def _numbered(text: str, report: DreamReport) -> int:
    """The number of a change, as `review show` prints it, from its number or id."""
    by_name = {one.change_id: number for number, one in enumerate(report.changes, 1)}
    by_name |= {str(number): number for number in range(1, len(report.changes) + 1)}
    if text not in by_name:
        msg = f"Dream {report.dream.dream_id} has no change {text!r}. It has {len(report.changes)}, numbered from 1."
        raise NotFoundError(msg)
    return by_name[text]
