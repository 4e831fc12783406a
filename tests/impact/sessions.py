"""Sessions whose rates of success are known, in an archive, around the versions of a store."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from agentflows.home import Home
from agentflows.memory import Actor, MemoryEdit
from agentflows.memory import sha256 as text_sha256
from agentflows.session import OutcomeLabel, RawLine, Session, SourceRead, Span, Turn
from agentflows.store import State

START = datetime.fromisoformat("2026-03-01")
ADA = Actor(kind="user_actor", name="ada")


def at(day: float) -> datetime:
    """So many days after the first session."""
    return START + timedelta(days=day)


def session(
    name: str,
    day: float,
    *,
    success: bool | None,
    task: str = "",
    agent: str = "aider",
    project: str = "/shop",
    recalled: bool = False,
    dated: bool = True,
) -> Session:
    """One session of a known end."""
    text = f"Please do {name}."
    spans = (Span(0, len(text), "recalled"),) if recalled else ()
    verdict = "unknown" if success is None else "success" if success else "failure"
    return Session(
        session_id=name,
        format="messages",
        reader="messages/1",
        agent=agent,
        project=project,
        task=task,
        started_at=at(day) if dated else None,
        turns=(Turn(seq=0, kind="user", trust=3, text=text, at=at(day), spans=spans),),
        outcome=OutcomeLabel(verdict=verdict, source="reward"),
    )


def many(
    prefix: str, first_day: float, successes: int, failures: int, *, task: str = "", recalled: bool = False
) -> list[Session]:
    """So many that succeed and fail, spread over five days."""
    count = successes + failures
    return [
        session(
            f"{prefix}-{number}",
            first_day + 5 * number / count,
            success=number < successes,
            task=task,
            recalled=recalled,
        )
        for number in range(count)
    ]


def archived(home: Home, sessions: Iterable[Session]) -> None:
    """Put them into the archive, as a reader would have."""
    found = tuple(sessions)
    name = sha256("".join(one.session_id for one in found).encode()).hexdigest()
    home.archive.add(
        [
            SourceRead(
                file=f"{name[:8]}.jsonl",
                sha256=name,
                format="messages",
                lines=len(found),
                accepted=len(found),
                sessions=found,
                raw=tuple(RawLine(number, "{}") for number in range(1, len(found) + 1)),
            )
        ]
    )


def written(home: Home, texts: Iterable[tuple[float, str]], store: str = "team") -> None:
    """A store whose versions were committed on these days."""
    moment = [at(0)]
    url = f"sqlite:///{Path(home.settings.home_path) / 'state.db'}"
    home.settings.home_path.mkdir(parents=True, exist_ok=True)
    with State(url, now=lambda: moment[0]) as state:
        state.create_store(store, actor=ADA)
        for day, text in texts:
            moment[0] = at(day)
            before = state.files(store).get("/notes.md")
            edit = MemoryEdit(
                path="/notes.md", content=text, expected_sha256=text_sha256(before) if before else None
            )
            state.commit(store, [edit], base_version=None, actor=ADA, message=f"day {day:g}")
