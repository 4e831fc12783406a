"""How a job of a team, and one thread of it, look in a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agentflows.cli.output import console, program
from agentflows.marks import one_line, reveal
from agentflows.orchestrating import DONE
from agentflows.orchestration import headline, not_begun, word_of
from agentflows.session import Turn
from agentflows.team import LEAD, Orchestration, SubTask, ThreadTurn

STYLES = {"succeeded": "green", "partial": "yellow", "empty": "yellow", "failed": "red", "skipped": "yellow"}
_SHOWN = 600
"""Characters of a text that are shown without --full."""
_CONFLICTS = 10
"""Conflicts that are named; the others are counted."""


def show_job(job: Orchestration, home: Path | None) -> None:
    """The threads of a job as a table, what it left, and what to do next."""
    console.print(Text(f"Job {job.job_id} · {headline(job)}", style="bold"))
    console.print(Text(f"{one_line(job.title, 100)} · team {job.team} · {job.workspace}", style="dim"))
    if job.detail:
        console.print(Text(reveal(one_line(job.detail, 300)), style="yellow"))
    console.print(_table(job))
    conflicts = list(_conflicts(job))
    for line in conflicts[:_CONFLICTS]:
        console.print(Text(line, style="yellow"))
    if len(conflicts) > _CONFLICTS:
        console.print(Text(f"… {len(conflicts) - _CONFLICTS} more conflicts", style="yellow"))
    if job.result and job.mode == "live":
        console.print()
        console.print(Text(reveal(job.result[:_SHOWN])))
    console.print()
    where = f" --home {home}" if home else ""
    for label, words in _next(job).items():
        console.print(Text(f"{label:<15} {program()} {words}{where}", style="dim"))


def _next(job: Orchestration) -> Mapping[str, str]:
    """What can be done now: the words of each command."""
    first = next((thread.thread_id for thread in job.threads if thread.turns), LEAD)
    found = {"Read a thread:": f"threads {job.job_id} show {first}"}
    if job.status in {"pending", "running"}:
        found["Watch it:"] = f"threads {job.job_id} --watch"
        found["Stop it:"] = f"threads {job.job_id} stop"
    elif job.status not in DONE:
        found["Go on with it:"] = f"orchestrate --resume {job.job_id}"
    if job.mode == "live" and any(turn.thread_id != LEAD for turn in job.turns):
        found["As a plan:"] = f"threads {job.job_id} plan"
    return found


def _conflicts(job: Orchestration) -> Iterator[str]:
    """One line for each version that is not in the workspace: of which file, whose, what it met and where it is."""
    for turn in job.turns:
        for change in turn.changes:
            if not change.is_kept_aside:
                continue
            met = ", ".join(change.conflict_with) or "a version that no thread of this job left"
            place = f".agentflows-conflicts/{turn.thread_id}/{turn.number}/{change.path}"
            left = "its deletion was not done" if change.kind == "deleted" else f"its version is in {place}"
            yield reveal(f"Conflict on {change.path}: {turn.thread_id} met {met}; {left}")


def _table(job: Orchestration) -> Table:
    order = sorted(job.turns, key=lambda turn: (turn.started_at is None, turn.started_at, turn.thread_id))
    return _rows(job, order, not_begun(job))


def _rows(
    job: Orchestration, turns: Sequence[ThreadTurn], left: Sequence[SubTask], *, is_short: bool = False
) -> Table:
    """A row for each; with `is_short` one line for each, cut where the screen ends."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    names = ["thread", "turn", "task", "ending", "left", "seconds", "tokens", "dollars", "why"]
    if not job.usage.total:
        names.remove("tokens")
    if not job.dollars:
        names.remove("dollars")
    for name in names:
        is_prose = name in {"task", "left", "why"}
        table.add_column(
            name, overflow="fold" if is_prose and not is_short else "ellipsis", no_wrap=not is_prose
        )
    for turn in turns:
        cells = _cells(job, turn)
        table.add_row(*(_cell(name, cells[name], is_short=is_short) for name in names))
    for task in left:
        known = {"thread": task.agent, "task": one_line(task.subtask_id, 40), "ending": "not begun"}
        table.add_row(*(Text(reveal(known.get(name, ""))) for name in names))
    return table


