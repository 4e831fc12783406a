"""What a command may have spent counts, though it was killed before it could say: caps hold whatever a run ends with."""

import json

import pytest

from agentflows.agent import AgentDefinition, Job
from agentflows.budget import is_refusal
from agentflows.change import Budget
from agentflows.errors import BudgetError
from agentflows.home import Home
from tests.runners.conftest import writer
from tests.runners.test_stopping import asks

EVENT = {
    "type": "assistant",
    "session_id": "s",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "I look."}],
        "usage": {"input_tokens": 200_000, "output_tokens": 30_000},
    },
}
TOKENS, DOLLARS = 230_000, 0.7
"""What that message takes, at list price."""


def agent(
    script: str = f"echo '{json.dumps(EVENT)}'; touch begun; sleep 300", **limits: float
) -> AgentDefinition:
    return writer(runner="command", command=("/bin/sh", "-c", script), **limits)


@pytest.mark.parametrize(("reserved", "spent"), [(0.9, 0.9), (0.6, DOLLARS)])
def test_a_run_that_is_killed_counts_as_spent(home: Home, job: Job, reserved: float, spent: float):
    """It never told what it spent: what was set aside is gone, or what it was seen to spend, if that is more."""
    purse = home.purse("one", Budget(dollars=1.0))
    runner = home.runner(agent(), purse)
    done = runner.run(agent(max_dollars=reserved), job, stop=asks(job.workspace / "begun"))
    assert (done.end, done.detail) == ("interrupted", "enough")
    booked = home.state.balance("dream:one")
    assert (booked.tokens, booked.dollars) == (TOKENS, pytest.approx(spent))
    assert (booked.calls, booked.reserved_dollars) == (1, 0)
    assert done.dollars == pytest.approx(spent)
    with pytest.raises(BudgetError, match="Raise the budget"):
        runner.run(agent(max_dollars=reserved), job)


@pytest.mark.parametrize("budget", [Budget(dollars=0.5), Budget(tokens=100_000)])
def test_a_run_without_a_limit_of_its_own_ends_when_it_is_seen_to_pass_the_cap(
    home: Home, job: Job, budget: Budget
):
    """Nothing was set aside for it, so it is looked at as it goes; else one run could spend without bound."""
    done = home.runner(agent(), home.purse("one", budget)).run(agent(), job)
    assert done.end == "cap_reached"
    assert is_refusal(done.detail)
    booked = home.state.balance("dream:one")
    assert (booked.tokens, booked.dollars) == (TOKENS, pytest.approx(DOLLARS))


@pytest.mark.usefixtures("sandbox_here")
def test_behind_walls_it_is_seen_as_it_goes_too(home: Home, job: Job):
    """What it prints comes out while it runs, so that a cap need not wait for its end."""
    walled = agent().model_copy(update={"sandbox": "required"})
    done = home.runner(walled, home.purse("one", Budget(dollars=0.5))).run(walled, job)
    assert (done.end, is_refusal(done.detail)) == ("cap_reached", True)
    assert home.state.balance("dream:one").dollars == pytest.approx(DOLLARS)


def test_what_asks_no_model_costs_nothing(home: Home, job: Job):
    """A script under a cap, killed or not; and a command that cannot be started, whatever it may spend."""
    purse = home.purse("one", Budget(dollars=0.5))
    idle = agent("touch begun; sleep 300")
    home.runner(idle, purse).run(idle, job, stop=asks(job.workspace / "begun"))
    missing = writer(runner="command", command=("./none",), max_dollars=0.4)
    assert home.runner(missing, purse).run(missing, job).end == "failed"
    assert home.state.balance("dream:one").dollars == 0
    assert home.state.balance("dream:one").reserved_dollars == 0
