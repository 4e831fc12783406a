"""Asking for structured output: what is sent, what is accepted, and what is done about a bad reply."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agentflows.errors import ModelOutputError, UsageError
from agentflows.session import Usage
from agentflows.testing import FakeRequest, Reply


def test_an_answer_is_validated_and_says_what_it_cost(bench: Any, good: dict[str, Any]):
    """The door returns our own type with everything the report needs."""
    bench.fake.queue(Reply.json(good, thinking="They look alike."))
    answer = bench.ask()
    assert (answer.value.same, answer.value.score) == (True, 3)
    assert (answer.model, answer.stop_reason, answer.attempts) == ("model-x", "end_turn", 1)
    assert answer.request_id == "req_fake_000001"
    assert answer.usage.input_tokens > 0
    assert answer.dollars == pytest.approx(
        (answer.usage.input_tokens * 10 + answer.usage.output_tokens * 50) / 1_000_000
    )
    assert bench.purse.dollars == [answer.dollars]


def test_the_schema_goes_out_in_the_form_the_endpoint_can_enforce(bench: Any, good: dict[str, Any]):
    """The strict fake refuses numeric bounds and open objects, as the hosted API does."""
    bench.fake.queue(good)
    bench.ask()
    schema = bench.fake.requests[0].schema
    assert schema["additionalProperties"] is False
    assert "maximum" not in schema["properties"]["score"]


def test_nothing_is_sent_that_was_not_meant_to_be(bench: Any, good: dict[str, Any]):
    """No server-side thread, no beta header, no sampling field."""
    bench.fake.queue(good)
    bench.ask()
    request = bench.fake.requests[0]
    assert set(request.body) == {"model", "max_tokens", "messages", "system", "output_config"}
    assert "anthropic-beta" not in request.headers


def test_everything_but_the_last_block_is_marked_for_the_cache(bench: Any, good: dict[str, Any]):
    """Instructions and material stay the same from call to call; the question does not."""
    bench.fake.queue(good)
    bench.ask(system=["Rules.", "More rules."], user=["Long material.", "More of it.", "The question?"])
    body = bench.fake.requests[0].body
    assert ["cache_control" in block for block in body["system"]] == [False, True]
    assert ["cache_control" in block for block in body["messages"][0]["content"]] == [False, True, False]


def test_a_second_question_on_the_same_material_reads_it_from_the_cache(bench: Any, good: dict[str, Any]):
    """The fake's cache counts like the real one: 4 characters a token, prefixes from 1,024 tokens on."""
    bench.fake.queue(good, good)
    material = "m" * 8000
    first = bench.ask(user=[material, "First?"])
    second = bench.ask(user=[material, "Second?"])
    assert (first.usage.cache_write_tokens >= 2000, first.usage.cache_read_tokens) == (True, 0)
    assert (second.usage.cache_write_tokens, second.usage.cache_read_tokens) == (
        0,
        first.usage.cache_write_tokens,
    )
    assert second.dollars < first.dollars


def test_a_single_user_block_is_not_marked(bench: Any, good: dict[str, Any]):
    """It changes with every call: writing it to the cache would only cost."""
    bench.fake.queue(good)
    bench.ask(system=[], user=["Everything at once?"])
    body = bench.fake.requests[0].body
    assert body["messages"][0]["content"] == [{"type": "text", "text": "Everything at once?"}]
    assert "system" not in body


def test_blank_blocks_are_left_out(bench: Any, good: dict[str, Any]):
    """The API refuses a request with an empty text block."""
    bench.fake.queue(good)
    bench.ask(system=["", "Rules."], user=["  ", "Question?"])
    assert [block["text"] for block in bench.fake.requests[0].body["system"]] == ["Rules."]


