"""What the fake answers: replies, streams, tools, structured output, caches, batches, and scripts gone wrong."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply, ScriptError, minimal_reply

ASK: dict[str, Any] = {
    "model": "m",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello there"}],
}
TOOL: dict[str, Any] = {
    "name": "look",
    "description": "Look.",
    "input_schema": {"type": "object", "properties": {}},
}


class Point(BaseModel):
    """A structured output."""

    x: int
    tags: list[str] = []
    kind: str | None = None


FORMAT: Any = {"format": {"type": "json_schema", "schema": anthropic.transform_schema(Point)}}


def test_answers_come_from_faults_then_markers_then_the_queue_then_the_script(open_fake: Any):
    """One fake can serve several purposes at once, and fail first."""
    fake, client = open_fake()

    def numbered(request: FakeRequest) -> str:
        return f"script {request.number}"

    fake.script(numbered).queue("queued").when("Judge", "judged").first(Reply.overloaded())
    with pytest.raises(anthropic.OverloadedError):
        client.messages.create(**ASK)
    judge = {**ASK, "system": "Judge this."}
    said = [client.messages.create(**asked).content[0].text for asked in (ASK, judge, judge, ASK)]
    assert said == ["queued", "judged", "script 4", "script 5"]
    assert [request.last_text for request in fake.requests] == ["Hello there"] * 5


def test_a_marker_can_have_a_script_of_its_own(open_fake: Any):
    """For purposes that are asked any number of times."""
    fake, client = open_fake()

    def loudly(request: FakeRequest) -> str:
        return request.last_text.upper()

    fake.when("Hello", loudly)
    assert client.messages.create(**ASK).content[0].text == "HELLO THERE"
    with pytest.raises(TypeError, match="not both"):
        fake.when("x", "reply", minimal_reply)


def test_structured_output_is_checked_against_the_schema_asked_for(open_fake: Any):
    """A script that drifts from the code's schema fails the test, not the code."""
    fake, client = open_fake()
    fake.queue(Point(x=1, kind="a"), {"x": 2, "tags": ["t"], "kind": None}, {"x": "three"}, {"y": 1})
    for expected in (1, 2):
        reply = client.messages.create(**ASK, output_config=FORMAT)
        assert json.loads(reply.content[0].text)["x"] == expected
    for fault in (r"\$\.x: must be of type integer", "'x' is missing"):
        with pytest.raises(anthropic.BadRequestError, match=fault):
            client.messages.create(**ASK, output_config=FORMAT)
    assert len(fake.script_errors) == 2


@pytest.mark.parametrize(
    ("scripted", "match"),
    [
        (None, "Nothing is scripted"),
        (Reply.json({"x": 1}), "asks for none"),
        (Reply.tool_use("jump", {}), r"calls the tools \['jump'\]"),
        (Reply.stream_error(), "only a streaming request"),
        (Reply.expired(), "only a request in a batch"),
    ],
)
def test_a_script_at_fault_says_so_when_the_fake_closes(scripted: Reply | None, match: str):
    """Such a test must not pass because the code under test is good at handling errors."""
    fake = FakeMessagesAPI()
    if scripted:
        fake.queue(scripted)
    with pytest.raises(ScriptError, match=match), fake:
        _ask_and_be_refused(fake)


def _ask_and_be_refused(fake: FakeMessagesAPI) -> None:
    with (
        anthropic.Anthropic(base_url=fake.url, api_key=fake.api_key, max_retries=0) as client,
        pytest.raises(anthropic.BadRequestError),
    ):
        client.messages.create(**ASK)


def test_a_script_that_raises_is_reported(open_fake: Any):
    """With its own words."""
    fake, client = open_fake()

    def broken(request: FakeRequest) -> str:
        msg = f"no plan for {request.model}"
        raise KeyError(msg)

    fake.script(broken)
    with pytest.raises(anthropic.BadRequestError, match="no plan for m"):
        client.messages.create(**ASK)


