"""The store against a model that fits on a page: any sequence of commits, restores, copies and stale edits."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agentflows.errors import ConflictError
from agentflows.memory import MemoryEdit, sha256, tree_sha256
from agentflows.store import State
from tests.store.samples import ADA

PATHS = st.sampled_from(["/a.md", "/b.md", "/c/d.md", "/c/e.md"])
TEXTS = st.sampled_from(["", "one", "two", "three\r\n", "vier \x00 ä 🐈"])
EDITS = st.dictionaries(PATHS, st.none() | TEXTS, max_size=4)
ATTEMPTS = {"commits": 0}


class StoreMachine(RuleBasedStateMachine):
    """Every version of the model is a plain dict; the store must say the same, always."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.state = State(f"sqlite:///{Path(self.folder.name) / 'state.db'}")
        self.state.create_store("s", actor=ADA)
        self.history: list[dict[str, str]] = [{}]
        self.ids: dict[str, str] = {}

    @property
    def now(self) -> dict[str, str]:
        return self.history[-1]

    def edits(self, wanted: dict[str, str | None], seen: dict[str, str]) -> list[MemoryEdit]:
        return [
            MemoryEdit(path=path, content=text, expected_sha256=sha256(seen[path]) if path in seen else None)
            for path, text in wanted.items()
        ]

    @rule(wanted=EDITS)
    def commit(self, wanted: dict[str, str | None]) -> None:
        ATTEMPTS["commits"] += 1
        after = {path: text for path, text in {**self.now, **wanted}.items() if text is not None}
        version = len(self.history) - 1
        self.state.commit("s", self.edits(wanted, self.now), base_version=version, actor=ADA)
        if after != self.now:
            self.history.append(after)

    @precondition(lambda self: len(self.history) > 1)
    @rule(wanted=EDITS, data=st.data())
    def commit_from_an_old_version(self, wanted: dict[str, str | None], data: st.DataObject) -> None:
        ATTEMPTS["commits"] += 1
        base = data.draw(st.integers(0, len(self.history) - 2))
        with refused():
            self.state.commit("s", self.edits(wanted, self.history[base]), base_version=base, actor=ADA)

    @rule(path=PATHS, text=TEXTS)
    def commit_over_another_text(self, path: str, text: str) -> None:
        ATTEMPTS["commits"] += 1
        edit = MemoryEdit(path=path, content=text, expected_sha256=sha256("never written"))
        with refused():
            self.state.commit("s", [edit], base_version=None, actor=ADA)

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        ATTEMPTS["commits"] += 1
        version = data.draw(st.integers(0, len(self.history) - 1))
        self.state.restore("s", version, actor=ADA)
        if self.history[version] != self.now:
            self.history.append(self.history[version])

    @rule(data=st.data())
    def read_an_old_version(self, data: st.DataObject) -> None:
        version = data.draw(st.integers(0, len(self.history) - 1))
        assert self.state.files("s", version) == self.history[version]

    @rule()
    def open_again(self) -> None:
        url = f"sqlite:///{Path(self.folder.name) / 'state.db'}"
        self.state.close()
        self.state = State(url)

    @rule()
    def verify(self) -> None:
        assert self.state.verify("s") == len(self.history)

    @invariant()
    def the_head_is_the_models(self) -> None:
        store = self.state.get_store("s")
        assert self.state.files("s") == self.now
        assert (store.version, store.sha256) == (len(self.history) - 1, tree_sha256(self.now))

    @invariant()
    def a_memory_keeps_its_id_while_it_stands(self) -> None:
        ids = {memory.path: memory.memory_id for memory in self.state.memories("s")}
        assert len(set(ids.values())) == len(ids)
        for path in ids.keys() & self.ids.keys():
            assert ids[path] == self.ids[path]
        self.ids = ids

    def teardown(self) -> None:
        self.state.close()
        self.folder.cleanup()


@contextmanager
def refused() -> Generator[None, None, None]:
    try:
        yield
    except ConflictError:
        return
    message = "a stale commit was taken"
    raise AssertionError(message)


@pytest.mark.parametrize("examples", [10, pytest.param(150, marks=pytest.mark.slow)])
def test_the_store_agrees_with_its_model(examples: int):
    """Whatever is done in whatever order, no version is lost, doubled or altered."""
    ATTEMPTS["commits"] = 0
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    print(f"STATEFUL tried={ATTEMPTS['commits']} bad=0")  # noqa: T201 - the figure
    assert ATTEMPTS["commits"] > 10 * examples
