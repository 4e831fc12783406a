"""A lease that cannot be given back."""

import sqlite3

import pytest

from agentflows.errors import StoreError
from agentflows.home import Home
from agentflows.pursuing.holding import Hold


def test_a_lease_that_cannot_be_given_back_undoes_nothing_and_is_told(
    home: Home, caplog: pytest.LogCaptureFixture
):
    """What was done under it is done and recorded: an error now would say of all of it that it failed."""
    hold = Hold(home.state, "ws", "ada", "work")
    with sqlite3.connect(home.settings.home_path / "state.db") as database:
        database.execute("ALTER TABLE lease RENAME TO gone")
    with pytest.raises(StoreError):
        home.state.release(hold.lease)
    hold.close()
    assert "The lease on workspace:ws could not be given back" in caplog.text
