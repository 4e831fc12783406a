"""Chat transcripts, as the Messages API and as OpenAI-style clients write them."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from agentflows.dream.quotes import quote_at
from agentflows.session import Check, OutcomeLabel, Session, Usage
from tests.readers.logs import call, jsonl, read_bytes

CHAT: list[dict[str, Any]] = [
    {"role": "user", "content": "Add 2 and 2."},
    {"role": "assistant", "content": "4."},
]


def one(folder: Path, document: Any, name: str = "chat.json") -> Session:
    """The one session of a document."""
    found = read_bytes(folder, orjson.dumps(document), name=name)
    assert not found.quarantined
    (session,) = found.sessions
    return session


def test_a_transcript_of_the_messages_api(tmp_path: Path):
    """System prompt, thinking, tool use and its result, with the call's tokens on its first turn."""
    session = one(
        tmp_path,
        {
            "id": "run-9", "model": "claude-sonnet-4-5", "system": [{"type": "text", "text": "Be brief."}], "task": "sum", "agent": "adder",
            "usage": {"input_tokens": 10, "output_tokens": 4},
            "messages": [
                CHAT[0],
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "Easy."}, call("add", "t1", b=2, a=2)]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "overflow", "is_error": True}]},
                {"role": "assistant", "content": [{"type": "text", "text": "4."}]},
            ],
        },
    )  # fmt: skip

    assert (session.session_id, session.task, session.agent, session.outcome) == (
        "run-9",
        "sum",
        "adder",
        None,
    )
    assert [(turn.kind, turn.trust, turn.text, turn.tool, turn.is_error) for turn in session.turns] == [
        ("system", 1, "Be brief.", "", False), ("user", 3, "Add 2 and 2.", "", False), ("thinking", 2, "Easy.", "", False),
        ("tool_call", 2, '{"a":2,"b":2}', "add", False), ("tool_result", 1, "overflow", "add", True), ("agent", 2, "4.", "", False),
    ]  # fmt: skip
    assert session.usage == Usage(10, 4)


def test_a_chat_in_openais_shape(tmp_path: Path):
    """Calls are fields of the message, arguments are strings, results are messages; broken arguments stay as they are."""
    calls = [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"b":2,"a":2}'}},
             {"id": "c2", "type": "function", "function": {"name": "add", "arguments": '{"a":'}}]  # fmt: skip
    session = one(
        tmp_path,
        {"messages": [
            {"role": "developer", "content": "Be brief."}, *CHAT[:1],
            {"role": "assistant", "content": None, "tool_calls": calls, "usage": {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}},
            {"role": "tool", "tool_call_id": "c2", "content": "bad"}, {"role": "tool", "tool_call_id": "c1", "content": {"sum": 4}},
        ]},
    )  # fmt: skip

    assert [(turn.kind, turn.text, turn.tool_use_id) for turn in session.turns[2:]] == [
        ("tool_call", '{"a":2,"b":2}', "c1"), ("tool_call", '{"a":', "c2"), ("tool_result", "bad", "c2"), ("tool_result", '{"sum":4}', "c1"),
    ]  # fmt: skip
    assert session.usage == Usage(5, 3, 4)


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({}, None),
        ({"reward": 1}, OutcomeLabel(verdict="success", score=1, source="reward")),
        ({"score": 0.4}, OutcomeLabel(verdict="failure", score=0.4, source="score")),
        ({"score": 87}, OutcomeLabel(verdict="unknown", score=87, source="score")),
        ({"success": False}, OutcomeLabel(verdict="failure", source="outcome")),
        ({"outcome": "Succeeded"}, OutcomeLabel(verdict="success", source="outcome")),
        ({"outcome": "paused"}, OutcomeLabel(verdict="unknown", source="outcome")),
        ({"outcome": {"verdict": "failed", "score": 0.5, "checks": [{"name": "cites", "passed": False, "detail": "none"}]}},
         OutcomeLabel(verdict="failure", score=0.5, source="outcome", checks=(Check(name="cites", passed=False, detail="none"),))),
    ],
)  # fmt: skip
def test_an_outcome_is_taken_as_the_transcript_gives_it(
    tmp_path: Path, fields: dict[str, Any], label: OutcomeLabel | None
):
    """A number is a reward only on the scale from 0 to 1; where nothing is said, nothing is invented."""
    assert one(tmp_path, {"messages": CHAT, **fields}).outcome == label


