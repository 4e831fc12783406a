"""One line of figures for each test of the scorecard, printed whatever pytest captures."""

from collections.abc import Callable

import pytest

Score = Callable[..., None]


@pytest.fixture
def score(capsys: pytest.CaptureFixture[str]) -> Score:
    """Print `NAME tried=… bad=…` and whatever else belongs beside it."""

    def show(name: str, *, tried: int, bad: int, **more: object) -> None:
        rest = "".join(f" {key}={value}" for key, value in more.items())
        with capsys.disabled():
            print(f"\n{name} tried={tried} bad={bad}{rest}", flush=True)

    return show
