"""One dream over one home, step by step: what `flows/dream.py` shows as tasks.

`DreamRun` holds what the steps hand on. It composes the doors of a `Home` with the pure steps of
`agentflows.dream`; nothing here knows Prefect, so a dream can be run and tested without a server.

Kill-safety: the dream's id is a hash of all that decides its result, what a session taught is kept under
the session's content as soon as it is known, every model answer is kept under its question, and the end
is one transaction. A run that dies anywhere is simply run again.
"""

from agentflows.dreaming.parts import PartEnd, carry_out_part, read_part
from agentflows.dreaming.request import MAX_INSTRUCTIONS, DreamRequest, SessionFilter, parse_time
from agentflows.dreaming.run import DreamRun, dream_over

__all__ = [
    "MAX_INSTRUCTIONS",
    "DreamRequest",
    "DreamRun",
    "PartEnd",
    "SessionFilter",
    "carry_out_part",
    "dream_over",
    "parse_time",
    "read_part",
]
