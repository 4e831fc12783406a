"""Nightly: ingest → dream → publish, and a short report of what happened.

The first two are the flows of those names, run as sub-flows. A step that this very run has finished is written down in
the state database under the run's id, so a run that is started again goes on where it died, and no step is known by
the order of its call.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.serializers import JSONSerializer

from agentflows.change import Budget
from agentflows.deployments import version_of
from agentflows.errors import AgentflowsError, NotFoundError
from agentflows.escape import inline
from agentflows.form import titled
from agentflows.home import Home, open_home
from agentflows.notices import PART
from agentflows.project import load_flow, load_helper
from agentflows.publishing import folder_of
from agentflows.publishing import publish as publish_store
from agentflows.scrubbing import scrubbed

_ROOT = Path(__file__).resolve().parents[1]
STEPS = ("ingest", "dream", "publish")


_pages = load_helper("_pages", Path(__file__).resolve().parents[1])
_PLAIN = JSONSerializer(object_encoder="agentflows.errors.kind_of", object_decoder=None)
"""What Prefect keeps of a failure: its kind, as plain JSON. Its default is pickle, which runs code when it is read."""


class Night:
    """What the steps share, and what became of each. A plain object, so that Prefect records none of it."""

    def __init__(self, home: Home, store: str) -> None:
        self.home = home
        self.store = store
        self.told: dict[str, str] = {}
        """Step → one line."""
        self.done: dict[str, dict[str, Any]] = {}
        """Step → ids and counts."""
        self.error: Exception | None = None
        """The first that ended a step; …"""
        self.failed = ""
        """… and which step that was."""

    def step(
        self, name: str, work: Callable[[], dict[str, Any]], line: Callable[[dict[str, Any]], str]
    ) -> None:
        """Do one step, unless this run has done it; what goes wrong is kept, to be raised when the night is over."""
        key = f"night:{flow_run.get_id()}:{name}"
        try:
            known = self.home.state.cached([key])
            found = json.loads(known[key]) if key in known else work()
            if name != "publish" and found.get("status") != "pending":
                self.home.state.cache({key: json.dumps(found)})
        except Exception as error:  # noqa: BLE001 - raised again at the end, when what can still be done is done
            ours = isinstance(error, AgentflowsError)  # the words of another error may hold anything
            self.told[name] = f"failed: {' '.join(str(error).split()) if ours else type(error).__name__}"
            self.error, self.failed = self.error or error, self.failed or name
        else:
            self.done[name] = found
            self.told[name] = line(found) + (" (before this run was started again)" if key in known else "")
        say(f"{name}: {self.told[name]}")

    def skip(self, name: str, why: str) -> None:
        """Say why a step is not done."""
        self.told[name] = f"not done: {why}"
        say(f"{name}: {self.told[name]}")


def say(text: str) -> None:
    """One progress line: in the run's log, and in the terminal when the command line runs the flow."""
    get_run_logger().info(text, extra={"progress": True})


@task(name="publish", task_run_name="publish {store}", cache_policy=NO_CACHE, persist_result=False)
@scrubbed
def publish(night: Night, store: str, folder: str) -> dict[str, Any]:
    """Write the store's files into the folder that agents mount."""
    done = publish_store(night.home, store, folder)
    return {
        "line": done.line,
        "version": done.version,
        "files": done.files,
        "written": len(done.written),
        "removed": len(done.removed),
    }


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, persist_result=False)
@scrubbed
def report(night: Night) -> None:
    """Lay what happened on the run's page, with what there is to do."""
    _pages.lay_markdown(
        markdown(night), key=f"nightly-{_pages.slug(night.store)}", description=f"Night of {night.store}"
    )


def markdown(night: Night) -> str:
    """The night as a page: each step in a line, then what a person is to do."""
    rows = "\n".join(f"| {name} | {inline(night.told[name])} |" for name in STEPS)
    dream = night.done.get("dream", {})
    todo: list[str] = []
    if dream.get("held"):
        out = "the next night publishes what you approve, `agentflows memory publish` at once"
        if "publish" not in night.done and night.failed != "publish":
            out = "what you approve goes out once *Publish to* or AGENTFLOWS_PUBLISH names a folder"
        todo.append(
            f"**{dream['held']} changes wait for you.** Press *Resume* on the run `review · …` that waits (where none does, run the "
            f"deployment `review`), or `agentflows review show {dream['dream_id']}`; {out}."
        )
    if night.failed:
        todo.append(
            f"**The night failed at {night.failed}.** Mend what the line says; then retry this run, or wait for the next "
            "night: it goes on from here, and nothing is done or paid twice."
        )
    return (
        f"# Night of {inline(night.store)}\n\n| step | what happened |\n|---|---|\n{rows}\n\n"
        + "\n\n".join(todo or ["Nothing is to be done."])
    )


