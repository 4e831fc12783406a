"""A job on a page: every thread with its state, outputs, cost and verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentflows.escape import block, code, inline, plain
from agentflows.team import LEAD, FileChange, Orchestration, SubTask, ThreadTurn

_CELL = 200
_REPORT = 1_500


def not_begun(job: Orchestration) -> tuple[SubTask, ...]:
    """Sub-tasks of the plan that nothing was done about: not run, and not skipped either."""
    begun = {turn.order.subtask_id for turn in job.turns}
    return tuple(task for task in job.plan.subtasks if task.subtask_id not in begun) if job.plan else ()


def word_of(turn: ThreadTurn, job: Orchestration) -> str:
    """How the turn ended, or where it stands: `midway` where it began, has not ended, and nobody works on the job."""
    is_left = turn.status == "running" and job.status not in {"pending", "running"}
    return "midway" if is_left else turn.ending or turn.status


def name_of(turn: ThreadTurn, *, is_planned: bool) -> str:
    """What a turn is called in its thread: as the plan has it; what a lead sent has a number, and its words are not shown."""
    return turn.order.subtask_id[:60] if is_planned else f"turn {turn.number}"


def headline(job: Orchestration) -> str:
    """One line: what became of the job."""
    endings: dict[str, int] = {}
    for turn in job.turns:
        if turn.thread_id != LEAD:
            word = word_of(turn, job)
            endings[word] = endings.get(word, 0) + 1
    if left := len(not_begun(job)):
        endings["not begun"] = left
    told = ", ".join(f"{count} {word}" for word, count in sorted(endings.items())) or "no turns"
    cost = f", ${job.dollars:.2f}" if job.dollars else ""
    threads = f"{len(job.threads)} thread{'' if len(job.threads) == 1 else 's'}"
    return f"{job.status}: {threads}, turns: {told}, {job.usage.total:,} tokens{cost}"


def summary(job: Orchestration) -> dict[str, Any]:
    """What the flow returns, and `--json` prints: ids and counts."""
    turns = [turn for turn in job.turns if turn.thread_id != LEAD]
    return {
        "job_id": job.job_id,
        "status": job.status,
        "detail": job.detail,
        "mode": job.mode,
        "threads": len(job.threads),
        "turns": len(turns),
        "endings": {word: sum(turn.ending == word for turn in turns) for word in ("succeeded", "partial", "empty", "failed")},
        "skipped": sum(turn.status == "skipped" for turn in turns),
        "not_begun": len(not_begun(job)),
        "conflicts": sum(change.is_kept_aside for turn in turns for change in turn.changes),
        "tokens": job.usage.total,
        "dollars": round(job.dollars, 6),
    }  # fmt: skip


def table(job: Orchestration) -> list[dict[str, str]]:
    """A row per turn, in the order they began, then one per sub-task that was not begun."""
    rows = sorted(job.turns, key=lambda turn: (turn.started_at is None, turn.started_at, turn.thread_id))
    return [*(_row(turn, job) for turn in rows), *map(_no_row, not_begun(job))]


def _no_row(task: SubTask) -> dict[str, str]:
    names = ("thread", "turn", "outputs", "missing", "changed", "seconds", "tokens", "dollars", "detail")
    return dict.fromkeys(names, "–") | {
        "thread": task.agent,
        "task": plain(task.task, _CELL),
        "ending": "not begun",
    }


def _row(turn: ThreadTurn, job: Orchestration) -> dict[str, str]:
    seconds = (turn.ended_at - turn.started_at).total_seconds() if turn.started_at and turn.ended_at else None
    return {
        "thread": turn.thread_id,
        "turn": str(turn.number),
        "task": plain(turn.order.task, _CELL),
        "ending": word_of(turn, job),
        "outputs": ", ".join(plain(item.path) for item in turn.outputs) or "–",
        "missing": ", ".join(map(plain, turn.missing)) or "–",
        "changed": _changed(turn.changes),
        "seconds": "–" if seconds is None else f"{seconds:.1f}",
        "tokens": f"{turn.usage.total:,}",
        "dollars": f"{turn.dollars:.4f}" if turn.dollars else "–",
        "detail": plain(turn.detail, _CELL),
    }


def _changed(changes: Sequence[FileChange]) -> str:
    if not changes:
        return "–"
    marks: Mapping[str, str] = {"created": "+", "modified": "~", "deleted": "-"}
    told = [
        f"{marks[change.kind]}{plain(change.path)}{' (conflict)' if change.is_kept_aside else ''}"
        for change in changes[:20]
    ]
    return ", ".join(told) + (f" and {len(changes) - 20} more" if len(changes) > 20 else "")


def markdown(job: Orchestration) -> str:
    """The job for people: what came out, then every thread."""
    lines = [
        f"# {inline(job.title)}",
        "",
        f"**{headline(job)}**",
        "",
        f"`{job.job_id}` in {code(job.workspace)}",
        "",
    ]
    if job.detail:
        lines += [f"> {inline(job.detail)}", ""]
    if job.result:
        lines += ["## Result", "", block(job.result[:_REPORT], "text"), ""]
    for thread in job.threads:
        lines += [f"## {inline(thread.thread_id)} · {inline(thread.agent)} · {thread.status}", ""]
        for turn in thread.turns:
            lines += _turn(turn, job)
    if left := not_begun(job):
        lines += [
            "## Not begun",
            "",
            *(f"- {inline(task.subtask_id)} ({inline(task.agent)})" for task in left),
            "",
        ]
    return "\n".join(lines)


def _turn(turn: ThreadTurn, job: Orchestration) -> list[str]:
    lines = [
        f"### Turn {turn.number}: {word_of(turn, job)}",
        "",
        block(turn.order.task[:_REPORT], "text"),
        "",
    ]
    if turn.detail:
        lines += [f"- {inline(turn.detail)}"]
    if turn.outputs:
        lines += [
            "- outputs: "
            + ", ".join(f"{code(item.path)} ({item.size_bytes:,} bytes)" for item in turn.outputs)
        ]
    if turn.missing:
        lines += ["- promised and missing: " + ", ".join(map(code, turn.missing))]
    kept = [change for change in turn.changes if change.is_kept_aside]
    lines += [f"- conflict on {code(change.path)}: this version is kept aside" for change in kept]
    if turn.outcome_id:
        lines += [f"- graded as outcome `{turn.outcome_id}`"]
    if turn.report:
        lines += ["", block(turn.report[:_REPORT], "text")]
    return [*lines, ""]
