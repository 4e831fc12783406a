"""Amounts."""

from harbor.amounts import shown, total


def test_amounts_are_added_in_cents():
    assert total([10, 20]) == 30


def test_amounts_are_shown_with_their_currency():
    assert shown(1230, "EUR") == "12.30 EUR"
