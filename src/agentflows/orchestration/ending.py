"""What a turn and a job came to, decided by what exists, never by what an agent says of itself."""

from collections.abc import Iterable, Sequence

from agentflows.evaluation import OutcomeResult, RunEnd
from agentflows.team import Ending, JobStatus, ThreadTurn


def ending_of(
    end: RunEnd,
    *,
    report: str,
    promised: int,
    missing: int,
    changed: int,
    outcome: OutcomeResult | None = None,
) -> Ending:
    """How a turn ended.

    Args:
        end: how the agent's run ended.
        report: its last words.
        promised: patterns of files it was to leave.
        missing: how many of these name no file.
        changed: files it created, changed or deleted.
        outcome: with a rubric, what the outcome loop came to.
    """
    kept = promised - missing
    left = kept > 0 or changed > 0
    if end == "finished" and not missing and outcome in {None, "satisfied"}:
        return "succeeded" if left or report.strip() else "empty"
    if end == "finished" and not left and promised:
        return "empty"  # words about files that do not exist
    if not left and not (end == "finished" and report.strip()):
        return "empty" if end == "finished" else "failed"
    return "partial"


def job_status(
    turns: Sequence[ThreadTurn], *, stopped: str = "", lead_ending: Ending | None = None
) -> JobStatus:
    """What a job came to: by the last turn of every thread, since a follow-up may mend what went wrong before.

    Args:
        turns: all of them, but for the lead's.
        stopped: why it was stopped, if it was.
        lead_ending: of the lead's last turn; None with a plan.
    """
    if stopped:
        return "stopped"
    last = list(_last(turns))
    endings = [turn.ending for turn in last]
    if lead_ending is not None:
        endings.append(lead_ending)
    if not endings or all(ending in {"failed", "empty", None} for ending in endings):
        return "failed"
    return "succeeded" if all(ending == "succeeded" for ending in endings) else "partial"


def _last(turns: Iterable[ThreadTurn]) -> Iterable[ThreadTurn]:
    last: dict[str, ThreadTurn] = {}
    for turn in sorted(turns, key=lambda turn: turn.number):
        last[turn.thread_id] = turn
    return last.values()
