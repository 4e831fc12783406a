"""A page of dreams says what became of their changes, without reading any report."""

from agentflows.store import State
from tests.store.conftest import Clock
from tests.store.samples import ADA, change, report, team


def dreamt(state: State, count: int) -> None:
    """So many dreams over one store, a day apart, each with one change held and one refused."""
    store = team(state)
    for day in range(1, count + 1):
        changes = [
            change(after=f"- lesson {day}", dream_id=f"drm_{day}", pattern_key=f"k{day}"),
            change(after=f"- other {day}", dream_id=f"drm_{day}", pattern_key=f"o{day}", status="refused"),
        ]
        state.save_dream(report(store, changes, dream_id=f"drm_{day}", day=day))


def test_the_newest_dreams_come_first_a_page_at_a_time(state: State):
    """Every dream once, over all pages."""
    dreamt(state, 5)
    pages = [state.dream_lines(offset=offset, limit=2) for offset in (0, 2, 4)]
    assert [[line.dream.dream_id for line in page] for page in pages] == [
        ["drm_5", "drm_4"],
        ["drm_3", "drm_2"],
        ["drm_1"],
    ]
    line = pages[0][0]
    assert (line.counts, line.changes, line.waiting, line.output) == ({"held": 1, "refused": 1}, 2, 1, "team")


def test_what_waits_is_counted_and_listed_until_it_is_decided(state: State):
    """An approval whose commit was cut off still waits."""
    dreamt(state, 3)
    assert state.waiting() == 3
    held = {one.dream_id: one.change_id for one in state.changes(status="held")}
    state.decide(held["drm_1"], "rejected", reviewer="ada", reason="no")
    state.decide(held["drm_2"], "approved", reviewer="ada")
    assert state.waiting() == 2
    assert [line.dream.dream_id for line in state.dream_lines(waiting=True)] == ["drm_3", "drm_2"]
    assert state.dream_lines(limit=10)[2].counts == {"rejected": 1, "refused": 1}


def test_a_change_whose_time_ran_out_waits_no_more(state: State, clock: Clock):
    """Listing tells it, as reading the dream would."""
    dreamt(state, 1)
    clock.forward(days=31)
    assert state.waiting() == 0
    assert state.dream_lines(waiting=True) == []
    assert state.dream_lines()[0].counts == {"expired": 1, "refused": 1}


def test_dreams_of_a_store_are_those_over_it_and_those_into_it(state: State):
    """A copy's own history begins with the dream that made it."""
    dreamt(state, 1)
    copy = state.copy_store("team", "copy", actor=ADA)
    made = state.dream("drm_1")
    into = made.dream.model_copy(
        update={"dream_id": "drm_copy", "output": "create_new", "output_store_id": copy.store_id}
    )
    state.save_dream(made.model_copy(update={"dream": into, "changes": ()}))
    assert [line.output for line in state.dream_lines("copy")] == ["copy"]
    assert {line.dream.dream_id for line in state.dream_lines("team")} == {"drm_1", "drm_copy"}
