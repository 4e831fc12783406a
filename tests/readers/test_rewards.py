"""tau-bench and tau2-bench: rewards become labels, and expected calls beside made ones become root causes."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from agentflows import readers
from agentflows.session import Check, Session
from tests.readers.logs import read_bytes

POLICY = {"role": "system", "content": "# Airline Agent Policy\n\nBe kind."}


def made(call_id: str, name: str, arguments: dict[str, Any], result: str = "{}") -> list[dict[str, Any]]:
    """A call and its result, OpenAI style."""
    function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
    return [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call_id, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call_id, "name": name, "content": result},
    ]


def trial(
    reward: float, expected: list[tuple[str, dict[str, Any]]], *steps: list[dict[str, Any]], **info: Any
) -> dict[str, Any]:
    """One record of a tau-bench file."""
    actions = [{"name": name, "kwargs": kwargs} for name, kwargs in expected]
    traj = [
        POLICY,
        {"role": "user", "content": "Change my flight."},
        *(message for step in steps for message in step),
    ]
    return {
        "task_id": 7,
        "trial": 0,
        "reward": reward,
        "info": {"task": {"actions": actions}, **info},
        "traj": traj,
    }


def sessions(folder: Path, document: Any, name: str = "run.json") -> tuple[Session, ...]:
    """The sessions of a document, all of it accepted."""
    found = read_bytes(folder, orjson.dumps(document), name=name)
    assert not found.quarantined
    return found.sessions


def checks(folder: Path, *args: Any, **info: Any) -> dict[str, bool]:
    """Name and result of the checks of one trial."""
    (session,) = sessions(folder, [trial(*args, **info)])
    assert session.outcome is not None
    return {check.name: check.passed for check in session.outcome.checks}


def test_a_trial_is_a_session_with_its_reward(tmp_path: Path):
    """Policy, customer, agent, call, result: each with its trust; the task is what the four trials share."""
    (session,) = sessions(
        tmp_path, [trial(1.0, [], made("c1", "get_user", {"id": "mia"}, "Error: user not found"))]
    )

    assert (session.session_id, session.format, session.task) == (
        "tau_bench:run:7:0",
        "tau_bench",
        "airline:7",
    )
    assert session.outcome is not None
    assert (session.outcome.verdict, session.outcome.score, session.outcome.source) == (
        "success",
        1.0,
        "reward",
    )
    assert [(turn.kind, turn.trust, turn.tool, turn.is_error) for turn in session.turns] == [
        ("system", 1, "", False), ("user", 3, "", False), ("tool_call", 2, "get_user", False), ("tool_result", 1, "get_user", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reward", "verdict"), [(1.0, "success"), (0.9999999, "success"), (0.99, "failure"), (0, "failure")]
)
def test_only_the_full_reward_is_success(tmp_path: Path, reward: float, verdict: str):
    """The benchmark multiplies its parts: anything less than all of them is a failure."""
    (session,) = sessions(tmp_path, [trial(reward, [])])

    assert session.outcome is not None
    assert session.outcome.verdict == verdict


def test_what_went_right_is_recorded_beside_what_went_wrong(tmp_path: Path):
    """A rate needs its denominator: the sessions in which the same thing was done rightly."""
    cancel, book = ("cancel_reservation", {"id": "A"}), ("book_reservation", {"bags": 2})

    right = checks(tmp_path, 1.0, [cancel], made("c1", *cancel))
    missing = checks(tmp_path, 0.0, [cancel])
    wrong = checks(tmp_path, 0.0, [book], made("c1", "book_reservation", {"bags": 3}))
    too_many = checks(tmp_path, 0.0, [], made("c1", *cancel))

    none_transferred = {"transferred_when_not_expected": True}
    assert (
        right
        == {
            "missing_write:cancel_reservation": True,
            "wrong_args:cancel_reservation": True,
            "unexpected_write:cancel_reservation": True,
        }
        | none_transferred
    )
    assert missing == {"missing_write:cancel_reservation": False} | none_transferred
    assert (
        wrong
        == {
            "missing_write:book_reservation": True,
            "wrong_args:book_reservation": False,
            "unexpected_write:book_reservation": True,
        }
        | none_transferred
    )
    assert too_many == {"unexpected_write:cancel_reservation": False} | none_transferred


def test_calls_that_failed_or_only_read_are_no_writes(tmp_path: Path):
    """A refused booking changed nothing, and looking things up is never wrong."""
    found = checks(
        tmp_path, 0.0, [("get_user", {"id": "a"})],
        made("c1", "book_reservation", {}, "Error: payment amount does not add up"), made("c2", "search_direct_flight", {}),
    )  # fmt: skip

    assert found == {"transferred_when_not_expected": True}


def test_results_are_matched_in_order_where_ids_repeat(tmp_path: Path):
    """Real trials use one id for several calls; matched by id alone, a failed booking looks like a made one."""
    steps = [
        made("c1", "book_reservation", {"bags": 3}, "Error: no"),
        made("c1", "book_reservation", {"bags": 2}, "{}"),
    ]
    (session,) = sessions(tmp_path, [trial(1.0, [("book_reservation", {"bags": 2})], *steps)])

    assert [(turn.tool_use_id, turn.is_error) for turn in session.turns[2:]] == [
        ("c1", False),
        ("c1", True),
        ("c1~2", False),
        ("c1~2", False),
    ]
    assert session.outcome is not None
    assert all(check.passed for check in session.outcome.checks)


def test_arguments_agree_as_the_database_would_see_them(tmp_path: Path):
    """2 is 2.0, and the order of a list of items changes nothing."""
    found = checks(
        tmp_path, 1.0, [("return_items", {"items": ["1", "2"], "gb": 2})], made("c1", "return_items", {"gb": 2.0, "items": ["2", "1"]})
    )  # fmt: skip

    assert found["wrong_args:return_items"]


def test_the_arguments_that_differ_are_named(tmp_path: Path):
    """What to look at is the first question about wrong arguments."""
    (session,) = sessions(
        tmp_path,
        [
            trial(
                0.0,
                [("book", {"bags": 2, "cabin": "economy", "pay": 5})],
                made("c1", "book", {"bags": 3, "cabin": "economy"}),
            )
        ],
    )

    assert session.outcome is not None
    assert Check(name="wrong_args:book", passed=False, detail="bags, pay") in session.outcome.checks


def test_transfers_are_judged_both_ways(tmp_path: Path):
    """Handing over too early and not at all are different mistakes."""
    transfer = ("transfer_to_human_agents", {"summary": "x"})

    assert checks(tmp_path, 0.0, [], made("c1", *transfer)) == {"transferred_when_not_expected": False}
    assert checks(tmp_path, 0.0, [transfer]) == {"no_transfer_when_expected": False}
    assert checks(tmp_path, 1.0, [transfer], made("c1", *transfer)) == {"no_transfer_when_expected": True}


def test_what_the_agent_had_to_say_is_a_check_and_the_reward_is_none(tmp_path: Path):
    """`r_actions` is the reward once more: as a check it would outrank every cause."""
    said = {"reward_info": {"info": {"r_outputs": 0.0, "outputs": {"327": False, "1000": True}}}}
    (session,) = sessions(tmp_path, [trial(0.0, [], **said)])

    assert session.outcome is not None
    assert session.outcome.checks[-1] == Check(name="told_the_user", passed=False, detail="327")
    assert checks(tmp_path, 0.0, [], reward_info={"info": {"r_actions": 0.0}}) == {
        "transferred_when_not_expected": True
    }


def test_broken_trials_are_quarantined_among_good_ones(tmp_path: Path):
    """A trial is the unit of a results file: one without its conversation, and one that came before."""
    good = trial(1.0, [])
    found = read_bytes(
        tmp_path,
        orjson.dumps([good, {**good, "traj": "lost"}, {**good, "trial": 1, "traj": [3]}, 5, good]),
        name="run.json",
    )

    assert (found.lines, found.accepted) == (5, 1)
    assert [(bad.line, bad.reason.split(":")[0]) for bad in found.quarantined] == [
        (2, "no tau-bench trial"), (3, "no tau-bench trial"), (4, "not an object"), (5, "the trial tau_bench"),
    ]  # fmt: skip


def _tau2(
    messages: list[dict[str, Any]], actions: list[dict[str, Any]], **reward_info: Any
) -> dict[str, Any]:
    simulation = {"id": "sim-1", "task_id": "t1", "trial": 0, "start_time": "2025-08-01T16:00:00", "termination_reason": "user_stop",
                  "messages": messages, "reward_info": {"reward": 0.0, **reward_info}}  # fmt: skip
    info = {
        "agent_info": {"implementation": "llm_agent", "llm": "gpt-4.1"},
        "environment_info": {"domain_name": "telecom", "policy": "Be kind."},
    }
    task = {"id": "t1", "ticket": "No data abroad.", "evaluation_criteria": {"actions": actions}}
    return {"timestamp": "x", "info": info, "tasks": [task], "simulations": [simulation]}


def _called(who: str, name: str, call_id: str, **arguments: Any) -> list[dict[str, Any]]:
    return [
        {
            "role": who,
            "content": None,
            "tool_calls": [{"id": call_id, "name": name, "arguments": arguments, "requestor": who}],
        },
        {"role": "tool", "id": call_id, "content": "ok", "requestor": who, "error": False},
    ]


ROAMING: list[dict[str, Any]] = [
    {"requestor": "user", "name": "toggle_roaming", "arguments": {}},
    {
        "requestor": "assistant",
        "name": "enable_roaming",
        "arguments": {"line": "L1", "note": "x"},
        "compare_args": ["line"],
    },
]


def test_the_users_own_tools_are_told_apart_from_the_agents(tmp_path: Path):
    """In telecom the customer works a telephone: what it shows is a tool's word, and what they did not do is a cause."""
    messages = [
        {"role": "user", "content": "No data."},
        *_called("user", "check_status_bar", "u1"),
        *_called("assistant", "enable_roaming", "a1", line="L1", note="y"),
    ]
    (session,) = sessions(tmp_path, _tau2(messages, ROAMING, db_check={"db_match": False},
                          env_assertions=[{"env_assertion": {"func_name": "assert_data"}, "met": False}]))  # fmt: skip

    assert (session.session_id, session.task, session.agent, session.meta["model"]) == (
        "sim-1",
        "telecom:t1",
        "llm_agent",
        "gpt-4.1",
    )
    assert [(turn.kind, turn.trust, turn.thread) for turn in session.turns] == [
        ("system", 1, ""), ("user", 3, ""), ("tool_call", 1, "user"), ("tool_result", 1, "user"), ("tool_call", 2, ""), ("tool_result", 1, ""),
    ]  # fmt: skip
    assert session.outcome is not None
    assert {check.name: check.passed for check in session.outcome.checks} == {
        "missing_write:enable_roaming": True, "wrong_args:enable_roaming": True, "unexpected_write:enable_roaming": True,
        "transferred_when_not_expected": True, "missing_user_action:toggle_roaming": False,
        "database_as_expected": False, "environment:assert_data": False,
    }  # fmt: skip


def test_without_a_user_the_agent_does_the_users_part(tmp_path: Path):
    """In the no-user variant the agent holds the telephone: its toggles are what the user should have done, no stray writes."""
    (session,) = sessions(tmp_path, _tau2(_called("assistant", "toggle_roaming", "a1"), ROAMING))

    assert [turn.text for turn in session.turns[:2]] == ["Be kind.", "No data abroad."]
    assert session.outcome is not None
    found = {check.name: check.passed for check in session.outcome.checks}
    assert found["missing_user_action:toggle_roaming"]
    assert "unexpected_write:toggle_roaming" not in found


def test_the_raw_copy_of_one_simulation_stands_alone(tmp_path: Path):
    """The archive rebuilds session by session; the task and the run must travel with each."""
    found = read_bytes(
        tmp_path, orjson.dumps(_tau2(_called("assistant", "toggle_roaming", "a1"), ROAMING)), name="run.json"
    )

    assert readers.read_raw(found.file, found.format, found.raw).sessions == found.sessions
