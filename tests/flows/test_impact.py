"""The impact flow on a real Prefect server: its page shows the table, the picture and what to undo."""

from pathlib import Path

import pytest

from agentflows import load_flow, open_home
from agentflows.errors import NotFoundError
from tests.conftest import ROOT
from tests.flows import reads
from tests.impact.sessions import archived, many, written

pytestmark = pytest.mark.prefect


def test_the_page_shows_what_made_things_worse_and_the_flag_is_kept(tmp_path: Path):
    """An operator sees it without a terminal."""
    with open_home(tmp_path) as home:
        written(home, [(10, "- one\n"), (20, "- two\n")])
        archived(home, [*many("a", 2, 15, 5), *many("b", 12, 15, 5), *many("c", 21, 2, 18)])
    answer = load_flow("impact", ROOT)(store="team", home=str(tmp_path))
    assert answer == {
        "store": "team",
        "sessions": 60,
        "verdicts": {"1": "no_difference", "2": "worse"},
        "worse": [2],
    }
    artifacts = {key: str(artifact.data) for key, artifact in reads.artifacts().items()}
    assert "Undo: `agentflows memory restore 1 --store team`" in artifacts["impact-team"]
    assert "](data:image/svg+xml;base64," in artifacts["impact-team"]
    assert "WORSE" in artifacts["impact-team-versions"]
    with open_home(tmp_path) as home:
        assert [flag.status for flag in home.state.impact_flags("team")] == ["open"]


def test_a_narrowed_comparison_is_shown_and_not_kept(tmp_path: Path):
    """Only the whole store's own sessions flag a version."""
    with open_home(tmp_path) as home:
        written(home, [(10, "- one\n")])
        archived(home, [*many("a", 2, 18, 2), *many("b", 12, 2, 18)])
    answer = load_flow("impact", ROOT)(store="team", agent="aider", home=str(tmp_path))
    assert answer["worse"] == [1]
    with open_home(tmp_path) as home:
        assert home.state.impact_flags("team") == []


def test_the_first_week_is_no_failure_and_a_wrong_name_is(tmp_path: Path):
    """It is scheduled from the start, and a failed run is told to somebody."""
    impact = load_flow("impact", ROOT)
    assert impact(store="team", home=str(tmp_path))["verdicts"] == {}
    with open_home(tmp_path) as home:
        home.state.create_store("other", actor=home.actor("tester"))
    with pytest.raises(NotFoundError, match="There are: 'other'"):
        impact(store="team", home=str(tmp_path))
