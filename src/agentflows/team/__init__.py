"""Teams, their threads, and the plans they carry out: words, and the files people write them in."""

from agentflows.team.folder import make_team, read_team
from agentflows.team.plan_file import check_plan, parse_plan, read_plan, render_plan
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
    TeamCaps,
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
    "TeamCaps",
    "TeamLimits",
    "Thread",
    "ThreadStatus",
    "ThreadTurn",
    "check_plan",
    "make_team",
    "parse_plan",
    "read_plan",
    "read_team",
    "render_plan",
]
