"""Pages of work: outcomes with their criteria by iteration, and jobs of teams with every thread and turn."""

from itertools import islice

from starlette.requests import Request
from starlette.responses import Response

from agentflows.errors import NotFoundError
from agentflows.evaluation import Outcome
from agentflows.orchestrating import as_it_stands, transcript
from agentflows.orchestration import headline as job_headline
from agentflows.orchestration import not_begun, word_of
from agentflows.outcome import headline, iteration_name
from agentflows.pursuing import OutcomeRequest
from agentflows.rubric import Rubric
from agentflows.web.asked import Paging, counted, number, paging, wanted
from agentflows.web.context import as_read
from agentflows.web.site import Site

ITEMS = 25
TURNS = 100
SHOWN = 4_000


def outcomes(site: Site, request: Request) -> Response:
    """Outcomes, the newest first."""
    page = paging(request, ITEMS)
    found = site.home.state.outcomes(offset=page.offset, limit=ITEMS + 1)
    return site.page(
        request,
        "outcomes.html",
        lines=[(one, headline(one)) for one in found[:ITEMS]],
        page=Paging(page.page, ITEMS, has_more=len(found) > ITEMS),
    )


def outcome(site: Site, request: Request) -> Response:
    """One outcome: its criteria by iteration, with the evidence of each."""
    found = site.home.state.outcome(request.path_params["outcome"])
    rubric = _rubric(site, found)
    results = {(one.iteration, item.criterion_id): item for one in found.evaluations for item in one.criteria}
    return site.page(
        request,
        "outcome.html",
        outcome=found,
        headline=headline(found),
        rubric=rubric,
        results=results,
        graded={one.iteration: one for one in found.evaluations},
        iteration_name=iteration_name,
        folder=site.home.settings.home_path / "outcomes" / found.outcome_id,
    )


def jobs(site: Site, request: Request) -> Response:
    """Jobs of teams, the newest first."""
    page = paging(request, ITEMS)
    found = [
        as_it_stands(site.home, one) for one in site.home.state.jobs(offset=page.offset, limit=ITEMS + 1)
    ]
    return site.page(
        request,
        "jobs.html",
        lines=[(one, job_headline(one)) for one in found[:ITEMS]],
        page=Paging(page.page, ITEMS, has_more=len(found) > ITEMS),
    )


def job(site: Site, request: Request) -> Response:
    """One job: every turn of every thread, in the order they began."""
    found = as_it_stands(site.home, site.home.state.job(request.path_params["job"]))
    turns = sorted(found.turns, key=lambda turn: (turn.started_at is None, turn.started_at, turn.thread_id))
    page = counted(paging(request, TURNS), len(turns))
    return site.page(
        request,
        "job.html",
        job=found,
        headline=job_headline(found),
        turns=turns[page.offset : page.offset + TURNS],
        left=not_begun(found),
        word_of=word_of,
        page=page,
    )


def thread(site: Site, request: Request) -> Response:
    """One thread of a job: what it was told, did and left, a turn at a time."""
    found = site.home.state.job(request.path_params["job"])
    name = wanted(request, "name")
    known = {one.thread_id: one for one in found.threads}
    if name not in known:
        msg = f"The job {found.job_id} has no thread {name!r}. It has: {', '.join(known) or 'none yet'}."
        raise NotFoundError(msg)
    turns = known[name].turns
    chosen = number(request, "turn", 0)
    turn = next((one for one in turns if one.number == chosen), None)
    page = paging(request, TURNS)
    events = transcript(site.home, turn) if turn else []
    page = counted(page, len(events))
    return site.page(
        request,
        "thread.html",
        job=found,
        thread=known[name],
        turn=turn,
        events=as_read(islice(events, page.offset, page.offset + TURNS), limit=SHOWN),
        messages=[one for one in found.messages if name in {one.from_thread, one.to_thread}][:TURNS],
        page=page,
    )


def _rubric(site: Site, outcome: Outcome) -> Rubric:
    """The rubric an outcome was begun with."""
    request = site.home.state.outcome_request(outcome.outcome_id)
    return OutcomeRequest.model_validate_json(request).rubric
