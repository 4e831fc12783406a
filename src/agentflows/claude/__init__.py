"""The door to the model: the only package that knows the Anthropic SDK.

    with Claude(model="claude-sonnet-5-5", api_key=key, purse=UnlimitedPurse()) as claude:
        answer = claude.ask(system=[rules], user=[material, task], schema=Verdict, purpose="judge")

Retries, deadlines, budgets, caching, structured output and its fallback are decided here, once.
"""

from agentflows.claude.batch import BatchAsk, BatchHandle, BatchResult, BatchState
from agentflows.claude.client import Claude
from agentflows.claude.fault import FaultKind
from agentflows.claude.loop import REPLY_TOKENS, Ending, LoopEnd, Reply, Rules, Tool, ToolFaultError, Watch
from agentflows.claude.pace import Breaker, Pace
from agentflows.claude.record import Answer, CallRecord, Estimate
from agentflows.claude.reply import OutputKind
from agentflows.claude.servers import open_servers
from agentflows.claude.talk import Call, Talk

__all__ = [
    "REPLY_TOKENS",
    "Answer",
    "BatchAsk",
    "BatchHandle",
    "BatchResult",
    "BatchState",
    "Breaker",
    "Call",
    "CallRecord",
    "Claude",
    "Ending",
    "Estimate",
    "FaultKind",
    "LoopEnd",
    "OutputKind",
    "Pace",
    "Reply",
    "Rules",
    "Talk",
    "Tool",
    "ToolFaultError",
    "Watch",
    "open_servers",
]
