"""What runners keep of a job to go on from holds unredacted words: it goes when nothing goes on from it any more."""

import json

from agentflows.home import Home
from agentflows.orchestrating.transcripts import kept_lines
from agentflows.orchestrating.turning import turn_name
from agentflows.recording import redacted_lines, shown_name
from agentflows.team import Orchestration, ThreadTurn


def forgotten(home: Home, job: Orchestration) -> dict[str, str]:
    """By its name, what takes the place of each record of a job that is over; "" is nothing.

    What the archive has is read from there. A turn or an attempt that broke off before it was archived can still be
    looked at: its lines are kept, redacted as the archive would have done it.
    """
    found: dict[str, str] = {}
    for turn in job.turns:
        name = turn_name(turn)
        found |= {name: "", f"{name}/done": ""}
        if turn.outcome_id:
            found |= _of_outcome(home, turn)
        elif turn.session_id:
            found[shown_name(name)] = ""
        else:
            found |= _shown(home, name, name)
    return found


def _of_outcome(home: Home, turn: ThreadTurn) -> dict[str, str]:
    state, outcome = home.state, home.state.outcome(turn.outcome_id)
    found: dict[str, str] = {}
    for iteration in range(len(outcome.attempts) + 1):
        again = state.runner_state(f"{outcome.outcome_id}/again/{iteration}")
        name = f"{outcome.outcome_id}/attempt/{iteration}"
        found |= {f"{outcome.outcome_id}/done/{iteration}": "", f"{name}{again}": ""}
        if iteration < len(outcome.attempts):
            found[shown_name(name)] = ""
        else:
            found |= _shown(home, name, f"{name}{again}")
    return found


def _shown(home: Home, name: str, kept: str) -> dict[str, str]:
    lines = list(redacted_lines(home, kept_lines(home, kept)))
    return {shown_name(name): json.dumps({"lines": lines})} if lines else {}
