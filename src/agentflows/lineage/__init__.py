"""Lineage: why an entry says what it says, and what is left of a store without one session.

explain(…)          from an entry to the changes, decisions and quotes it rests on
forget(…)           all that rests on one session goes, in one transaction; `plan_forget` only says what would
Ages(…)             when each entry was true, when the store said so, and what took its place
queue(…)            what should be looked at again, why, and in which sessions
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
from agentflows.lineage.rechecking import Recheck, queue
from agentflows.lineage.records import Records
from agentflows.lineage.stood import Stood
from agentflows.lineage.validity import Ages, Validity
from agentflows.lineage.why import ContextTurn, Link, QuoteInContext, Why, Written, explain

__all__ = [
    "Ages",
    "ContextTurn",
    "EntryFate",
    "Forgotten",
    "Link",
    "QuoteInContext",
    "Recheck",
    "Records",
    "Stood",
    "StoreForgotten",
    "Validity",
    "WaitingFate",
    "Why",
    "Written",
    "explain",
    "find_entries",
    "find_entry",
    "find_pin",
    "forget",
    "plan_forget",
    "queue",
]
