"""The named questions, over small sessions whose answers are known."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentflows.archive import Archive
from agentflows.errors import NotFoundError
from agentflows.session import Session, Span, Usage, Verdict
from tests.archive.builders import START, Event, plausible, session, source


def bash(command: str, result: str = "ok", *, failed: bool = False) -> Event:
    """One shell step."""
    return ("call", "Bash", {"command": command}, result, failed)


def act(tool: str, result: str = "ok", *, failed: bool = False, **given: Any) -> Event:
    """One step of another tool."""
    return ("call", tool, given, result, failed)


UNSUPPORTED = "error: unrecognized subcommand 'bun'"


def add(archive: Archive, *sessions: Session) -> None:
    """Each in a file of its own."""
    archive.add(source(item) for item in sessions)


def test_equal_errors_are_counted_by_sessions_not_by_rows(archive: Archive):
    """One session that fails ten times is one session."""
    add(
        archive,
        session(
            "a",
            *[act("Read", f"ENOENT: no file '/x/{n}'", failed=True, path=str(n)) for n in range(3)],
            verdict="failure",
        ),
        session("b", act("Read", "ENOENT: no file '/y/9'", failed=True, path="y"), verdict="failure"),
        session("b:sub", act("Read", "ENOENT: no file '/z'", failed=True, path="z"), parent_id="b"),
        session("c", act("Read", "fine", path="y"), verdict="success"),
        session("d", act("Read", "fine", path="y"), verdict="success"),
    )
    rows = archive.pattern("error_signatures")
    assert len(rows) == 1
    row = rows[0]
    assert (row["tool"], row["sessions"], row["occurrences"], row["origins"]) == ("Read", 2, 5, 5)
    assert (row["failed_sessions"], row["succeeded_sessions"], row["p_fail"], row["lift_failure"]) == (
        2,
        0,
        1.0,
        2.0,
    )
    assert row["addresses"] == ["a#1", "b#1"]
    assert row["p_fail_low"] == pytest.approx(0.3424, abs=1e-3)


def test_a_turn_copied_into_a_resumed_session_is_one_origin(archive: Archive):
    """Resuming copies the history; that is no second occurrence."""
    event = bash("rtk bun test", UNSUPPORTED, failed=True)
    add(
        archive,
        session("a", event, origin="shared-"),
        session("b", event, ("user", "Go on"), origin="shared-"),
    )
    row = archive.pattern("error_signatures")[0]
    assert (row["sessions"], row["origins"]) == (2, 1)


def test_what_followed_an_error_and_worked_is_its_fix(archive: Archive):
    """The next success of the same kind of command, with what lay between."""
    add(
        archive,
        *[
            session(
                name,
                bash("rtk bun test src", UNSUPPORTED, failed=True),
                bash("git status"),
                bash("bun test src", "3 pass"),
                bash("bun test src", "3 pass"),
            )
            for name in ("a", "b")
        ],
        session("c", bash("rtk bun test src", UNSUPPORTED, failed=True), bash("git status")),
    )
    rows = archive.pattern("error_fixes")
    assert len(rows) == 1
    row = rows[0]
    assert (row["head"], row["fix_head"], row["change"]) == ("rtk bun", "bun test", "changed_input")
    assert (row["sessions"], row["error_sessions"], row["share"]) == (2, 3, pytest.approx(2 / 3))
    assert (row["median_gap"], row["between"]) == (2, "git status")
    assert json.loads(row["after_input"]) == {"command": "bun test src"}
    assert (row["before_address"], row["after_address"], row["addresses"]) == ("a#1", "a#4", ["a#1", "b#1"])


def test_with_an_unchanged_input_the_fix_is_what_lay_between(archive: Archive):
    """The commit worked after the formatter ran."""
    add(
        archive,
        session(
            "a",
            bash("git commit -m x", "biome: 3 errors", failed=True),
            bash("bun run fix"),
            bash("git commit -m x"),
        ),
    )
    row = archive.pattern("error_fixes")[0]
    assert (row["change"], row["between"], row["fix_head"]) == ("same_input", "bun run fix", "git commit")


def test_an_unrelated_success_of_the_same_tool_is_no_fix(archive: Archive):
    """Any shell command would do otherwise."""
    add(archive, session("a", bash("bun test src", "1 fail", failed=True), bash("ls docs"), bash("git log")))
    assert archive.pattern("error_fixes") == []


def test_loops_are_the_same_input_or_the_same_error_three_times(archive: Archive):
    """Twice is a retry, thrice is a loop."""
    missing = "String to replace not found in file."
    add(
        archive,
        session("twice", bash("make"), bash("make")),
        session("input", bash("make"), bash("ls"), bash("make"), bash("make")),
        session(
            "error", *[act("Edit", missing, failed=True, old=str(n)) for n in range(4)], act("Edit", old="9")
        ),
    )
    rows = {row["session_id"]: row for row in archive.pattern("retry_loops")}
    assert set(rows) == {"input", "error"}
    assert (rows["input"]["kind"], rows["input"]["times"], rows["input"]["errors"]) == ("same_input", 3, 0)
    error = rows["error"]
    assert (error["kind"], error["times"], error["first_seq"], error["last_seq"]) == ("same_error", 4, 0, 6)


def test_an_error_in_between_ends_a_run_of_the_same_error(archive: Archive):
    """In a row means in a row."""
    one, two = "String to replace not found", "Permission denied"
    steps = [act("Edit", text, failed=True, old=str(n)) for n, text in enumerate([one, one, two, one, one])]
    add(archive, session("a", *steps))
    assert archive.pattern("retry_loops") == []


def test_corrections_are_the_users_own_words_after_work(archive: Archive):
    """The agent's words, first requests and pastes correct nothing."""
    add(
        archive,
        session(
            "a",
            ("user", "No plan yet, please look around"),
            bash("npm test"),
            ("agent", "No, that is wrong."),
            ("user", "No, use bun instead of npm"),
            bash("bun test"),
            ("user", "Thanks, looks good"),
            ("user", "From now on, run the linter before each commit"),
        ),
    )
    rows = archive.pattern("user_corrections")
    assert [(row["kind"], row["seq"]) for row in rows] == [("rule", 8), ("correction", 4)]
    assert (rows[1]["after_work"], rows[1]["tool_before"], rows[1]["seq_before"]) == (2, "npm test", 1)


