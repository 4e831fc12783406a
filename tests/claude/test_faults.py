"""Every fault an endpoint makes: its kind, how often it was tried, and what the budget was charged."""

import socket
from typing import Any

import pytest

from agentflows.errors import BudgetError, EndpointError
from agentflows.testing import Reply

STREAMED = 30_000
"""More than a plain request may ask for, so the client streams."""


@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
    [
        (400, "invalid_request", 1),
        (401, "authentication", 1),
        (402, "billing", 1),
        (403, "permission", 1),
        (404, "not_found", 1),
        (408, "timeout", 4),
        (409, "conflict", 1),
        (413, "too_large", 1),
        (418, "server_error", 1),
        (422, "invalid_request", 1),
        (429, "rate_limit", 4),
        (500, "server_error", 4),
        (503, "server_error", 4),
        (529, "overloaded", 4),
    ],
)
def test_a_refused_request_has_a_kind_and_costs_nothing(bench: Any, status: int, kind: str, attempts: int):
    """An answer that is an error was not billed, so every attempt is refunded. 409 is no reason to repeat."""
    bench.fake.first(*[Reply.error(status)] * 4)
    with pytest.raises(EndpointError) as caught:
        bench.ask()
    error = caught.value
    assert (error.kind, error.status, error.attempts) == (kind, status, attempts)
    assert error.request_id.startswith("req_fake_")
    assert (error.tokens, error.dollars) == (0, 0.0)
    assert bench.purse.refunded == attempts
    assert bench.purse.settled == []
    assert len(bench.fake.requests) == attempts


def test_an_error_body_of_another_shape_is_classified_by_its_status(bench: Any):
    """Servers that are compatible only in part send errors of their own making."""
    bench.fake.first(Reply.error(403, error_type="some_other_error"))
    with pytest.raises(EndpointError) as caught:
        bench.ask()
    assert caught.value.kind == "permission"


@pytest.mark.parametrize("status", [502, 504])
def test_what_a_gateway_lost_counts_as_spent(bench: Any, status: int, good: dict[str, Any]):
    """Behind the proxy the call may have run and been billed."""
    bench.fake.first(Reply.error(status, error_type="api_error")).queue(good)
    answer = bench.ask()
    assert answer.attempts == 2
    assert bench.purse.refunded == 0
    assert bench.purse.settled == [bench.purse.reserved[0], answer.usage.total]


@pytest.mark.parametrize("when", ["before_headers", "after_headers", "mid_body"])
@pytest.mark.parametrize("max_tokens", [1000, STREAMED])
def test_a_dropped_connection_is_tried_again_and_counts_as_spent(
    bench: Any, when: Any, max_tokens: int, good: dict[str, Any]
):
    """No one knows whether a call ran whose answer was lost."""
    bench.fake.first(Reply.drop(when)).queue(good)
    answer = bench.ask(max_tokens=max_tokens)
    assert answer.attempts == 2
    assert bench.purse.settled == [bench.purse.reserved[0], answer.usage.total]
    assert bench.records[0].lost_tokens == bench.purse.reserved[0]


@pytest.mark.parametrize("when", ["before_headers", "after_headers", "mid_body"])
@pytest.mark.parametrize("max_tokens", [1000, STREAMED])
def test_a_connection_that_always_drops_is_given_up_after_four_attempts(
    bench: Any, when: Any, max_tokens: int
):
    """All four may have been billed, and the error says what that came to."""
    bench.fake.first(*[Reply.drop(when)] * 4)
    with pytest.raises(EndpointError) as caught:
        bench.ask(max_tokens=max_tokens)
    assert (caught.value.kind, caught.value.attempts) == ("dropped", 4)
    assert caught.value.tokens == sum(bench.purse.settled) == sum(bench.purse.reserved)
    assert caught.value.dollars == pytest.approx(sum(bench.purse.dollars)) != 0


def test_a_silent_endpoint_times_out_and_counts_as_spent(make_bench: Any):
    """A real clock here: the deadline of the call is the time-out of its attempt."""
    from agentflows.claude import Pace

    bench = make_bench(deadline_seconds=0.3, pace=Pace(sleep=lambda _: None))
    bench.fake.first(Reply.text("late").after(30))
    with pytest.raises(EndpointError) as caught:
        bench.ask()
    assert caught.value.kind in ("timeout", "deadline")
    assert bench.purse.settled == bench.purse.reserved


@pytest.mark.parametrize("max_tokens", [1000, STREAMED])
def test_an_endpoint_that_trickles_is_cut_off_at_the_deadline(make_bench: Any, max_tokens: int):
    """A time-out per read does not bound a server that sends a little now and then."""
    from agentflows.claude import Pace

    bench = make_bench(deadline_seconds=0.5, pace=Pace(sleep=lambda _: None))
    bench.fake.first(Reply.text("x" * 2000).trickling(0.1))
    with pytest.raises(EndpointError) as caught:
        bench.ask(max_tokens=max_tokens)
    assert (caught.value.kind, caught.value.attempts) == ("deadline", 1)
    assert bench.purse.settled == bench.purse.reserved


@pytest.mark.parametrize("max_tokens", [1000, STREAMED])
@pytest.mark.parametrize("reply", [Reply.broken_json(), Reply.wrong_content_type()], ids=["json", "type"])
def test_a_200_without_a_message_is_named_and_counts_as_spent(bench: Any, reply: Reply, max_tokens: int):
    """The SDK gives a bare JSONDecodeError, or a str in place of a message."""
    bench.fake.first(reply)
    with pytest.raises(EndpointError, match="ANTHROPIC_BASE_URL") as caught:
        bench.ask(max_tokens=max_tokens)
    assert (caught.value.kind, caught.value.attempts) == ("not_a_message", 1)
    assert bench.purse.settled == bench.purse.reserved


