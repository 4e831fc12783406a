"""Orchestration: a lead or a plan, specialists at work at once, and an end that means something.

Pure steps and callables: who runs a turn, and where its record is kept, is handed in. `Crew` holds the threads of
one job; `carry_out` works through a plan; `Desk` is what a live lead may do, and `lead` sees that it cannot finish
while threads run.
"""

from agentflows.orchestration.crew import Book, Crew, Work
from agentflows.orchestration.desk import Desk
from agentflows.orchestration.ending import ending_of, job_status
from agentflows.orchestration.estimate import Estimate, check_estimate, estimate
from agentflows.orchestration.files import FileState, changes_between, conflicts, is_named, merged, promised
from agentflows.orchestration.leading import lead
from agentflows.orchestration.page import headline, markdown, name_of, not_begun, summary, table, word_of
from agentflows.orchestration.planning import carry_out, plan_of

__all__ = [
    "Book",
    "Crew",
    "Desk",
    "Estimate",
    "FileState",
    "Work",
    "carry_out",
    "changes_between",
    "check_estimate",
    "conflicts",
    "ending_of",
    "estimate",
    "headline",
    "is_named",
    "job_status",
    "lead",
    "markdown",
    "merged",
    "name_of",
    "not_begun",
    "plan_of",
    "promised",
    "summary",
    "table",
    "word_of",
]