@pytest.mark.parametrize(
    "text", ["Nein, nimm stattdessen bun", "Non, utilise bun", "Nunca uses npm", "不要再用 npm"]
)
def test_corrections_are_seen_in_other_languages(archive: Archive, text: str):
    """The commonest words of some; a model is needed for more."""
    add(archive, session("a", ("user", "Go"), bash("npm test"), ("user", text)))
    assert len(archive.pattern("user_corrections")) == 1


def test_a_pasted_instruction_is_not_the_users(archive: Archive):
    """Text in a paste has another author."""
    made = session("a", ("user", "Go"), bash("x"), ("user", "See this: never use npm"))
    turns = list(made.turns)
    turns[-1] = replace(turns[-1], spans=(Span(10, 23, "pasted"),))
    add(archive, made.model_copy(update={"turns": tuple(turns)}))
    assert archive.pattern("user_corrections") == []


def test_requests_recur_over_sessions(archive: Archive):
    """Case, punctuation and numbers do not make a new request; one session alone does not recur."""
    add(
        archive,
        session("a", ("user", "Fix issue 12!"), ("user", "run it"), ("user", "run it")),
        session("b", ("user", "fix Issue 7")),
        session("b:sub", ("user", "fix issue 8"), parent_id="b"),
    )
    rows = archive.pattern("repeated_requests")
    assert [(row["request"], row["sessions"], row["occurrences"], row["opening"]) for row in rows] == [
        ("fix issue 0", 2, 3, 3)
    ]


