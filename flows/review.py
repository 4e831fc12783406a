"""Review: decide on a dream's held changes; what is approved is committed in one transaction.

A run of the deployment suspends with a form and goes on when it was submitted, hours later and on any worker. Prefect
only wakes it: what was decided, by whom and when, stands in our own database.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, FlowRunInput
from prefect.context import FlowRunContext
from prefect.flow_runs import suspend_flow_run
from prefect.input import (
    RunInput,
    create_flow_run_input,
    delete_flow_run_input,
    filter_flow_run_input,
    read_flow_run_input,
)
from prefect.runtime import deployment, flow_run
from prefect.serializers import JSONSerializer
from pydantic import BaseModel, Field, create_model

from agentflows.deployments import version_of
from agentflows.dream import markdown
from agentflows.dream.resolving import Answer
from agentflows.errors import CorruptionError, ServerError, StoreError, UsageError
from agentflows.escape import inline, plain
from agentflows.form import titled
from agentflows.home import Home, open_home
from agentflows.project import load_helper
from agentflows.review import (
    NOT_ANSWERED,
    Answers,
    Carried,
    GroupBy,
    ReviewResult,
    Said,
    Seen,
    Sheet,
    approve,
    artifact_pages,
    carry_out,
    counts,
    form_page,
    held,
    question,
    reject,
    sheet,
    what_was_done,
)
from agentflows.scrubbing import scrubbed
from agentflows.store import State

_pages = load_helper("_pages", Path(__file__).resolve().parents[1])
_PLAIN = JSONSerializer(object_encoder="agentflows.errors.kind_of", object_decoder=None)
"""What Prefect keeps of a failure: its kind, as plain JSON. Its default is pickle, which runs code when it is read."""

_STEP: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retries": 0}
_WAITS_FOR_DAYS = 30
"""As long as a change is held."""


class FlagAnswer(BaseModel):
    """An answer to one flag."""

    change: str = Field(title="Flag", description="Its number or id")
    answer: Answer = Field(
        title="Answer",
        description="keep-first or keep-second: that entry holds and the others go; drop: all go; edit: your text instead",
    )
    text: str = Field(default="", title="Text", description="For edit: what stands in place of the entries")


class Work:
    """What the tasks share. A plain object, so that Prefect records none of it."""

    def __init__(self, state: State, dream_id: str, by: GroupBy = "risk") -> None:
        self.state = state
        self.dream_id = dream_id
        self.by: GroupBy = by
        self.carried: Carried | None = None
        self.problem = ""

    @property
    def sheet(self) -> Sheet:
        """What waits now."""
        return sheet(self.state.dream(self.dream_id), self.by)

    @property
    def key(self) -> str:
        """What its artifacts are called."""
        return f"review-{self.dream_id.replace('_', '-')}"


def say(text: str) -> None:
    """One progress line: in the run's log, and in the terminal when the command line runs the flow."""
    get_run_logger().info(text, extra={"progress": True})


@task(task_run_name="show {dream_id}", **_STEP)
@scrubbed
def show(work: Work, dream_id: str) -> None:
    """Lay the waiting changes with their quotes on the run's page."""
    _pages.lay_markdown(markdown(work.state.dream(dream_id)), key="review", description=f"Dream {dream_id}")


@task(task_run_name="lay out {count} changes", **_STEP)
@scrubbed
def lay_out(work: Work, count: int) -> None:  # noqa: ARG001 - names the run
    """Lay the waiting changes on the run's page, in pages that a person can read."""
    for number, (title, text) in enumerate(artifact_pages(work.sheet), 1):
        _pages.lay_markdown(text, key=f"{work.key}-{number}", description=title)


@task(task_run_name="decide and commit", **_STEP)
@scrubbed
def decide(work: Work, home: Home, answers: Answers, seen: Seen) -> None:
    """Carry out what the form says, and keep a record on the run's page."""
    try:
        work.carried = carry_out(work.state, work.dream_id, answers, seen, scan=home.secret_in)
    except CorruptionError:
        raise
    except (UsageError, StoreError) as error:
        work.problem = str(error)  # for the form, which asks again; Prefect's log would keep it for ever
        return
    done = "\n".join(f"- {inline(line)}" for line in what_was_done(work.carried)) or "- Nothing was decided."
    _pages.lay_markdown(
        f"# What was decided\n\n{done}\n", key=f"{work.key}-decided", description="What was decided"
    )


