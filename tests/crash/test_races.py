"""Two at once on one store: each commit is whole, nothing is lost, nothing is there twice."""

from pathlib import Path
from typing import Any

import pytest

from agentflows.change import DreamReport
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.home import open_home
from agentflows.memory import parse_entries
from tests.crash import scenes, workers
from tests.crash.conftest import Endpoint

BY_HAND = [f"- Written by hand, number {number}.\n" for number in range(15)]


def at_once(*calls: tuple[Any, ...]) -> list[int]:
    """Run them in processes of their own, together, and return their exit codes."""
    processes = [workers.start(*call) for call in calls]
    return [workers.finish(process) for process in processes]


def until_done(*calls: tuple[Any, ...]) -> list[int]:
    """Run them together; whoever is told that another dream is at work on the store comes again, alone."""
    codes = at_once(*calls)
    assert 0 in codes
    assert set(codes) <= {0, workers.REFUSED}
    return [at_once(call)[0] if code else 0 for call, code in zip(calls, codes, strict=True)]


def entries(folder: Path, store: str = "example") -> list[str]:
    """Every entry of the store; the store is whole."""
    with open_home(folder) as home:
        found = home.state.get_store(store)
        assert home.state.verify(store) == found.version + 1
        files = home.state.files(store)
    return [
        " ".join(entry.text.split())
        for path, text in files.items()
        for entry in parse_entries(path, text)
        if entry.kind == "list_item"
    ]


def statuses(report: DreamReport) -> set[str]:
    """Of all that can be approved at once; flags wait until a person names them."""
    return {change.status for change in report.changes if change.op != "flag"}


def waiting(folder: Path) -> str:
    """Let a dream wait for review."""
    with open_home(folder) as home:
        return dream_over(home, DreamRequest(store="example", engine="rules")).dream.dream_id


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(scenes.RULES, id="rules"),
        pytest.param(scenes.CLAUDE, id="claude", marks=pytest.mark.slow),
    ],
)
def test_the_same_dream_twice_at_once_is_one_dream(
    folder: Path, seeded: Path, tmp_path: Path, endpoint: Endpoint, options: dict[str, Any]
):
    """The second finds it done, or is told who is at it; what they leave is what one leaves."""
    calm = scenes.copy(seeded, tmp_path / "calm")
    workers.dream(calm, options)
    codes = at_once(*[(workers.dream, folder, options)] * 2)
    assert 0 in codes
    assert set(codes) <= {0, workers.REFUSED}
    assert scenes.outcome(folder)["stores"] == scenes.outcome(calm)["stores"]
    dreams = scenes.outcome(folder)["dreams"]
    assert [one["dream"]["status"] for one in dreams] == ["completed"] * len(dreams)
    assert scenes.outcome(calm)["dreams"][0] in dreams


def test_different_dreams_at_once_do_not_say_a_thing_twice(folder: Path):
    """Each commits what the other has not; a store that moved is read again, not overwritten."""
    codes = until_done(*[(workers.dream, folder, {**scenes.RULES, "support": support}) for support in (1, 2)])
    assert codes == [0, 0]
    found = entries(folder)
    assert len(found) == len(set(found))
    with open_home(folder) as home:
        assert {one.status for one in home.state.dreams()} == {"completed"}


def test_two_dreams_may_create_the_store_at_once(folder: Path):
    """There is one store of the name afterwards, and each change waits once."""
    options = [{**scenes.RULES, "store": "new", "support": support} for support in (1, 2)]
    assert until_done(*[(workers.dream, folder, one) for one in options]) == [0, 0]
    with open_home(folder) as home:
        assert sorted(store.name for store in home.state.list_stores()) == ["example", "new"]
        held = [change.memo_key for change in home.state.changes(store="new", status="held")]
    assert len(held) == len(set(held)) > 0


def test_two_dreams_into_a_copy_at_once_make_one(folder: Path):
    """The same dream with `output=create_new` has one output."""
    options = {**scenes.RULES, "output": "create_new"}
    assert until_done(*[(workers.dream, folder, options)] * 2) == [0, 0]
    with open_home(folder) as home:
        assert len(home.state.list_stores()) == 2


def test_two_approvals_of_everything_at_once_commit_once(folder: Path):
    """One of them does it; the other finds it done, or is told that the store moved."""
    name = waiting(folder)
    codes = at_once(*[(workers.approve, folder, name, who) for who in ("ada", "grace")])
    assert 0 in codes
    assert set(codes) <= {0, workers.REFUSED}
    with open_home(folder) as home:
        assert statuses(home.state.dream(name)) == {"committed"}
        assert home.state.get_store("example").version == 2
        assert all(decision.used_at for decision in home.state.decisions())
    assert len(entries(folder)) == len(set(entries(folder)))


def test_approvals_of_different_changes_at_once_both_go_in(folder: Path):
    """Whoever is told that the store moved approves again, and then it is in."""
    name = waiting(folder)
    calls = [(workers.approve_some, folder, name, "ada", ["1", "2"])]
    calls += [(workers.approve_some, folder, name, "grace", ["8", "9"])]
    codes = at_once(*calls)
    for call, code in zip(calls, codes, strict=True):
        assert code in {0, workers.REFUSED}
        if code:
            assert at_once(call) == [0]
    with open_home(folder) as home:
        changes = home.state.dream(name).changes
    assert {changes[place].status for place in (0, 1, 7, 8)} == {"committed"}
    assert {change.status for place, change in enumerate(changes) if place not in {0, 1, 7, 8}} == {"held"}


def test_commits_by_hand_while_an_approval_runs_lose_nothing(folder: Path):
    """The approval is refused or checked again; in the end everybody's words stand."""
    name = waiting(folder)
    hand = workers.start(workers.note, folder, "example", BY_HAND)
    codes = [workers.finish(workers.start(workers.approve, folder, name, "ada")) for _ in range(2)]
    assert workers.finish(hand) == 0
    assert set(codes) <= {0, workers.REFUSED}
    assert at_once((workers.approve, folder, name, "ada")) == [0]
    with open_home(folder) as home:
        assert statuses(home.state.dream(name)) == {"committed"}
        learned = [change.after for change in home.state.dream(name).changes if change.op == "add"]
    found = entries(folder)
    assert {text.strip() for text in BY_HAND} <= set(found)
    assert {" ".join((text or "").split()) for text in learned} <= set(found)
    assert len(found) == len(set(found))
