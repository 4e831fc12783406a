"""Work until a rubric is satisfied: draft, grade, revise, within a stated number of revisions.

The deed opens no door: what drafts, what grades, what runs a command and what asks a model come in as callables.
"""

from agentflows.outcome.checks import Ran, Shell, run_check
from agentflows.outcome.frozen import Frozen, manifest_sha256
from agentflows.outcome.grader import PROMPTS, Ask, Calls, Grader, GradeReply, Grading
from agentflows.outcome.grading import grade
from agentflows.outcome.loop import FINAL, REPEATS, Steps, pursue_loop
from agentflows.outcome.report import grounds, headline, iteration_name, markdown, summary, table
from agentflows.outcome.verdict import best
from agentflows.outcome.waiting import Waiting

__all__ = [
    "FINAL",
    "PROMPTS",
    "REPEATS",
    "Ask",
    "Calls",
    "Frozen",
    "GradeReply",
    "Grader",
    "Grading",
    "Ran",
    "Shell",
    "Steps",
    "Waiting",
    "best",
    "grade",
    "grounds",
    "headline",
    "iteration_name",
    "manifest_sha256",
    "markdown",
    "pursue_loop",
    "run_check",
    "summary",
    "table",
]