def _ingest_line(found: dict[str, Any]) -> str:
    aside = f", {found['quarantined']:,} lines set aside" if found["quarantined"] else ""
    files = f"{found['files']:,} files ({found['unchanged_files']:,} seen before)"
    return f"{files}: {found['added']:,} sessions added, {found['grown']:,} grown{aside}"


def _dream_line(found: dict[str, Any]) -> str:
    if found["status"] == "pending":
        return f"{found['dream_id']} waits for answers; the next night goes on with it"
    unread = f", {found['sessions_unread']:,} left for another night" if found["sessions_unread"] else ""
    return (
        f"{found['dream_id']}: {found['held']:,} changes held, {found['committed']:,} committed; "
        f"{found['sessions_read']:,} sessions read or known{unread}; ${found['dollars']:,.2f}"
    )


@flow(
    name="nightly",
    flow_run_name="nightly · {store}",
    persist_result=False,
    result_serializer=_PLAIN,
    version=version_of(__file__),
)
@scrubbed
def nightly(
    store: Annotated[str, titled("Memory store", min_length=1)] = "team",
    logs: Annotated[str, titled("Session logs", min_length=1)] = "~/.claude/projects",
    publish_to: Annotated[str, titled("Publish to")] = "",
    engine: Annotated[Literal["auto", "rules", "claude"], titled("Engine")] = "rules",
    commit: Annotated[Literal["review", "auto"], titled("Commit")] = "review",
    budget: Annotated[Budget, titled("Budget")] = Budget(),
    instructions: Annotated[str, titled("Instructions", max_length=4096)] = "",
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Read new session logs, dream over the archive, and publish the store for agents to mount.

    Args:
        store: The store to dream over and to publish. It is created empty when it does not exist.
        logs: The folder of session logs. What was read before is passed over.
        publish_to: The folder that agents mount; empty takes what AGENTFLOWS_PUBLISH says of the store, and where that says nothing, nothing is published.
        engine: rules is free; claude asks a model, which costs money; auto is claude where a key or endpoint is configured.
        commit: review holds every change for a person; auto commits what is safe and holds the rest.
        budget: Ceilings for the dream; empty is no ceiling.
        instructions: What the dream is to look for or leave out.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.

    Returns:
        Ids and counts of each step that was done.
    """
    with open_home(home or None) as doors:
        night = Night(doors, store)

        def part(name: str, **given: Any) -> dict[str, Any]:
            with tags(PART):
                return load_flow(name, _ROOT)(home=home, **given)

        night.step("ingest", lambda: part("ingest", path=logs), _ingest_line)
        if night.failed:
            night.skip("dream", "the new sessions could not be read")
        elif not doors.archive.stats().sessions:
            night.skip("dream", f"the archive is empty, and {logs} holds no session")
        else:
            options = {"engine": engine, "commit": commit, "budget": budget, "instructions": instructions}
            night.step("dream", lambda: part("dream", store=store, **options), _dream_line)
        _publish(night, publish_to)
        report(night)
        if night.error:
            raise AgentflowsError(_failure(night)) from night.error
        return night.done


def _publish(night: Night, folder: str) -> None:
    """What was approved since the last night goes out, whatever became of this one's dream."""
    try:
        night.home.state.get_store(night.store)
    except NotFoundError:
        night.skip("publish", "there is no store yet")
        return
    place = folder_of(night.home, night.store, folder)
    if not place:
        night.skip("publish", "neither this run nor AGENTFLOWS_PUBLISH names a folder for the store")
        return
    night.step("publish", lambda: publish(night, night.store, place), lambda found: found["line"])


def _failure(night: Night) -> str:
    done = [name for name in STEPS if name in night.done]
    return (
        f"The night failed at {night.failed}: {night.told[night.failed].removeprefix('failed: ')} "
        f"(done: {', '.join(done) or 'nothing'}). A retry of this run, or the next night, goes on; nothing is done twice."
    )


if __name__ == "__main__":
    nightly()
