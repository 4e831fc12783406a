"""agentflows: agents that learn from their own past work, on your own Prefect, with proof for every memory.

A *session* is one finished piece of agent work, a *turn* one addressable event in it; the *archive* holds all
sessions. A *store* is a tree of Markdown memories, an *entry* one block of one. A *dream* reads many sessions
beside one store: what one session taught is an *observation* with its *quotes*, observations of distinct
sessions that agree are a *pattern*, and what a pattern means for the store is a *change*. Changes are held for
review or committed; the *ledger* says what became of every entry.

    >>> from agentflows import run_ingest, run_dream, open_home, approve   # doctest: +SKIP
    >>> run_ingest("~/.claude/projects")
    >>> report = run_dream("team")
    >>> held = [change.change_id for change in report.changes if change.status == "held"]
    >>> with open_home() as home:
    ...     approve(home.state, report.dream.dream_id, reviewer="ada", only=held[:2])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from agentflows.agent_file import read_agent
    from agentflows.archive import Archive, Selection
    from agentflows.authoring import draft_rubric, lint_rubric, measure_agreement, prove_rubric
    from agentflows.change import Budget, Change, Dream, DreamReport, Ledger, Observation, Pattern, Quote
    from agentflows.diagnosis import Diagnosis, doctor
    from agentflows.dreaming import DreamRequest, SessionFilter
    from agentflows.errors import AgentflowsError
    from agentflows.home import Home, open_home
    from agentflows.lineage import explain, forget, plan_forget
    from agentflows.memory import Entry, Memory, MemoryStore, MemoryVersion, parse_entries
    from agentflows.orchestrating import orchestrate
    from agentflows.project import load_flow
    from agentflows.pursuing import pursue
    from agentflows.readers import read
    from agentflows.recording import record_run
    from agentflows.review import approve, reject
    from agentflows.rubric import Rubric, parse_rubric, read_rubric, render_rubric
    from agentflows.running import run_dream, run_ingest
    from agentflows.session import Session, Turn
    from agentflows.settings import Settings, load_settings
    from agentflows.store import State
    from agentflows.team import read_plan, read_team

_WHERE = {
    "AgentflowsError": "errors",
    "Archive": "archive",
    "Budget": "change",
    "Change": "change",
    "Diagnosis": "diagnosis",
    "Dream": "change",
    "DreamReport": "change",
    "DreamRequest": "dreaming",
    "Entry": "memory",
    "Home": "home",
    "Ledger": "change",
    "Memory": "memory",
    "MemoryStore": "memory",
    "MemoryVersion": "memory",
    "Observation": "change",
    "Pattern": "change",
    "Quote": "change",
    "Rubric": "rubric",
    "Selection": "archive",
    "Session": "session",
    "SessionFilter": "dreaming",
    "Settings": "settings",
    "State": "store",
    "Turn": "session",
    "approve": "review",
    "doctor": "diagnosis",
    "draft_rubric": "authoring",
    "explain": "lineage",
    "forget": "lineage",
    "lint_rubric": "authoring",
    "load_flow": "project",
    "load_settings": "settings",
    "measure_agreement": "authoring",
    "open_home": "home",
    "orchestrate": "orchestrating",
    "parse_entries": "memory",
    "parse_rubric": "rubric",
    "plan_forget": "lineage",
    "prove_rubric": "authoring",
    "pursue": "pursuing",
    "read": "readers",
    "read_agent": "agent_file",
    "read_plan": "team",
    "read_rubric": "rubric",
    "read_team": "team",
    "record_run": "recording",
    "reject": "review",
    "render_rubric": "rubric",
    "run_dream": "running",
    "run_ingest": "running",
}

__all__ = [
    "AgentflowsError",
    "Archive",
    "Budget",
    "Change",
    "Diagnosis",
    "Dream",
    "DreamReport",
    "DreamRequest",
    "Entry",
    "Home",
    "Ledger",
    "Memory",
    "MemoryStore",
    "MemoryVersion",
    "Observation",
    "Pattern",
    "Quote",
    "Rubric",
    "Selection",
    "Session",
    "SessionFilter",
    "Settings",
    "State",
    "Turn",
    "approve",
    "doctor",
    "draft_rubric",
    "explain",
    "forget",
    "lint_rubric",
    "load_flow",
    "load_settings",
    "measure_agreement",
    "open_home",
    "orchestrate",
    "parse_entries",
    "parse_rubric",
    "plan_forget",
    "prove_rubric",
    "pursue",
    "read",
    "read_agent",
    "read_plan",
    "read_rubric",
    "read_team",
    "record_run",
    "reject",
    "render_rubric",
    "run_dream",
    "run_ingest",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import agentflows` alone costs nothing."""
    if name not in _WHERE:
        msg = f"module 'agentflows' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"agentflows.{_WHERE[name]}"), name)
