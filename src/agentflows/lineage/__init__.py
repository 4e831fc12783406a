"""Lineage: why an entry says what it says, and what is left of a store without one session.

explain(…)          from an entry to the changes, decisions and quotes it rests on
forget(…)           all that rests on one session goes, in one transaction; `plan_forget` only says what would
find_entries(…)     the entry that a person means: by id, path, or words of it
"""

from agentflows.lineage.forgetting import (
    EntryFate,
    Forgotten,
    StoreForgotten,
    WaitingFate,
    forget,
    plan_forget,
)
from agentflows.lineage.naming import find_entries, find_entry, find_pin
from agentflows.lineage.records import Records
from agentflows.lineage.why import ContextTurn, Link, QuoteInContext, Why, Written, explain

__all__ = [
    "ContextTurn",
    "EntryFate",
    "Forgotten",
    "Link",
    "QuoteInContext",
    "Records",
    "StoreForgotten",
    "WaitingFate",
    "Why",
    "Written",
    "explain",
    "find_entries",
    "find_entry",
    "find_pin",
    "forget",
    "plan_forget",
]