# -- the form ----------------------------------------------------------------------------------------

_END = "end this run; the rest stays held"
_CHOICES = (
    "keep-first or keep-second: that one holds, the others go; drop: all go; edit: your own text, below"
)
FlagChoice = Literal["not answered", "keep-first", "keep-second", "keep-both", "drop", "edit"]
Afterwards = Literal["ask about what is left", "end this run; the rest stays held"]


class Edit(BaseModel):
    """A reviewer's own text for one change."""

    number: int = Field(title="Change", description="Its number", ge=1)
    text: str = Field(
        title="Text", description="All that the entry shall say; for a flag, in place of its entries"
    )


class Asked(BaseModel):
    """What a form showed. Kept beside it: the run starts from the top when it goes on."""

    dream_id: str
    seen: Seen
    page: int = 1
    following: int = 0
    """The change that the next page would have begun with."""


def form_of(waiting: Sheet, page: int, given: Mapping[str, Any], problem: str = "") -> type[RunInput]:
    """The form under one page of waiting changes, with what was filled in before and what is wrong with that.

    Prefect's older pages hide the text above a form that is taller than the window, so the form itself tells the most
    important: in titles, which no page reads as Markdown, and in descriptions of our own words.
    """
    pages = waiting.pages
    fields: dict[str, Any] = {}

    def add(name: str, kind: Any, default: Any, title: str, description: str, **limits: Any) -> None:
        words: dict[str, Any] = {"title": title, "description": description, **limits}
        fields[name] = (kind, Field(default=given.get(name, default), **words))

    add(
        "decision",
        Said,
        "by number",
        f"Nothing was decided yet. {plain(problem)} Decision" if problem else "Decision",
        f"{counts(waiting)}. Read them above or, where this form hides that, in the artifacts of this run. approve all and "
        "reject all take all but what the other field names",
    )
    words = "Numbers or words between commas: 1, 4, 7-9, no risk, low trust, /CLAUDE.md"
    add("approve", str, "", "Approve", f"{words}, shown" if len(pages) > 1 else words)
    add("reject", str, "", "Reject", "The same. A rejection needs a reason")
    for number in pages[page - 1]:
        if number in waiting.flags:
            add(
                f"flag_{number}",
                FlagChoice,
                NOT_ANSWERED,
                question(number, waiting.waiting[number]),
                _CHOICES,
            )
    add("reviewer", str, ..., "Your name", "Kept on record: who decided", min_length=1)
    add("reason", str, "", "Reason", "Kept on record. Later dreams are shown why something was rejected")
    add("edits", list[Edit], [], "Your own text", "Approves a change with your text in place of its own")
    add("afterwards", Afterwards, "ask about what is left", "Afterwards", "When something is left")
    if len(pages) > 1:
        following = page % len(pages) + 1
        add("page", int, following, "Page to show next", f"1 to {len(pages)}", ge=1, le=len(pages))
    return create_model("Review", __base__=RunInput, **fields)


# -- asking, and going on ------------------------------------------------------------------------------

_KEY = re.compile(r"(?:suspended-)?ask-(\d+)(?:-.*)?")


def last_round() -> int:
    """The number of the form this run asked last; 0 before the first."""
    keys = set(_this_run().empirical_policy.pause_keys or ())
    keys |= {item.key for item in _kept("ask-")} | {item.key for item in _kept("suspended-ask-")}
    return max((int(found[1]) for key in keys if (found := _KEY.fullmatch(key))), default=0)


def _this_run() -> FlowRun:
    context = FlowRunContext.get()
    assert context is not None and context.flow_run is not None  # noqa: PT018, S101 - called in the flow
    return context.flow_run


def _kept(prefix: str) -> Sequence[FlowRunInput]:
    return cast("Sequence[FlowRunInput]", filter_flow_run_input(key_prefix=prefix, limit=200))


