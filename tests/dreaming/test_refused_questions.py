"""Questions that the endpoint refuses for what they hold: the dream goes on without them, unless it refuses all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflows.dreaming import DreamRequest, dream_over
from agentflows.errors import EndpointError
from agentflows.home import Home, open_home
from agentflows.ingesting import ingest_files
from agentflows.readers import discover
from agentflows.testing import FakeMessagesAPI, FakeRequest, Reply
from tests.conftest import EXAMPLES
from tests.dreaming.model import LINT, answer, kind_of

SESSIONS = 16
BLOCKED = "Output blocked by content filtering policy"


@pytest.fixture
def fake() -> Iterator[FakeMessagesAPI]:
    with FakeMessagesAPI(batch_polls=1) as api:
        yield api


@pytest.fixture
def home(tmp_path: Path, fake: FakeMessagesAPI) -> Iterator[Home]:
    given = {"base_url": fake.url, "api_key": fake.api_key, "batch_poll_seconds": 0.01}
    with open_home(tmp_path, **given) as opened:
        ingest_files(opened, discover(EXAMPLES / "sessions")[:SESSIONS])
        yield opened


def asked(**options: Any) -> DreamRequest:
    return DreamRequest.model_validate({"engine": "claude", "calls": "interactive", **options})


def is_odd(request: FakeRequest) -> bool:
    """Some of the sessions."""
    return kind_of(request) == "observations" and LINT in request.last_text


@pytest.mark.parametrize(("calls", "status"), [("interactive", 400), ("batch", 413)])
def test_a_session_that_the_endpoint_refuses_is_named_and_the_others_go_on(
    home: Home, fake: FakeMessagesAPI, calls: str, status: int
):
    """A content filter, a prompt too long, a proxy's limit: one session of many, refused again each night."""
    fake.script(lambda one: Reply.error(status, BLOCKED) if is_odd(one) else answer(one))
    report = dream_over(home, asked(calls=calls))
    odd = len({one.last_text for one in fake.requests if is_odd(one)})
    assert odd > 0
    assert (report.dream.status, report.coverage.failed) == ("completed", odd)
    assert report.coverage.read == SESSIONS - odd
    assert report.changes
    assert all(BLOCKED in failure for failure in report.coverage.failures)
    again = dream_over(home, asked(calls=calls))
    assert (again.dream.status, again.coverage.failed) == ("completed", odd), (
        "though now all that is asked is refused"
    )


def test_a_pattern_that_the_endpoint_refuses_is_refused_and_the_others_go_on(
    home: Home, fake: FakeMessagesAPI
):
    """So is a change whose sources it does not take."""
    refused: dict[str, str] = {}

    def script(request: FakeRequest) -> Any:
        kind = kind_of(request)
        if kind != "observations" and refused.setdefault(kind, request.last_text) == request.last_text:
            return Reply.error(413)
        return answer(request)

    fake.script(script)
    report = dream_over(home, asked())
    assert set(refused) >= {"after"}
    assert report.dream.status == "completed"
    assert report.refused["model_output"] >= 1
    assert (report.coverage.read, report.coverage.failed) == (SESSIONS, 0)


def test_an_endpoint_that_refuses_whatever_it_is_asked_is_an_error(home: Home, fake: FakeMessagesAPI):
    """A proxy that knows no structured output, say: a dream of which nothing was read is not completed."""
    fake.script(lambda _: Reply.error(400, "thinking: unknown field"))
    with pytest.raises(EndpointError, match="its own words say which") as caught:
        dream_over(home, asked())
    assert caught.value.kind == "invalid_request"
    assert home.state.dreams()[0].status == "failed"
