"""Dream: archive + store → changes with their proof, committed or held for review.

Each step of a dream is a task here; what a step does stands in `agentflows.dreaming`. Steps hand their work
on through one `Work`, so that no content becomes a Prefect parameter, result or event.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment, flow_run
from prefect.serializers import JSONSerializer
from prefect.states import Cancelled
from prefect.utilities.urls import url_for

from agentflows.change import Budget, DreamReport
from agentflows.deployments import version_of
from agentflows.dream import changes_table, ledger_table, markdown, summary_json
from agentflows.dreaming import DreamRequest, DreamRun, SessionFilter
from agentflows.errors import BudgetError
from agentflows.form import titled
from agentflows.home import Home, open_home
from agentflows.notices import budget_reached, budget_refused, changes_held
from agentflows.picturing import dream_markdown
from agentflows.project import load_helper, load_module
from agentflows.replay import ProbeRun
from agentflows.review import held
from agentflows.scrubbing import scrubbed

_pages = load_helper("_pages", Path(__file__).resolve().parents[1])
_PLAIN = JSONSerializer(object_encoder="agentflows.errors.kind_of", object_decoder=None)
"""What Prefect keeps of a failure: its kind, as plain JSON. Its default is pickle, which runs code when it is read."""

# A step keeps nothing in Prefect: what must not be paid twice is in our own database (DECISIONS.md).
# Names of task runs are ASCII: the graph of Prefect's older pages leaves out all else.
_STEP: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retries": 0}

_STEP_PERCENT = 5
Dispatch = Literal["tasks", "deployment", "dask"]


class Work:
    """What the steps share.

    A plain object on purpose: Prefect looks for futures inside every list, model and dataclass it is given, and
    over a thousand sessions that took five times as long as the dream.
    """

    def __init__(self, run: DreamRun, dispatch: Dispatch = "tasks", home: str = "") -> None:
        self.run = run
        self.dispatch: Dispatch = dispatch
        self.home = home
        """As the caller named it; "" leaves it to each worker's AGENTFLOWS_HOME."""
        self.report = run.report()
        self.probe_work: Callable[[], Sequence[ProbeRun]] = tuple
        self.probe_runs: Sequence[ProbeRun] = ()


def say(text: str) -> None:
    """One progress line: in the run's log, and in the terminal when the command line runs the flow."""
    get_run_logger().info(text, extra={"progress": True})


@task(name="snapshot", task_run_name="snapshot store and select sessions", **_STEP)
@scrubbed
def snapshot(work: Work) -> None:
    """Say what was frozen and chosen; the freezing itself names the run, so it came first."""
    say(
        f"1/9 snapshot: store {work.run.store.name!r} version {work.run.store.version}, {len(work.run.entries())} entries; "
        f"{len(work.run.infos):,} of {work.run.archived:,} sessions selected; engine {work.run.why_engine}"
        f"{work.run.quoted_cost}"
    )


@task(name="mine", task_run_name="mine {count} sessions", **_STEP)
@scrubbed
def mine(work: Work, count: int) -> None:  # noqa: ARG001 - names the run
    """Ask the archive's pattern queries."""
    say(f"2/9 mine: {work.run.mine():,} signals from the archive's pattern queries")


@task(name="extract", task_run_name="review sessions: batch {number}", **_STEP)
@scrubbed
def extract(work: Work, number: int) -> int:
    """Review one batch of sessions; each is kept as soon as it is read."""
    return work.run.extract(number)


@task(name="hand in", task_run_name="hand in questions: {what}", **_STEP)
@scrubbed
def hand_in(work: Work, what: str) -> int:
    """Hand in many questions at once, to be answered within a day."""
    return work.run.hand_in_sessions() if what == "sessions" else work.run.hand_in()


@task(name="collect", task_run_name="wait for answers: {what}", **_STEP)
@scrubbed
def collect(work: Work, what: str) -> bool:  # noqa: ARG001 - names the run
    """Wait for what was handed in; False when the longest wait is over."""
    return work.run.wait(say)


@task(name="check quotes", task_run_name="check quotes", **_STEP)
@scrubbed
def check_quotes(work: Work) -> None:
    """Find every quote at its address in the archive."""
    passed, refused = work.run.check_quotes()
    say(f"4/9 check quotes: {passed:,} observations stand word for word in the archive, {refused:,} refused")


@task(name="cluster", task_run_name="find patterns", **_STEP)
@scrubbed
def cluster(work: Work) -> None:
    """Bring together what distinct sessions say alike."""
    say(
        f"5/9 patterns: {work.run.cluster():,} with support from at least {work.run.request.support} sessions or said outright"
    )