def test_sequences_carry_their_lift(archive: Archive):
    """Support in sessions, and how they ended."""
    good = (bash("bun lint"), bash("bun test"), bash("git commit -m x"))
    bad = (bash("git commit -m x"), bash("bun lint"))
    add(
        archive,
        *[session(f"g{n}", *good, verdict="success", task=f"t{n}") for n in range(3)],
        *[session(f"b{n}", *bad, verdict="failure") for n in range(3)],
    )
    rows = {row["sequence"]: row for row in archive.pattern("tool_sequences")}
    assert set(rows) == {
        "bun lint > bun test",
        "bun test > git commit",
        "bun lint > bun test > git commit",
        "git commit > bun lint",
    }
    row = rows["bun lint > bun test > git commit"]
    assert (row["length"], row["sessions"], row["succeeded_sessions"], row["tasks"]) == (3, 3, 3, 3)
    assert (row["lift_success"], row["lift_failure"], row["addresses"]) == (
        2.0,
        0.0,
        ["g0#0", "g1#0", "g2#0"],
    )


def outcomes(task: str, used: list[bool], failed: list[bool]) -> list[Session]:
    """Sessions of one task that used a tool or not, and failed or not."""
    return [
        session(
            f"{task}-{number}",
            *([act("shout", words="x")] if uses else []),
            act("book", seat=str(number)),
            verdict="failure" if fails else "success",
            task=task,
        )
        for number, (uses, fails) in enumerate(zip(used, failed, strict=True))
    ]


def test_a_difference_that_tasks_explain_is_not_believed(archive: Archive):
    """Simpson's paradox: the hard task needs the tool, and fails with and without it alike."""
    hard = outcomes("hard", [True] * 12 + [False] * 4, ([True] * 9 + [False] * 3) + [True] * 3 + [False])
    easy = outcomes("easy", [True] * 4 + [False] * 12, ([True] + [False] * 3) + [True] * 3 + [False] * 9)
    add(archive, *hard, *easy)
    row = next(row for row in archive.pattern("outcome_features") if row["feature"] == "uses:shout")
    assert (row["n"], row["fail"], row["ok"], row["strata"]) == (16, 10, 6, 2)
    assert row["mh_odds_ratio"] == pytest.approx(1.0)
    assert (row["cmh_p"], row["stratified"], row["believed"]) == (1.0, "vanishes", False)


def test_a_difference_within_tasks_is_believed(archive: Archive):
    """The same tool fails in every task."""
    add(
        archive,
        *[
            made
            for task in "abcd"
            for made in outcomes(task, [True] * 4 + [False] * 4, [True] * 4 + [False] * 4)
        ],
    )
    row = archive.pattern("outcome_features")[0]
    assert (row["feature"], row["n"], row["fail"], row["stratified"], row["believed"]) == (
        "uses:shout",
        16,
        16,
        "holds",
        True,
    )
    assert (row["p_fail"], row["p_fail_without"], row["mh_odds_ratio"]) == (1.0, 0.0, float("inf"))
    assert row["addresses"][0] == "a-0#0"


def test_without_tasks_to_compare_the_plain_difference_counts(archive: Archive):
    """Where every session has a task of its own, nothing can be stratified, and it says so."""
    verdicts: list[Verdict] = ["failure", "success"]
    add(
        archive,
        *[
            session(
                f"{verdict}-{n}",
                act("yes" if verdict == "success" else "no"),
                verdict=verdict,
                task=f"{verdict}{n}",
            )
            for verdict in verdicts
            for n in range(8)
        ],
    )
    rows = {row["feature"]: row for row in archive.pattern("outcome_features")}
    assert (rows["uses:no"]["stratified"], rows["uses:no"]["believed"], rows["uses:no"]["cmh_p"]) == (
        "no_strata",
        True,
        None,
    )


def test_arguments_with_few_values_are_features(archive: Archive):
    """Which cabin, not which seat."""
    made = [
        session(
            f"{cabin}{n}",
            act("book", cabin=cabin, seat=f"{cabin}-{n}"),
            verdict="failure" if cabin == "business" else "success",
            task="t",
        )
        for cabin in ("business", "economy")
        for n in range(8)
    ]
    add(archive, *made)
    features = {row["feature"] for row in archive.pattern("outcome_features")}
    assert {"arg:book.cabin=business", "arg:book.cabin=economy"} <= features
    assert not any("seat" in feature for feature in features)


