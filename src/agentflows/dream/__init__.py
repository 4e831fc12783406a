"""Dreaming: past sessions beside a memory store become changes with proof, step by step, without I/O.

observations = engine.extract(session, hints)       what one session taught
check_observation(…)                                found word for word in the archive, or refused
cluster(…)                                          what independent sessions say alike
propose(…)                                          what that means for the store
cases(…), refute(…)                                 what their full sources do not carry is refused
verify(…), hold(…), build_ledger(…)                 what code guarantees, and what waits for a person
replay(…)                                           what tasks say that are done with the changed memory
apply_changes(…), violations(…)                     the next version, and proof that it is what was approved
markdown(…), summary(…)                             what there is to say about it
"""

from agentflows.dream.apply import apply_changes
from agentflows.dream.cluster import SUPPORT, WITNESSED, cluster
from agentflows.dream.engine import Engine, Hint, Mined, Nomination, Proposal
from agentflows.dream.gates import check_observation, check_pattern
from agentflows.dream.hints import MINED, hints
from agentflows.dream.invariants import Violation, check_invariants, verify, violations
from agentflows.dream.ledger import build_ledger
from agentflows.dream.nominate import EntryIndex, nominate, nominate_pairs
from agentflows.dream.notes import engine_notes
from agentflows.dream.outcomes import outcome_patterns
from agentflows.dream.propose import propose, rehearse
from agentflows.dream.refutation import Tried, refute
from agentflows.dream.remembering import Remembered
from agentflows.dream.replaying import MOST_SEARCHES, count_runs, replay
from agentflows.dream.report import (
    changes_table,
    ledger_table,
    markdown,
    next_commands,
    sample_refusals,
    summary,
    summary_json,
    unread_line,
)
from agentflows.dream.restating import recalled_in
from agentflows.dream.risks import decide_risks, hold, intake_hold, whole_dream_hold
from agentflows.dream.scopes import in_words
from agentflows.dream.shown import diff, in_brief, in_full, place, sides_of, telling
from agentflows.dream.sources import cases

__all__ = [
    "MINED",
    "MOST_SEARCHES",
    "SUPPORT",
    "WITNESSED",
    "Engine",
    "EntryIndex",
    "Hint",
    "Mined",
    "Nomination",
    "Proposal",
    "Remembered",
    "Tried",
    "Violation",
    "apply_changes",
    "build_ledger",
    "cases",
    "changes_table",
    "check_invariants",
    "check_observation",
    "check_pattern",
    "cluster",
    "count_runs",
    "decide_risks",
    "diff",
    "engine_notes",
    "hints",
    "hold",
    "in_brief",
    "in_full",
    "in_words",
    "intake_hold",
    "ledger_table",
    "markdown",
    "next_commands",
    "nominate",
    "nominate_pairs",
    "outcome_patterns",
    "place",
    "propose",
    "recalled_in",
    "refute",
    "rehearse",
    "replay",
    "sample_refusals",
    "sides_of",
    "summary",
    "summary_json",
    "telling",
    "unread_line",
    "verify",
    "violations",
    "whole_dream_hold",
]