def _drawn(work: Work, key: str, what: str) -> Callable[[int, int], None]:
    """Draws how far a model is with its questions, in some twenty steps; rules are done before it could be looked at."""
    progress: Any = None
    shown = 0.0

    def told(done: int, count: int) -> None:
        nonlocal progress, shown
        percent = 100.0 * done / count
        if progress is None:
            progress, shown = create_progress_artifact(percent, key=key, description=what), percent
        elif percent - shown >= _STEP_PERCENT or done == count:
            update_progress_artifact(progress, percent)
            shown = percent

    return told if work.run.engine.model else lambda _done, _count: None


@task(name="propose", task_run_name="prune and propose", **_STEP)
@scrubbed
def propose(work: Work) -> None:
    """Hold the patterns against every entry of the store."""
    told = _drawn(work, "dream-patterns", "Patterns weighed")
    say(f"6/9 prune and propose: {work.run.propose(told):,} changes")


@task(name="refute", task_run_name="refute", **_STEP)
@scrubbed
def refute(work: Work) -> None:
    """Try every change against its full sources; what they do not carry is refused."""
    tried, refused = work.run.refute(_drawn(work, "dream-tried", "Changes tried against their sources"))
    say(f"7/9 refute: {tried:,} changes tried against their full sources, {refused:,} refused")


@task(name="verify", task_run_name="check invariants", **_STEP)
@scrubbed
def verify(work: Work) -> None:
    """Balance the ledger, guard against loss and secrets."""
    refused = work.run.verify()
    say(
        f"8/9 invariants: ledger balances over {len(work.run.ledger.lines):,} entries, {refused:,} changes refused"
    )


@task(name="replay", task_run_name="replay {probe}, {memory}", **_STEP)
@scrubbed
def replay_probe(work: Work, probe: str, memory: str) -> None:  # noqa: ARG001 - they name the run
    """Run a probe with one memory, as often as it repeats."""
    work.probe_runs = work.probe_work()
    say("    " + ", ".join(run.result + (" (known)" if run.is_known else "") for run in work.probe_runs))


@task(name="finish", task_run_name="commit or hold", **_STEP)
@scrubbed
def finish(work: Work) -> None:
    """Save the dream; commit what the policy lets through, hold the rest."""
    work.report = work.run.finish()


@task(name="settle", task_run_name="commit or hold", **_STEP)
@scrubbed
def settle(work: Work) -> None:
    """Commit what an earlier run of the same dream was to commit and did not live to."""
    work.report = work.run.settle()


@task(name="report", task_run_name="report", **_STEP)
@scrubbed
def publish(work: Work) -> None:
    """Lay the diff with its quotes, the ledger and the coverage on the run's page."""
    report = work.report
    slug = _pages.slug(report.dream.store_name)
    _pages.lay_markdown(markdown(report), key=f"dream-{slug}", description=f"Dream {report.dream.dream_id}")
    _pages.lay_table(changes_table(report), key=f"dream-{slug}-changes", description="Proposed changes")
    _pages.lay_table(
        ledger_table(report), key=f"dream-{slug}-ledger", description="What became of every entry"
    )


@task(name="draw", task_run_name="draw pictures", **_STEP)
@scrubbed
def draw(work: Work) -> None:
    """Lay what recurs over time, and what was read and spent, on the run's page."""
    dream = work.report.dream
    _pages.lay_markdown(
        dream_markdown(work.run.home, dream),
        key=f"dream-{_pages.slug(dream.store_name)}-pictures",
        description=f"Pictures of dream {dream.dream_id}",
    )


@task(name="call a reviewer", task_run_name="call a reviewer", **_STEP)
@scrubbed
def call_reviewer(work: Work, home: str) -> str:
    """Have a run of the deployment `review/review` wait for a person with a form. Returns its page; "" where it has none."""
    dream_id = work.report.dream.dream_id
    with get_client(sync_client=True) as client:
        try:
            found = client.read_deployment_by_name("review/review").id
        except ObjectNotFound:
            say(f"    review: nothing is deployed as review/review; `agentflows review show {dream_id}`")
            return ""
        waiting = _waiting_reviews(client, found, home)
        run = next(
            (one for one in waiting if _dream_of(one) == dream_id), None
        ) or client.create_flow_run_from_deployment(
            found,
            parameters={"dream_id": dream_id} | ({"home": home} if home else {}),
            name=f"review · {dream_id}",
        )
        _withdraw(client, work, waiting)
    say(f"    review: the run {run.name!r} waits for a person: press Resume there")
    return url_for(run) or ""


def _waiting_reviews(client: SyncPrefectClient, deployment_id: UUID, home: str) -> list[FlowRun]:
    """The runs that wait for a person, or will in a moment, over the same home."""
    runs = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(
                type=FlowRunFilterStateType(any_=[StateType.PAUSED, StateType.SCHEDULED])
            )
        ),
    )
    return [run for run in runs if run.parameters.get("home", "") == home]