def test_a_stream_has_the_events_of_the_api_in_order(open_fake: Any):
    """Thinking, text and a tool call, put together by the SDK's own accumulator."""
    fake, client = open_fake()
    text = "A text that is longer than one piece of the stream, so it comes in two."
    reply = Reply.tool_use("look", {"at": "x"}, text=text)
    fake.queue(reply)
    events = list(client.messages.create(**ASK, tools=[TOOL], stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start"
    assert kinds[1:5] == [
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
    ]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    fake.queue(reply, Reply.text("said", thinking="thought"))
    with client.messages.stream(**ASK, tools=[TOOL]) as stream:
        message = stream.get_final_message()
    assert (message.content[0].text, message.content[1].input) == (text, {"at": "x"})
    assert (message.stop_reason, message.usage.output_tokens > 1) == ("tool_use", True)
    with client.messages.stream(**ASK) as stream:
        assert [block.type for block in stream.get_final_message().content] == ["thinking", "text"]


def test_the_sdks_tool_loop_runs_over_it(open_fake: Any):
    """Call, result, final text: with history kept by the client."""
    fake, client = open_fake()
    fake.queue(Reply.tool_use("look", {}), "I see it.")

    @anthropic.beta_tool
    def look() -> str:
        """Look."""
        return "a tree"

    runner = client.beta.messages.tool_runner(**ASK, tools=[look], max_iterations=3, thread=False)
    assert runner.until_done().content[0].text == "I see it."
    assert fake.requests[1].body["messages"][2]["content"][0]["content"] == "a tree"


def test_a_reply_longer_than_max_tokens_is_cut(open_fake: Any):
    """As a real endpoint would, whether the script thought of it or not."""
    fake, client = open_fake()
    fake.queue("four" * 50)
    reply = client.messages.create(**{**ASK, "max_tokens": 10})
    assert (reply.stop_reason, reply.usage.output_tokens, len(reply.content[0].text)) == (
        "max_tokens",
        10,
        40,
    )


def test_usage_can_be_worked_out_by_hand(open_fake: Any):
    """Four characters are a token, per block, rounded up."""
    fake, client = open_fake()
    fake.queue("123456789")
    usage = client.messages.create(**ASK, system="12345").usage
    assert (usage.input_tokens, usage.output_tokens) == (3 + 2, 3)
    assert client.messages.count_tokens(model="m", messages=ASK["messages"], system="12345").input_tokens == 5


def test_marked_prefixes_are_written_once_and_read_later(open_fake: Any):
    """Per model, and only what is byte for byte the same."""
    fake, client = open_fake(cache_minimum_tokens=100)
    fake.script(minimal_reply)

    def usage(system: str, question: str, model: str = "m") -> tuple[int, int, int]:
        block = {"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}
        said = [{"role": "user", "content": question}]
        got = client.messages.create(model=model, max_tokens=10, system=[block], messages=said).usage
        return got.input_tokens, got.cache_creation_input_tokens, got.cache_read_input_tokens

    rules = "r" * 400
    assert usage(rules, "1234") == (1, 100, 0)
    assert usage(rules, "12345678") == (2, 0, 100)
    assert usage(rules, "1234", model="other") == (1, 100, 0)
    assert usage(rules + "!", "1234") == (1, 101, 0)
    assert usage("short", "1234") == (3, 0, 0)


def test_a_longer_prefix_reads_the_shorter_one_it_begins_with(open_fake: Any):
    """A growing conversation pays only for what is new."""
    fake, client = open_fake(cache_minimum_tokens=1)
    fake.script(minimal_reply)
    mark = {"cache_control": {"type": "ephemeral"}}
    first = {"type": "text", "text": "a" * 40}
    second = {"type": "text", "text": "b" * 80}

    def ask(*blocks: dict[str, Any]) -> Any:
        return client.messages.create(
            model="m", max_tokens=10, messages=[{"role": "user", "content": list(blocks)}]
        ).usage

    ask({**first, **mark})
    usage = ask(first, {**second, **mark})
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.input_tokens) == (
        10,
        20,
        0,
    )


def test_a_batch_ends_after_some_looks_and_tells_results_in_another_order(open_fake: Any):
    """Match by `custom_id`: one succeeded, one errored."""
    fake, client = open_fake(batch_polls=2)
    fake.when("good", "fine").when("bad", Reply.error(500))
    params = [{**ASK, "messages": [{"role": "user", "content": word}]} for word in ("good", "bad")]
    batch = client.messages.batches.create(
        requests=[{"custom_id": f"r{n}", "params": each} for n, each in enumerate(params)]
    )
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 2)
    assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
    ended = client.messages.batches.retrieve(batch.id)
    assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.errored) == (
        "ended",
        1,
        1,
    )
    results = [(line.custom_id, line.result.type) for line in client.messages.batches.results(batch.id)]
    assert results == [("r1", "errored"), ("r0", "succeeded")]
    assert [listed.id for listed in client.messages.batches.list()] == [batch.id]


def test_a_canceled_batch_ends_canceled(open_fake: Any):
    """Nothing of it runs."""
    fake, client = open_fake(batch_polls=5)
    batch = client.messages.batches.create(requests=[{"custom_id": "a", "params": ASK}])
    assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
    assert client.messages.batches.retrieve(batch.id).request_counts.canceled == 1
    assert fake.requests == []


