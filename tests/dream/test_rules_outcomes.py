"""What separates failure from success is said as far as the counts carry, and refused in the open beyond."""

import json
from collections.abc import Sequence
from typing import Any

from agentflows.dream.outcomes import outcome_patterns
from agentflows.session import Turn


def turns_of(session_id: str) -> Sequence[Turn]:
    """Every session calls `book` once and ends with a word of the agent's."""
    return [
        Turn(0, "tool_call", 2, json.dumps({"seat": session_id}), tool="book", origin=f"{session_id}-0"),
        Turn(
            1,
            "tool_result",
            1,
            "Error: paid 3, total 4",
            tool="book",
            is_error=True,
            origin=f"{session_id}-1",
        ),
        Turn(2, "agent", 2, f"That was {session_id}.", origin=f"{session_id}-2"),
    ]


def feature(**more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "feature": "uses:book",
        "n": 24,
        "fail": 23,
        "ok": 1,
        "p_fail": 23 / 24,
        "p_fail_low": 0.8,
        "p_fail_high": 0.99,
        "p_fail_without": 0.53,
        "risk_difference": 0.43,
        "fisher_p": 0.00003,
        "q": 0.0004,
        "mh_odds_ratio": float("inf"),
        "cmh_p": 0.26,
        "strata": 1,
        "tasks": 9,
        "stratified": "untestable",
        "believed": True,
        "addresses": ["a#0", "b#0"],
    }
    return row | more


def check(**more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": "unexpected_write:book",
        "failed_sessions": 22,
        "succeeded_sessions": 0,
        "p_fail": 1.0,
        "share_of_failures": 22 / 116,
        "session_ids": ["a", "b", "c"],
    }
    return row | more


def test_a_believed_feature_is_said_with_its_counts_and_as_association():
    """Rates without a denominator, or a cause without proof, would be oversold."""
    (found,), refused = outcome_patterns({"outcome_features": [feature()]}, turns_of)
    assert found.claim.startswith(
        "`book` was called in 24 sessions, and 23 of them failed (96 %, 95 % CI 80–99 %), against 53 % without it. "
        "An association, not a proven cause: too few tasks had both results"
    )
    assert [quote.text for quote in found.quotes] == ['{"seat": "a"}', '{"seat": "b"}']
    assert refused == []


def test_what_vanishes_within_tasks_is_refused_with_the_reason():
    """Handing over looks protective because easy tasks are handed over."""
    row = feature(
        feature="uses:hand_over",
        fail=13,
        n=48,
        risk_difference=-0.4,
        stratified="vanishes",
        believed=False,
        mh_odds_ratio=0.7,
        cmh_p=0.86,
        strata=8,
    )
    found, (refused,) = outcome_patterns({"outcome_features": [row]}, turns_of)
    assert found == []
    assert refused.gate == "stratified_lift"
    assert "odds ratio 0.7, p = 0.86, 8 tasks with both results" in refused.reason


def test_what_no_task_can_tell_is_not_said():
    """Where each task was tried once, a tool's rate is its tasks' rate."""
    row = feature(stratified="no_strata", strata=0, tasks=24)
    found, refused = outcome_patterns({"outcome_features": [row]}, turns_of)
    assert found == []
    assert len(refused) == 1


def test_a_small_difference_is_refused_however_significant():
    """With a thousand sessions, 35 % against 28 % is beyond chance and no reason to act."""
    row = feature(n=506, fail=177, p_fail=0.35, p_fail_without=0.28, risk_difference=0.07, stratified="holds")
    found, (refused,) = outcome_patterns({"outcome_features": [row]}, turns_of)
    assert found == []
    assert "the difference is small: 35 % against 28 % fail" in refused.reason


def test_a_tool_is_spoken_of_once():
    """Called, called twice and called in vain are one thing to know."""
    rows = [
        feature(),
        feature(feature="uses>=2:book", fisher_p=0.004),
        feature(feature="err:book", fisher_p=0.005),
    ]
    found, _ = outcome_patterns({"outcome_features": rows}, turns_of)
    assert [one.subject for one in found] == ["book"]


def test_a_failed_check_is_a_lesson_with_its_share():
    """The source says itself what was wrong."""
    (found,), _ = outcome_patterns({"failed_checks": [check()]}, turns_of)
    assert found.claim.startswith(
        "In 22 of 116 failed sessions `book` was called although the result did not call for it"
    )
    assert "of the sessions that succeeded, in 0" in found.claim
    assert found.stats["failed_in_all"] == 116


def test_a_check_that_fails_in_successes_too_is_refused():
    """What fails in 29 successes and 13 failures caused none of them."""
    row = check(
        name="transferred_when_not_expected", failed_sessions=13, succeeded_sessions=29, p_fail=13 / 42
    )
    found, (refused,) = outcome_patterns({"failed_checks": [row]}, turns_of)
    assert found == []
    assert "29 sessions succeeded all the same" in refused.reason


def besides(**more: Any) -> dict[str, Any]:
    """A call that nothing asked for, in 26 sessions that failed and 4 that did not."""
    counts = {"failed_sessions": 26, "succeeded_sessions": 4, "p_fail": 26 / 30, "p_fail_low": 0.7}
    return check(**counts | {"p_fail_high": 0.95, "p_fail_without": 0.62} | more)


def test_a_call_beside_the_task_must_go_with_failure_within_tasks():
    """The hard tasks may just need more of a harmless call: then it fails no more often than they do."""
    within = {"stratified": "vanishes", "mh_odds_ratio": 1.875, "cmh_p": 0.55, "strata": 9}
    found, (refused,) = outcome_patterns({"failed_checks": [besides(**within)]}, turns_of)
    assert found == []
    assert "4 sessions succeeded all the same, 26 failed" in refused.reason
    assert "odds ratio 1.9, p = 0.55, 9 tasks with both results" in refused.reason
    assert len(outcome_patterns({"failed_checks": [besides(stratified="holds")]}, turns_of)[0]) == 1


