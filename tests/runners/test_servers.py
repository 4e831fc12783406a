"""MCP servers: real ones, started for a run, asked as tools, and gone after it."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentflows.agent import McpServer
from agentflows.errors import UsageError
from agentflows.testing import FakeMessagesAPI, Reply
from tests.runners.conftest import Run, calls, writer

SERVER = str(Path(__file__).parent / "mcp_server.py")
DONE = Reply.text("Done.")


def calc(*more: str, **changed: object) -> McpServer:
    """The server; words that follow the program's."""
    return McpServer.model_validate({"name": "calc", "command": (sys.executable, SERVER, *more), **changed})


def call(tool: str, **given: object) -> Reply:
    """A call of one of its tools."""
    return Reply.tool_use(f"mcp__calc__{tool}", given)


def test_its_tools_are_the_agents(run: Run, fake: FakeMessagesAPI, monkeypatch: pytest.MonkeyPatch):
    """Results, errors and wrong arguments are tool results; of our variables it sees those it was given.

    A result of megabytes is cut, as a command's output is: it would end the conversation and fill the state database.
    """
    monkeypatch.setenv("SECRET_TOKEN", "sk-1")
    monkeypatch.setenv("CALC_TOKEN", "t0k")
    asked = calls(call("add", a=2, b=3), call("fail"), call("add", a="x"), call("sees"), call("lines"))
    fake.queue(asked, DONE)
    threads = threading.active_count()
    agent = writer(tools=("read",), mcp_servers=(calc(env={"GIVEN": "${CALC_TOKEN}"}),))
    done = run(agent)
    assert done.end == "finished"
    names = [tool["name"] for tool in fake.requests[0].body["tools"]]
    assert names == [
        "read",
        "mcp__calc__add",
        "mcp__calc__fail",
        "mcp__calc__die",
        "mcp__calc__sees",
        "mcp__calc__lines",
    ]
    results = [
        (turn.text, turn.is_error, turn.trust) for turn in done.session.turns if turn.kind == "tool_result"
    ]
    assert results[0] == ("5", False, 1)
    assert "no such record" in results[1][0]
    assert [error for _, error, _ in results] == [False, True, True, False, False]
    assert results[3][0] == "t0k False"
    cut = results[4][0]
    assert 60_000 < len(cut) < 70_000
    assert (cut[:7], cut[-6:]) == ("first\nx", "x\nlast")
    assert "characters left out" in cut
    assert threading.active_count() == threads


def test_an_agent_may_name_the_tools_it_wants(run: Run, fake: FakeMessagesAPI):
    """As in Claude Code: `mcp__server__tool`, or `mcp__server` for all of them."""
    fake.queue(DONE, DONE)
    run(writer(tools=("mcp__calc__add",), mcp_servers=(calc(),)))
    assert [tool["name"] for tool in fake.requests[0].body["tools"]] == ["mcp__calc__add"]
    run(writer(tools=("mcp__calc",), mcp_servers=(calc(),)))
    assert len(fake.requests[1].body["tools"]) == 5


def test_a_server_that_dies_is_a_tool_error(run: Run, fake: FakeMessagesAPI):
    """The run goes on with what is left."""
    fake.queue(call("die"), replace(DONE))
    done = run(writer(mcp_servers=(calc(),)))
    assert done.end == "finished"
    assert done.tool_errors == 1
    error = next(turn.text for turn in done.session.turns if turn.is_error)
    assert "The MCP server calc" in error


@pytest.fixture
def address() -> Iterator[str]:
    """A server on a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, SERVER, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(400):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def test_a_server_may_be_at_an_address(run: Run, fake: FakeMessagesAPI, address: str):
    """The same over HTTP."""
    fake.queue(call("add", a=2, b=3), DONE)
    done = run(writer(mcp_servers=(McpServer(name="calc", url=address, headers={"x-team": "a"}),)))
    assert [turn.text for turn in done.session.turns if turn.kind == "tool_result"] == ["5"]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (calc("--broken"), "calc does not start: the database is not there"),
        (calc(command=("/nowhere/server",)), "calc does not start: .*No such file"),
        (calc(env={"A": "${NOT_SET_ANYWHERE}"}), "needs the variable NOT_SET_ANYWHERE"),
        (McpServer(name="web", url="http://127.0.0.1:9/mcp"), "web does not start: .*connection"),
    ],
)
def test_a_server_that_does_not_start_is_named_before_the_model_is_asked(
    run: Run, fake: FakeMessagesAPI, server: McpServer, expected: str
):
    """With what it said itself, and nothing spent."""
    assert "NOT_SET_ANYWHERE" not in os.environ
    with pytest.raises(UsageError, match=f"(?i){expected}"):
        run(writer(mcp_servers=(server,)))
    assert not fake.requests
