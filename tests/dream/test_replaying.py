"""The replay gate as it is: which changes flip a probe, what is held for it, and what is only chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflows.change import Change
from agentflows.dream import replay
from agentflows.dream.replaying import fewest, mcnemar_p, paired
from agentflows.replay import ProbeRun

FILES = {"/m.md": "- Old rule.\n"}


@dataclass(frozen=True)
class Task:
    """A probe that fails with every word of `bad` in the memory, or without one of `good`."""

    name: str
    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    repeats: int = 1
    unless: str = "no such word"
    """What hides the harm."""

    def run(self, _memory: str, files: Mapping[str, str]) -> list[ProbeRun]:
        text = "".join(files.values())
        harmed = bool(self.bad) and all(word in text for word in self.bad) and self.unless not in text
        is_good = all(word in text for word in self.good) and not harmed
        return [
            ProbeRun(result="pass" if is_good else "fail", why="" if is_good else f"{self.name} fails")
        ] * self.repeats


def adds(*texts: str, status: str = "proposed") -> list[Change]:
    return [
        Change.model_validate(
            {"change_id": f"chg_{text}", "dream_id": "drm_1", "op": "add", "path": "/m.md", "after": f"- {text}",
             "reason": "seen", "status": status}
        )
        for text in texts
    ]  # fmt: skip


def held(changes: Sequence[Change]) -> set[str]:
    return {change.change_id.removeprefix("chg_") for change in changes if change.status == "held"}


def test_what_flips_a_probe_is_held_and_the_rest_is_not():
    """The reason names the probe and what failed; improvements do not make up for it."""
    changes, found = replay(
        adds("a", "bad", "c", "good", "e"),
        FILES,
        [Task("harmed", bad=("bad",)), Task("helped", good=("good",)), Task("same")],
        Task.run,
        commit="auto",
    )
    assert held(changes) == {"bad"}
    (change,) = (one for one in changes if one.status == "held")
    assert change.risks == ("flips_probe",)
    assert change.status_reason == (
        "replay: the probe 'harmed' passes without this change and fails with it: harmed fails"
    )
    assert [one.verdict for one in found.probes] == ["flipped", "improved", "passes"]
    assert found.line == "replayed 3 probes: 1 improved, 1 flipped; 1 change waits for it"


def test_changes_that_do_harm_together_are_held_together():
    """Either of them alone would pass."""
    changes, found = replay(
        adds("a", "one", "c", "two", "e"), FILES, [Task("p", bad=("one", "two"))], Task.run, commit="auto"
    )
    assert held(changes) == {"one", "two"}
    assert found.flips[0].is_found
    assert "without this change and 1 other and fails" in changes[1].status_reason


def test_what_is_left_is_replayed_until_nothing_flips():
    """The second fault shows only when the first is gone, which is what would have been committed."""
    probes = [Task("first", bad=("bad",)), Task("second", bad=("worse",), unless="bad")]
    changes, found = replay(adds("bad", "worse", "fine"), FILES, probes, Task.run, commit="auto")
    assert held(changes) == {"bad", "worse"}
    assert {flip.probe for flip in found.flips} == {"first", "second"}


def test_what_cannot_be_found_in_so_many_trials_holds_the_whole_dream():
    """A bound on cost must not become a way through the gate."""
    texts = [f"t{number}" for number in range(10, 30)]
    probe = [Task("p", bad=("t13", "t26"))]
    changes, found = replay(adds(*texts), FILES, probe, Task.run, commit="auto", most_searches=3)
    assert held(changes) == set(texts)
    assert {change.risks for change in changes} == {("untested",)}
    assert not found.flips[0].is_found


def test_a_probe_that_could_not_be_told_holds_everything_and_counts_as_no_pass():
    """In either arm, whatever the other probes say."""
    for arm in ("present memory", "candidate memory"):

        def run(task: Task, memory: str, files: Mapping[str, str], arm: str = arm) -> list[ProbeRun]:
            broken = ProbeRun(result="unclear", why="no ink")
            return [broken] if memory == arm and task.name == "broken" else task.run(memory, files)

        changes, found = replay(adds("a", "b"), FILES, [Task("broken"), Task("fine")], run, commit="auto")
        assert held(changes) == {"a", "b"}
        assert "the probe 'broken' could not be told: no ink" in changes[0].status_reason
        assert (found.count("unclear"), found.unclear) == (1, 1)


def test_only_what_would_be_written_is_tried():
    """Under auto what no gate holds, under review what a person may approve; where that is nothing, no probe runs."""
    waiting = adds("bad", status="held")
    probes = [Task("p", bad=("bad",))]
    changes, found = replay([*waiting, *adds("fine")], FILES, probes, Task.run, commit="auto")
    assert (changes[0].risks, found.count("passes")) == ((), 1)
    changes, found = replay(waiting, FILES, probes, Task.run, commit="review")
    assert (changes[0].risks, changes[0].status) == (("flips_probe",), "held")
    changes, found = replay(waiting, FILES, probes, Task.run, commit="auto")
    assert (changes, found.probes, found.runs) == (waiting, (), 0)


RUNS = {"p": ProbeRun(result="pass"), "f": ProbeRun(result="fail"), "?": ProbeRun(result="unclear")}


@pytest.mark.parametrize(
    ("present", "candidate", "verdict"),
    [
        ("p", "p", "passes"), ("f", "f", "fails"), ("f", "p", "improved"), ("p", "f", "flipped"),
        ("?", "p", "unclear"), ("p", "?", "unclear"), ("pp?", "pp?", "unclear"),
        ("ppp", "pff", "flipped"), ("fpf", "ppp", "improved"), ("pf", "fp", "unclear"), ("ppf", "ppf", "passes"),
        ("fpp", "pff", "flipped"), ("", "", "unclear"),
    ],
)  # fmt: skip
def test_pairs_come_to_one_verdict(present: str, candidate: str, verdict: str):
    """Chance both ways is no verdict, and neither is nothing."""
    assert paired([RUNS[one] for one in present], [RUNS[one] for one in candidate]) == verdict


def test_mcnemars_exact_test_is_the_sign_test():
    """Worked by hand: of 10 pairs that differ, 2 to 8 is 2 (1 + 10 + 45) / 1024; 0 to 5 is 2 / 32; none tells nothing."""
    assert mcnemar_p(2, 8) == pytest.approx(112 / 1024)
    assert mcnemar_p(5, 0) == pytest.approx(2 / 32)
    assert mcnemar_p(0, 0) == mcnemar_p(4, 4) == 1.0


def test_repeats_bring_the_test_into_the_line():
    """One pair for each probe is too little to speak of p."""
    probe = Task("p", good=("good",), repeats=5)
    _, found = replay(adds("good"), FILES, [probe], Task.run, commit="auto")
    assert (found.better, found.worse, found.p_value) == (5, 0, pytest.approx(0.0625))
    assert "McNemar's exact test over 5 pairs that differ: p = 0.0625" in found.line


@given(
    st.integers(1, 24).flatmap(
        lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1), min_size=1))
    )
)
def test_the_fewest_are_exactly_those_that_do_it_together(case: tuple[int, set[int]]):
    """Where a fault needs all of some items, they are found, and no other, whatever their places."""
    size, guilty = case
    assert set(fewest(range(size), lambda some: guilty <= set(some))) == guilty
