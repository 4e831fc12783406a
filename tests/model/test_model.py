"""Prices and token bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflows.errors import SettingsError
from agentflows.model import PRICES, Price, TokenBound, dollars, most_tokens, price, price_table
from agentflows.session import Usage
from agentflows.settings import load_settings

PRICE = {"input": 2.0, "output": 10.0, "cache_read": 0.2, "cache_write": 2.5}


def test_a_model_without_a_documented_price_has_none():
    """What no page gave is the user's to give; guessing would make a money cap a promise nobody can keep."""
    assert price("claude-opus-5-5") is None
    assert dollars("claude-opus-5-5", Usage(1_000_000)) == 0.0


def test_the_default_model_can_be_capped_in_dollars():
    """Else the first budget a user sets would be refused."""
    assert price(load_settings().model) is not None


def test_a_users_own_price_wins():
    """Discounts and changes are theirs to know."""
    table = price_table({"claude-sonnet-5-5": PRICE})
    assert price("claude-sonnet-5-5", table) == Price(**PRICE)
    assert len(table) == len(PRICES)


def test_each_kind_of_token_has_its_rate():
    """A million of each costs the four rates together."""
    table = price_table({"m": PRICE})
    million = Usage(1_000_000, 1_000_000, 1_000_000, 1_000_000)
    assert dollars("m", million, table) == pytest.approx(14.7)


def test_a_dated_id_has_the_price_of_its_model():
    """A snapshot costs what its model costs, unless it has a price of its own."""
    table = price_table({"m-1": PRICE, "m-1-20260101": {**PRICE, "input": 9}})
    assert price("m-1-20251231", table) == table["m-1"]
    assert price("m-1-20260101", table) == table["m-1-20260101"]
    assert price("m-12", table) is None


def test_a_bound_in_dollars_takes_the_dearest_rate():
    """Before the call no one knows what the cache will read or write."""
    assert Price(**PRICE).at_most(1_000_000, 1_000_000) == pytest.approx(12.5)


@pytest.mark.parametrize("figures", [{}, {"input": 1}, {**PRICE, "input": -1}, {**PRICE, "thinking": 3}])
def test_a_price_that_is_not_whole_is_a_settings_error(figures: dict[str, float]):
    """The message names the model and the variable."""
    with pytest.raises(SettingsError, match=r"'m'.*AGENTFLOWS_PRICES"):
        price_table({"m": figures})


def test_prices_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch):
    """`AGENTFLOWS_PRICES` is the one place to give them."""
    monkeypatch.setenv(
        "AGENTFLOWS_PRICES", '{"m": {"input": 2, "output": 10, "cache_read": 1, "cache_write": 3}}'
    )
    table = price_table(load_settings().prices)
    assert table["m"] == Price(input=2, output=10, cache_read=1, cache_write=3)


@given(st.text(), st.text())
def test_a_longer_text_never_has_a_lower_bound(first: str, second: str):
    """What is estimated for a part holds for the whole."""
    assert most_tokens(first) <= most_tokens(first + second) <= most_tokens(first) + most_tokens(second)


def test_dense_text_is_reckoned_dearer_than_prose():
    """Digits, symbols and other scripts have fewer characters to a token than English words."""
    assert most_tokens("word word ") == 5
    assert most_tokens("0123456789") == 10
    assert most_tokens("これは日本語") == 12


def test_the_bound_comes_down_when_replies_tell_their_count():
    """Four characters a token is half the plain bound; a fifth stays on top."""
    bound, text = TokenBound(), "word " * 4000
    before = bound.of([text])
    for _ in range(3):
        bound.learn([text], 5000)
    assert before == 10_000 + bound.OVERHEAD
    assert bound.of([text]) == 6_000 + bound.OVERHEAD


def test_the_bound_goes_up_at_once_when_it_was_too_low():
    """One reply that counted more is reason enough."""
    bound, text = TokenBound(), "word " * 4000
    bound.learn([text], 15_000)
    assert bound.of([text]) == 15_000 + bound.OVERHEAD


def test_short_requests_teach_nothing():
    """In them the endpoint's own tokens weigh too much."""
    bound = TokenBound()
    for _ in range(5):
        bound.learn(["hello"], 500)
    assert bound.factor == 1.0
