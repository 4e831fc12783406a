"""Plans: sub-tasks in the order their needs allow, and a live run written down as one."""

from collections.abc import Mapping, Sequence

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
    waiting = [task for task in plan.subtasks if crew.turn_of(task.subtask_id) is None]
    over = 0
    while True:
        _archive_done(waiting, crew)
        was_idle = crew.is_idle
        left = _send_ready(waiting, crew)
        is_stuck = was_idle and len(left) == len(waiting) and not crew.stopped
        waiting = _without_room(left, crew) if left and is_stuck else left
        if crew.stopped or (not waiting and crew.is_idle):
            break
        over += len(crew.wait(past=over))
    _archive_done(waiting, crew)
    crew.settle()


def _send_ready(waiting: Sequence[SubTask], crew: Crew) -> list[SubTask]:
    """Begin, all together, or skip what can be; the rest comes back."""
    left: list[SubTask] = []
    ready: list[tuple[SubTask, str]] = []
    room, is_stopped = crew.room, bool(crew.stopped)
    for task in waiting:
        needed = _needed(task, crew)
        if is_stopped or (room <= 0 and not task.follows):
            left.append(task)
        elif broken := _broken(needed):
            crew.skip(task, broken)
        elif all(_is_over(turn) for turn in needed.values()):
            followed = needed.get(task.follows)
            ready.append((task, followed.thread_id if followed else ""))
            room -= not followed
        else:
            left.append(task)
    if ready:
        crew.send_all(ready)
    return left


def _needed(task: SubTask, crew: Crew) -> dict[str, ThreadTurn | None]:
    return {name: crew.turn_of(name) for name in (*task.needs, *([task.follows] if task.follows else []))}


def _without_room(waiting: Sequence[SubTask], crew: Crew) -> list[SubTask]:
    """Nothing runs and nothing could begin: the threads that exist wait for follow-ups that wait for this one."""
    first = next(task for task in waiting if not task.follows)
    kept = ", ".join(thread.thread_id for thread in crew.present)
    crew.skip(
        first, f"there is no place for another thread: {kept} must stay for follow-ups. Raise max_threads."
    )
    return [task for task in waiting if task is not first]


def _broken(needed: Mapping[str, ThreadTurn | None]) -> str:
    for name, turn in needed.items():
        if turn is not None and turn.status == "skipped":
            return f"it needs {name}, which was skipped"
        if turn is not None and turn.status == "ended" and turn.ending in _STOPS:
            return f"it needs {name}, which ended {turn.ending}"
    return ""


def _archive_done(waiting: Sequence[SubTask], crew: Crew) -> None:
    followed = {task.follows for task in waiting if task.follows}
    done = [
        thread.thread_id
        for thread in crew.present
        if all(_is_over(turn) and turn.order.subtask_id not in followed for turn in thread.turns)
    ]
    if done:
        crew.archive(*done)


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
