"""One line of figures for each test of the scorecard, printed whatever pytest captures."""

import sys
from collections.abc import Callable

import pytest

Score = Callable[..., None]


@pytest.fixture
def score(capsys: pytest.CaptureFixture[str]) -> Score:
    """Print `NAME tried=… bad=…` and whatever else belongs beside it."""

    def show(name: str, *, tried: int, bad: int, **more: object) -> None:
        rest = "".join(f" {key}={value}" for key, value in more.items())
        with capsys.disabled():
            sys.stdout.write(f"\n{name} tried={tried} bad={bad}{rest}\n")

    return show
