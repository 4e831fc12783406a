"""Review: decide on held changes, and commit what was approved, with who, when and why on record.

held(…), choose(…)      what waits, and which of it is meant
preview(…)              what an approval would do to the store as it is now; writes nothing
approve(…), reject(…)   decide change by change; what was approved is committed in one transaction
commit_by_policy(…)     the same records for what `commit="auto"` lets through
"""

from agentflows.errors import ConflictError
from agentflows.review.choosing import OPEN, WRITES_NOTHING, choose, editable, held, waiting_flags
from agentflows.review.deciding import ReviewResult, approve, commit_by_policy, reject
from agentflows.review.planning import Plan, Scan, claim_of, preview
from agentflows.store import State

__all__ = [
    "OPEN",
    "WRITES_NOTHING",
    "ConflictError",
    "Plan",
    "ReviewResult",
    "Scan",
    "State",
    "approve",
    "choose",
    "claim_of",
    "commit_by_policy",
    "editable",
    "held",
    "preview",
    "reject",
    "waiting_flags",
]
