"""The outcome patterns against 200 real sessions whose truth was computed by others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows import readers
from agentflows.archive import Archive

pytestmark = pytest.mark.real_data
Features = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def tau(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """All of tau-bench's airline sessions."""
    with Archive(tmp_path_factory.mktemp("tau") / "archive") as archive:
        archive.add(readers.read(real_data / "tau-bench" / "gpt-4o-airline.json.gz"))
        yield archive


@pytest.fixture(scope="module")
def truth(real_data: Path) -> dict[str, Any]:
    """What was counted from the records."""
    return json.loads((real_data / "tau-bench" / "ground_truth_patterns.json").read_text())[
        "tau1-gpt4o-airline"
    ]


@pytest.fixture(scope="module")
def found(tau: Archive) -> Features:
    """Our features by name."""
    return {row["feature"]: row for row in tau.pattern("outcome_features")}


def test_features_match_the_truth_number_by_number(found: Features, truth: dict[str, Any]):
    """Counts, Fisher, Mantel-Haenszel and Cochran-Mantel-Haenszel, for all features that bear the same name."""
    compared = 0
    for expected in truth["features"]:
        row = found.get(expected["feature"])
        if row is None:
            assert expected["feature"] == "any_tool_error" or expected["feature"].startswith("errmsg:")
            continue
        compared += 1
        assert (row["n"], row["fail"], row["ok"]) == (expected["n"], expected["fail"], expected["ok"])
        assert row["fisher_p"] == pytest.approx(expected["fisher_p"], rel=1e-6)
        if expected["cmh_p_by_task"] is None:
            assert (row["cmh_p"], row["strata"]) == (None, 0)
        else:
            assert row["cmh_p"] == pytest.approx(expected["cmh_p_by_task"], rel=1e-6)
            assert row["mh_odds_ratio"] == pytest.approx(expected["mh_or_by_task"], rel=1e-6)
        assert row["risk_difference"] == pytest.approx(expected["rd"], rel=1e-9)
    assert compared >= 25


@pytest.mark.parametrize(
    "decoy", ["uses:transfer_to_human_agents", "no_write_made", "errmsg:Error: payment method not found"]
)
def test_decoys_are_not_believed(found: Features, decoy: str):
    """They look protective (p < 1e-6) until tasks are compared with themselves, or are far too few."""
    assert not found[decoy]["believed"]


@pytest.mark.parametrize(
    "cause", ["uses:book_reservation", "uses:search_direct_flight", "err:book_reservation"]
)
def test_causes_are_believed(found: Features, cause: str):
    """These hold, or nothing speaks against them."""
    assert found[cause]["believed"]


def test_root_causes_are_counted_as_the_truth_counts_them(tau: Archive, truth: dict[str, Any]):
    """Failed sessions by check."""
    counted = {row["name"]: row["failed_sessions"] for row in tau.pattern("failed_checks")}
    for name, sessions in truth["causes_failed"]:
        if not name.startswith("writes_match"):
            assert counted[name] == sessions


def test_the_error_that_struck_thirteen_sessions_is_found_with_its_fix(tau: Archive):
    """`payment amount does not add up`: 13 sessions, 12 failed."""
    row = tau.pattern("error_signatures", limit=1)[0]
    assert row["err_sig"].startswith("Error: payment amount does not add up")
    assert (row["sessions"], row["failed_sessions"]) == (13, 12)
    fix = tau.pattern("error_fixes", limit=1)[0]
    assert (fix["err_sig"], fix["change"]) == (row["err_sig"], "changed_input")