@pytest.mark.parametrize(
    ("error_type", "kind", "attempts"),
    [
        ("overloaded_error", "overloaded", 4),
        ("api_error", "server_error", 4),
        ("rate_limit_error", "rate_limit", 4),
        ("invalid_request_error", "invalid_request", 1),
    ],
)
def test_an_error_inside_a_stream_is_classified_by_its_type(
    bench: Any, error_type: str, kind: str, attempts: int
):
    """Its HTTP status is 200. The model had begun to write, so it counts as spent."""
    bench.fake.first(*[Reply.stream_error(error_type)] * 4)
    with pytest.raises(EndpointError) as caught:
        bench.ask(max_tokens=STREAMED)
    assert (caught.value.kind, caught.value.status, caught.value.attempts) == (kind, 200, attempts)
    assert bench.purse.settled == bench.purse.reserved
    assert len(bench.purse.settled) == attempts


def test_a_stream_cut_before_its_stop_reason_is_no_reply(bench: Any, good: dict[str, Any]):
    """The SDK raises nothing here: partial text and no stop reason would look like an answer."""
    bench.fake.first(Reply.stream_cut(good, after_delta=False)).queue(good)
    answer = bench.ask(max_tokens=STREAMED)
    assert answer.attempts == 2
    assert bench.purse.settled[0] == bench.purse.reserved[0]


def test_a_stream_cut_after_its_stop_reason_is_whole(bench: Any, good: dict[str, Any]):
    """All blocks are closed and the reason is known: nothing is missing but the farewell."""
    bench.fake.first(Reply.stream_cut(good, after_delta=True))
    answer = bench.ask(max_tokens=STREAMED)
    assert (answer.attempts, answer.stop_reason) == (1, "end_turn")
    assert bench.purse.settled == [answer.usage.total]


def test_more_tokens_than_a_plain_request_may_ask_for_are_streamed(bench: Any, good: dict[str, Any]):
    """Without streaming the SDK refuses them before anything is sent."""
    bench.fake.queue(good, good)
    bench.ask(max_tokens=21_333)
    bench.ask(max_tokens=21_334)
    assert [request.body.get("stream", False) for request in bench.fake.requests] == [False, True]


def test_an_endpoint_nobody_listens_on_is_unreachable_and_refunded(make_bench: Any):
    """Nothing was sent, so nothing was spent; the message names the URL and what to do."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        bench = make_bench(base_url=url)
        with pytest.raises(EndpointError) as caught:
            bench.ask()
    assert (caught.value.kind, caught.value.attempts, bench.purse.refunded) == ("unreachable", 4, 4)
    assert url in str(caught.value)
    assert "Check that the server runs" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_address_that_is_none_is_told_at_once(make_bench: Any):
    """No second attempt makes a URL of it."""
    bench = make_bench(base_url="ftp://127.0.0.1")
    with pytest.raises(EndpointError, match="such as http") as caught:
        bench.ask()
    assert (caught.value.kind, caught.value.attempts, bench.purse.refunded) == ("bad_url", 1, 1)


def test_an_endpoint_that_says_not_to_retry_is_not_asked_again(bench: Any):
    """`x-should-retry: false` is the endpoint's own word."""
    bench.fake.first(Reply.error(529, should_retry=False))
    with pytest.raises(EndpointError) as caught:
        bench.ask()
    assert caught.value.attempts == 1


def test_an_overload_that_passes_is_survived(bench: Any, good: dict[str, Any]):
    """Three refusals and a good answer are one good answer, and only that is paid."""
    bench.fake.first(*[Reply.overloaded()] * 3).queue(good)
    answer = bench.ask()
    assert answer.attempts == 4
    assert bench.purse.refunded == 3
    assert bench.purse.settled == [answer.usage.total]


def test_a_budget_that_ends_between_attempts_stops_the_call(make_bench: Any):
    """A lost attempt counts as spent, so the next one may be one too many. Nothing stays open."""
    probe = make_bench()
    probe.fake.queue({"same": True, "score": 1})
    probe.ask()
    bench = make_bench(purse={"ceiling": probe.purse.reserved[0] + 10})
    bench.fake.first(Reply.drop())
    with pytest.raises(BudgetError):
        bench.ask()
    assert len(bench.fake.requests) == 1
    assert bench.purse.open == {}
    assert bench.purse.settled == bench.purse.reserved


def test_a_budget_too_small_sends_nothing(make_bench: Any):
    """The reservation comes before the request."""
    bench = make_bench(purse={"ceiling": 10})
    with pytest.raises(BudgetError):
        bench.ask()
    assert bench.fake.requests == []
    assert bench.records == []


def test_an_interrupted_call_counts_as_spent(make_bench: Any):
    """Whatever ends a call from outside, its outcome is unknown."""
    import httpx2

    def interrupt(request: httpx2.Request) -> httpx2.Response:
        raise KeyboardInterrupt

    with httpx2.Client(transport=httpx2.MockTransport(interrupt)) as http:
        bench = make_bench(http_client=http)
        with pytest.raises(KeyboardInterrupt):
            bench.ask()
    assert bench.purse.open == {}
    assert bench.purse.settled == bench.purse.reserved


def test_an_error_survives_being_pickled(bench: Any):
    """Prefect sends exceptions between processes; what code branches on must arrive."""
    import pickle

    bench.fake.first(Reply.error(401))
    with pytest.raises(EndpointError) as caught:
        bench.ask()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.kind, copy.status) == (str(caught.value), "authentication", 401)
