"""One dream at a time on a store: who holds it, what becomes of the dead, what a fenced one may still do."""

import os
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentflows.dreaming import DreamRequest, DreamRun, dream_over
from agentflows.dreaming.holding import Hold
from agentflows.errors import ConflictError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.store import Holder
from tests.conftest import EXAMPLES
from tests.crash import workers

REQUEST = DreamRequest(engine="rules", commit="auto")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with open_home(tmp_path / "home") as home:
        ingest_files(home, discover(EXAMPLES / "sessions")[:12])
    return tmp_path / "home"


@pytest.fixture
def home(folder: Path) -> Iterator[Home]:
    with open_home(folder) as doors:
        yield doors


def _dream(folder: Path, options: dict[str, Any]) -> None:
    with open_home(folder) as doors:
        dream_over(doors, DreamRequest.model_validate({"engine": "rules", "commit": "auto"} | options))


def through(run: DreamRun) -> None:
    run.mine()
    run.recall()
    for number in range(1, len(run.pending) + 1):
        run.extract(number)
    run.check_quotes()
    run.cluster()
    run.propose()
    run.refute()
    run.verify()


def test_a_second_dream_on_the_store_is_told_who_holds_it(home: Home, folder: Path):
    """In another process; it writes nothing and ends with exit code 1. A copy or another store is free."""
    run = DreamRun.start(home, REQUEST)
    with open_home(folder) as other, pytest.raises(ConflictError) as refused:
        dream_over(other, DreamRequest(engine="rules", support=3))
    words = f"process {os.getpid()} on {socket.gethostname()}, {run.dream.dream_id}"
    assert words in str(refused.value)
    assert " since 20" in str(refused.value)
    assert refused.value.exit_code == 1
    with open_home(folder) as other:
        assert [dream.status for dream in other.state.dreams()] == ["running"]
        for request in (
            DreamRequest(engine="rules", output="create_new"),
            DreamRequest(engine="rules", store="x"),
        ):
            assert dream_over(other, request).dream.status == "completed"


def test_the_store_is_free_when_the_dream_is_over_or_failed(home: Home):
    """However it ends."""
    run = DreamRun.start(home, REQUEST)
    run.fail(ValueError("on purpose"))
    assert dream_over(home, DreamRequest(engine="rules", support=3)).dream.status == "completed"
    assert dream_over(home, DreamRequest(engine="rules", support=4)).dream.status == "completed"


def test_a_dream_that_was_killed_is_marked_by_the_next_command_and_can_go_on(folder: Path):
    """Nobody dreams it: it must not be called running for ever, nor keep the store."""
    workers.die_at("dream.clustered", _dream, folder, {})
    with open_home(folder) as home:
        (dead,) = home.state.dreams()
        assert (dead.status, dead.error_type) == ("failed", "Interrupted")
        assert "run the same command again" in dead.error
        assert home.state.dream(dead.dream_id).dream.status == "failed"
        assert dream_over(home, REQUEST).dream.dream_id == dead.dream_id
        assert [dream.status for dream in home.state.dreams()] == ["completed"]


def test_a_living_dream_is_not_taken_for_dead(home: Home, folder: Path):
    """Every command looks; only a holder that is gone counts."""
    run = DreamRun.start(home, REQUEST)
    with open_home(folder) as other:
        assert other.state.dream(run.dream.dream_id).dream.status == "running"
    run.fail(ValueError("enough"))


def test_a_holder_on_another_machine_keeps_the_store_until_its_lease_runs_out(home: Home):
    """Whether it lives cannot be known from here; its time can."""
    store = home.state.create_store("team", actor=home.actor())
    far = Holder("ada", "elsewhere", 1, "", "2026-01-05 09:00:00", "drm_far", "k")
    home.state.lease(f"store:{store.store_id}", str(far), timedelta(minutes=2))
    with pytest.raises(
        ConflictError, match=r"ada .process 1 on elsewhere, drm_far. since 2026-01-05 09:00:00 UTC"
    ):
        dream_over(home, REQUEST)
    home.state.lease(f"store:{store.store_id}", str(far), timedelta(seconds=-1))
    assert dream_over(home, REQUEST).dream.status == "completed"


def test_a_dream_that_lost_its_lease_commits_nothing(home: Home):
    """It slept longer than its lease ran, and another took over: the fencing token decides."""
    run = DreamRun.start(home, REQUEST)
    through(run)
    assert any(change.status == "proposed" for change in run.changes), "there is something to commit"
    assert run.hold
    name, owner = run.hold.lease.name, run.hold.lease.owner
    home.state.lease(name, owner, timedelta(minutes=1))  # what a second life of the same owner would do
    before = home.state.get_store("team").version
    with pytest.raises(ConflictError, match="was lost"):
        run.finish()
    assert home.state.get_store("team").version == before


@pytest.mark.parametrize("options", [{"commit": "review"}, {"output": "create_new"}])
def test_a_dream_that_lost_its_lease_holds_nothing_for_review_either(home: Home, options: dict[str, str]):
    """What it proposes was made for a store that others work on by now, and they may have said it already."""
    run = DreamRun.start(home, DreamRequest.model_validate({"engine": "rules"} | options))
    through(run)
    assert run.hold
    home.state.lease(run.hold.lease.name, run.hold.lease.owner, timedelta(minutes=1))
    stores = len(home.state.list_stores())
    with pytest.raises(ConflictError, match="was lost"):
        run.finish()
    assert home.state.changes(dream_id=run.dream.dream_id) == []
    assert home.state.dream(run.dream.dream_id).dream.status == "running"
    assert len(home.state.list_stores()) == stores, "no copy is left behind"


def test_a_lost_lease_is_noticed_while_the_dream_runs(home: Home):
    """Else it would go on paying for what it can never commit."""
    run = DreamRun.start(home, REQUEST)
    assert run.hold
    run.hold.close()
    tried = threading.Event()
    fast = Hold(home.state, run.dream, "ada", every=0.01)
    home.state.lease(fast.lease.name, fast.lease.owner, timedelta(minutes=1))
    for _ in range(500):
        if tried.wait(0.01) or _is_lost(fast):
            break
    with pytest.raises(ConflictError, match="was lost"):
        fast.check()
    fast.close()


def _is_lost(hold: Hold) -> bool:
    try:
        hold.check()
    except ConflictError:
        return True
    return False


def test_a_process_of_the_same_number_is_another_process():
    """Numbers are given again after a restart; the start time tells them apart."""
    mine = Holder.here("ada", "drm_1")
    assert not mine.is_gone
    later = Holder(mine.who, mine.host, mine.process, "1", mine.since, mine.work, mine.key)
    assert later.is_gone or not mine.began
    assert Holder.read(str(mine)) == mine
    assert Holder.read("run 1") is None
