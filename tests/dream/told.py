"""Sessions told by hand, and what a dream with rules makes of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from agentflows.change import Change, Observation, Refusal
from agentflows.dream.cluster import cluster
from agentflows.dream.gates import check_observation
from agentflows.dream.propose import propose
from agentflows.dream.rules import RulesEngine
from agentflows.dream.scopes import in_words
from agentflows.session import Session, Span, Turn

START = datetime.fromisoformat("2026-03-01T09:00")
ENGINE = RulesEngine(today=date(2026, 4, 1))


def user(text: str, *spans: Span) -> list[Turn]:
    """What a person typed."""
    return [Turn(0, "user", 3, text, spans=spans)]


def agent(text: str = "Done.") -> list[Turn]:
    """What the agent said."""
    return [Turn(0, "agent", 2, text)]


def call(tool: str, output: str, *, error: bool = False, **given: Any) -> list[Turn]:
    """A tool call and what came back."""
    return [
        Turn(0, "tool_call", 2, json.dumps(given, sort_keys=True), tool=tool),
        Turn(0, "tool_result", 1, output, tool=tool, is_error=error),
    ]


def bash(command: str, output: str = "ok", *, error: bool = False) -> list[Turn]:
    """A shell call and what it printed."""
    return call("Bash", output, error=error, command=command)


def edit(path: str, output: str = "ok", *, error: bool = False) -> list[Turn]:
    """A change to a file."""
    return call("Edit", output, error=error, file_path=path, old_string="a", new_string="b")


def session(number: int, *parts: Sequence[Turn], project: str = "/w/shop") -> Session:
    """A session on day `number`, its turns a minute apart."""
    start = START + timedelta(days=number)
    turns = [turn for part in parts for turn in part]
    return Session(
        session_id=f"s{number}",
        format="t",
        reader="t/1",
        project=project,
        started_at=start,
        turns=tuple(
            replace(turn, seq=seq, origin=f"s{number}-{seq}", at=start + timedelta(minutes=seq))
            for seq, turn in enumerate(turns)
        ),
    )


def twice(*parts: Sequence[Turn]) -> list[Session]:
    """The same in two sessions: what it takes to be believed."""
    return [session(number, *parts) for number in (1, 2)]


def learned(
    sessions: Sequence[Session], files: Mapping[str, str] | None = None
) -> tuple[list[Change], list[Refusal]]:
    """The changes that a dream over the sessions proposes for the files, and what it refused."""
    by_id = {one.session_id: one for one in sessions}
    told = [
        check_observation(one, lambda name, seq: by_id[name].turns[seq], lambda name: name)
        for session in sessions
        for one in ENGINE.extract(session, [])
    ]
    passed = [one for one in told if isinstance(one, Observation)]
    found, refused = cluster(passed, ENGINE)
    patterns = in_words(found, {one.project for one in sessions})
    changes, unwritten = propose(patterns, files or {}, ENGINE, dream_id="drm_1")
    return changes, [*(one for one in told if isinstance(one, Refusal)), *refused, *unwritten]


def texts(sessions: Sequence[Session], files: Mapping[str, str] | None = None) -> list[str]:
    """What it would write, without its support notes."""
    return [(one.after or "").removeprefix("- ").split(" (s")[0] for one in learned(sessions, files)[0]]