def test_a_request_of_a_batch_can_expire(open_fake: Any):
    """After a day the hosted API gives up on what it has not begun."""
    fake, client = open_fake()
    fake.queue(Reply.expired())
    batch = client.messages.batches.create(requests=[{"custom_id": "a", "params": ASK}])
    assert client.messages.batches.retrieve(batch.id).request_counts.expired == 1
    assert [line.result.type for line in client.messages.batches.results(batch.id)] == ["expired"]


def test_requests_about_batches_can_fail(open_fake: Any):
    """One is refused and does nothing; the other is carried out, and its answer lost."""
    fake, client = open_fake()
    fake.first_on_batches(Reply.overloaded(), Reply.drop())
    requests = [{"custom_id": "a", "params": ASK}]
    with pytest.raises(anthropic.OverloadedError):
        client.messages.batches.create(requests=requests)
    assert fake.batches == []
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.batches.create(requests=requests)
    assert len(fake.batches) == 1


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [{"custom_id": "a", "params": ASK}] * 2,
        [{"custom_id": "not allowed!", "params": ASK}],
        [{"custom_id": "a", "params": {**ASK, "stream": True}}],
        [{"custom_id": "a", "params": {**ASK, "max_tokens": 0}}],
        [{"custom_id": "a"}],
    ],
)
def test_a_broken_batch_is_refused_as_a_whole(open_fake: Any, requests: list[Any]):
    """Before anything of it runs."""
    fake, client = open_fake()
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.create(requests=requests)
    assert fake.batches == []


def test_a_hundred_connections_are_answered_at_once(open_fake: Any):
    """Each reply waits until all hundred requests are here: serving them in turn would never end."""
    import threading

    fake, client = open_fake()
    gate = threading.Barrier(100, timeout=30)

    def reply(request: FakeRequest) -> str:
        gate.wait()
        return "ok"

    fake.script(reply)
    with ThreadPoolExecutor(100) as pool:
        calls = [pool.submit(client.messages.create, **ASK) for _ in range(100)]
        assert {call.result().content[0].text for call in calls} == {"ok"}
    assert sorted(request.number for request in fake.requests) == list(range(1, 101))


def test_connections_are_kept_alive(open_fake: Any):
    """A client that asks twice does not connect twice."""
    import http.client

    fake, _ = open_fake()
    fake.script(minimal_reply)
    connection = http.client.HTTPConnection(fake.url.removeprefix("http://"))
    headers = {"x-api-key": fake.api_key, "anthropic-version": "v", "content-type": "application/json"}
    sockets = set[int]()
    for _ in range(3):
        connection.request("POST", "/v1/messages", json.dumps(ASK), headers)
        assert connection.getresponse().read()
        sockets.add(id(connection.sock))
    connection.close()
    assert len(sockets) == 1


def test_closing_does_not_wait_for_a_slow_reply(open_fake: Any):
    """A test that gave up on an answer is not held up by it."""
    fake, _ = open_fake(latency_seconds=3600)
    fake.queue("late")
    with (
        anthropic.Anthropic(base_url=fake.url, api_key=fake.api_key, max_retries=0, timeout=0.2) as client,
        pytest.raises(anthropic.APITimeoutError),
    ):
        client.messages.create(**ASK)
    fake.close()
    fake.close()


def test_an_unknown_route_is_not_found(open_fake: Any):
    """Whatever else the hosted API has, this has not."""
    fake, _ = open_fake()
    request = urllib.request.Request(
        f"{fake.url}/v1/files", headers={"x-api-key": fake.api_key, "anthropic-version": "v"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 404
    caught.value.close()


def test_it_runs_as_a_process_of_its_own():
    """Workers and benchmarks need an endpoint that is not in their process."""
    command = [sys.executable, "-W", "error", "-m", "agentflows.testing.fake", "--api-key", "k"]
    command += ["--script", "agentflows.testing:minimal_reply"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        url = process.stdout.readline().strip()
        with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
            reply = _structured(client)
        process.terminate()
        assert (json.loads(reply.content[0].text), process.wait(10)) == ({"x": 0}, 0)
        assert process.stderr.read() == ""


def _structured(client: Any) -> Any:
    return client.messages.create(**ASK, output_config=FORMAT)


def test_a_script_that_cannot_be_loaded_is_told():
    """Exit code 2, with what to give."""
    command = [sys.executable, "-m", "agentflows.testing.fake", "--script", "nowhere:nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "Give MODULE:FUNCTION" in done.stderr) == (2, True)
