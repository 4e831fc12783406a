"""Words that tests of the store need: actors, edits, dreams with changes and quotes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agentflows.change import Change, ChangeOp, Coverage, Dream, DreamReport, Quote, identity
from agentflows.memory import Actor, MemoryEdit, MemoryStore, parse_entries, sha256
from agentflows.store import State

ADA = Actor(kind="user_actor", name="ada")
POLICY = Actor(kind="dream_actor", name="drm_1")
NOTES = "# Notes\n\n- Tests run with make\n- Deploys go out on Fridays\n- The port is 8080\n"


def edit(state: State, store: str, path: str, content: str | None) -> MemoryEdit:
    """An edit of what is there now."""
    present = state.files(store).get(path)
    return MemoryEdit(
        path=path, content=content, expected_sha256=None if present is None else sha256(present)
    )


def put(state: State, store: str, files: Mapping[str, str | None]) -> MemoryStore:
    """Commit contents (None deletes) over what is there now."""
    edits = [edit(state, store, path, content) for path, content in files.items()]
    return state.commit(store, edits, base_version=None, actor=ADA)


def team(state: State) -> MemoryStore:
    """A store with one file of three items."""
    state.create_store("team", "what the team knows", actor=ADA)
    return put(state, "team", {"/notes.md": NOTES})


def quote(session_id: str = "s1", text: str = "Use port 9090.", **more: Any) -> Quote:
    fields: dict[str, Any] = {
        "session_id": session_id,
        "seq": 3,
        "start": 0,
        "end": len(text),
        "text": text,
        "sha256": sha256(text),
        "trust": 3,
        "kind": "user",
        "root_id": session_id,
        "origin": f"{session_id}:3",
        "at": datetime(2026, 10, 1, 9, 30, 0, 123456),  # noqa: DTZ001
    }
    return Quote(**{**fields, **more})


def entry_id(content: str, text: str, path: str = "/notes.md") -> str:
    """The id of the entry that says `text`."""
    return next(entry.entry_id for entry in parse_entries(path, content) if entry.text == text)


def change(op: ChangeOp = "add", *, dream_id: str = "drm_1", **fields: Any) -> Change:
    """A held change to /notes.md with two quotes."""
    values: dict[str, Any] = {
        "dream_id": dream_id,
        "path": "/notes.md",
        "reason": "two sessions say so",
        "pattern_key": "fact|port|is|",
        "support": 2,
        "origins": 2,
        "trust": 3,
        "quotes": (quote("s1"), quote("s2", "The port is 9090 now.")),
        "status": "held",
        "status_reason": "review",
        **fields,
    }
    name = identity(dream_id, op, values["path"], values.get("entry_ids"), values.get("after"))
    return Change(change_id=f"chg_{name}", op=op, **values)


def supersede(after: str = "- The port is 9090", content: str = NOTES, **fields: Any) -> Change:
    """The item on the port is replaced."""
    before = "- The port is 8080"
    return change("supersede", entry_ids=(entry_id(content, before),), before=before, after=after, **fields)


def report(
    store: MemoryStore, changes: Sequence[Change], *, dream_id: str = "drm_1", day: int = 1, **dream: Any
) -> DreamReport:
    """A completed dream over the store as it is given."""
    fields: dict[str, Any] = {
        "dream_id": dream_id,
        "status": "completed",
        "store_id": store.store_id,
        "store_name": store.name,
        "base_version": store.version,
        "base_sha256": store.sha256,
        "session_ids": ("s1", "s2"),
        "engine": "rules/1",
        "created_at": datetime(2026, 11, day, 3, 0, 0),  # noqa: DTZ001
        **dream,
    }
    coverage = Coverage(archived=2, selected=2, read=2, from_cache=0)
    return DreamReport(dream=Dream(**fields), changes=tuple(changes), coverage=coverage)


def dreamt(state: State, *changes: Change, **fields: Any) -> MemoryStore:
    """A team store, and a dream over it that proposes `changes`."""
    store = team(state)
    state.save_dream(report(store, changes, **fields))
    return store
