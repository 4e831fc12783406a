"""The cache: answers paid for once, any number of them."""

import sqlite3

from agentflows.store import State


def test_thousands_of_keys_are_one_question(state: State):
    """A dream over all sessions asks for all their extractions at once."""
    rows = {f"obs:{number}": f'["{number}"]' for number in range(3_000)}
    state.cache(rows)
    state.cache({})
    assert state.cached([*rows, "obs:unknown", "obs:1"]) == rows
    assert state.cached([]) == {}


def test_a_later_answer_takes_the_place_of_an_earlier_one(state: State):
    """A key says what decides the answer; if it is asked again, the new answer is the better one."""
    state.cache({"k": "old", "other": "1"})
    state.cache({"k": "new"})
    assert state.cached(["k", "other"]) == {"k": "new", "other": "1"}


def test_a_damaged_answer_counts_as_unknown(sqlite_url: str):
    """It is found again, never served."""
    with State(sqlite_url) as state:
        state.cache({"k": "right", "l": "fine"})
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as raw:
        raw.execute("UPDATE cache SET value = 'wrong' WHERE key = 'k'")
    raw.close()
    with State(sqlite_url) as state:
        assert state.cached(["k", "l"]) == {"l": "fine"}
        state.cache({"k": "right"})
        assert state.cached(["k"]) == {"k": "right"}
