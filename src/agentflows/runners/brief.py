"""What an agent is told: its task, what it may remember, and on a revision what was found wrong."""

import hashlib

from agentflows.agent import AgentDefinition, Job
from agentflows.prompts import render

_SHOWN = 24_000
"""Characters of memory that are shown in the message; the rest is read where it lies."""


def system_blocks(agent: AgentDefinition) -> list[str]:
    """The system prompt: the agent's own, then where it works. Nothing in it changes from job to job."""
    return [agent.prompt, render("agent_place").strip()]


def memory_block(job: Job) -> str:
    """The job's memory as quoted data; "" without one. No content can end the quotation: the mark is its hash."""
    if not job.memory:
        return ""
    shown: list[str] = []
    left: list[str] = []
    room = _SHOWN
    for path, content in job.memory.items():
        if len(content) <= room:
            room -= len(content)
            shown.append(f"## {path}\n{content.strip()}")
        else:
            left.append(path)
    if left:
        shown.append("Not shown here for its length; read it under /memory: " + ", ".join(left))
    entries = "\n\n".join(shown)
    fence = f"=== memory {hashlib.sha256(entries.encode(errors='replace')).hexdigest()[:12]} ==="
    return render("agent_memory", fence=fence, entries=entries).strip()


def opening(job: Job, *, goes_on: bool) -> list[str]:
    """The blocks of the next user message.

    Args:
        job: what it is about.
        goes_on: whether the agent has its own context of the task already; else it is told the task again.
    """
    feedback = render("agent_feedback", feedback=job.feedback).strip() if job.feedback else ""
    if goes_on:
        return [feedback or job.task]
    return [block for block in (memory_block(job), job.task, feedback) if block]
