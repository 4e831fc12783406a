"""What a statement says is over is no part of what it holds to be true."""

import pytest

from agentflows.dream.over import without_over


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("The router listens on port 3430 now, not on 3979.", "The router listens on port 3430 now."),
        ("It refuses files over 81 MB now, it used to be 90.", "It refuses files over 81 MB now."),
        ("The limit is 3.2, up from 3.1.", "The limit is 3.2."),
        ("The port is 30. (until 2026-02-20: The port is 39)", "The port is 30."),
        ("The port is 30. (before: The port is 39)", "The port is 30."),
        ("Use 4 spaces, not 8.", "Use 4 spaces."),
        ("Wait 25 s, not 3.5 hours, before it.", "Wait 25 s, before it."),
    ],
)
def test_the_value_that_is_over_is_left_out(text: str, left: str):
    """Whoever says what was before says the same as whoever does not."""
    assert without_over(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Deploy with 3 workers, not more than 5.",
        "Keep records for 3 days, no longer than 5.",
        "Never use 8 spaces.",
        "It is 3, not 5 of them or 9.",
        "Deploy on Mondays (before 9).",
        "The desk is open (until 18:00).",
    ],
)
def test_a_limit_is_no_remark_on_the_past(text: str):
    """A bound that went unseen would let two different rules count as one."""
    assert without_over(text) == text
