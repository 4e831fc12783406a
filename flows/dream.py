"""Dream: archive + store → changes with their proof, committed or held for review.

Each step of a dream is a task here; what a step does stands in `agentflows.dreaming`. Steps hand their work
on through one `DreamRun`, so that no content becomes a Prefect parameter, result or event.
"""

from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from pydantic import Field

from agentflows.change import Budget, DreamReport
from agentflows.dream import changes_table, ledger_table, markdown, summary_json
from agentflows.dreaming import DreamRequest, DreamRun, SessionFilter
from agentflows.home import open_home

# A step keeps nothing in Prefect: what must not be paid twice is in our own database (DECISIONS.md).
_STEP: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retries": 0}


def say(text: str) -> None:
    """One progress line: in the run's log, and in the terminal when the command line runs the flow."""
    get_run_logger().info(text, extra={"progress": True})


@task(name="snapshot", task_run_name="snapshot store and select sessions", **_STEP)
def snapshot(run: DreamRun) -> None:
    """Say what was frozen and chosen; the freezing itself names the run, so it came first."""
    say(
        f"1/8 snapshot: store {run.store.name!r} version {run.store.version}, {len(run.entries())} entries; "
        f"{len(run.infos):,} of {run.archived:,} sessions selected; engine {run.why_engine}"
    )


@task(name="mine", task_run_name="mine {count} sessions", **_STEP)
def mine(run: DreamRun, count: int) -> None:  # noqa: ARG001 - names the run
    """Ask the archive's pattern queries."""
    say(f"2/8 mine: {run.mine():,} signals from the archive's pattern queries")


@task(name="extract", task_run_name="review sessions · batch {number}", **_STEP)
def extract(run: DreamRun, number: int) -> int:
    """Review one batch of sessions; each is kept as soon as it is read."""
    return run.extract(number)


@task(name="check quotes", task_run_name="check quotes", **_STEP)
def check_quotes(run: DreamRun) -> None:
    """Find every quote at its address in the archive."""
    passed, refused = run.check_quotes()
    say(f"4/8 check quotes: {passed:,} observations stand word for word in the archive, {refused:,} refused")


@task(name="cluster", task_run_name="find patterns", **_STEP)
def cluster(run: DreamRun) -> None:
    """Bring together what distinct sessions say alike."""
    say(
        f"5/8 patterns: {run.cluster():,} with support from at least {run.request.support} sessions or said outright"
    )


@task(name="propose", task_run_name="prune and propose", **_STEP)
def propose(run: DreamRun) -> None:
    """Hold the patterns against every entry of the store."""
    say(f"6/8 prune and propose: {run.propose():,} changes")


@task(name="verify", task_run_name="check invariants", **_STEP)
def verify(run: DreamRun) -> None:
    """Balance the ledger, guard against loss and secrets."""
    refused = run.verify()
    say(
        f"7/8 invariants: ledger balances over {len(run.ledger.lines):,} entries, {refused:,} changes refused"
    )


@task(name="finish", task_run_name="commit or hold", **_STEP)
def finish(run: DreamRun) -> DreamReport:
    """Save the dream; commit what the policy lets through, hold the rest."""
    return run.finish()


@task(name="settle", task_run_name="commit or hold", **_STEP)
def settle(run: DreamRun) -> DreamReport:
    """Commit what an earlier run of the same dream was to commit and did not live to."""
    return run.settle()


@task(name="report", task_run_name="report", **_STEP)
def publish(report: DreamReport) -> None:
    """Lay the diff with its quotes, the ledger and the coverage on the run's page."""
    name = report.dream.store_name.lower().replace("_", "-")
    slug = "".join(char if char.isalnum() or char == "-" else "-" for char in name).strip("-") or "store"
    create_markdown_artifact(
        markdown(report), key=f"dream-{slug}", description=f"Dream {report.dream.dream_id}"
    )
    if report.changes:
        create_table_artifact(
            changes_table(report), key=f"dream-{slug}-changes", description="Proposed changes"
        )
    if report.ledger.lines:
        create_table_artifact(
            ledger_table(report), key=f"dream-{slug}-ledger", description="What became of every entry"
        )


def _review_sessions(run: DreamRun) -> None:
    unread, batches = run.recall(), len(run.pending)
    say(
        f"3/8 review: {unread:,} sessions to read in {batches} batches, {run.from_cache:,} known from earlier"
    )
    if not unread:
        return
    progress = create_progress_artifact(0.0, key="dream-sessions", description="Sessions reviewed")
    done = 0
    for number, batch in enumerate(run.pending, 1):
        extract(run, number)
        done += len(batch)
        update_progress_artifact(progress, 100.0 * done / unread)  # pyright: ignore[reportArgumentType]
        say(f"    reviewed {done:,}/{unread:,}")


@flow(
    name="dream",
    flow_run_name="dream · {store}",
    persist_result=False,
    log_prints=False,
    validate_parameters=True,
)
def dream(
    store: Annotated[
        str, Field(title="Memory store", description="Created empty when it does not exist")
    ] = "team",
    sessions: Annotated[SessionFilter, Field(title="Which sessions")] = SessionFilter(),
    engine: Annotated[
        Literal["auto", "rules", "claude"],
        Field(title="Engine", description="auto: claude when a key or endpoint is configured, else rules"),
    ] = "auto",
    commit: Annotated[
        Literal["review", "auto"],
        Field(
            title="Commit", description="review: hold everything; auto: commit what is safe, hold the rest"
        ),
    ] = "review",
    output: Annotated[
        Literal["update_existing", "create_new"],
        Field(title="Output", description="New versions in this store, or a copy of it that gets them"),
    ] = "update_existing",
    instructions: Annotated[
        str, Field(title="Instructions", max_length=4096, description="What to look for")
    ] = "",
    budget: Annotated[Budget, Field(title="Budget")] = Budget(),
    support: Annotated[int, Field(ge=1, title="Support", description="Sessions that must say the same")] = 2,
    model: Annotated[str, Field(title="Model", description="Empty: the one from the settings")] = "",
    home: Annotated[str, Field(title="Home folder", description="Empty: AGENTFLOWS_HOME")] = "",
) -> dict[str, Any]:
    """Review past sessions beside a memory store and propose what it should say, with proof.

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
        )
        run = DreamRun.start(doors, request)
        snapshot(run)
        if run.earlier is not None:
            say(f"The same dream was dreamt before ({run.dream.dream_id}): nothing is done twice.")
            report = settle(run)
            publish(report)
            return summary_json(report)
        try:
            mine(run, len(run.infos))
            _review_sessions(run)
            check_quotes(run)
            cluster(run)
            propose(run)
            verify(run)
            report = finish(run)
        except BaseException as error:
            run.fail(error)
            raise
        publish(report)
        counts = summary_json(report)
        say(
            f"8/8 done: {counts['held']} held for review, {counts['committed']} committed, {counts['refused']} refused by gates"
        )
        return counts


if __name__ == "__main__":
    dream()
