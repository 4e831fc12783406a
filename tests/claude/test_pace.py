"""Waiting and giving up: back-off, what the endpoint asks for, the deadline, the circuit breaker."""

from typing import Any

import pytest

from agentflows.claude.fault import retry_after
from agentflows.claude.pace import Breaker
from agentflows.errors import EndpointError
from agentflows.testing import Reply


def test_pauses_double_under_full_jitter(bench: Any, good: dict[str, Any]):
    """The bench's chance is all but one, so the pauses are all but their ceilings."""
    bench.fake.first(*[Reply.overloaded()] * 3).queue(good)
    bench.ask()
    assert bench.time.slept == pytest.approx([0.5, 1.0, 2.0], rel=0.01)


def test_a_wait_that_is_asked_for_is_kept(bench: Any, good: dict[str, Any]):
    """429 with `retry-after: 7`: not a second earlier."""
    bench.fake.first(Reply.error(429, retry_after=7)).queue(good)
    bench.ask()
    assert bench.time.slept == [7.0]


def test_a_wait_beyond_the_deadline_is_not_waited_for(make_bench: Any):
    """The SDK would sleep 49 days. The call fails at once and says why."""
    bench = make_bench(deadline_seconds=60)
    bench.fake.first(Reply.error(429, retry_after=4_294_967))
    with pytest.raises(
        EndpointError, match=r"next attempt is due in 4294967 s, the deadline in 60 s"
    ) as caught:
        bench.ask()
    assert (caught.value.kind, caught.value.attempts, bench.time.slept) == ("rate_limit", 1, [])


def test_the_deadline_holds_for_all_attempts_together(make_bench: Any):
    """40 + 40 seconds of pauses do not fit into 60."""
    bench = make_bench(deadline_seconds=60)
    bench.fake.first(*[Reply.error(503, retry_after=40)] * 4)
    with pytest.raises(EndpointError) as caught:
        bench.ask()
    assert (caught.value.attempts, bench.time.slept) == (2, [40.0])


def test_repairs_share_the_deadline_of_their_call(make_bench: Any):
    """A call is one logical call, however many requests it takes."""
    bench = make_bench(deadline_seconds=60)

    def slow(request: Any) -> Reply:
        bench.time.now += 61
        return Reply.text('{"same": true, "score": 9}')

    bench.fake.script(slow)
    with pytest.raises(EndpointError) as caught:
        bench.ask()
    assert caught.value.kind == "deadline"
    assert len(bench.fake.requests) == 1


def test_a_model_that_keeps_failing_is_left_alone_for_a_while(bench: Any, good: dict[str, Any]):
    """Five lost calls in a row, then none is sent for half a minute, then one is tried."""
    for _ in range(5):
        bench.fake.first(*[Reply.overloaded()] * 4)
        with pytest.raises(EndpointError, match="overloaded"):
            bench.ask()
    sent = len(bench.fake.requests)
    with pytest.raises(EndpointError, match="what was already read is kept") as caught:
        bench.ask()
    assert (caught.value.kind, caught.value.attempts, len(bench.fake.requests)) == ("circuit_open", 0, sent)
    bench.time.now += 31
    bench.fake.queue(good, good)
    assert bench.ask().value.score == 3
    assert bench.ask().value.score == 3


def test_refused_requests_do_not_open_the_circuit(bench: Any):
    """An endpoint that answers 400 is alive; the fault is ours."""
    bench.fake.first(*[Reply.error(400)] * 10)
    for _ in range(10):
        with pytest.raises(EndpointError, match="invalid_request"):
            bench.ask()


def test_a_breaker_lets_one_call_try_and_closes_again_if_it_fails():
    """Half open is one call wide."""
    now = 0.0
    breaker = Breaker(lambda: now, threshold=2, cooldown_seconds=30)
    breaker.failed()
    assert breaker.admit() == 0.0
    breaker.failed()
    assert breaker.admit() == 30.0
    now = 31.0
    assert breaker.admit() == 0.0
    assert breaker.admit() > 0
    breaker.failed()
    assert breaker.admit() == 30.0
    now = 62.0
    assert breaker.admit() == 0.0
    breaker.abandoned()
    assert breaker.admit() == 0.0
    breaker.succeeded()
    assert breaker.admit() == breaker.admit() == 0.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
    ],
)
def test_a_wait_is_read_as_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None):
    """What is no time to come is no request to wait. Now is 10 s after the epoch."""
    assert retry_after(headers, now=10.0) == seconds
