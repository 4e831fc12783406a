"""Runners: what carries an agent through one job, and writes down all it said and did.

    transcript = PythonRunner().run(agent, job)

Every runner gives the same `Transcript`: a session in the format `agentflows`, how the run ended, what it cost, and
the lines the archive keeps. Only `finished` is success.
"""

from agentflows.runners.journal import outcome_line, session_of
from agentflows.runners.python import PythonRunner

__all__ = ["PythonRunner", "outcome_line", "session_of"]
