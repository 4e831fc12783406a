"""A dream that is refused before it begins leaves nothing behind."""

from pathlib import Path

import pytest

from agentflows.change import Budget
from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import BudgetError, LimitError, SettingsError
from agentflows.home import open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from tests.conftest import EXAMPLES


def test_a_dream_that_is_refused_creates_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty store that nobody meant to make would stand in every list."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with open_home(tmp_path, base_url="http://127.0.0.1:9", api_key="key") as home:
        ingest_files(home, discover(EXAMPLES / "sessions"))
        with pytest.raises(BudgetError, match="Nothing was spent"):
            dream_over(home, DreamRequest(store="new", engine="claude", budget=Budget(tokens=1000)))
        assert home.state.list_stores() == []
    with open_home(tmp_path) as home:
        with pytest.raises(SettingsError, match="needs a key or an endpoint"):
            dream_over(home, DreamRequest(store="new", engine="claude"))
        assert home.state.list_stores() == []


@pytest.mark.parametrize("name", ["", "two\nlines", "bell\x07", "x" * 256])
def test_a_name_the_hosted_api_refuses_makes_no_store(tmp_path: Path, name: str):
    """A slash is allowed there, a control character is not."""
    with open_home(tmp_path) as home:
        ingest_files(home, discover(EXAMPLES / "sessions")[:1])
        with pytest.raises(LimitError, match="cannot be used"):
            dream_over(home, DreamRequest(store=name, engine="rules"))
        assert home.state.list_stores() == []
