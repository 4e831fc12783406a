"""The state database: memory stores with every version, dreams, decisions, evidence, caches, budgets, leases.

`State` is the door; SQLite by default, PostgreSQL by URL, the same promises on both: one transaction per
commit, compare-and-swap on what was read, a sha256 checked on every read, an approval used once.
"""

from agentflows.store.abandoned import lease_of
from agentflows.store.batching import BatchAsked
from agentflows.store.binding import said
from agentflows.store.edits import Scan, refuse_secret, secret_brought
from agentflows.store.evidence import Evidence, evidence_of
from agentflows.store.folders import FolderRead, Skipped, import_files, read_folder
from agentflows.store.forgetting import Committed, Forgetful, OpenFate
from agentflows.store.holders import Holder
from agentflows.store.impacts import ImpactFlag, Worse
from agentflows.store.leases import Lease
from agentflows.store.listing import DreamLine
from agentflows.store.opened import StoreRef
from agentflows.store.pins import Pin, pinned_ids, touches_pinned
from agentflows.store.spending import LedgerPurse
from agentflows.store.state import AuditEntry, State

__all__ = [
    "AuditEntry",
    "BatchAsked",
    "Committed",
    "DreamLine",
    "Evidence",
    "FolderRead",
    "Forgetful",
    "Holder",
    "ImpactFlag",
    "Lease",
    "LedgerPurse",
    "OpenFate",
    "Pin",
    "Scan",
    "Skipped",
    "State",
    "StoreRef",
    "Worse",
    "evidence_of",
    "import_files",
    "lease_of",
    "pinned_ids",
    "read_folder",
    "refuse_secret",
    "said",
    "secret_brought",
    "touches_pinned",
]