def _cells(job: Orchestration, turn: ThreadTurn) -> dict[str, str]:
    left = ", ".join(item.path for item in turn.outputs) or _count(len(turn.changes))
    missing = f"missing: {', '.join(turn.missing)}. " if turn.missing else ""
    return {
        "thread": turn.thread_id,
        "turn": str(turn.number),
        # the sub-task of a plan has a name; what a lead wrote has none
        "task": one_line(turn.order.subtask_id if job.mode == "plan" else turn.order.task, 40),
        "ending": word_of(turn, job),
        "left": left if turn.status == "ended" else "",
        "seconds": _seconds(job, turn),
        "tokens": f"{turn.usage.total:,}",
        "dollars": f"{turn.dollars:.4f}" if turn.dollars else "",
        "why": missing + ("" if turn.ending == "succeeded" else one_line(turn.detail, 80)),
    }


def _seconds(job: Orchestration, turn: ThreadTurn) -> str:
    """How long it took, or, while it is at work, has taken until now."""
    until = turn.ended_at
    if until is None and word_of(turn, job) == "running":
        until = datetime.now(UTC).replace(tzinfo=None)
    return f"{(until - turn.started_at).total_seconds():.1f}" if turn.started_at and until else ""


def _cell(name: str, text: str, *, is_short: bool) -> Text:
    style = STYLES.get(text, "") if name == "ending" else ""
    return Text(
        reveal(text), style=style, no_wrap=is_short or None, overflow="ellipsis" if is_short else None
    )


def _count(changes: int) -> str:
    return f"{changes} file{'' if changes == 1 else 's'} changed"


def view(job: Orchestration, height: int) -> Group:
    """As much of a job as a screen of that height holds: what is at work first, then what ended last."""

    def rank(turn: ThreadTurn) -> tuple[int, float]:
        at = turn.ended_at or turn.started_at
        place = {"running": 0, "ended": 1, "queued": 2}.get(turn.status, 3)
        return place, -at.timestamp() if at else 0.0

    turns = sorted(job.turns, key=rank)
    shown = turns[: max(1, height - 4)]
    parts: list[RenderableType] = [
        Text(headline(job), style="bold", no_wrap=True, overflow="ellipsis"),
        _rows(job, shown, (), is_short=True),
    ]
    if left := len(turns) - len(shown) + len(not_begun(job)):
        parts.append(Text(f"… {left} more", style="dim"))
    return Group(*parts)


# -- one thread --------------------------------------------------------------------------------------


def show_turn(job: Orchestration, turn: ThreadTurn, events: Sequence[Turn], *, full: bool) -> None:
    """What a turn was told, came to, left, cost, and every event of it."""
    word = word_of(turn, job)
    console.print()
    console.print(Text(f"Turn {turn.number}: {word}{_cost(job, turn)}", style=STYLES.get(word, "bold")))
    console.print(Text(f"told: {_cut(turn.order.task, full=full)}", style="dim"))
    if turn.detail:
        console.print(Text(f"why: {reveal(turn.detail)}"))
    for item in turn.outputs:
        console.print(Text(f"  left as promised: {reveal(item.path)} ({item.size_bytes:,} bytes)"))
    for path in turn.missing:
        console.print(Text(f"  promised and missing: {reveal(path)}", style="yellow"))
    for change in turn.changes:
        aside = " (conflict: kept aside)" if change.is_kept_aside else ""
        console.print(Text(f"  {change.kind} {reveal(change.path)}{aside}"))
    if turn.outcome_id:
        console.print(Text(f"  graded: {program()} outcome show {turn.outcome_id}"))
    for event in events:
        style = "red" if event.is_error else ("dim" if event.kind in {"tool_call", "tool_result"} else "")
        label = reveal(f"{event.kind} {event.tool}".strip())
        console.print(Text(f"  [{event.seq}] {label}: {_cut(event.text, full=full)}", style=style))
    if not events and turn.report:
        console.print(Text(_cut(turn.report, full=full)))


def _cost(job: Orchestration, turn: ThreadTurn) -> str:
    """How long, how many calls of tools, and what was spent; "" for nothing of it."""
    seconds = _seconds(job, turn)
    calls = f"{turn.tool_calls} tool call{'' if turn.tool_calls == 1 else 's'}" if turn.tool_calls else ""
    errors = f" ({turn.tool_errors} failed)" if turn.tool_errors else ""
    told = [
        f"{seconds} s" if seconds else "",
        f"{calls}{errors}",
        f"{turn.usage.total:,} tokens" if turn.usage.total else "",
        f"${turn.dollars:.4f}" if turn.dollars else "",
    ]
    return "".join(f" · {part}" for part in told if part)


def _cut(text: str, *, full: bool) -> str:
    shown = reveal(text)
    return (
        shown
        if full or len(shown) <= _SHOWN
        else f"{shown[:_SHOWN]} … ({len(shown) - _SHOWN:,} more: --full)"
    )
