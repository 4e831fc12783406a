"""Sessions to test with: one made of the turns you give, or many made up from a seed."""

import json
import random
from dataclasses import replace
from datetime import datetime, timedelta

from agentflows.session import Check, OutcomeLabel, Session, Trust, Turn, TurnKind, Verdict

START = datetime(2026, 1, 5, 9, 0)  # noqa: DTZ001 - sessions hold naive UTC
TRUST_OF: dict[TurnKind, Trust] = {
    "user": 3,
    "agent": 2,
    "thinking": 2,
    "tool_call": 2,
    "tool_result": 1,
    "system": 1,
    "summary": 1,
}

_TASKS = ("fix the login test", "add a changelog entry", "bump the parser", "rename the config key")
_ERROR = "ModuleNotFoundError: No module named 'widgets'"
_PREFERENCES = (
    "From now on always run the linter before you commit.",
    "Never push to main; open a branch instead.",
)


def sample_session(
    session_id: str = "sample-1",
    *turns: tuple[TurnKind, str] | Turn,
    verdict: Verdict | None = None,
    project: str = "sample",
    started_at: datetime = START,
) -> Session:
    """One session of these turns, a second apart.

    A pair `(kind, text)` becomes a turn of that kind with the trust of its place. A `Turn` is taken as it is,
    renumbered. With no turns at all a short exchange is made up.
    """
    given = turns or (("user", "What is in README.md?"), ("agent", "It describes the project."))
    made = tuple(_turn(seq, turn, started_at) for seq, turn in enumerate(given))
    return Session(
        session_id=session_id,
        format="sample",
        reader="sample/1",
        agent="sample-agent",
        project=project,
        started_at=started_at,
        ended_at=started_at + timedelta(seconds=len(made)),
        turns=made,
        outcome=OutcomeLabel(verdict=verdict, source="sample") if verdict else None,
    )


def _turn(seq: int, given: tuple[TurnKind, str] | Turn, started_at: datetime) -> Turn:
    at = started_at + timedelta(seconds=seq)
    if isinstance(given, Turn):
        return replace(given, seq=seq, at=given.at or at)
    kind, text = given
    return Turn(seq=seq, kind=kind, trust=TRUST_OF[kind], text=text, at=at)


def sample_sessions(count: int, seed: int = 0) -> list[Session]:
    """Made-up sessions in which there is something to learn; the same `count` and `seed` give the same.

    About half meet one recurring error and fix it with one command, about a quarter end with a standing
    preference in the user's words, and those that skip the tests fail more often than the others.
    """
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    return [_made_up(number, chance) for number in range(count)]


def _made_up(number: int, chance: random.Random) -> Session:
    task = chance.choice(_TASKS)
    turns: list[Turn] = [_said("user", f"Please {task}."), _said("agent", f"I will {task}.")]
    if chance.random() < 0.5:
        turns += _called("make build", _ERROR, is_error=True)
        turns += _called("pip install -e packages/widgets", "Successfully installed widgets-1.0")
        turns += _called("make build", "build ok")
    tested = chance.random() < 0.7
    if tested:
        turns += _called("make test", "42 passed")
    succeeded = chance.random() < (0.9 if tested else 0.3)
    turns.append(_said("agent", f"Done: {task}."))
    if chance.random() < 0.25:
        turns.append(_said("user", chance.choice(_PREFERENCES)))
    session = sample_session(
        f"sample-{number:05d}",
        *turns,
        verdict="success" if succeeded else "failure",
        started_at=START + timedelta(hours=number),
    )
    check = Check(name="tests_pass", passed=succeeded)
    outcome = OutcomeLabel(verdict="success" if succeeded else "failure", source="sample", checks=(check,))
    return session.model_copy(update={"task": task, "outcome": outcome})


def _said(kind: TurnKind, text: str) -> Turn:
    return Turn(seq=0, kind=kind, trust=TRUST_OF[kind], text=text)


def _called(command: str, output: str, *, is_error: bool = False) -> list[Turn]:
    call = Turn(
        seq=0,
        kind="tool_call",
        trust=2,
        text=json.dumps({"command": command}),
        tool="Bash",
        tool_use_id=command,
    )
    result = Turn(
        seq=0,
        kind="tool_result",
        trust=1,
        text=output,
        tool="Bash",
        tool_use_id=command,
        is_error=is_error,
    )
    return [call, result]