def test_checks_name_causes_and_coincidences(archive: Archive):
    """A check that also fails in good sessions explains little."""
    add(
        archive,
        session("a", verdict="failure", task="t1", checks=[("wrong_write", False), ("polite", False)]),
        session("b", verdict="failure", task="t2", checks=[("wrong_write", False), ("polite", True)]),
        session("c", verdict="success", task="t1", checks=[("wrong_write", True), ("polite", False)]),
    )
    rows = {row["name"]: row for row in archive.pattern("failed_checks")}
    wrong, polite = rows["wrong_write"], rows["polite"]
    assert (
        wrong["sessions"],
        wrong["failed_sessions"],
        wrong["succeeded_sessions"],
        wrong["passed_check"],
        wrong["tasks"],
    ) == (2, 2, 0, 1, 2)
    assert (wrong["p_fail"], wrong["share_of_failures"], wrong["session_ids"]) == (1.0, 1.0, ["a", "b"])
    assert (polite["failed_sessions"], polite["succeeded_sessions"], polite["p_fail"]) == (1, 1, 0.5)


def test_a_failed_check_is_tested_within_tasks(archive: Archive):
    """Hard tasks fail with it and without it: over all sessions it looks like a cause, within each task it is none."""
    for task, with_check, without in (("hard", (8, 2), (4, 1)), ("easy", (0, 2), (0, 10))):
        for passed, (failures, successes) in ((False, with_check), (True, without)):
            verdicts: list[Verdict] = [
                "failure" if n < failures else "success" for n in range(failures + successes)
            ]
            add(
                archive,
                *[
                    session(
                        f"{task}-{passed}-{n}",
                        act("run"),
                        verdict=verdict,
                        task=task,
                        checks=[("extra", passed)],
                    )
                    for n, verdict in enumerate(verdicts)
                ],
            )
    (row,) = archive.pattern("failed_checks")
    assert (row["failed_sessions"], row["succeeded_sessions"], row["strata"]) == (8, 4, 1)
    assert row["p_fail"] > 2 * row["p_fail_without"]
    assert (row["stratified"], row["mh_odds_ratio"], row["cmh_p"]) == ("vanishes", 1.0, 1.0)


def costing(name: str, tokens: int) -> Session:
    """A session of one model call."""
    made = session(name, ("agent", "Done"))
    return made.model_copy(update={"turns": (replace(made.turns[0], usage=Usage(tokens)),)})


def test_a_session_that_costs_far_more_stands_out(archive: Archive):
    """Median and its deviation are not moved by the outlier itself."""
    add(archive, *[costing(f"s{n}", 1000 + 50 * n) for n in range(10)], costing("dear", 500_000))
    rows = archive.pattern("cost_outliers")
    assert [(row["root_id"], row["measure"], row["amount"]) for row in rows] == [("dear", "tokens", 500_000)]
    assert rows[0]["z"] > 3


def test_values_of_one_subject_are_told_over_time(archive: Archive):
    """Two statements that differ, and which came last."""
    add(
        archive,
        session("a", ("user", "The api runs on port 8080, Node version 20.1")),
        session(
            "b",
            ("agent", "The api runs on port 9090. Use bun instead of npm."),
            started_at=START + timedelta(days=8),
        ),
    )
    rows = archive.pattern("facts_over_time")
    ports = [
        (row["subject"], row["value"], row["is_latest"], row["user_sessions"])
        for row in rows
        if row["kind"] == "port"
    ]
    assert ports == [("api", "8080", False, 1), ("api", "9090", True, 0)]
    assert [(row["subject"], row["value"]) for row in rows if row["kind"] == "replaced"] == [("npm", "bun")]
    assert not any(row["kind"] == "version" for row in rows)


