"""Damage: whatever happens to the file, a memory is served as it was written or not at all."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentflows.errors import CorruptionError, StoreError
from agentflows.store import State
from tests.store.samples import ADA, NOTES, change, dreamt, edit, put, supersede

FLIPS = 150


def filled(url: str) -> None:
    """A store with history, a dream, a decision, evidence; the log folded into the file."""
    with State(url) as state:
        one = supersede()
        dreamt(state, one, change(after="- x"))
        decision = state.decide(one.change_id, "approved", reviewer="ada")
        text = NOTES.replace("8080", "9090")
        edits = [edit(state, "team", "/notes.md", text)]
        state.commit(
            "team", edits, base_version=1, actor=ADA, dream_id="drm_1", decisions=[decision.decision_id]
        )
        put(state, "team", {f"/m{number}.md": f"memory number {number} " * 20 for number in range(8)})
        put(state, "team", {"/m1.md": None, "/m2.md": "other"})


def everything(state: State) -> list[Any]:
    """All that is read of memories and their review."""
    store = state.list_stores(archived=True)
    answers: list[Any] = [store, state.get_store("team"), state.memories("team"), state.files("team")]
    answers += [state.files("team", version) for version in range(5)]
    answers += [
        state.versions("team"),
        state.changes(dream_id="drm_1"),
        state.dream("drm_1"),
        state.decisions(),
    ]
    answers += [state.evidence("team"), state.verify("team")]
    return answers


def served(url: str) -> list[Any]:
    """The answers one by one; an error in place of each that is refused."""
    answers: list[Any] = []
    with State(url) as state:
        for ask in (
            lambda: state.get_store("team"),
            lambda: state.memories("team"),
            lambda: state.files("team"),
            lambda: state.files("team", 2),
            lambda: state.memory("team", "/m3.md"),
            lambda: state.dream("drm_1"),
            lambda: state.changes(dream_id="drm_1"),
        ):
            try:
                answers.append(ask())
            except (StoreError, LookupError) as error:
                answers.append(type(error))
    return answers


def test_a_flipped_or_cut_file_is_never_served_as_valid(sqlite_url: str, tmp_path: Path):
    """Each answer equals the truth or is a refusal; SQLite's own check misses most of these."""
    filled(sqlite_url)
    truth = served(sqlite_url)
    assert not any(isinstance(answer, type) for answer in truth)
    whole = Path(sqlite_url.removeprefix("sqlite:///")).read_bytes()
    chance = random.Random(7)
    damaged = tmp_path / "damaged" / "state.db"
    damaged.parent.mkdir()
    refused = wrong = 0
    for number in range(FLIPS):
        content = bytearray(whole)
        if number % 10 == 9:
            content = content[: chance.randrange(len(content))]
        else:
            content[chance.randrange(100, len(content))] ^= 1 << chance.randrange(8)
        damaged.write_bytes(bytes(content))
        for leftover in damaged.parent.glob("state.db-*"):
            leftover.unlink()
        try:
            answers = served(f"sqlite:///{damaged}")
        except StoreError:
            refused += 1
            continue
        refused += any(isinstance(answer, type) for answer in answers)
        wrong += any(
            answer != right
            for answer, right in zip(answers, truth, strict=True)
            if not isinstance(answer, type)
        )
    print(f"FLIPS tried={FLIPS} refused={refused} bad={wrong}")  # noqa: T201 - the figure
    assert wrong == 0
    assert refused > FLIPS // 10, "the damage did not reach what is read: the test proves nothing"
    shutil.rmtree(damaged.parent)


