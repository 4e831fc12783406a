"""Plans: sub-tasks in the order their needs allow, and a live run written down as one."""

from collections.abc import Mapping

from agentflows.errors import UsageError
from agentflows.orchestration.crew import Crew
from agentflows.team import LEAD, Orchestration, Plan, SubTask, ThreadTurn

_STOPS = frozenset({"failed", "empty"})


def carry_out(plan: Plan, crew: Crew) -> None:
    """Work through a plan: every sub-task as soon as what it needs has ended, as many at once as may be.

    What needs a sub-task that ended `failed` or `empty` is skipped, and says so. Threads that no later sub-task
    follows are archived, so that a plan may have more sub-tasks than there may be threads.
    """
    crew.resume()
    while True:
        _send_ready(plan, crew)
        _archive_done(plan, crew)
        if crew.stopped or all(_is_over(crew.turn_of(task.subtask_id)) for task in plan.subtasks):
            break
        ended = {(turn.thread_id, turn.number) for turn in crew.turns if turn.status == "ended"}
        crew.wait(known=ended)
    crew.settle()


def _send_ready(plan: Plan, crew: Crew) -> None:
    for task in plan.subtasks:
        if crew.stopped or crew.turn_of(task.subtask_id) is not None:
            continue
        needed = {
            name: crew.turn_of(name) for name in (*task.needs, *([task.follows] if task.follows else []))
        }
        broken = _broken(needed)
        if broken:
            crew.skip(task, broken)
        elif all(_is_over(turn) for turn in needed.values()) and _has_room(crew, task):
            followed = needed.get(task.follows)
            crew.send(task, thread_id=followed.thread_id if followed else "")


def _broken(needed: Mapping[str, ThreadTurn | None]) -> str:
    for name, turn in needed.items():
        if turn is not None and turn.status == "skipped":
            return f"it needs {name}, which was skipped"
        if turn is not None and turn.status == "ended" and turn.ending in _STOPS:
            return f"it needs {name}, which ended {turn.ending}"
    return ""


def _has_room(crew: Crew, task: SubTask) -> bool:
    return bool(task.follows) or crew.has_room


def _archive_done(plan: Plan, crew: Crew) -> None:
    followed = {
        task.follows for task in plan.subtasks if task.follows and crew.turn_of(task.subtask_id) is None
    }
    for thread in crew.threads:
        done = all(turn.status in {"ended", "skipped"} for turn in thread.turns)
        if done and thread.status != "archived" and not {t.order.subtask_id for t in thread.turns} & followed:
            crew.archive(thread.thread_id)


def _is_over(turn: ThreadTurn | None) -> bool:
    return turn is not None and turn.status in {"ended", "skipped"}


def plan_of(job: Orchestration) -> Plan:
    """A job that was led live, as a plan that needs no model to lead: the same turns, each after what the lead knew.

    A sub-task needs those whose reports the lead had when it sent it.

    Raises:
        UsageError: nothing was delegated.
    """
    had: list[str] = []
    names: dict[str, str] = {}
    tasks: list[SubTask] = []
    turns = {(turn.thread_id, turn.number): turn for turn in job.turns if turn.thread_id != LEAD}
    for message in job.messages:
        place = (message.from_thread if message.to_thread == LEAD else message.to_thread, message.turn)
        turn = turns.get(place)
        if turn is None:
            continue
        if message.to_thread == LEAD:
            had.append(names[turn.order.subtask_id])
            continue
        name = turn.thread_id if turn.number == 0 else f"{turn.thread_id}-{turn.number + 1}"
        names[turn.order.subtask_id] = name
        before = turns.get((turn.thread_id, turn.number - 1))
        follows = names.get(before.order.subtask_id, "") if before else ""
        needs = tuple(other for other in had if other != follows)
        tasks.append(turn.order.model_copy(update={"subtask_id": name, "needs": needs, "follows": follows}))
    if not tasks:
        msg = f"The job {job.job_id} delegated nothing, so there is no plan to save."
        raise UsageError(msg)
    return Plan(title=job.title, task=job.task, subtasks=tuple(tasks))
