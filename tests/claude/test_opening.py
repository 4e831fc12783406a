"""Opening the door: what is needed, what is refused, and whether there is anyone behind it."""

import os
import socket
import subprocess
import sys
from typing import Any

import anthropic
import httpx2
import pytest

from agentflows.budget import UnlimitedPurse
from agentflows.claude import Claude
from agentflows.errors import BudgetError, EndpointError, SettingsError


def test_without_a_key_and_an_endpoint_there_is_no_client():
    """The message says which variables to set."""
    with pytest.raises(SettingsError, match="ANTHROPIC_API_KEY"):
        Claude(model="m", api_key=None, purse=UnlimitedPurse())


def test_an_endpoint_of_ones_own_needs_no_key(make_bench: Any, good: dict[str, Any]):
    """Local servers often ignore keys; the SDK insists on one."""
    bench = make_bench(fake={"api_key": "unused"}, api_key=None)
    bench.fake.queue(good)
    assert bench.ask().value.score == 3


def test_an_unpriced_model_is_refused_under_a_ceiling_in_money(make_bench: Any):
    """A cap that cannot be computed is no cap."""
    with pytest.raises(BudgetError, match="AGENTFLOWS_PRICES"):
        make_bench(model="unknown-model", is_money_capped=True)


def test_an_unpriced_model_is_allowed_otherwise_and_marked(make_bench: Any, good: dict[str, Any]):
    """Tokens are still counted; the record says that the dollars are not known."""
    bench = make_bench(model="unknown-model")
    bench.fake.queue(good)
    answer = bench.ask()
    assert (answer.dollars, bench.records[0].priced) == (0.0, False)
    assert bench.purse.settled == [answer.usage.total]
    assert bench.claude.estimate(system=[], user=["x"], schema=type(answer.value)).dollars is None


def test_a_check_asks_for_the_models_description(bench: Any):
    """Free of charge."""
    assert bench.claude.check() == f"model-x at {bench.fake.url}: active"
    assert bench.fake.requests == []
    assert bench.purse.reserved == []


def test_a_check_sends_a_word_where_there_is_no_description(make_bench: Any):
    """Many compatible servers have no `/v1/models`. It is paid like any call."""
    bench = make_bench(fake={"lists_models": False})
    bench.fake.queue("pong")
    assert bench.claude.check().endswith("answers messages")
    assert len(bench.purse.settled) == 1
    assert bench.records[0].purpose == "check"


@pytest.mark.parametrize("more", [{"lists_models": True}, {"lists_models": False}])
def test_a_check_tells_a_model_that_does_not_exist(make_bench: Any, more: dict[str, Any]):
    """404 of the list alone could mean either; 404 of a message means the model."""
    bench = make_bench(fake={"models": ["another"], **more})
    with pytest.raises(EndpointError, match="AGENTFLOWS_MODEL") as caught:
        bench.claude.check()
    assert caught.value.kind == "not_found"


def test_a_check_tells_a_wrong_key(make_bench: Any):
    """In one line, with what to do."""
    bench = make_bench(api_key="wrong")
    with pytest.raises(EndpointError, match=r"^[^\n]*Check ANTHROPIC_API_KEY\.$"):
        bench.claude.check()


def test_a_check_tells_that_nobody_listens(make_bench: Any):
    """In one line, with the URL and what to do."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(EndpointError, match=f"^[^\n]*{url}[^\n]*Check that the server runs") as caught:
            make_bench(base_url=url).claude.check()
    assert caught.value.kind == "unreachable"


@pytest.mark.parametrize("body", [b"<html>Please sign in.</html>", b"{}", b'{"broken'])
@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
def test_a_check_is_not_fooled_by_a_server_that_answers_everything(
    make_bench: Any, body: bytes, content_type: str
):
    """A sign-in portal says 200 to whatever it is asked."""

    def portal(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=body, headers={"content-type": content_type})

    with httpx2.Client(transport=httpx2.MockTransport(portal)) as http:
        bench = make_bench(http_client=http)
        with pytest.raises(EndpointError) as caught:
            bench.claude.check()
    assert caught.value.kind == "not_a_message"


def test_the_environment_does_not_choose_the_endpoint(good: dict[str, Any]):
    """What settings say is passed on; a stray variable must not send sessions elsewhere."""
    code = (
        "from agentflows.claude import Claude\n"
        "from agentflows.budget import UnlimitedPurse\n"
        "print(Claude(model='m', api_key='k', purse=UnlimitedPurse())._sdk.base_url)"
    )
    environment = {**os.environ, "ANTHROPIC_BASE_URL": "http://elsewhere.invalid"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "https://api.anthropic.com"


def test_a_client_says_what_it_is(bench: Any):
    """In a traceback or a log, without the key."""
    assert repr(bench.claude) == f"<Claude model-x at {bench.fake.url}>"


def test_a_lent_connection_pool_stays_open(make_bench: Any, good: dict[str, Any]):
    """Who opens it closes it."""
    with anthropic.DefaultHttpxClient() as http:
        with make_bench(http_client=http).claude:
            pass
        assert not http.is_closed
