"""Review in the page: mark decisions, see exactly what they would do, commit them, and be told what was done."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agentflows import review
from agentflows.change import Change, DreamReport
from agentflows.dream import telling
from agentflows.errors import (
    ConflictError,
    LimitError,
    NotApprovedError,
    NotFoundError,
    StoreError,
    UsageError,
)
from agentflows.web.asked import Paging, counted, form, number
from agentflows.web.choices import (
    Choice,
    Orders,
    answers_to,
    choices_of,
    fields_of,
    is_editable,
    marked,
    orders,
    problems,
    waiting,
)
from agentflows.web.diff import by_file
from agentflows.web.dreams import parts
from agentflows.web.links import dream_url
from agentflows.web.site import Site

CHANGES = 25
QUOTES = 3
_REFUSED = (ConflictError, NotApprovedError, StoreError, LimitError, UsageError)


class Done(BaseModel):
    """What the decisions of one form did."""

    model_config = ConfigDict(frozen=True)

    store: str
    version: int | None = None
    """The version that was written; None where nothing was."""
    committed: int = 0
    noted: int = 0
    rejected: int = 0
    refused: dict[int, str] = {}
    """By number, what could not be carried out and why."""
    still_held: int = 0


def show(site: Site, request: Request) -> Response:
    """The changes of a dream that wait, to be read and decided on."""
    report = site.home.state.dream(request.path_params["dream"])
    return _reading(site, request, report, {}, number(request, "page", 1, least=1))


async def mark(site: Site, request: Request) -> Response:
    """Go on to another page with what was marked, mark several at once, or ask what it all would do."""
    fields = await _sent(site, request)
    return await run_in_threadpool(_mark, site, request, fields)


async def commit(site: Site, request: Request) -> Response:
    """Carry out what was confirmed, if it still is what was looked at."""
    fields = await _sent(site, request)
    return await run_in_threadpool(_commit, site, request, fields)


async def _sent(site: Site, request: Request) -> Mapping[str, str]:
    fields = await form(request)
    if not site.access.is_form_token(request.scope["path"], fields.get("token", "")):
        msg = "The form carries no token of this server. Load the page again, and send it from there. Nothing was done."
        raise UsageError(msg)
    return fields


def _mark(site: Site, request: Request, fields: Mapping[str, str]) -> Response:
    report = site.home.state.dream(request.path_params["dream"])
    choices = marked(choices_of(fields), fields, report)
    here = _page(fields.get("page", "1"))
    target = fields.get("go", "")
    if target != "confirm":
        return _reading(site, request, report, choices, _page(target) if target else here)
    wrong = problems(choices, waiting(report))
    if wrong or orders(choices, waiting(report)).is_empty:
        first = _page_of(report, next(iter(wrong))) if wrong else here
        message = "" if wrong else "Nothing is decided yet: mark what you approve or reject."
        return _reading(site, request, report, choices, first, wrong=wrong, message=message)
    return _confirming(site, request, report, choices)


def _commit(site: Site, request: Request, fields: Mapping[str, str]) -> Response:
    state = site.home.state
    report = state.dream(request.path_params["dream"])
    choices = choices_of(fields)
    asked = orders(choices, waiting(report))
    moved = _moved(site, report, choices, fields)
    if moved or asked.is_empty or problems(choices, waiting(report)):
        return _confirming(site, request, report, choices, moved=moved, note=fields.get("note", ""))
    try:
        result = _approved(site, report, asked, fields) if asked.approve else None
    except _REFUSED as error:
        fresh = state.dream(report.dream.dream_id)
        return _confirming(site, request, fresh, choices, moved=[str(error)], note=fields.get("note", ""))
    failed = _rejected(site, asked)
    done = _told(report, asked, result, failed, len(review.held(state, report.dream.dream_id)))
    name = secrets.token_urlsafe(8)
    site.keep(name, done)
    return RedirectResponse(dream_url(report.dream.dream_id, done=name), HTTPStatus.SEE_OTHER)


def _approved(
    site: Site, report: DreamReport, asked: Orders, fields: Mapping[str, str]
) -> review.ReviewResult:
    return review.approve(
        site.home.state,
        report.dream.dream_id,
        reviewer=site.reviewer,
        only=asked.approve,
        edits=asked.edits,
        resolve=asked.resolve,
        reason=fields.get("note", "").strip(),
        scan=site.home.secret_in,
        base_version=int(fields["base"]),
    )


def _rejected(site: Site, asked: Orders) -> dict[str, str]:
    """Reject each with its reason; returns what was decided otherwise in the same moment, and how."""
    failed: dict[str, str] = {}
    for name, reason in asked.reject.items():
        try:
            site.home.state.decide(name, "rejected", reviewer=site.reviewer, reason=reason)
        except _REFUSED as error:
            failed[name] = str(error)
    return failed


def _told(
    report: DreamReport, asked: Orders, result: review.ReviewResult | None, failed: dict[str, str], held: int
) -> Done:
    numbers = {change.change_id: place for place, change in enumerate(report.changes, 1)}
    refused = (result.refused if result else {}) | failed
    noted = len(result.noted) if result else 0
    return Done(
        store=result.store_name if result else report.dream.store_name,
        version=result.store_version if result else None,
        committed=(len(result.committed) if result else 0) - noted,
        noted=noted,
        rejected=len(asked.reject) - len(failed),
        refused={numbers[name]: why for name, why in refused.items()},
        still_held=held,
    )


# -- what was looked at, and what is there now -----------------------------------------------------


def _moved(
    site: Site, report: DreamReport, choices: Mapping[str, Choice], fields: Mapping[str, str]
) -> list[str]:
    """What is no longer as it was when the reviewer looked, in words."""
    store = site.home.state.get_store(report.dream.output_store_id or report.dream.store_id)
    said: list[str] = []
    if fields.get("base") != str(store.version):
        said.append(
            f"The store {store.name!r} is at version {store.version} now; somebody committed since you looked. "
            "What follows is what your decisions would do to it as it is now."
        )
    return said + _overtaken(report, choices)


def _overtaken(report: DreamReport, choices: Mapping[str, Choice]) -> list[str]:
    """Changes that were decided or dreamt anew since the reviewer looked at them."""
    said: list[str] = []
    for place, change in enumerate(report.changes, 1):
        one = choices.get(change.change_id)
        if one is None or not one.verdict:
            continue
        if change.status not in review.OPEN:
            why = change.status_reason or "no reason kept"
            said.append(f"Change {place} is {change.status} since ({why}); it is left as it is.")
        elif one.seen != change.sha256:
            said.append(f"Change {place} is not what you looked at: it was dreamt anew. Read it again below.")
    return said


# -- pages -----------------------------------------------------------------------------------------


def _reading(  # noqa: PLR0913 - each is part of what is shown
    site: Site,
    request: Request,
    report: DreamReport,
    choices: Mapping[str, Choice],
    wanted: int,
    *,
    wrong: Mapping[str, str] | None = None,
    message: str = "",
) -> Response:
    changes = waiting(report)
    last = max(1, -(-len(changes) // CHANGES))
    page = counted(Paging(min(wanted, last), CHANGES), len(changes))
    here = changes[page.offset : page.offset + CHANGES]
    store = site.home.state.get_store(report.dream.output_store_id or report.dream.store_id)
    files = site.home.state.files(store.store_id, store.version)
    numbers = {change.change_id: place for place, change in enumerate(report.changes, 1)}
    elsewhere = [name for name in choices if name not in {change.change_id for change in here}]
    return site.page(
        request,
        "review.html",
        report=report,
        dream=report.dream,
        store=store,
        cards=[_card(change, numbers[change.change_id], choices, report, files) for change in here],
        page=page,
        elsewhere=fields_of(choices, elsewhere),
        decided=sum(
            bool(choices[change.change_id].verdict) for change in changes if change.change_id in choices
        ),
        wrong=dict(wrong or {}),
        message=message,
        overtaken=_overtaken(report, choices),
        action=dream_url(report.dream.dream_id, "review"),
    )


def _card(
    change: Change, place: int, choices: Mapping[str, Choice], report: DreamReport, files: Mapping[str, str]
) -> dict[str, Any]:
    quotes = telling(change.quotes)
    return {
        "number": place,
        "change": change,
        "parts": parts(change),
        "choice": choices.get(change.change_id, Choice()),
        "quotes": quotes[:QUOTES],
        "more_quotes": max(0, len(quotes) - QUOTES),
        "is_editable": is_editable(change),
        "answers": answers_to(change, report, files) if change.op == "flag" else [],
    }


def _confirming(
    site: Site,
    request: Request,
    report: DreamReport,
    choices: Mapping[str, Choice],
    *,
    moved: list[str] | None = None,
    note: str = "",
) -> Response:
    state = site.home.state
    changes = waiting(report)
    fresh = {
        change.change_id: choices[change.change_id].model_copy(update={"seen": change.sha256})
        for change in changes
        if change.change_id in choices
    }
    asked = orders(fresh, changes)
    notices = [*(moved or []), *(_overtaken(report, choices) if moved is None else [])]
    plan: review.Plan | None = None
    try:
        plan = review.preview(
            state,
            report.dream.dream_id,
            asked.approve,
            edits=asked.edits,
            resolve=asked.resolve,
            scan=site.home.secret_in,
        )
    except NotFoundError:
        raise
    except _REFUSED as error:
        notices.append(str(error))
    store = state.get_store(report.dream.output_store_id or report.dream.store_id)
    numbers = {change.change_id: place for place, change in enumerate(report.changes, 1)}
    return site.page(
        request,
        "confirm.html",
        status=HTTPStatus.CONFLICT if moved else HTTPStatus.OK,
        report=report,
        dream=report.dream,
        store=store,
        plan=plan,
        files=by_file(plan.before, plan.after) if plan else [],
        numbers=numbers,
        by_id={change.change_id: change for change in changes},
        asked=asked,
        left=len(changes) - len(asked.approve) - len(asked.reject),
        notices=[_readable(text, numbers) for text in notices],
        carried=fields_of(fresh, fresh),
        note=note,
        back=dream_url(report.dream.dream_id, "review"),
        action=dream_url(report.dream.dream_id, "commit"),
    )


def _readable(text: str, numbers: Mapping[str, int]) -> str:
    """A message with the numbers that the page shows in place of ids."""
    for name, place in numbers.items():
        text = text.replace(name, f"change {place}")
    return text


def _page(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 6 else 1


def _page_of(report: DreamReport, change_id: str) -> int:
    ids = [change.change_id for change in waiting(report)]
    return ids.index(change_id) // CHANGES + 1
