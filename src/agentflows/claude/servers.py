"""MCP servers of an agent: started for one run, asked through the SDK's own helpers, and gone after it.

The `mcp` package is an extra of ours (`pip install 'agentflows[mcp]'`); nothing of it is imported before an agent
names a server. What a server says, its errors too, is the word of a tool.
"""

import os
import re
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import httpx2

from agentflows.agent import McpServer
from agentflows.claude.loop import Tool, ToolFaultError
from agentflows.errors import UsageError

if TYPE_CHECKING:
    from anthropic.lib.tools import BetaAsyncFunctionTool
    from anyio.from_thread import BlockingPortal
    from mcp.client.session import ClientSession

_START_SECONDS = 30.0
_CALL_SECONDS = 120.0
_TAIL = 300
_MOST_PAGES = 50
_MOST_CHARS = 64 << 10
"""Of one result: more would fill the conversation, and the state database with it."""
_UNNAMED = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 128
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@contextmanager
def open_servers(
    servers: Sequence[McpServer], folder: Path, remaining: Callable[[], float]
) -> Generator[list[Tool]]:
    """The tools of all servers, named `mcp__<server>__<tool>`, for as long as the servers run.

    Args:
        servers: which.
        folder: where a server that is a command starts.
        remaining: seconds left of the run: no call outlasts it.

    Raises:
        UsageError: the `mcp` package is missing, or a server does not start; the message says why.
    """
    try:
        from anyio.from_thread import start_blocking_portal
        from mcp.client.session import ClientSession as _  # noqa: F401 - asked here, where the advice can be given
    except ImportError as error:
        msg = (
            f"The agent uses MCP servers ({', '.join(one.name for one in servers)}), and the `mcp` package is not "
            "installed. Install it with: pip install 'agentflows[mcp]'."
        )
        raise UsageError(msg) from error
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        tools: list[Tool] = []
        for server in servers:
            errors = stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
            tools += _opened(stack, portal, server, folder, remaining, errors)
        yield tools


def _opened(
    stack: ExitStack,
    portal: "BlockingPortal",
    server: McpServer,
    folder: Path,
    remaining: Callable[[], float],
    errors: IO[str],
) -> list[Tool]:
    try:
        connected = portal.wrap_async_context_manager(_connected(server, folder, errors))
        found = stack.enter_context(connected)
    except Exception as error:
        cause = _first(error)
        said = _tail(errors) or str(cause) or type(cause).__name__
        msg = f"The MCP server {server.name} does not start: {said}. Check its command, its URL and its variables."
        raise UsageError(msg) from error
    return [_tool(portal, server, one, remaining) for one in found]


@asynccontextmanager
async def _connected(
    server: McpServer, folder: Path, errors: IO[str]
) -> "AsyncGenerator[list[BetaAsyncFunctionTool[Any]]]":
    import anyio
    from anthropic.lib.tools.mcp import async_mcp_tool
    from mcp.client.session import ClientSession

    async with (
        _streams(server, folder, errors) as (incoming, outgoing),
        ClientSession(incoming, outgoing) as session,
    ):
        with anyio.fail_after(_START_SECONDS):
            await session.initialize()
            found = await _listed(session)
        yield [async_mcp_tool(tool, session) for tool in found]


async def _listed(session: "ClientSession") -> list[Any]:
    """All tools, page by page."""
    from mcp.types import PaginatedRequestParams

    found: list[Any] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        listed = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        found += listed.tools
        cursor = listed.next_cursor
        if not cursor:
            break
    return found


@asynccontextmanager
async def _streams(server: McpServer, folder: Path, errors: IO[str]) -> AsyncGenerator[tuple[Any, Any]]:
    if server.url:
        from mcp.client.streamable_http import streamable_http_client

        headers = {name: _filled(value, server) for name, value in server.headers.items()}
        timeout = httpx2.Timeout(_START_SECONDS, read=_CALL_SECONDS)
        async with (
            httpx2.AsyncClient(headers=headers, timeout=timeout) as http,
            streamable_http_client(_filled(server.url, server), http_client=http) as streams,
        ):
            yield streams
        return
    from mcp.client.stdio import StdioServerParameters, stdio_client

    command, *words = (_filled(word, server) for word in server.command)
    given = {name: _filled(value, server) for name, value in server.env.items()}
    parameters = StdioServerParameters(command=command, args=words, env=given, cwd=folder)
    async with stdio_client(parameters, errlog=cast("Any", errors)) as streams:
        yield streams


def _filled(text: str, server: McpServer) -> str:
    """The text with `${NAME}` replaced by variables of this process, so that agent files need hold no key.

    Raises:
        UsageError: there is no such variable.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            msg = f"The MCP server {server.name} needs the variable {name}, which is not set. Set it, or leave it out."
            raise UsageError(msg)
        return os.environ[name]

    return _VARIABLE.sub(value, text)


def _tool(
    portal: "BlockingPortal",
    server: McpServer,
    tool: "BetaAsyncFunctionTool[Any]",
    remaining: Callable[[], float],
) -> Tool:
    def run(given: dict[str, Any]) -> str:
        return _called(portal, server, tool, given, max(1.0, min(_CALL_SECONDS, remaining())))

    name = _UNNAMED.sub("_", f"mcp__{server.name}__{tool.name}")[:_LONGEST_NAME]
    schema = {"type": "object", **cast("dict[str, Any]", tool.input_schema)}
    return Tool(name, tool.description or "", schema, run)


def _called(
    portal: "BlockingPortal",
    server: McpServer,
    tool: "BetaAsyncFunctionTool[Any]",
    given: dict[str, Any],
    seconds: float,
) -> str:
    import anyio
    from anthropic.lib.tools import ToolError
    from anthropic.lib.tools.mcp import UnsupportedMCPValueError
    from mcp.shared.exceptions import MCPError

    async def call() -> Any:
        with anyio.fail_after(seconds):
            return await tool.call(given)

    try:
        return _text(portal.call(partial(call)))
    except ToolError as error:
        raise ToolFaultError(_text(error.content)) from error
    except MCPError as error:
        msg = f"The MCP server {server.name} refused the call: {error}"
        raise ToolFaultError(msg) from error
    except UnsupportedMCPValueError as error:
        msg = f"The MCP server {server.name} answered with something that cannot be shown."
        raise ToolFaultError(msg) from error
    except TimeoutError as error:
        msg = f"The MCP server {server.name} did not answer within {seconds:.0f} s."
        raise ToolFaultError(msg) from error
    except (anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        msg = f"The MCP server {server.name} does not answer any more."
        raise ToolFaultError(msg) from error


def _text(content: Any) -> str:
    if isinstance(content, str):
        return _cut(content)
    blocks = [cast("dict[str, Any]", block) for block in content or ()]
    return _cut(
        "\n".join(
            str(block["text"]) if block.get("type") == "text" else f"[{block.get('type')}]"
            for block in blocks
        )
    )


def _cut(text: str) -> str:
    """Head and tail of a text that is too long, with a line between them that counts what is missing."""
    left_out = len(text) - _MOST_CHARS
    if left_out <= 0:
        return text
    half = _MOST_CHARS // 2
    return f"{text[:half]}\n[... {left_out} characters left out ...]\n{text[-half:]}"


def _first(error: BaseException) -> BaseException:
    """The first single error of a group: task groups wrap even one."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


def _tail(errors: IO[str]) -> str:
    errors.flush()
    errors.seek(0)
    return " ".join(errors.read().split())[-_TAIL:]
