"""A process that dies in a commit, at any point, leaves all of it or nothing, and a second run completes it.

`kill -9` does not test loss of power: what fsync gives is SQLite's and PostgreSQL's to keep.
"""

import random
import time
from typing import Any

import pytest

from agentflows.errors import StoreError
from agentflows.memory import MemoryEdit, sha256
from agentflows.store import State
from agentflows.store.failpoints import COMMIT_POINTS, VARIABLE
from tests.store import workers
from tests.store.samples import ADA, NOTES, dreamt, edit, put, supersede, team

NEW = NOTES.replace("8080", "9090")
ROUNDS = 12


def approved(url: str) -> dict[str, Any]:
    """A dream over a store with one approved change; returns what to commit it with."""
    with State(url) as state:
        one = supersede()
        dreamt(state, one)
        decision = state.decide(one.change_id, "approved", reviewer="ada")
    return {"base_version": 1, "actor": ADA, "dream_id": "drm_1", "decisions": [decision.decision_id]}


EDITS = [
    MemoryEdit(path="/notes.md", content=NEW, expected_sha256=sha256(NOTES)),
]


@pytest.mark.parametrize("point", COMMIT_POINTS)
def test_a_kill_at_any_point_of_a_commit_leaves_all_or_nothing(url: str, point: str):
    """After it a re-run gives the result once: no lost, doubled or partial memory, and no used-up approval."""
    fields = approved(url)
    assert (
        workers.finish(workers.start(workers.commit_once, url, f"{point}:kill", "team", EDITS, fields)) == -9
    )
    with State(url) as state:
        before = state.get_store("team").version
        assert before == (2 if point == "commit.done" else 1)
        assert state.verify("team") == before + 1
        assert state.files("team") == {"/notes.md": NEW if before == 2 else NOTES}
        assert [bool(one.used_at) for one in state.decisions()] == [before == 2]
        for _ in range(2):
            assert state.commit("team", EDITS, **fields).version == 2
        assert state.files("team") == {"/notes.md": NEW}
        assert len(state.versions("team", dream_id="drm_1")) == 1
        assert len(state.evidence("team")) == 2
        assert state.verify("team") == 3


@pytest.mark.parametrize("action", ["raise", "enospc"])
@pytest.mark.parametrize("point", COMMIT_POINTS[:-1])
def test_an_error_at_any_point_of_a_commit_writes_nothing(
    state: State, monkeypatch: pytest.MonkeyPatch, point: str, action: str
):
    """No audit, no commit: what fails last undoes all before it."""
    one = supersede()
    dreamt(state, one)
    decision = state.decide(one.change_id, "approved", reviewer="ada")
    audit = state.audit()
    fields: dict[str, Any] = {
        "base_version": 1,
        "actor": ADA,
        "dream_id": "drm_1",
        "decisions": [decision.decision_id],
    }
    monkeypatch.setenv(VARIABLE, f"{point}:{action}")
    with pytest.raises(StoreError):
        state.commit("team", EDITS, **fields)
    monkeypatch.delenv(VARIABLE)
    assert (state.files("team"), state.audit()) == ({"/notes.md": NOTES}, audit)
    assert state.decisions() == [decision]
    assert state.commit("team", EDITS, **fields).version == 2


def wait_for_a_commit(url: str) -> None:
    """Until the worker has begun, however slow the machine."""
    with State(url) as state:
        start = state.get_store("team").version
        while state.get_store("team").version == start:
            time.sleep(0.01)


@pytest.mark.parametrize("seed", [1])
def test_kills_at_random_moments_never_tear_a_commit(url: str, seed: int):
    """Two files that are always committed together are never seen apart."""
    chance = random.Random(seed)
    with State(url) as state:
        state.create_store("team", actor=ADA)
    torn = 0
    for _ in range(ROUNDS):
        worker = workers.start(workers.commit_pairs, url, "team")
        wait_for_a_commit(url)
        time.sleep(chance.random() * 0.1)
        worker.kill()
        assert workers.finish(worker) == -9
        with State(url) as state:
            files = state.files("team")
            torn += files.get("/a.md") != files.get("/b.md")
            store = state.get_store("team")
            assert state.verify("team") == store.version + 1
            assert files.get("/a.md", "0") == str(store.version), "a version was lost or doubled"
    with State(url) as state:
        versions = state.get_store("team").version
    print(f"KILL tried={ROUNDS} versions={versions} torn={torn}")  # noqa: T201 - the figure
    assert torn == 0
    assert versions >= ROUNDS, "each round waits for a commit of its own"


def test_a_file_that_may_not_grow_stops_the_commit_and_loses_nothing(sqlite_url: str):
    """A full disk is a clear error, and the store is what it was."""
    with State(sqlite_url) as state:
        team(state)
    code = workers.finish(workers.start(workers.fill_disk, sqlite_url))
    assert code == 0, "the worker saw another error than the one expected"
    with State(sqlite_url) as state:
        assert state.files("team") == {"/notes.md": NOTES}
        assert state.verify("team") == 2
        put(state, "team", {"/after.md": "works again"})


def test_an_unknown_failpoint_action_is_said(state: State, monkeypatch: pytest.MonkeyPatch):
    """A typing mistake in a test must not pass for a test."""
    team(state)
    monkeypatch.setenv(VARIABLE, "commit.begin:explode")
    with pytest.raises(Exception, match="Use kill, raise or enospc"):
        state.commit("team", [edit(state, "team", "/x.md", "x")], base_version=1, actor=ADA)