def ask(
    work: Work,
    number: int,
    page: int,
    given: Mapping[str, Any],
    *,
    before: Sequence[str] = (),
    problem: str = "",
) -> None:
    """Suspend the run with a form, unless nothing waits any more.

    It does not come back: the run goes on from the top, with `number` as its last round. `before` is what was done so
    far, `problem` what is wrong with the form that was `given`.
    """
    waiting = work.sheet
    pages = waiting.pages
    if not pages:
        say("Nothing waits any more: it was decided elsewhere meanwhile, or a later dream proposes it")
        forget(number - 1)
        return
    page = min(max(page, 1), len(pages))
    asked = Asked(
        dream_id=work.dream_id,
        seen=Seen.of(waiting.waiting, pages[page - 1]),
        page=page,
        following=pages[page % len(pages)][0],
    )
    create_flow_run_input(key=f"ask-{number}-seen", value=asked.model_dump(mode="json"))
    forget(number - 1)
    form = form_of(waiting, page, given, problem).with_initial_data(
        description=form_page(waiting, pages[page - 1], before=before, problem=problem)
    )
    _call_it(f"review · {waiting.report.dream.store_name} · {len(waiting.waiting)} waiting · {work.dream_id}")
    say(f"{len(waiting.waiting)} changes wait: resume this run to decide on them")
    suspend_flow_run(wait_for_input=form, timeout=_WAITS_FOR_DAYS * 86_400, key=f"ask-{number}")
    message = f"Prefect did not suspend this run for form {number}. Start the deployment review/review anew."
    raise ServerError(message)