def _dream_of(run: FlowRun) -> str:
    """The dream that a review is about. One that was started for the newest has it in its name, once it waits."""
    named = re.search(r"drm_\w+$", run.name)
    return run.parameters.get("dream_id") or (named[0] if named else "")


def _withdraw(client: SyncPrefectClient, work: Work, waiting: Sequence[FlowRun]) -> None:
    """Cancel the reviews of dreams of which nothing waits any more: they ask for nothing."""
    state = work.run.home.state
    known = {dream.dream_id for dream in state.dreams()}
    for run in waiting:
        dream_id = _dream_of(run)
        if (
            run.state is not None
            and run.state.is_paused()
            and dream_id in known
            and not held(state, dream_id)
        ):
            over = Cancelled(
                message="Nothing of this dream waits any more: a later one proposes it, or it was decided."
            )
            client.set_flow_run_state(run.id, over, force=True)


def _call_for_review(work: Work, home: str) -> None:
    """Where changes are held and nobody sits at a terminal: a run of a deployment, or a part of one."""
    is_attended = not deployment.get_id() and not flow_run.get_parent_flow_run_id()
    count = sum(change.status == "held" for change in work.report.changes)
    if is_attended or not count:
        return
    page = call_reviewer(work, home)
    if page:  # an artifact of the run itself, not of a task: it stands first on the page
        text = f"Decide on {count} held {'change' if count == 1 else 'changes'}"
        key = f"decide-{work.report.dream.dream_id.replace('_', '-')}"
        create_link_artifact(page, text, key=key, description=f"{text}: press Resume")


def _answered(work: Work, what: str) -> bool:
    """Whether what is to be asked in batches was answered; nothing is where calls are interactive."""
    if work.run.request.calls == "interactive" or not work.run.engine.model:
        return True
    count = hand_in(work, what)
    if not count:
        return True
    say(f"    {count:,} questions are with the endpoint, to be answered within a day")
    return collect(work, what)


def _review_sessions(work: Work) -> bool:
    unread, batches = work.run.recall(), len(work.run.pending)
    say(
        f"3/9 review: {unread:,} sessions to read in {batches} {'batch' if batches == 1 else 'batches'}, {work.run.from_cache:,} known from earlier"
    )
    if not unread:
        return True
    if not _answered(work, "sessions"):
        return False
    progress = create_progress_artifact(0.0, key="dream-sessions", description="Sessions reviewed")

    def told(left: int) -> None:
        update_progress_artifact(progress, 100.0 * (unread - left) / unread)  # pyright: ignore[reportArgumentType]
        say(f"    reviewed {unread - left:,}/{unread:,}")

    if work.dispatch != "tasks":
        # A file of the same project, wherever that is: flows are loaded by path. It is no task: its parts are.
        elsewhere = load_module("dream_batch", Path(__file__).resolve().parents[1])
        elsewhere.read_elsewhere(work.run, work.dispatch, work.home, told)
    for number in range(1, len(work.run.pending) + 1):
        extract(work, number)
        told(sum(map(len, work.run.pending[number:])))
    return True


def _replay(work: Work) -> None:
    """Run the probes, one task for each with each memory; nothing happens where there are none."""
    progress: Any = None
    done, least = 0, 2 * len(work.run.probes)  # where one flips, others follow that look for the reason

    def each(probe: str, memory: str, run: Callable[[], Sequence[ProbeRun]]) -> Sequence[ProbeRun]:
        nonlocal progress, done
        progress = progress or create_progress_artifact(
            0.0, key="dream-probes", description="Probes replayed"
        )
        say(f"    probe {probe} with the {memory}")
        work.probe_work = run
        replay_probe(work, probe, memory)
        done += 1
        update_progress_artifact(progress, 100.0 * min(done, least) / least)
        return work.probe_runs

    if line := work.run.replay(each):
        say(f"    {line}")


def _postponed(work: Work) -> dict[str, Any]:
    """End as `pending`: the same command, or the next scheduled run, goes on."""
    work.run.postpone()
    work.report = work.run.report()
    publish(work)
    say("The longest wait is over and answers are still to come: run again later, and it goes on.")
    return summary_json(work.report)


def _tell(work: Work, counts: dict[str, Any]) -> None:
    """Events for automations to act on: what waits for a person, and what a budget left undone.

    Once for each time that a dream came to its end, by whichever run lives to say it.
    """
    state, dream = work.run.home.state, work.report.dream
    key = f"told:{dream.dream_id}:{dream.ended_at}"
    if state.cached([key]):
        return
    if counts["held"]:
        emit_event(**changes_held(counts["dream_id"], counts["store"], counts["held"]))
    if work.run.is_cut_short:
        _tell_budget(work.report)
    state.cache({key: "told"})