@pytest.mark.parametrize("changed", [{"user": ["", " "]}, {"max_tokens": 0}])
def test_a_question_that_asks_nothing_is_refused(bench: Any, changed: dict[str, Any]):
    """Found before any money is reserved."""
    with pytest.raises(UsageError):
        bench.ask(**changed)
    assert bench.purse.reserved == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply.refusal("cyber", text="I cannot help with that."), "refusal"),
        (Reply.refusal(), "refusal"),
        (Reply.truncated('{"same": true, "sco'), "truncated"),
        (Reply.truncated('{"same": true, "score": 1}'), "truncated"),
        (Reply.stopped("model_context_window_exceeded"), "context_exceeded"),
        (Reply.stopped("pause_turn", '{"same": true, "score": 1}'), "unfinished"),
        (Reply.stopped("tool_use", '{"same": true, "score": 1}'), "unfinished"),
        (Reply.stopped(None, '{"same": true, "score": 1}'), "unfinished"),
        (Reply.stopped("something_new", '{"same": true, "score": 1}'), "unfinished"),
    ],
)
def test_a_reply_that_did_not_end_well_is_no_answer(bench: Any, reply: Reply, kind: str):
    """Success is a closed list of stop reasons, even where the text would do. It is paid, and not repeated."""
    bench.fake.queue(reply)
    with pytest.raises(ModelOutputError) as caught:
        bench.ask()
    assert (caught.value.kind, caught.value.attempts) == (kind, 1)
    assert caught.value.request_id == "req_fake_000001"
    assert bench.purse.settled == [caught.value.tokens] != [0]
    assert bench.records[0].outcome == kind
    assert bench.records[0].usage.total == caught.value.tokens


def test_the_category_of_a_refusal_is_told(bench: Any):
    """It is what a person needs to know to do something about it."""
    bench.fake.queue(Reply.refusal("bio"))
    with pytest.raises(ModelOutputError, match=r"'refusal' \(bio\)"):
        bench.ask()


def test_a_value_out_of_bounds_is_sent_back_with_the_reason(bench: Any, good: dict[str, Any]):
    """The endpoint cannot enforce `score <= 5`; pydantic can, and the model is told."""
    bench.fake.queue(Reply.text('{"same": true, "score": 9, "why": ""}'), Reply.json(good))
    answer = bench.ask()
    assert (answer.value.score, answer.attempts) == (3, 2)
    roles = [message["role"] for message in bench.fake.requests[1].body["messages"]]
    assert roles == ["user", "assistant", "user"]
    assert "score: Input should be less than or equal to 5" in bench.fake.requests[1].last_text
    assert [record.outcome for record in bench.records] == ["off_schema", "ok"]
    assert answer.usage == bench.records[0].usage + bench.records[1].usage


def test_a_model_that_does_not_listen_fails_after_two_repairs(bench: Any):
    """Bounded, and malformed is an error, never a verdict. All three replies are paid."""
    bench.fake.queue(*[Reply.text('{"same": true, "score": 9, "why": ""}')] * 3)
    with pytest.raises(ModelOutputError, match="off_schema") as caught:
        bench.ask()
    assert (caught.value.kind, caught.value.attempts) == ("off_schema", 3)
    assert caught.value.tokens == sum(bench.purse.settled)
    assert len(bench.purse.settled) == 3


def test_an_endpoint_that_refuses_output_config_is_asked_in_words(make_bench: Any, good: dict[str, Any]):
    """The 400 is the probe: later calls do not try again."""
    bench = make_bench(fake={"output_config": "rejected"})
    bench.fake.queue(json.dumps(good), json.dumps(good))
    assert bench.ask().value.score == 3
    assert bench.ask().value.score == 3
    assert len(bench.fake.refused) == 1
    assert bench.purse.refunded == 1
    system = bench.fake.requests[0].body["system"]
    assert '"score"' in system[-1]["text"]
    assert "cache_control" in system[-1]
    assert "output_config" not in bench.fake.requests[0].body


def test_an_endpoint_that_ignores_output_config_is_asked_in_words(make_bench: Any, good: dict[str, Any]):
    """Prose in place of JSON is something an endpoint that enforces schemas cannot say."""
    bench = make_bench(fake={"output_config": "ignored"})
    bench.fake.queue("They seem to be the same.", json.dumps(good), json.dumps(good))
    assert bench.ask().attempts == 2
    assert bench.ask().attempts == 1


@pytest.mark.parametrize(
    "text",
    [
        'Sure! Here it is:\n```json\n{"same": true, "score": 3}\n```\nAnything else?',
        'The form {"same": bool} is asked for, so: {"same": true, "score": 3}',
        '  {"same": true, "score": 3}  ',
    ],
)
def test_one_object_is_found_among_chatter(bench: Any, text: str):
    """Models without enforced schemas like to explain themselves."""
    bench.fake.queue(Reply.text(text))
    assert bench.ask().value.score == 3


