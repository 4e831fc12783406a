"""Review: decide on held changes, and commit what was approved, with who, when and why on record.

held(…), choose(…)      what waits, and which of it is meant
preview(…)              what an approval would do to the store as it is now; writes nothing
approve(…), reject(…)   decide change by change; what was approved is committed in one transaction
commit_by_policy(…)     the same records for what `commit="auto"` lets through
sheet(…), form_page(…)  what waits, by risk or by file, in pages that a person can read
carry_out(…)            what a reviewer's form says, all of it or nothing
"""

from agentflows.errors import ConflictError
from agentflows.review.answering import (
    NOT_ANSWERED,
    Answers,
    Carried,
    Meant,
    Said,
    Seen,
    carry_out,
    meant,
    what_was_done,
)
from agentflows.review.choosing import OPEN, WRITES_NOTHING, choose, editable, held, waiting_flags
from agentflows.review.deciding import ReviewResult, approve, commit_by_policy, reject
from agentflows.review.planning import Plan, Scan, claim_of, preview
from agentflows.review.sheet import GroupBy, Sheet, picked, ranges, risk_of, sheet
from agentflows.review.written import artifact_pages, counts, form_page, overview, question
from agentflows.store import State

__all__ = [
    "NOT_ANSWERED",
    "OPEN",
    "WRITES_NOTHING",
    "Answers",
    "Carried",
    "ConflictError",
    "GroupBy",
    "Meant",
    "Plan",
    "ReviewResult",
    "Said",
    "Scan",
    "Seen",
    "Sheet",
    "State",
    "approve",
    "artifact_pages",
    "carry_out",
    "choose",
    "claim_of",
    "commit_by_policy",
    "counts",
    "editable",
    "form_page",
    "held",
    "meant",
    "overview",
    "picked",
    "preview",
    "question",
    "ranges",
    "reject",
    "risk_of",
    "sheet",
    "waiting_flags",
    "what_was_done",
]
