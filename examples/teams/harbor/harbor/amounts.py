"""Amounts are integer cents."""


def total(amounts: list[int]) -> int:
    """The sum, in cents."""
    return sum(amounts)


def shown(cents: int, currency: str) -> str:
    """For people: 12.30 EUR."""
    return f"{cents // 100}.{cents % 100:02d} {currency}"
