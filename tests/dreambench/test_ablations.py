"""Each gate makes a figure of the benchmark: turned off, the figure fails; standing, it holds."""

import pytest

from agentflows import dream
from bench.dreambench.ablations import GATES, Gate, ablate, swapped

CHURNS = {"known evidence"}
"""What lost its place to a better supported change is evidence for the winner only in the next dream."""


IN_SHORT = {"support"}
"""Gates whose ablation runs with every change; all of them run with `make test-long`."""


def some_slow(gate: Gate) -> object:
    """The gate as a case of a test."""
    return pytest.param(gate, id=gate.name, marks=[] if gate.name in IN_SHORT else [pytest.mark.slow])


@pytest.mark.parametrize("gate", [some_slow(gate) for gate in GATES])
def test_a_gate_turned_off_makes_its_figure_fail(gate: Gate):
    """Else the gate is decoration, or its figure is."""
    found = ablate(gate, seed=1, size=20)
    assert found.is_needed, found
    assert found.standing == 0 or gate.name in CHURNS, found


def test_a_gate_is_back_when_the_trial_is_over():
    """Also when the trial fails."""
    before = dream.check_observation

    def fail() -> None:
        with swapped(GATES[0].without):
            assert dream.check_observation is not before
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert dream.check_observation is before