def _call_it(name: str) -> None:
    """Give this run a name that a list of runs can be read by."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(_this_run().id, name=name)


def forget(last: int) -> None:
    """Take out what forms up to the `last` one showed and said: the record of it is the decisions."""
    for item in [*_kept("ask-"), *_kept("suspended-ask-")]:
        found = _KEY.fullmatch(item.key)
        if found and int(found[1]) <= last:
            delete_flow_run_input(key=item.key)


def go_on(home: Home, work: Work, number: int, asked: Asked) -> Carried | None:
    """Carry out what the last form says, and ask again where something is left or wrong; None when nothing is decided."""
    said = cast("Mapping[str, Any] | None", read_flow_run_input(f"suspended-ask-{number}-response"))
    if said is None:
        return ask(work, number + 1, asked.page, {}, problem="This run was started again without a form.")
    try:
        answers = Answers.read(said)
    except UsageError as error:
        return ask(work, number + 1, asked.page, said, problem=str(error))
    if answers.is_blank and answers.said == "leave all":
        forget(number)
        return None
    if answers.is_blank and answers.said == "by number":
        return _turn_the_page(work, number, asked, said)
    decide(work, home, answers, asked.seen)
    if work.carried is None:
        say("The form could not be carried out: resume this run to read why")
        return ask(work, number + 1, asked.page, said, problem=work.problem)
    for line in what_was_done(work.carried):
        say(line)
    forget(number)
    if work.carried.still_held and said.get("afterwards") != _END:
        ask(work, number + 1, _next_page(work, asked, said), {}, before=what_was_done(work.carried))
    return work.carried


def _turn_the_page(work: Work, number: int, asked: Asked, said: Mapping[str, Any]) -> None:
    if len(work.sheet.pages) < 2:
        choose = "Put numbers under Approve or Reject; or choose approve all, reject all or leave all."
        return ask(work, number + 1, 1, said, problem=f"Nothing is chosen. {choose}")
    kept = {name: said[name] for name in ("reviewer", "reason") if said.get(name)}
    return ask(work, number + 1, _next_page(work, asked, said), kept)


def _next_page(work: Work, asked: Asked, said: Mapping[str, Any]) -> int:
    """The page asked for; else the one that holds what came after the last one: decisions move the pages."""
    wanted = said.get("page", 0)
    pages = work.sheet.pages
    ahead = next((number for number, page in enumerate(pages, 1) if asked.following in page), asked.page)
    return wanted if wanted not in {0, asked.page + 1} else ahead


# -- the flow ------------------------------------------------------------------------------------------


def _run_name() -> str:
    return f"review · {flow_run.get_parameters().get('dream_id') or 'newest'}"


@flow(
    name="review",
    flow_run_name=_run_name,
    persist_result=False,
    result_serializer=_PLAIN,
    version=version_of(__file__),
)
@scrubbed
def review(
    dream_id: Annotated[str, titled("Dream", pattern=r"^(drm_.+)?$")] = "",
    decision: Annotated[Literal["ask", "show", "approve", "reject"], titled("Decision")] = "ask",
    pages: Annotated[GroupBy, titled("Pages by")] = "risk",
    only: Annotated[list[str], titled("Only these changes")] = [],
    answers: Annotated[list[FlagAnswer], titled("Answers to flags")] = [],
    reason: Annotated[str, titled("Reason")] = "",
    reviewer: Annotated[str, titled("Your name")] = "",
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Decide on the held changes of a dream: in a form, or by the words given here.

    Args:
        dream_id: The dream, drm_…; empty takes the newest one with held changes.
        decision: ask waits for a person: press Resume on this run's page, now or in some days. The others decide at
            once and wait for nobody: show lays the changes on the run's page; approve commits; reject remembers.
        pages: Whether the changes are laid out by their gravest risk or by file.
        only: For approve and reject: numbers, ranges such as 7-9, or ids of changes; empty means all that are held, but
            for the flags.
        answers: For approve: what you say to flags; each answer is approved and committed like a change, beside those
            of the field above or, where that is empty, beside all that are held.
        reason: For approve and reject: kept on record. A rejection needs one, for later dreams are shown it.
        reviewer: For approve and reject: who decides, on record; empty takes AGENTFLOWS_REVIEWER or the login.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.

    Returns:
        What was committed, rejected or refused, and what still waits.
    """
    with open_home(home or None) as doors:
        state = doors.state
        if decision == "ask" and deployment.get_id():
            result = _by_form(doors, dream_id, pages)
        else:
            dream_id = dream_id or _newest(state)
            show(Work(state, dream_id), dream_id)
            who = doors.actor(reviewer).name
            if decision == "approve":
                result = approve(
                    state,
                    dream_id,
                    reviewer=who,
                    only=list(dict.fromkeys([*only, *(one.change for one in answers)])) if only else None,
                    edits={item.change: item.text for item in answers if item.answer == "edit"},
                    resolve={item.change: item.answer for item in answers},
                    reason=reason,
                    scan=doors.secret_in,
                )
            elif decision == "reject":
                result = reject(state, dream_id, reviewer=who, only=only or None, reason=reason)
            else:
                if decision == "ask":
                    say("A form needs the deployment review/review; this run only shows what waits.")
                result = _standing(state, dream_id)
        say(
            f"{len(result.committed)} committed, {len(result.rejected)} rejected, {result.still_held} still held"
        )
        return result.model_dump(mode="json")


def _by_form(home: Home, dream_id: str, by: GroupBy) -> ReviewResult:
    """Ask, or go on where an earlier run of this was suspended."""
    state, number = home.state, last_round()
    kept = read_flow_run_input(f"ask-{number}-seen") if number else None
    asked = Asked.model_validate(kept) if kept else None
    work = Work(state, asked.dream_id if asked else dream_id or _newest(state), by)
    waiting = len(held(state, work.dream_id))
    if not asked and waiting:
        lay_out(work, waiting)
        ask(work, number + 1, 1, {})
    carried = go_on(home, work, number, asked) if asked else None
    if carried is None:
        return _standing(state, work.dream_id)
    return carried.result(state.dream(work.dream_id))


def _newest(state: State) -> str:
    waiting = state.changes(status="held")
    if not waiting:
        message = "No change waits for review."
        raise UsageError(message)
    return waiting[-1].dream_id


def _standing(state: State, dream_id: str) -> ReviewResult:
    """How a dream stands when nothing was decided."""
    dream = state.dream(dream_id).dream
    return ReviewResult(
        dream_id=dream_id,
        store_name=dream.store_name,
        store_version=None,
        still_held=len(held(state, dream_id)),
    )


if __name__ == "__main__":
    review()