SPOILED: dict[str, tuple[str, Callable[[State], object]]] = {
    "a memory's text": ("UPDATE content SET text = replace(text, '9090', '6666')", lambda state: state.files("team")),
    "one memory's text": ("UPDATE content SET text = 'x'", lambda state: state.memory("team", "/m3.md")),
    "an old version's text": ("UPDATE content SET text = replace(text, '8080', '1')", lambda state: state.files("team", 1)),
    "a text gone": ("DELETE FROM content", lambda state: state.memories("team")),
    "a memory's path": ("UPDATE memory SET path = '/other.md' WHERE path = '/m3.md'", lambda state: state.files("team")),
    "a memory gone": ("DELETE FROM memory WHERE path = '/m3.md'", lambda state: state.memories("team")),
    "a memory's content": (
        "UPDATE memory SET content_sha256 = (SELECT max(sha256) FROM content)", lambda state: state.files("team"),
    ),
    "the head": ("UPDATE store SET version = 3", lambda state: state.get_store("team")),
    "the description": ("UPDATE store SET description = 'obey me'", lambda state: state.list_stores()),
    "an author": ("UPDATE memory_version SET actor_name = 'eve'", lambda state: state.versions("team")),
    "a version gone": ("DELETE FROM memory_version WHERE store_version = 3", lambda state: state.verify("team")),
    "a commit's message": ("UPDATE store_version SET message = 'fine'", lambda state: state.verify("team")),
    "a commit gone": ("DELETE FROM store_version WHERE version = 2", lambda state: state.verify("team")),
    "an approval": ("UPDATE decision SET used_at = NULL", lambda state: state.decisions()),
    "a change": ("UPDATE change SET body = replace(body, '9090', '6666')", lambda state: state.changes()),
    "a change's status": ("UPDATE change SET status = 'approved'", lambda state: state.dream("drm_1")),
    "a change gone": ("DELETE FROM change WHERE status = 'held'", lambda state: state.dream("drm_1")),
    "a report": ("UPDATE report SET report = replace(report, 'rules', 'magic')", lambda state: state.dream("drm_1")),
    "a dream": ("UPDATE dream SET dream = replace(dream, 'rules', 'magic')", lambda state: state.dreams()),
    "evidence": ("UPDATE evidence SET trust = 1", lambda state: state.evidence("team")),
    "the audit": ("UPDATE audit SET actor_name = 'nobody'", lambda state: state.audit()),
    "a time": ("UPDATE memory SET updated_at = 'yesterday'", lambda state: state.memories("team")),
    "a text turned bytes": ("UPDATE content SET text = x'ff00'", lambda state: state.files("team")),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILED)
def test_a_row_that_was_changed_behind_our_back_is_refused(sqlite_url: str, what: str):
    """Every row that carries meaning is sealed; the error says what to do."""
    filled(sqlite_url)
    statement, ask = SPOILED[what]
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as raw:
        assert raw.execute(statement).rowcount > 0
    raw.close()
    with State(sqlite_url) as state, pytest.raises(CorruptionError, match=r"Restore the (database )?file"):
        ask(state)


def test_nothing_is_committed_onto_a_damaged_head(sqlite_url: str):
    """A commit checks what it builds on."""
    filled(sqlite_url)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as raw:
        raw.execute("DELETE FROM memory_version WHERE store_version = (SELECT version FROM store)")
    raw.close()
    with State(sqlite_url) as state, pytest.raises(CorruptionError, match="The head of the store"):
        put(state, "team", {"/new.md": "x"})


def test_an_undamaged_store_verifies(sqlite_url: str):
    """The counterpart: the checks do not cry wolf."""
    filled(sqlite_url)
    with State(sqlite_url) as state:
        assert everything(state)[-1] == 5


def test_no_byte_of_a_redacted_version_stays_in_the_files(sqlite_url: str):
    """Content and path leave the file and its log; who wrote it, and the chain, stay."""
    secret, place = "correct-horse-battery-staple", "/secret-place.md"
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    with State(sqlite_url) as state:
        filled(sqlite_url)
        put(state, "team", {place: f"the password is {secret}"})
        put(state, "team", {place: None})
        doomed = state.versions("team", limit=2)
        assert {version.path for version in doomed} == {place}
        for version in doomed:
            redacted = state.redact(version.memory_version_id, actor=ADA, reason="a password")
            assert (redacted.content, redacted.content_sha256, redacted.path) == (None, None, "")
            assert redacted.created_by == ADA
        assert state.verify("team") == 7
        assert state.files("team", 4) == state.files("team")
        with pytest.raises(StoreError, match="redacted"):
            state.files("team", 5)
        with pytest.raises(StoreError, match="redacted"):
            state.restore("team", 5, actor=ADA)
    for path in file.parent.glob("state.db*"):
        content = path.read_bytes()
        found = [text for text in (secret, place) if text.encode() in content]
        print(f"RESIDUE file={path.name} bytes={len(content)} bad={len(found)}")  # noqa: T201 - the figure
        assert found == []
