"""Work until a rubric is satisfied: draft, grade, revise, within a stated number of revisions.

The deed opens no door: what drafts, what grades, what runs a command and what asks a model come in as callables.
"""

from agentflows.outcome.checks import Ran, Shell, run_check

__all__ = ["Ran", "Shell", "run_check"]
