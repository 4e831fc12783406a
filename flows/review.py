"""Review: decide on a dream's held changes; what is approved is committed in one transaction."""

from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, Field

from agentflows.dream import markdown
from agentflows.dream.resolving import Answer
from agentflows.errors import UsageError
from agentflows.form import titled
from agentflows.home import open_home
from agentflows.review import ReviewResult, approve, reject
from agentflows.store import State


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

    def __init__(self, state: State) -> None:
        self.state = state


@task(task_run_name="show {dream_id}", cache_policy=NO_CACHE, persist_result=False)
def show(work: Work, dream_id: str) -> None:
    """Lay the waiting changes with their quotes on the run's page."""
    create_markdown_artifact(
        markdown(work.state.dream(dream_id)), key="review", description=f"Dream {dream_id}"
    )


@flow(name="review", flow_run_name="review · {dream_id}", persist_result=False)
def review(
    dream_id: Annotated[str, titled("Dream", pattern=r"^(drm_.+)?$")] = "",
    decision: Annotated[Literal["show", "approve", "reject"], titled("Decision")] = "show",
    only: Annotated[list[str], titled("Only these changes")] = [],
    answers: Annotated[list[FlagAnswer], titled("Answers to flags")] = [],
    reason: Annotated[str, titled("Reason")] = "",
    reviewer: Annotated[str, titled("Your name")] = "",
    home: Annotated[str, titled("Home folder")] = "",
) -> dict[str, Any]:
    """Show, approve or reject the held changes of a dream.

    Args:
        dream_id: The dream, drm_…; empty takes the newest one with held changes.
        decision: show lays the changes with their quotes on the run's page; approve commits; reject remembers.
        only: Numbers or ids of changes; empty means all that are held, but for the flags.
        answers: What you say to flags; each answer is approved and committed like a change.
        reason: Kept on record. A rejection needs one, for later dreams are shown it.
        reviewer: Who decides, on record; empty takes AGENTFLOWS_REVIEWER or the login.
        home: The folder with state and archive; empty takes AGENTFLOWS_HOME.

    Returns:
        What was committed, rejected or refused, and what still waits.
    """
    with open_home(home or None) as doors:
        state = doors.state
        if not dream_id:
            waiting = state.changes(status="held")
            if not waiting:
                message = "No change waits for review."
                raise UsageError(message)
            dream_id = waiting[-1].dream_id
        show(Work(state), dream_id)
        who = doors.actor(reviewer).name
        chosen = only or None
        if decision == "approve":
            result = approve(
                state,
                dream_id,
                reviewer=who,
                only=list(dict.fromkeys([*only, *(item.change for item in answers)])) or None,
                edits={item.change: item.text for item in answers if item.answer == "edit"},
                resolve={item.change: item.answer for item in answers},
                reason=reason,
                scan=doors.secret_in,
            )
        elif decision == "reject":
            result = reject(state, dream_id, reviewer=who, only=chosen, reason=reason)
        else:
            report = state.dream(dream_id)
            held = sum(change.status == "held" for change in report.changes)
            result = ReviewResult(
                dream_id=dream_id, store_name=report.dream.store_name, store_version=None, still_held=held
            )
        get_run_logger().info(
            f"{len(result.committed)} committed, {len(result.rejected)} rejected, {result.still_held} still held",
            extra={"progress": True},
        )
        return result.model_dump(mode="json")


if __name__ == "__main__":
    review()
