"""Small handwritten sessions, and many plausible ones."""

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from agentflows.session import (
    Check,
    OutcomeLabel,
    Quarantined,
    RawLine,
    Session,
    SourceRead,
    Turn,
    Usage,
    Verdict,
)

START = datetime.fromisoformat("2026-03-01T09:00")
Event = tuple[Any, ...]
"""("user", text) · ("agent", text) · ("call", tool, input dict, result text, is_error)"""


def turns(events: Iterable[Event], *, start: datetime = START, origin: str = "") -> tuple[Turn, ...]:
    """Turns of a session told as events, one minute apart, one source line each."""
    found: list[Turn] = []

    def put(**fields: Any) -> None:
        seq = len(found)
        found.append(
            Turn(
                seq=seq,
                at=start + timedelta(minutes=seq),
                line=seq + 1,
                origin=f"{origin}{seq}" if origin else "",
                **fields,
            )
        )

    for event in events:
        if event[0] == "call":
            _, tool, given, result, failed = event
            call_id = f"c{len(found)}"
            put(
                kind="tool_call",
                trust=2,
                text=json.dumps(given, sort_keys=True),
                tool=tool,
                tool_use_id=call_id,
            )
            put(kind="tool_result", trust=1, text=result, tool=tool, tool_use_id=call_id, is_error=failed)
        else:
            put(kind=event[0], trust=3 if event[0] == "user" else 2, text=event[1])
    return tuple(found)


def session(
    session_id: str,
    *events: Event,
    verdict: Verdict | None = None,
    checks: Sequence[tuple[str, bool]] = (),
    **fields: Any,
) -> Session:
    """A session told as events."""
    outcome = None
    if verdict:
        labels = tuple(Check(name=name, passed=passed) for name, passed in checks)
        outcome = OutcomeLabel(verdict=verdict, source="reward", checks=labels)
    start = fields.setdefault("started_at", START)
    origin = fields.pop("origin", f"{session_id}-")
    given: dict[str, Any] = {"format": "test", "reader": "test/1", **fields}
    return Session(
        session_id=session_id, turns=turns(events, start=start, origin=origin), outcome=outcome, **given
    )


def source(*sessions: Session, file: str = "", **fields: Any) -> SourceRead:
    """A source that holds these sessions, one raw line per turn."""
    name = file or "-".join(item.session_id for item in sessions) + ".jsonl"
    raw = tuple(
        RawLine(turn.line, json.dumps([item.session_id, turn.seq, turn.text]))
        for item in sessions
        for turn in item.turns
    )
    bad: tuple[Quarantined, ...] = fields.pop("quarantined", ())
    body = repr([(item.content_sha256, item.reader) for item in sessions]) + name + repr(bad)
    return SourceRead(
        file=name,
        sha256=fields.pop("sha256", hashlib.sha256(body.encode()).hexdigest()),
        format="test",
        lines=len(raw) + len(bad),
        accepted=len(raw),
        sessions=sessions,
        quarantined=bad,
        raw=raw,
        **fields,
    )


_COMMANDS = (
    "bun test",
    "bun lint",
    "git status",
    "git commit -m wip",
    "ls src",
    "grep -rn main src",
    "npm run build",
)
_ERRORS = (
    "error: Script not found {n}",
    "Cannot find module '/srv/app{n}/x.js'",
    "Exit code 1\nerror: 3 files differ",
)
_WORDS = [
    "the",
    "parser",
    "reads",
    "each",
    "line",
    "and",
    "keeps",
    "what",
    "it",
    "cannot",
    "read",
    "beside",
    "the",
    "rest",
    "with",
    "a",
    "reason",
    "for",
    "a",
    "person",
]


def plausible(number: int, *, seed: int = 0, steps: int = 30) -> Session:
    """One of many sessions that look like coding work; the same number gives the same session."""
    dice = random.Random(f"{seed}/{number}")
    events: list[Event] = [("user", f"Please fix issue {dice.randrange(40)} in the parser")]
    for _ in range(steps):
        if dice.random() < 0.2:
            events.append(("agent", " ".join(dice.choices(_WORDS, k=40))))
        if dice.random() < 0.04:
            events.append(
                ("user", dice.choice(("No, use bun instead of npm", "Always run the linter first")))
            )
        failed = dice.random() < 0.1
        output = " ".join(dice.choices(_WORDS, k=dice.randrange(20, 300)))
        text = dice.choice(_ERRORS).format(n=number) if failed else output
        if dice.random() < 0.5:
            events.append(
                ("call", "Bash", {"command": dice.choice(_COMMANDS), "description": "Run"}, text, failed)
            )
        else:
            given = {"file_path": f"/srv/app/src/file{dice.randrange(30)}.ts", "limit": dice.randrange(50)}
            events.append(("call", dice.choice(("Read", "Edit", "Grep")), given, text, failed))
    verdict: Verdict | None = dice.choice(("success", "failure", None))
    made = session(
        f"session-{number:05d}",
        *events,
        verdict=verdict,
        checks=[("tests_pass", verdict == "success")] if verdict else (),
        task=f"task-{number % 50}",
        project=f"project-{number % 4}",
        agent="coder",
        started_at=START + timedelta(hours=number),
    )
    first = made.turns[0]
    used = Usage(dice.randrange(1000, 90_000), dice.randrange(100, 9_000), 5, 7)
    return made.model_copy(update={"turns": (_with_usage(first, used), *made.turns[1:])})


def _with_usage(turn: Turn, usage: Usage) -> Turn:
    return Turn(
        turn.seq, turn.kind, turn.trust, turn.text, turn.at, origin=turn.origin, usage=usage, line=turn.line
    )