def test_two_objects_that_both_fit_are_sent_back(bench: Any, good: dict[str, Any]):
    """Picking one would be a guess."""
    bench.fake.queue(
        Reply.text('{"same": true, "score": 1} or {"same": false, "score": 1}'), Reply.json(good)
    )
    assert bench.ask().value.score == 3
    assert "found 2 that fit" in bench.fake.requests[1].last_text


@pytest.mark.parametrize("text", ["", "No.", "[1, 2]", '{"a":' * 3000, "{" * 5000])
def test_a_reply_without_an_object_is_repaired_in_words_and_then_fails(make_bench: Any, text: str):
    """Prose first shows that the schema is ignored; then come the prompted form and two repairs."""
    bench = make_bench(fake={"output_config": "ignored"})
    reply = Reply.text(text) if text else Reply.stopped("end_turn")
    bench.fake.queue(*[reply] * 4)
    with pytest.raises(ModelOutputError) as caught:
        bench.ask(max_tokens=20_000)
    assert (caught.value.kind, caught.value.attempts) == ("no_json", 4)


def test_a_reply_whose_usage_is_missing_counts_in_full(bench: Any, good: dict[str, Any]):
    """Some compatible servers do not count; what is not known is spent."""
    bench.fake.queue(Reply.json(good).counting())
    answer = bench.ask()
    assert answer.usage == Usage()
    assert bench.purse.settled == bench.purse.reserved
    assert bench.records[0].lost_tokens == bench.purse.reserved[0]
    assert answer.dollars > 0


def test_an_estimate_is_what_is_reserved_and_no_less_than_what_is_spent(
    bench: Any, good: dict[str, Any], verdict: Any
):
    """It is the number a run is refused by before it starts."""
    bench.fake.queue(good)
    asked = {"system": ["Rules."], "user": ["Größe: 12 345 €", "Gleich?"], "max_tokens": 1000}
    estimate = bench.claude.estimate(**asked, schema=verdict)
    bench.ask(**asked)
    assert bench.purse.reserved == [estimate.tokens]
    assert bench.purse.settled[0] <= estimate.tokens
    assert bench.purse.dollars[0] <= estimate.dollars


def test_many_threads_share_one_client_within_its_concurrency(make_bench: Any):
    """Forty callers, four places: never more than four at the endpoint, and every answer its own."""
    bench = make_bench(concurrency=4)
    inside, peak, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(4, timeout=60)

    def reply(request: FakeRequest) -> dict[str, Any]:
        nonlocal inside, peak
        with lock:
            inside += 1
            peak = max(peak, inside)
        gate.wait()  # passes only when four requests are here at once
        with lock:
            inside -= 1
        return {"same": True, "score": 1, "why": request.last_text}

    bench.fake.script(reply)
    questions = [f"question {number}" for number in range(40)]
    with ThreadPoolExecutor(40) as pool:
        calls = [pool.submit(bench.ask, user=[text]) for text in questions]
        answers = [call.result() for call in calls]
    assert [answer.value.why for answer in answers] == questions
    assert peak == 4
    assert len(bench.purse.settled) == 40
    assert bench.purse.open == {}


def test_the_call_log_has_identity_and_cost_and_no_contents(bench: Any, good: dict[str, Any]):
    """The same question has the same hash; nothing of what was said is in the record."""
    bench.fake.queue(good, good, good)
    bench.ask(user=["secret words"])
    bench.ask(user=["secret words"])
    bench.ask(user=["other words"])
    first, second, third = bench.records
    assert first.prompt_sha256 == second.prompt_sha256 != third.prompt_sha256
    assert (first.purpose, first.outcome, first.attempts, first.priced) == ("judge", "ok", 1, True)
    assert first.request_id
    assert "secret" not in repr(first)


def test_a_dead_conversation_leaves_no_slot_taken(make_bench: Any, good: dict[str, Any]):
    """A failed call gives its place back."""
    bench = make_bench(concurrency=1)
    bench.fake.queue(Reply.refusal(), good)
    with pytest.raises(ModelOutputError):
        bench.ask()
    assert bench.ask().value.score == 3
