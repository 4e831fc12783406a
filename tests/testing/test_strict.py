"""The fake refuses what the hosted API refuses, so that no test passes on a request that would fail."""

import json
import urllib.error
import urllib.request
from typing import Any

import anthropic
import pytest

USER = {"role": "user", "content": "Hello"}
ASSISTANT = {"role": "assistant", "content": "Hi"}
TOOL: dict[str, Any] = {
    "name": "look",
    "description": "Look.",
    "input_schema": {"type": "object", "properties": {}},
}
CALL: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}],
}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "seen"}]}
OTHER_RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t2", "content": "seen"}]}
MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
OPEN_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
BOUNDED = {
    "type": "object",
    "properties": {"n": {"type": "integer", "maximum": 5}},
    "additionalProperties": False,
}


def _formatted(schema: dict[str, Any]) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


BROKEN: dict[str, dict[str, Any]] = {
    "thread: Extra inputs": {"extra_body": {"thread": {"type": "create"}}},
    "temperature: Extra inputs": {"extra_body": {"temperature": 0}},
    "max_tokens: ": {"max_tokens": 0},
    "messages: List should have": {"messages": []},
    "first message must use": {"messages": [ASSISTANT, USER]},
    "roles must alternate": {"messages": [USER, USER]},
    "must end with a user message": {"messages": [USER, ASSISTANT]},
    "at least 1 character": {"messages": [{"role": "user", "content": ""}]},
    "messages.0.user.content": {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
    "Input tag 'system'": {"messages": [{"role": "system", "content": "x"}]},
    "messages.2: each `tool_use`": {"tools": [TOOL], "messages": [USER, CALL, USER]},
    "Calls \\['t1'\\], results \\['t2'\\]": {"tools": [TOOL], "messages": [USER, CALL, OTHER_RESULT]},
    "messages.0: each `tool_use`": {"tools": [TOOL], "messages": [RESULT]},
    "need `tools` to be defined": {"messages": [USER, CALL, RESULT]},
    "Tool names must be unique": {"tools": [TOOL, TOOL]},
    "input_schema.type": {"tools": [{"name": "look", "input_schema": {"type": "array"}}]},
    "only be specified while providing tools": {"tool_choice": {"type": "any"}},
    "not found in provided tools": {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "jump"}},
    "Found 5": {"system": [MARKED] * 5},
    "'additionalProperties' must be false": _formatted(OPEN_SCHEMA),
    "'maximum' is not supported": _formatted(BOUNDED),
    "unexpected-beta": {"extra_headers": {"anthropic-beta": "unexpected-beta"}},
}


@pytest.mark.parametrize(("match", "changed"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_broken_request_is_refused_with_its_reason(open_fake: Any, match: str, changed: dict[str, Any]):
    """Status 400 in Anthropic's error shape, and no script is asked."""
    fake, client = open_fake()
    with pytest.raises(anthropic.BadRequestError, match=match) as caught:
        client.messages.create(**{"model": "m", "max_tokens": 10, "messages": [USER], **changed})
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id
    assert fake.requests == []
    assert len(fake.refused) == 1


WHOLE: dict[str, Any] = {
    "model": "m",
    "max_tokens": 10,
    "system": [{"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        USER,
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "…", "signature": "s"}, *CALL["content"]],
        },
        {"role": "user", "content": [*RESULT["content"], {"type": "text", "text": "And now?"}]},
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "adaptive"},
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u"},
}


def test_a_whole_conversation_is_accepted(open_fake: Any):
    """Strict is not narrow: tools, thinking, caching and metadata pass."""
    fake, client = open_fake()
    fake.queue("ok")
    assert client.messages.create(**WHOLE).content[0].text == "ok"


def test_results_come_before_other_content(open_fake: Any):
    """The API wants the answer to its calls first."""
    fake, client = open_fake()
    late = {"role": "user", "content": [{"type": "text", "text": "And?"}, *RESULT["content"]]}
    with pytest.raises(anthropic.BadRequestError, match="must come before"):
        client.messages.create(model="m", max_tokens=10, tools=[TOOL], messages=[USER, CALL, late])
    assert fake.requests == []


def test_what_an_endpoint_tolerates_can_be_said(open_fake: Any):
    """Self-hosted servers take sampling fields, and some tests need a beta."""
    fake, client = open_fake(extra_fields=["temperature"], allowed_betas=["some-beta"])
    fake.queue("ok")
    client.messages.create(
        model="m",
        max_tokens=10,
        messages=[USER],
        extra_body={"temperature": 0},
        extra_headers={"anthropic-beta": "some-beta"},
    )
    assert fake.requests[0].body["temperature"] == 0


def test_the_sdks_server_side_threads_are_caught(open_fake: Any):
    """The tool runner's default loses the history on servers that ignore `thread`; here it fails at once."""
    _, client = open_fake()

    @anthropic.beta_tool
    def look() -> str:
        """Look."""
        return "seen"

    runner = client.beta.messages.tool_runner(
        model="m", max_tokens=10, messages=[USER], tools=[look], max_iterations=2
    )
    with pytest.raises(anthropic.BadRequestError):
        runner.until_done()


@pytest.mark.parametrize("key", [{}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}])
def test_a_key_is_needed(open_fake: Any, key: dict[str, str]):
    """And it must be the right one. Not through the SDK, which always sends one."""
    fake, _ = open_fake()
    headers = {"anthropic-version": "v", "content-type": "application/json", **key}
    request = urllib.request.Request(f"{fake.url}/v1/messages", data=b"{}", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert json.load(caught.value)["error"]["type"] == "authentication_error"
    caught.value.close()


def test_a_model_it_does_not_know_is_not_found(open_fake: Any):
    """For messages, counts and descriptions alike."""
    _, client = open_fake(models=["known"])
    for call in (client.messages.count_tokens, client.messages.create):
        more = {} if call == client.messages.count_tokens else {"max_tokens": 10}
        with pytest.raises(anthropic.NotFoundError):
            call(model="unknown", messages=[USER], **more)
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("unknown")
    assert [model.id for model in client.models.list()] == ["known"]
