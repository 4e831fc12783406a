"""Teams, their threads, and the plans they carry out: words, and the files people write them in."""

from agentflows.team.plan_file import parse_plan, read_plan, render_plan
from agentflows.team.words import (
    LEAD,
    MAX_SPECIALISTS,
    MAX_THREADS,
    ChangeKind,
    Ending,
    FileChange,
    JobStatus,
    Message,
    Orchestration,
    Plan,
    SubTask,
    Team,
    TeamLimits,
    Thread,
    ThreadStatus,
    ThreadTurn,
)

__all__ = [
    "LEAD",
    "MAX_SPECIALISTS",
    "MAX_THREADS",
    "ChangeKind",
    "Ending",
    "FileChange",
    "JobStatus",
    "Message",
    "Orchestration",
    "Plan",
    "SubTask",
    "Team",
    "TeamLimits",
    "Thread",
    "ThreadStatus",
    "ThreadTurn",
    "parse_plan",
    "read_plan",
    "render_plan",
]
