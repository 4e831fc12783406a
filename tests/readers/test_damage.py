"""Damaged at random, a log still never crashes a reader and never loses a line from the account."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflows import readers
from tests.readers.logs import answer, assistant, call, jsonl, line, read_bytes, text, user

LOG = jsonl(
    {"type": "summary", "summary": "Login", "leafUuid": "u1"},
    user("u1", "Fix the login:\n```\npanic\n```", planContent="x"),
    assistant("a1", {"type": "thinking", "thinking": "Hm."}, text("Looking."), call("Read", "t1", file_path="/shop/CLAUDE.md"), usage={"input_tokens": 1, "output_tokens": 2}),
    answer("u2", "t1", [text("Use tabs."), {"type": "image", "source": {"data": "AA", "media_type": "image/png"}}], toolUseResult={"stdout": "x", "structuredPatch": []}),
    user("s1", "Look.", isSidechain=True, parentUuid=None),
    line("attachment", "x1", attachment={"type": "nested_memory", "path": "CLAUDE.md", "content": {"content": "Tabs."}}),
    line("progress", "x2", data={"type": "agent_progress", "agentId": "a", "message": {"type": "assistant", "message": {"content": [text("Hi.")]}}}),
    {"type": "queue-operation", "operation": "enqueue", "content": "Commit.", "sessionId": "s", "timestamp": "2026-02-01T10:00:00Z"},
    {"type": "queue-operation", "operation": "remove", "sessionId": "s", "timestamp": "2026-02-01T10:00:00Z"},
    line("system", "x3", subtype="stop_hook_summary", hookErrors=["lint failed"]),
)  # fmt: skip
TRIALS = orjson.dumps(
    [{"task_id": 1, "trial": n, "reward": 0.5, "info": {"task": {"actions": [{"name": "cancel", "kwargs": {"a": 1}}]}, "reward_info": {"info": {"r_outputs": 0}}},
      "traj": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "cancel", "arguments": "{}"}}]},
               {"role": "tool", "tool_call_id": "c", "content": "ok"}]} for n in range(2)],
    option=orjson.OPT_INDENT_2,
)  # fmt: skip
SIMULATIONS = orjson.dumps(
    {"info": {"agent_info": {"llm": "m"}}, "tasks": [{"id": "1", "evaluation_criteria": {"actions": [{"name": "toggle", "requestor": "user", "arguments": {}, "compare_args": ["a"]}]}}],
     "simulations": [{"id": "x", "task_id": "1", "messages": [{"role": "user", "tool_calls": [{"id": "c", "name": "toggle", "arguments": {}}]}, {"role": "tool", "id": "c", "content": "ok", "requestor": "user"}],
                      "reward_info": {"reward": 1, "db_check": {"db_match": True}, "nl_assertions": [{"nl_assertion": "kind", "met": True}]}}]}
)  # fmt: skip
CHATS = jsonl(
    {
        "id": "a",
        "messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": [text("Ho.")]}],
        "outcome": {"verdict": "success", "checks": [{"name": "x", "passed": True}]},
    }
)
ATTEMPTS = orjson.dumps(
    {
        "0": {
            "query": "q",
            "turn_history": {"actions": ["ls"], "observations": ["x"], "valid_action": [True]},
            "summary": {"max_reward": 1},
        }
    }
)
SAMPLES = {
    "claude_code": LOG,
    "tau_bench": TRIALS,
    "tau2_bench": SIMULATIONS,
    "messages": CHATS,
    "intercode": ATTEMPTS,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "content", "message", "role", "id", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
CUTS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([b"", b'"', b"{", b"}", b"[", b",", b"\n", b"\xff", b"\\ud800", b"NaN", b"1e999", b"null", b"0", b'"a":1,"a":1,'])),
    min_size=1, max_size=4,
)  # fmt: skip


@pytest.mark.parametrize("source", SAMPLES)
@settings(max_examples=60, deadline=None)
@given(cuts=CUTS, width=st.integers(0, 12), named=st.booleans())
def test_no_damage_to_the_bytes_crashes_a_reader_or_loses_a_line(
    source: str, cuts: list[tuple[float, bytes]], width: int, *, named: bool
):
    """Accepted and quarantined add up whatever happened to a file, and what was accepted can be read again."""
    data = SAMPLES[source]
    for place, put in cuts:
        at = int(place * len(data))
        data = data[:at] + put + data[at + width :]
    with tempfile.TemporaryDirectory() as folder:
        found = read_bytes(Path(folder), data, source=source if named else "auto", alone=False)
    assert readers.read_raw(found.file, found.format, found.raw).sessions == found.sessions
    if found.format == "claude_code" and source == "claude_code":
        assert found.lines == sum(bool(one.strip(b" \t\r\n\x0b\x0c")) for one in data.split(b"\n"))


@pytest.mark.parametrize("source", SAMPLES)
@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_no_value_of_the_wrong_type_crashes_a_reader(source: str, draw: st.DataObject):
    """A field may hold anything: another version, another tool, or malice wrote it."""
    document = orjson.loads(
        b"[" + SAMPLES[source].strip().replace(b"\n{", b",{") + b"]"
        if source in {"claude_code", "messages"}
        else SAMPLES[source]
    )
    places = list(_places(document))
    for holder, key in draw.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        holder[key] = draw.draw(JSON)
    data = jsonl(*document) if source in {"claude_code", "messages"} else orjson.dumps(document)
    with tempfile.TemporaryDirectory() as folder:
        found = read_bytes(Path(folder), data, source=source)
    assert readers.read_raw(found.file, found.format, found.raw).sessions == found.sessions
    for session in found.sessions:
        assert [turn.seq for turn in session.turns] == list(range(len(session.turns)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every field and item of a document, as holder and key."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys += cast("dict[str, Any]", value)
    elif isinstance(value, list):
        keys += range(len(cast("list[Any]", value)))
    holder = cast("dict[Any, Any]", value)
    for key in keys:
        yield holder, key
        yield from _places(holder[key])
