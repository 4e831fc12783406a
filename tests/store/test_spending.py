"""Budgets: nested, exact, and spent for good when nobody knows what a call cost."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from agentflows.budget import Call, Spend, UnlimitedPurse
from agentflows.change import Budget
from agentflows.errors import BudgetError, UsageError
from agentflows.session import Usage
from agentflows.store import State


def test_a_call_is_paid_on_every_level(state: State):
    """The dream's money is the day's money too."""
    purse = state.purse({"dream:d": Budget(tokens=100), "day:2026-11-22": Budget(dollars=1.0)})
    reservation = purse.reserve(80, 0.5, "extract")
    assert state.balance("dream:d") == state.balance("day:2026-11-22") == Spend(1, 0, 0.0, 80, 0.5)
    purse.settle(reservation, 60, 0.4)
    assert state.balance("dream:d") == state.balance("day:2026-11-22") == Spend(1, 60, 0.4, 0, 0.0)


def test_a_refused_reservation_is_made_on_no_level(state: State):
    """All levels or none; the message says which level, its ceiling, what is spent and what was asked."""
    purse = state.purse({"day": Budget(tokens=1000), "dream": Budget(tokens=100, dollars=1.0)})
    purse.reserve(70, 0.25, "extract")
    with pytest.raises(
        BudgetError, match=r"'judge': 'dream' may use 100 tokens, has used or set aside 70, and 31 were"
    ):
        purse.reserve(31, 0.0, "judge")
    with pytest.raises(
        BudgetError, match=r"'dream' may spend \$1.0000, has spent or set aside \$0.2500, and \$0.7501"
    ):
        purse.reserve(0, 0.7501, "judge")
    assert (state.balance("day").reserved_tokens, state.balance("dream").calls) == (70, 1)
    purse.reserve(30, 0.75, "judge")


def test_an_unknown_outcome_stays_spent(url: str):
    """A call that timed out was perhaps billed: after a crash it still counts."""
    with State(url) as state:
        state.purse({"dream": Budget(tokens=100)}).reserve(90, 0.9, "lost")
    with State(url) as state:
        purse = state.purse({"dream": Budget(tokens=100)})
        with pytest.raises(BudgetError, match="set aside 90"):
            purse.reserve(11, 0.0, "again")
        assert state.spent("dream").dollars == 0.9
        state.purse({"dream": Budget(tokens=200)}).reserve(11, 0.0, "with a larger budget")


def test_a_refund_gives_all_back(state: State):
    """A call that never left the machine cost nothing."""
    purse = state.purse({"dream": Budget(tokens=10)})
    purse.refund(purse.reserve(10, 1.0, "x"))
    assert state.balance("dream") == Spend()
    purse.reserve(10, 1.0, "x")


def test_a_dearer_call_is_booked_in_full(state: State):
    """The truth may pass the ceiling; the next call then may not."""
    purse = state.purse({"dream": Budget(tokens=10)})
    purse.settle(purse.reserve(5, 0.1, "x"), 12, 0.3)
    assert state.balance("dream").tokens == 12
    with pytest.raises(BudgetError):
        purse.reserve(0, 0.0, "y")


def test_sums_of_money_are_exact(state: State):
    """Ten times ten cents is a dollar, not one part in 10^16 more."""
    purse = state.purse({"dream": Budget(dollars=1.0)})
    for _ in range(10):
        purse.settle(purse.reserve(1, 0.1, "x"), 1, 0.1)
    assert state.spent("dream").dollars == 1.0
    with pytest.raises(BudgetError):
        purse.reserve(0, 0.000_001, "x")


@pytest.mark.parametrize("close", ["settle", "refund"])
def test_a_reservation_is_closed_once(state: State, close: str):
    """Settled twice, it would be paid twice."""
    for purse in (state.purse({"dream": Budget()}), UnlimitedPurse()):
        reservation = purse.reserve(1, 0.1, "x")
        purse.settle(reservation, 1, 0.1)
        with pytest.raises(UsageError, match=reservation):
            purse.settle(reservation, 1, 0.1) if close == "settle" else purse.refund(reservation)
        with pytest.raises(UsageError, match="rsv_none"):
            purse.refund("rsv_none")


def test_impossible_amounts_and_no_levels_are_refused(state: State):
    """A negative reservation would make money."""
    with pytest.raises(UsageError):
        state.purse({})
    with pytest.raises(UsageError):
        state.purse({"dream": Budget()}).reserve(-1, 0.0, "x")


def test_threads_share_a_purse(state: State):
    """The client calls from many threads at once."""
    purse = state.purse({"dream": Budget(tokens=100)})

    def call(_: int) -> bool:
        try:
            purse.settle(purse.reserve(10, 0.0, "x"), 10, 0.0)
        except BudgetError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(30))) == 10


def test_the_unlimited_purse_counts(state: State):
    """Without a budget one still wants to know."""
    purse = UnlimitedPurse()
    purse.settle(purse.reserve(10, 1.0, "x"), 5, 0.5)
    purse.refund(purse.reserve(10, 1.0, "x"))
    purse.reserve(7, 0.25, "under way")
    assert purse.spent() == Spend(2, 5, 0.5, 7, 0.25)


def test_a_recorded_call_shows_in_the_log_and_in_the_cost(state: State):
    """Every call's model, prompt, purpose, usage and cost."""
    call = Call(
        model="m", purpose="extract", prompt_sha256="ab", outcome="ok", stop_reason="end_turn",
        usage=Usage(10, 5, 3, 2), lost_tokens=1, dollars=0.25, priced=True, seconds=1.5, attempts=2, request_id="req",
    )  # fmt: skip
    purse = state.purse({"dream": Budget()})
    purse.settle(purse.reserve(20, 0.5, "extract"), 20, 0.25)
    purse.record_call(call)
    state.record_call(Call(model="m", purpose="other"))
    cost = state.spent("dream")
    assert (cost.calls, cost.usage, cost.dollars) == (1, Usage(10, 5, 3, 2), 0.25)
    logged = state.calls(purpose="extract")
    assert [replace(item, at=None) for item in logged] == [call]
    assert logged[0].at is not None
    assert len(state.calls()) == 2


def test_a_level_that_never_spent_has_spent_nothing(state: State):
    """Asking is not an error."""
    assert state.balance("never") == Spend()
    assert state.spent("never").calls == 0
