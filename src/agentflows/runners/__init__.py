"""Runners: what carries an agent through one job, and writes down all it said and did.

    transcript = PythonRunner().run(agent, job)

Every runner gives the same `Transcript`: a session in the format `agentflows`, how the run ended, what it cost, and
the lines the archive keeps. Only `finished` is success. `Home.runner` picks the one an agent asks for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentflows.runners.command import CommandRunner
    from agentflows.runners.journal import outcome_line, session_of
    from agentflows.runners.messages import MessagesRunner
    from agentflows.runners.python import PythonRunner

_WHERE = {
    "CommandRunner": "command",
    "MessagesRunner": "messages",
    "PythonRunner": "python",
    "outcome_line": "journal",
    "session_of": "journal",
}

__all__ = ["CommandRunner", "MessagesRunner", "PythonRunner", "outcome_line", "session_of"]


def __getattr__(name: str) -> Any:
    """Import a runner when it is first used: two of three need no model, whose SDK takes a second to import."""
    if name not in _WHERE:
        msg = f"module 'agentflows.runners' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"agentflows.runners.{_WHERE[name]}"), name)
