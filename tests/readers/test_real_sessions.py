"""Real sessions: nothing is lost, known errors are found in the sessions they are in, known causes are counted right."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agentflows import readers
from agentflows.session import Session, SourceRead, Turn

pytestmark = pytest.mark.real_data

NATIVE = "native-formats"
SIGNS = {
    "rtk_bun_unsupported": "unrecognized subcommand 'bun'",
    "biome_lint_format_fail": "biome check",
    "edit_string_not_found": "String to replace not found",
    "unknown_skill": "Unknown skill",
    "bun_test_fail_exit": "bun test src/",
}


def read(path: Path) -> list[SourceRead]:
    """The sources of a path that are in a known format; each reads the same from its raw copy."""
    found = [one for one in readers.read(path) if one.format != "unknown"]
    for one in found:
        assert one.accepted + len(one.quarantined) == one.lines
        assert readers.read_raw(one.file, one.format, one.raw).sessions == one.sessions
    return found


def sessions(path: Path) -> list[Session]:
    """All sessions of a path."""
    return [session for one in read(path) for session in one.sessions]


@pytest.mark.parametrize(
    ("folder", "files", "found"),
    [
        ("claude-code-packmind/sessions", 45, 45),
        (f"{NATIVE}/claude-code", 30, 30),
        (f"{NATIVE}/claude-code-quirks", 1, 1),
        (f"{NATIVE}/claude-code-2025/claude-code-viewer", 5, 5),
        (f"{NATIVE}/claude-code-2025/episodic-memory", 3, 2),
        (f"{NATIVE}/claude-code-action-turns", 1, 1),
        (f"{NATIVE}/agentsview-fixtures", 1, 1),
        ("tau-bench", 1, 200),
        ("tau2-bench", 4, 140),
        ("intercode", 5, 1234),
    ],
)
def test_genuine_files_are_read_without_losing_a_line(real_data: Path, folder: str, files: int, found: int):
    """Every version seen parses whole, the line with two objects on it included."""
    sources = read(real_data / folder)

    assert [bad for source in sources for bad in source.quarantined] == []
    assert (len(sources), sum(len(source.sessions) for source in sources)) == (files, found)


def test_the_seams_of_a_made_up_file_are_quarantined(real_data: Path):
    """A viewer's test file of broken lines: what is no object, and what claims an event id twice, is set aside."""
    (found,) = read(real_data / NATIVE / "claude-code-2025" / "claude-code-log" / "edge_cases.jsonl")

    assert [bad.line for bad in found.quarantined] == [12, 13, 15, 16, 18]


def test_known_errors_are_found_in_the_sessions_they_are_in(real_data: Path):
    """The recurring failures of this project were counted independently, by session."""
    known = json.loads((real_data / "claude-code-packmind" / "patterns.json").read_bytes())
    all_sessions = sessions(real_data / "claude-code-packmind" / "sessions")

    for pattern, sign in SIGNS.items():
        found = {
            one.session_id
            for one in all_sessions
            for turn in one.turns
            if turn.is_error and sign in turn.text
        }
        assert found == set(known[pattern]["session_ids"]), pattern


def _typed(turn: Turn) -> str:
    """What is left of a turn without its spans."""
    said = turn.text
    for span in reversed(turn.spans):
        said = said[: span.start] + said[span.end :]
    return said.strip()


def test_the_words_left_to_users_are_short_and_their_own(real_data: Path):
    """These users paste plans of thousands of characters; what counts as typed are their sentences."""
    all_sessions = sessions(real_data / "claude-code-packmind" / "sessions")
    typed = [_typed(turn) for one in all_sessions for turn in one.turns if turn.trust == 3]

    assert max(map(len, typed)) < 600
    assert not any("# Plan" in words or "<command" in words or "[Request" in words for words in typed)
    for words in (
        "commit and update changelog.md when you're done",
        "There is @CHANGELOG.md file at the root of the repo",
        'I allow you to commit with "--no-verify"',
    ):
        assert words in typed


def _failed_checks(found: list[Session], verdict: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in found:
        if one.outcome is not None and one.outcome.verdict == verdict:
            counts.update(check.name for check in one.outcome.checks if not check.passed)
    return counts


@pytest.mark.parametrize(
    ("file", "truth", "run"),
    [
        ("tau-bench/gpt-4o-airline.json.gz", "tau-bench", "tau1-gpt4o-airline"),
        ("tau2-bench/gpt-4.1_airline.json.gz", "tau2-bench", "t2-gpt41-airline"),
        ("tau2-bench/gpt-4.1_retail.json.gz", "tau2-bench", "t2-gpt41-retail"),
        ("tau2-bench/gpt-4.1_telecom.json.gz", "tau2-bench", "t2-gpt41-telecom"),
    ],
)
def test_root_causes_are_counted_as_by_hand(real_data: Path, file: str, truth: str, run: str):
    """Cancelled though it should not have been: 22 failed sessions; and every other cause, among the passed ones too."""
    known: dict[str, Any] = json.loads((real_data / truth / "ground_truth_patterns.json").read_bytes())[run]
    found = sessions(real_data / file)

    for verdict, field in (("failure", "causes_failed"), ("success", "causes_passed")):
        expected = {cause: count for cause, count in known[field] if not cause.startswith("writes_match")}
        counted = _failed_checks(found, verdict)
        assert {cause: counted[cause] for cause in expected} == expected
        causes = {
            name
            for name in counted
            if name.startswith(("missing", "wrong", "unexpected", "transferred", "no_transfer"))
        }
        assert causes == set(expected)


def test_the_agents_work_on_the_users_telephone_is_not_called_missing(real_data: Path):
    """Without a simulated user the agent toggles the telephone itself; a tally by caller would fault every passed session."""
    counted = _failed_checks(
        sessions(real_data / "tau2-bench" / "gpt-4.1_telecom_no-user.json.gz"), "success"
    )

    assert not [name for name in counted if name.startswith("missing_user_action")]
    assert counted["unexpected_write:send_payment_request"] == 4
