"""The named questions asked of many sessions, each one a documented SQL query.

Support is always counted in distinct root sessions: a session and its sub-agents are one. `origins` counts
native events, so that a turn copied into a resumed session is one; believe the smaller of the two.
Addresses are `session_id#seq`.
"""

from agentflows.archive.patterns.errors import ERROR_FIXES, ERROR_SIGNATURES, RETRY_LOOPS
from agentflows.archive.patterns.facts import FACTS_OVER_TIME
from agentflows.archive.patterns.outcomes import FAILED_CHECKS, OUTCOME_FEATURES
from agentflows.archive.patterns.users import REPEATED_REQUESTS, USER_CORRECTIONS
from agentflows.archive.patterns.work import COST_OUTLIERS, SESSION_COSTS, TOOL_SEQUENCES, TOOL_USAGE

PATTERNS = (
    ERROR_SIGNATURES,
    ERROR_FIXES,
    RETRY_LOOPS,
    USER_CORRECTIONS,
    REPEATED_REQUESTS,
    TOOL_SEQUENCES,
    OUTCOME_FEATURES,
    FAILED_CHECKS,
    COST_OUTLIERS,
    FACTS_OVER_TIME,
    TOOL_USAGE,
    SESSION_COSTS,
)
"""All of them, in the order in which they are told."""

__all__ = ["PATTERNS"]
