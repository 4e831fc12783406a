"""Leases: who works on something, and how a worker that lost its lease is kept from writing."""

from datetime import timedelta

import pytest

from agentflows.errors import ConflictError
from agentflows.store import State
from tests.store.samples import ADA, edit, team

MINUTE = timedelta(minutes=1)
GONE = timedelta(seconds=-1)


def test_a_lease_has_one_holder(state: State):
    """The second is told who works there."""
    state.lease("store:team", "run 1", MINUTE)
    with pytest.raises(ConflictError, match="'run 1' works on 'store:team'"):
        state.lease("store:team", "run 2", MINUTE)
    assert state.lease("store:other", "run 2", MINUTE).token == 1


def test_a_lease_that_ran_out_or_was_given_back_is_free(state: State):
    """A dead worker blocks nobody for longer than its lease; tokens only grow."""
    first = state.lease("x", "run 1", GONE)
    second = state.lease("x", "run 2", MINUTE)
    state.release(first)
    with pytest.raises(ConflictError, match="'run 2' works"):
        state.lease("x", "run 1", MINUTE)
    state.release(second)
    third = state.lease("x", "run 1", MINUTE)
    assert [first.token, second.token, third.token] == [1, 2, 3]


def test_its_owner_takes_a_lease_again_at_once(state: State):
    """A run that was killed and is run again does not wait for itself; the older process is fenced."""
    old = state.lease("x", "run 1", MINUTE)
    new = state.lease("x", "run 1", MINUTE)
    state.renew(new)
    with pytest.raises(ConflictError, match="was lost"):
        state.renew(old)


def test_renewing_keeps_the_lease(state: State):
    """A heartbeat, in the database's time."""
    lease = state.lease("x", "run 1", GONE)
    longer = type(lease)(lease.name, lease.owner, lease.token, MINUTE)
    state.renew(longer)
    with pytest.raises(ConflictError, match="works on"):
        state.lease("x", "run 2", MINUTE)


def test_a_worker_that_lost_its_lease_cannot_commit(state: State):
    """A process that slept through its lease must not overwrite what came after."""
    team(state)
    sleeper = state.lease("store:team", "run 1", GONE)
    state.lease("store:team", "run 2", MINUTE)
    edits = [edit(state, "team", "/x.md", "x")]
    with pytest.raises(ConflictError, match="was lost"):
        state.commit("team", edits, base_version=1, actor=ADA, lease=sleeper)
    assert "/x.md" not in state.files("team")


def test_its_holder_commits_under_a_lease(state: State):
    """One that ran out while nobody took it still holds: nobody can have written."""
    team(state)
    lease = state.lease("store:team", "run 1", GONE)
    assert (
        state.commit(
            "team", [edit(state, "team", "/x.md", "x")], base_version=1, actor=ADA, lease=lease
        ).version
        == 2
    )


def test_a_lease_nobody_took_is_no_lease(state: State):
    """A made-up token opens nothing."""
    lease = state.lease("x", "run 1", MINUTE)
    with pytest.raises(ConflictError, match="Nobody ever took"):
        state.renew(type(lease)("y", "run 1", 1, MINUTE))
