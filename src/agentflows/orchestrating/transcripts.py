"""What a turn said and did, live and afterwards, as the archive would show it."""

import io
import json
from collections.abc import Iterable, Iterator, Sequence

from agentflows import readers
from agentflows.agent import Transcript
from agentflows.home import Home
from agentflows.orchestrating.turning import turn_name
from agentflows.recording import shown_name
from agentflows.session import Turn
from agentflows.team import ThreadTurn


def transcript(home: Home, turn: ThreadTurn) -> list[Turn]:
    """All of a turn so far: from the archive when it is there, else from what its runner kept after its last step.

    Of graded work, every attempt. Secrets are redacted in either. Of a command or a function what it printed, a few
    seconds late.
    """
    if turn.outcome_id:
        return list(_attempts(home, turn.outcome_id))
    if turn.session_id:
        return list(_archived(home, [turn.session_id]))
    return list(_under_way(home, turn_name(turn)))


def _attempts(home: Home, outcome_id: str) -> Iterator[Turn]:
    attempts = home.state.outcome(outcome_id).attempts
    yield from _archived(home, [attempt.session_id for attempt in attempts])
    yield from _under_way(home, f"{outcome_id}/attempt/{len(attempts)}")


def _archived(home: Home, session_ids: Sequence[str]) -> Iterator[Turn]:
    for session in home.archive.sessions(session_ids):
        yield from session.turns


def _under_way(home: Home, name: str) -> Iterator[Turn]:
    if lines := kept_lines(home, name) or kept_lines(home, shown_name(name)):
        yield from _read(home, lines)


def kept_lines(home: Home, name: str) -> list[str]:
    """What a runner kept of the run of that name, or left at its end."""
    if kept := home.state.runner_state(f"{name}/done"):
        return list(Transcript.model_validate_json(kept).raw)
    kept = home.state.runner_state(name)
    return list(json.loads(kept).get("lines", ())) if kept else []


def _read(home: Home, lines: Iterable[str]) -> Iterator[Turn]:
    stream = io.BytesIO("\n".join(lines).encode())
    for read in readers.read("-", source="agentflows", redactor=home.redactor(), stdin=stream):
        for session in read.sessions:
            yield from session.turns