def test_a_selection_narrows_every_pattern(archive: Archive):
    """A dream over ten sessions must not count the rest."""
    archive.add(source(plausible(number)) for number in range(40))
    chosen = [f"session-{number:05d}" for number in range(10)]
    for pattern in archive.patterns():
        assert archive.pattern(pattern.name, session_ids=[]) == []
        for row in archive.pattern(pattern.name, session_ids=chosen):
            assert row.get("sessions", 0) <= 10
            places: list[str] = [row.get("session_id", chosen[0]), *(row.get("addresses") or [])]
            assert {place.partition("#")[0] for place in places} <= set(chosen)


def test_patterns_are_documented_column_by_column(archive: Archive):
    """What cannot be explained cannot be trusted."""
    archive.add(source(plausible(number)) for number in range(40))
    for pattern in archive.patterns():
        assert pattern.title
        assert len(pattern.description) > 60
        assert all(pattern.columns.values())
        assert list(archive.sql(f"FROM pattern_{pattern.name}").columns) == list(pattern.columns)
    assert len({pattern.name for pattern in archive.patterns()}) == len(archive.patterns())


def test_the_limit_cuts_and_an_unknown_name_lists_the_known(archive: Archive):
    """A typing error is answered with the choice."""
    archive.add(source(plausible(number)) for number in range(5))
    assert len(archive.pattern("tool_usage", limit=2)) == 2
    with pytest.raises(NotFoundError, match="There are: error_signatures, error_fixes"):
        archive.pattern("errors")


def test_a_call_id_used_twice_joins_each_call_with_its_own_result(archive: Archive):
    """Some logs give every call of a session the same id."""
    made = session("a", bash("one", "first"), bash("two", "second", failed=True))
    turns = tuple(replace(turn, tool_use_id="same") for turn in made.turns)
    add(archive, made.model_copy(update={"turns": turns}))
    rows = archive.sql("SELECT seq, result_seq, body, is_error FROM steps ORDER BY step").rows
    assert rows == [(0, 1, "first", False), (2, 3, "second", True)]


def test_a_call_without_a_result_is_a_step_that_neither_failed_nor_worked(archive: Archive):
    """The session was cut off."""
    made = session("a", bash("one", "first", failed=True), bash("one"))
    add(archive, made.model_copy(update={"turns": made.turns[:-1]}))
    assert archive.sql("SELECT result_seq, body, is_error FROM steps ORDER BY step").rows[1] == (
        None,
        None,
        False,
    )
    assert archive.pattern("error_fixes") == []


def test_projects_are_counted_apart(archive: Archive):
    """One product's sessions fail more; its tools are not to blame for that."""
    add(
        archive,
        *[
            session(
                f"{project}{n}",
                act(f"{project}_lookup"),
                *([act("shout")] if n % 2 else []),
                verdict="failure" if n % 4 < fails else "success",
                checks=[("polite", n % 4 >= fails)],
                project=project,
            )
            for project, fails in (("shop", 1), ("bank", 3))
            for n in range(16)
        ],
    )
    rows = archive.pattern("outcome_features")
    assert not [row for row in rows if "lookup" in row["feature"]]
    shouts = {
        row["project"]: (row["n"], row["fail"], row["p_fail_without"])
        for row in rows
        if row["feature"] == "uses:shout"
    }
    assert shouts == {"shop": (8, 0, 0.5), "bank": (8, 4, 1.0)}
    checks = {
        row["project"]: (row["failed_sessions"], row["share_of_failures"])
        for row in archive.pattern("failed_checks")
    }
    assert checks == {"shop": (4, 1.0), "bank": (12, 1.0)}


def test_tasks_of_two_formats_are_two_tasks(archive: Archive):
    """Two sources number their tasks alike; what one's task 1 shows does not compare with the other's."""
    add(
        archive,
        *[session(f"a{n}", act("shout"), verdict="failure", task="1", format="one") for n in range(8)],
        *[session(f"b{n}", act("book"), verdict="success", task="1", format="two") for n in range(8)],
    )
    row = next(row for row in archive.pattern("outcome_features") if row["feature"] == "uses:shout")
    assert (row["n"], row["strata"], row["stratified"]) == (8, 0, "no_strata")
