"""What tests of lineage share: small homes with real doors, and sessions and dreams put in them by hand."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentflows import review
from agentflows.change import Change, ChangeOp, Coverage, Dream, DreamReport, Pattern, Quote, identity
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.memory import MemoryEdit, MemoryStore, parse_entries, sha256
from agentflows.readers import discover
from agentflows.session import Session, SourceRead, Turn
from tests.conftest import EXAMPLES

NOTES = "# Notes\n\n- Tests run with make\n- The port is 8080\n- Times are UTC\n- All times are in UTC\n"
AT = datetime(2026, 10, 1, 9, 0)  # noqa: DTZ001 - UTC without a zone, as everywhere


@pytest.fixture(scope="session")
def approved_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed home where all that a dream over the example proposed was approved; copy it before use."""
    folder = tmp_path_factory.mktemp("lineage") / "home"
    with open_home(folder) as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        home.state.create_store("team", actor=home.actor("tester"))
        home.state.import_folder("team", EXAMPLES / "memory", actor=home.actor("tester"))
        report = dream_over(home, DreamRequest(store="team", engine="rules"))
        review.approve(home.state, report.dream.dream_id, reviewer="ada", reason="reads well")
    return folder


@pytest.fixture
def example(approved_example: Path, tmp_path: Path) -> Path:
    """A copy of that home."""
    return Path(shutil.copytree(approved_example, tmp_path / "example"))


class Desk:
    """A home with one store, where a test says what sessions were held and what dreams made of them."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.state = home.state
        self.state.create_store("team", actor=home.actor("ada"))
        self.write({"/notes.md": NOTES})

    def write(self, files: dict[str, str | None]) -> MemoryStore:
        """Commit as a person."""
        now = self.state.files("team")
        edits = [
            MemoryEdit(path=path, content=text, expected_sha256=sha256(now[path]) if path in now else None)
            for path, text in files.items()
        ]
        return self.state.commit("team", edits, base_version=None, actor=self.home.actor("ada"))

    def hold(self, *names: str, parent: str = "") -> None:
        """Archive sessions of three turns; in the middle one a user types that `<name>` says so."""
        for name in names:
            texts = ("Please help.", f"{name} says so.", "Thanks.")
            turns = tuple(
                Turn(seq=seq, kind="user", trust=3, text=text, at=AT) for seq, text in enumerate(texts)
            )
            session = Session(
                session_id=name, parent_id=parent, format="messages", reader="messages/1", turns=turns
            )
            read = SourceRead(
                file=f"{name}.json",
                sha256=sha256(name),
                format="messages",
                lines=1,
                accepted=1,
                sessions=(session,),
            )
            self.home.archive.add([read])

    def dream(self, number: int, *changes: Change, patterns: Sequence[Pattern] = ()) -> str:
        """Save a completed dream that holds these changes."""
        store = self.state.get_store("team")
        dream_id = f"drm_{number}"
        dream = Dream(
            dream_id=dream_id,
            status="completed",
            store_id=store.store_id,
            store_name=store.name,
            base_version=store.version,
            base_sha256=store.sha256,
            engine="rules/1",
            created_at=datetime.now(UTC).replace(tzinfo=None) - timedelta(days=1),
        )
        mine = tuple(one.model_copy(update={"dream_id": dream_id}) for one in changes)
        coverage = Coverage(archived=1, selected=1, read=1, from_cache=0)
        self.state.save_dream(
            DreamReport(dream=dream, changes=mine, coverage=coverage, patterns=tuple(patterns))
        )
        return dream_id

    def approve(self, number: int, *changes: Change, patterns: Sequence[Pattern] = ()) -> None:
        """Save a dream, and commit all of it as a reviewer."""
        review.approve(self.state, self.dream(number, *changes, patterns=patterns), reviewer="ada")

    def entry_id(self, text: str, path: str = "/notes.md") -> str:
        """The id of the entry that says exactly this now."""
        entries = parse_entries(path, self.state.files("team")[path])
        return next(entry.entry_id for entry in entries if entry.text == text)

    def texts(self, path: str = "/notes.md") -> list[str]:
        """What the entries of a memory say now."""
        return [entry.text for entry in parse_entries(path, self.state.files("team").get(path, ""))]


@pytest.fixture
def desk(home: Home) -> Desk:
    return Desk(home)


def quote(name: str, *, root: str = "") -> Quote:
    """The words of a session that `Desk.hold` archived."""
    text = f"{name} says so."
    return Quote(
        session_id=name,
        seq=1,
        start=0,
        end=len(text),
        text=text,
        sha256=sha256(text),
        trust=3,
        kind="user",
        root_id=root or name,
        origin=f"{name}:1",
        at=AT,
    )


def change(op: ChangeOp, *names: str, **fields: Any) -> Change:
    """A held change to /notes.md that quotes these sessions."""
    values: dict[str, Any] = {
        "dream_id": "",
        "path": "/notes.md",
        "reason": "sessions say so",
        "pattern_key": f"fact|{fields.get('after') or op}||",
        "support": len(names),
        "origins": len(names),
        "trust": 3,
        "quotes": tuple(quote(name) for name in names),
        "status": "held",
        **fields,
    }
    return Change(
        change_id=f"chg_{identity(op, names, fields.get('after'), fields.get('entry_ids'))}", op=op, **values
    )


def pattern(*names: str, **fields: Any) -> Pattern:
    """A pattern over these sessions, of which as many as `quoted` says are quoted."""
    quoted = fields.pop("quoted", len(names))
    values: dict[str, Any] = {
        "pattern_id": "pat_1",
        "key": "fact|x||",
        "kind": "fact",
        "subject": "x",
        "attribute": "is",
        "claim": "X is so",
        "sessions": tuple(sorted(names)),
        "origins": len(names),
        "trust": 3,
        "first_at": AT,
        "last_at": AT,
        "quotes": tuple(quote(name) for name in names[:quoted]),
        **fields,
    }
    return Pattern(**values)
