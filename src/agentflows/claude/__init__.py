"""The door to the model: the only package that knows the Anthropic SDK.

    with Claude(model="claude-sonnet-5-5", api_key=key, purse=UnlimitedPurse()) as claude:
        answer = claude.ask(system=[rules], user=[material, task], schema=Verdict, purpose="judge")

Retries, deadlines, budgets, caching, structured output and its fallback are decided here, once.
"""

from agentflows.claude.batch import BatchAsk, BatchHandle, BatchResult, BatchState
from agentflows.claude.client import Claude
from agentflows.claude.fault import FaultKind
from agentflows.claude.pace import Pace
from agentflows.claude.record import Answer, CallRecord, Estimate
from agentflows.claude.reply import OutputKind

__all__ = [
    "Answer",
    "BatchAsk",
    "BatchHandle",
    "BatchResult",
    "BatchState",
    "CallRecord",
    "Claude",
    "Estimate",
    "FaultKind",
    "OutputKind",
    "Pace",
]