def _tell_budget(report: DreamReport) -> None:
    cost, name = report.cost, report.dream.dream_id
    emit_event(**budget_reached("dream", name, tokens=cost.usage.total, dollars=cost.dollars))


def _begun(home: Home, request: DreamRequest) -> DreamRun:
    """The dream begun; an event where its budget refuses it."""
    try:
        return DreamRun.start(home, request)
    except BudgetError:
        given = request.budget
        emit_event(
            **budget_refused("dream", "store", request.store, tokens=given.tokens, dollars=given.dollars)
        )
        raise


@flow(
    name="dream",
    flow_run_name="dream · {store}",
    persist_result=False,
    result_serializer=_PLAIN,
    version=version_of(__file__),
)
@scrubbed
def dream(
    store: Annotated[str, titled("Memory store", min_length=1)] = "team",
    engine: Annotated[Literal["auto", "rules", "claude"], titled("Engine")] = "auto",
    commit: Annotated[Literal["review", "auto"], titled("Commit")] = "review",
    budget: Annotated[Budget, titled("Budget")] = Budget(),
    instructions: Annotated[str, titled("Instructions", max_length=4096)] = "",
    sessions: Annotated[SessionFilter, titled("Sessions")] = SessionFilter(),
    support: Annotated[int, titled("Sessions that must agree", ge=1)] = 2,
    calls: Annotated[Literal["interactive", "batch", "auto"], titled("Calls")] = "interactive",
    read_at_most: Annotated[int, titled("Read at most", ge=0)] = 0,
    model: Annotated[str, titled("Model")] = "",
    output: Annotated[Literal["update_existing", "create_new"], titled("Output")] = "update_existing",
    probes: Annotated[str, titled("Folder of probes")] = "",
    replay_budget: Annotated[Budget, titled("Budget of the probes")] = Budget(),
    dispatch: Annotated[Dispatch, titled("Who reads the sessions")] = "tasks",
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Review past sessions beside a memory store and propose what it should say, with proof.

    Args:
        store: The store to dream over. It is created empty when it does not exist.
        engine: rules is free; claude asks a model, which costs money; auto is claude where a key or endpoint is configured.
        commit: review holds every change for a person; auto commits what is safe and holds the rest.
        budget: Ceilings for this run. What fits is read, chosen by what it shows; where nothing fits, nothing starts.
        instructions: What to look for or leave out, in words, up to 4,096 characters.
        sessions: Which sessions to read. All of them when left as it is.
        support: How many distinct sessions must say the same before it is proposed.
        calls: interactive asks now; batch is answered within a day, at half the price at Anthropic's endpoint; auto takes batches where there is much to ask.
        read_at_most: Sessions to read anew, chosen by what they show; 0 is as many as the budget allows.
        model: The model of the claude engine; empty takes AGENTFLOWS_MODEL.
        output: update_existing writes new versions of this store; create_new writes to a copy of it.
        probes: A folder of probes to run with the changed memory; what makes one fail waits. Empty takes AGENTFLOWS_PROBES.
        replay_budget: Ceilings of running the probes; what they spend counts for the budget of the run too.
        dispatch: tasks reads in this process; deployment sends parts to the work pool, as runs of dream-batch; dask uses a Dask cluster.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.

    Returns:
        The dream's id, status and counts. The report itself is in the state database and on this page.
    """
    with open_home(home or None) as doors:
        request = DreamRequest(
            store=store,
            sessions=sessions,
            engine=engine,
            model=model,
            commit=commit,
            output=output,
            instructions=instructions,
            budget=budget,
            support=support,
            read_at_most=read_at_most,
            calls=calls,
            probes=probes,
            replay_budget=replay_budget,
        )
        run = _begun(doors, request)
        work = Work(run, dispatch, home)
        snapshot(work)
        if run.earlier is not None:
            say(f"The same dream was dreamt before ({run.dream.dream_id}): nothing is done twice.")
            settle(work)
            publish(work)
            draw(work, return_state=True)
            counts = summary_json(work.report)
            _tell(work, counts)
            _call_for_review(work, home)
            return counts
        try:
            mine(work, len(run.infos))
            if not _review_sessions(work):
                return _postponed(work)
            check_quotes(work)
            cluster(work)
            if not _answered(work, "patterns"):
                return _postponed(work)
            propose(work)
            refute(work)
            verify(work)
            _replay(work)
            finish(work)
        except BaseException as error:
            if isinstance(error, BudgetError):
                _tell_budget(run.report())
            run.fail(error)
            raise
        publish(work)
        draw(
            work, return_state=True
        )  # what is saved already is not failed by a picture: its own task run says why
        counts = summary_json(work.report)
        _tell(work, counts)
        _call_for_review(work, home)
        say(
            f"9/9 done: {counts['held']} held for review, {counts['committed']} committed, {counts['refused']} refused by gates"
        )
        return counts


if __name__ == "__main__":
    dream()