def test_where_no_task_can_tell_a_call_beside_it_must_stand_out():
    """Without trials of the same task the rates of all sessions are what is left to go by."""
    untold = besides(stratified="no_strata", strata=0, mh_odds_ratio=None)
    assert len(outcome_patterns({"failed_checks": [untold]}, turns_of)[0]) == 1
    _, (refused,) = outcome_patterns({"failed_checks": [{**untold, "p_fail_without": 0.75}]}, turns_of)
    assert "87 % (95 % CI 70–95 %) against 75 % fail" in refused.reason


def test_what_was_called_for_and_done_wrong_needs_no_such_test():
    """It stands against the result by itself; that one session was rated well all the same does not clear it."""
    row = besides(name="wrong_args:book", stratified="vanishes", mh_odds_ratio=3.0, cmh_p=0.31, strata=4)
    assert len(outcome_patterns({"failed_checks": [row]}, turns_of)[0]) == 1


def test_what_only_restates_the_result_is_no_cause():
    """`database_as_expected` fails whenever anything does."""
    row = check(name="database_as_expected", failed_sessions=101, share_of_failures=0.9)
    assert outcome_patterns({"failed_checks": [row]}, turns_of) == ([], [])


def test_an_error_tried_once_per_task_is_said_with_its_doubt():
    """What an agent met is its doing more than what its task needed, but the tasks may differ all the same."""
    row = feature(
        feature="errmsg:Error: paid <n>, total <n>", n=13, fail=12, p_fail=12 / 13, p_fail_low=0.67, p_fail_without=0.4,
        stratified="no_strata", strata=0, tasks=13, addresses=["a#1"],
    )  # fmt: skip
    (found,), _ = outcome_patterns({"outcome_features": [row]}, turns_of)
    assert found.claim.startswith("The error “paid …, total …” came up in 13 sessions, and 12 of them failed")
    assert "it may be the tasks that differ" in found.claim
    assert found.quotes[0].text == "Error: paid 3, total 4"


def test_an_error_that_successes_shrug_off_is_not_called_harmful():
    """Four sessions met it, and all four passed."""
    row = feature(
        feature="errmsg:Error: method not found", n=4, fail=0, ok=4, p_fail=0.0, p_fail_low=0.0, q=0.08,
        risk_difference=-0.59, believed=False,
    )  # fmt: skip
    assert outcome_patterns({"outcome_features": [row]}, turns_of)[0] == []


def test_too_few_sessions_say_nothing():
    """Two failures of two are a coincidence until there are more."""
    few = feature(n=2, fail=2), check(failed_sessions=2, share_of_failures=0.02)
    assert outcome_patterns(
        {"outcome_features": [few[0]], "failed_checks": [few[1]]}, turns_of, support=3
    ) == ([], [])


def test_a_small_share_of_two_sessions_says_nothing_even_when_two_are_enough():
    """Two of six failures are a third of them; two of fifty are two customers."""
    some = check(failed_sessions=2, share_of_failures=2 / 6)
    few = check(failed_sessions=2, share_of_failures=2 / 50)
    found, _ = outcome_patterns({"failed_checks": [some, few]}, turns_of, support=2)
    assert [one.claim[:24] for one in found] == ["In 2 of 6 failed session"]


def test_each_project_is_spoken_of_by_itself():
    """What fails in one product says nothing of another, and neither hides the other's."""
    rows = [feature(project="shop"), feature(project="bank", n=9, fail=9, fisher_p=0.001)]
    checks = [check(project="shop"), check(project="bank", failed_sessions=4, share_of_failures=0.4)]
    found, _ = outcome_patterns({"outcome_features": rows, "failed_checks": checks}, turns_of)
    assert [(one.subject, one.scope) for one in found] == [
        ("book", "shop"),
        ("book", "bank"),
        ("book", "shop"),
        ("book", "bank"),
    ]
    assert len({one.key for one in found}) == 4


def test_that_a_shell_command_failed_is_no_lesson():
    """Every command runs in the same tool; which one failed is what matters."""
    rows = [feature(feature="err:Bash"), feature(feature="uses>=2:run_shell", fisher_p=0.002)]
    assert outcome_patterns({"outcome_features": rows}, turns_of) == ([], [])


def test_a_repeated_call_is_said_with_what_else_explains_it():
    """Who fails tries longer, and so repeats more."""
    row = feature(feature="repeats_identical_call", addresses=["a#0"])
    (found,), _ = outcome_patterns({"outcome_features": [row]}, turns_of)
    assert "Sessions that fail also go on longer" in found.claim


def test_what_no_task_can_test_must_be_plain():
    """Whole tasks may fail more often; only a difference far beyond chance is worth telling in spite of that."""
    untested: dict[str, Any] = {
        "stratified": "no_strata",
        "strata": 0,
        "tasks": 506,
        "n": 506,
        "p_fail": 0.35,
    }
    rows = [
        feature(feature="errmsg:Unknown column <str>", p_fail_low=0.31, p_fail_without=0.18, **untested),
        feature(feature="err:query", p_fail_low=0.31, p_fail_without=0.1, **untested),
    ]
    found, refused = outcome_patterns({"outcome_features": rows}, turns_of)
    assert found == []
    assert all("too little to rule out the tasks" in one.reason for one in refused)
    assert len(refused) == 2