def test_transcripts_come_one_per_line_one_per_file_or_as_a_bare_list(tmp_path: Path):
    """The same chat in each wrapping is the same turns; without an id the file's name and the line name it."""
    per_line = read_bytes(
        tmp_path,
        jsonl({"messages": CHAT}, {"messages": CHAT}, {"session_id": "mine", "messages": CHAT}),
        name="chats.jsonl",
    )
    listed = read_bytes(
        tmp_path,
        orjson.dumps([{"messages": CHAT}, {"messages": CHAT}], option=orjson.OPT_INDENT_2),
        name="list.json",
    )
    bare = read_bytes(tmp_path, orjson.dumps(CHAT), name="bare.json")
    bare_lines = read_bytes(tmp_path, jsonl(*CHAT), name="bare.jsonl")

    assert [session.session_id for session in per_line.sessions] == ["chats", "chats:2", "mine"]
    assert [session.session_id for session in listed.sessions] == ["list", "list:2"]
    assert [(found.lines, len(found.sessions)) for found in (bare, bare_lines)] == [(1, 1), (2, 1)]
    for found in (per_line, listed, bare, bare_lines):
        assert [turn.text for turn in found.sessions[0].turns] == ["Add 2 and 2.", "4."]


def test_a_transcript_with_something_else_among_its_messages_is_quarantined(tmp_path: Path):
    """Half a transcript would be a different session, so it is none; and an id is used once."""
    found = read_bytes(
        tmp_path,
        jsonl(
            {"id": "a", "messages": CHAT},
            {"id": "b", "messages": [*CHAT, 7]},
            {"id": "a", "messages": CHAT[:1]},
            {"id": "c"},
        ),
        name="chats.jsonl",
    )

    assert (found.accepted, [bad.line for bad in found.quarantined]) == (1, [2, 3, 4])


def test_an_intercode_attempt_is_a_session_with_its_best_reward(tmp_path: Path):
    """Each action is a call, each observation its result; an invalid action is an error."""
    attempt = {
        "environment": "ic_bash", "dataset": "./data/nl2bash/nl2bash_fs_1.json", "task_id": 0, "query": "Count files.",
        "turn_history": {"actions": ["lss", "ls | wc -l"], "observations": ["not found", "3"], "rewards": [0, 1], "valid_action": [False, True]},
        "summary": {"max_reward": 1.0},
    }  # fmt: skip
    session = one(tmp_path, {"0": attempt}, name="run.json")

    assert (session.session_id, session.task, session.format) == (
        "intercode:run:0",
        "nl2bash_fs_1:0",
        "intercode",
    )
    assert [(turn.kind, turn.is_error, turn.tool_use_id) for turn in session.turns[1:]] == [
        ("tool_call", False, "step-1"), ("tool_result", True, "step-1"), ("tool_call", False, "step-2"), ("tool_result", False, "step-2"),
    ]  # fmt: skip
    assert session.outcome is not None
    assert session.outcome.verdict == "success"


def test_what_two_transcripts_begin_with_was_said_once(tmp_path: Path):
    """A log of API calls holds the whole conversation in every call: its marks for caching, prompts and ids vary."""
    asked = {
        "role": "user",
        "content": [{"type": "text", "text": "Add 2 and 2.", "cache_control": {"type": "ephemeral"}}],
    }
    thanks = {"role": "user", "content": "And 3?"}
    calls = [
        {"id": "c1", "system": "It is Monday.", "messages": [asked]},
        {"id": "c2", "system": "It is Tuesday.", "messages": [*CHAT, thanks]},
        {"id": "c3", "messages": [*CHAT, {"role": "user", "content": "And 4?"}]},
    ]
    first, longer, other = read_bytes(tmp_path, jsonl(*calls), name="calls.jsonl").sessions

    assert first.turns[1].origin == longer.turns[1].origin == other.turns[0].origin
    assert longer.turns[2].origin == other.turns[1].origin
    assert longer.turns[3].origin != other.turns[2].origin
    assert len({turn.origin for turn in longer.turns[1:]}) == 3


@pytest.mark.parametrize("apart", ["session", "time"])
def test_what_is_typed_anew_in_another_session_was_said_again(tmp_path: Path, apart: str):
    """Two people who ask the same are two; the log must tell by a session's id, or by the times of its messages."""
    sessions = [
        {"session_id": str(number), "messages": CHAT}
        if apart == "session"
        else {"messages": [message | {"timestamp": 1_750_000_000 + number} for message in CHAT]}
        for number in (1, 2)
    ]
    one_, two = read_bytes(tmp_path, jsonl(*sessions), name="chats.jsonl").sessions

    assert quote_at(one_, 0, 0, 3).origin != quote_at(two, 0, 0, 3).origin
